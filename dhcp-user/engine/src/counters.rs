//! Named counters of what the slow path did, and of its reasons not to answer.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    (
        events { $($(#[$event_doc:meta])* $event:ident = $event_label:literal;)+ }
        silences { $($(#[$silence_doc:meta])* $silence:ident = $silence_label:literal;)+ }
    ) => {
        /// One thing that the engine did, or the reason why it did not answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Counter {
            $($(#[$event_doc])* $event,)+
            $($(#[$silence_doc])* $silence,)+
        }

        impl Counter {
            pub const ALL: &'static [Self] = &[$(Self::$event,)+ $(Self::$silence,)+];

            /// Returns the counter's name in metrics and tables.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$event => $event_label,)+
                    $(Self::$silence => $silence_label,)+
                }
            }
        }

        /// Why a message gets no answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Silence {
            $($(#[$silence_doc])* $silence,)+
        }

        impl Silence {
            /// Returns the counter that such messages are counted by.
            pub const fn counter(self) -> Counter {
                match self {
                    $(Self::$silence => Counter::$silence,)+
                }
            }
        }
    };
}

counters! {
    events {
        /// An OFFER.
        Offered = "offered";
        /// An OFFER without an address, to a client that can do without IPv4 (RFC 8925).
        Ipv6Only = "ipv6_only";
        /// An ACK to a REQUEST, or to a DISCOVER with rapid commit.
        Acked = "acked";
        /// A NAK.
        NakSent = "nak";
        /// ACK to an INFORM.
        Informed = "informed";
        /// A LEASEQUERY for a lease that is active (RFC 4388 §6.4).
        LeaseActive = "lease_active";
        /// A LEASEQUERY for an address that is not leased.
        LeaseUnassigned = "lease_unassigned";
        /// A LEASEQUERY for an address or client that this server does not know.
        LeaseUnknown = "lease_unknown";
        /// A reply to a BOOTP request.
        BootpAnswered = "bootp_answered";
        /// An OFFER of boot parameters without an address, on a link that is a proxy (PXE 2.1
        /// §2.2.3).
        BootOffered = "boot_offered";
        /// An ACK with boot parameters, as a boot server (PXE 2.1 §2.2.4).
        BootAcked = "boot_acked";
        /// A RELEASE that ends a lease.
        Released = "released";
        /// A DECLINE that takes an address out of service.
        Declined = "declined";
        /// An offer freed because its client chose another server.
        OfferDeclined = "offer_declined";
        /// An offer that was not taken in time.
        OfferExpired = "offer_expired";
        /// A probe for a host that already has the address which a client is to be offered.
        Probed = "probed";
        /// An address quarantined because a host answered a probe for it.
        AddressInUse = "address_in_use";
        /// An address offered without a probe, because as many as allowed were in progress.
        Unprobed = "unprobed";
        /// A lease that ended; its address is free again.
        LeaseExpired = "lease_expired";
        /// Option 82 with a malformed sub-option, which is ignored.
        BrokenRelayInfo = "broken_relay_info";
        /// Option 82 directly from a link that is not trusted to add it. It is echoed and decides
        /// nothing.
        UntrustedRelayInfo = "untrusted_relay_info";
        /// A message whose options do not end with END, all of them whole.
        NoEnd = "no_end";
        /// A message whose last option extends beyond its end, and is ignored.
        OverrunIgnored = "overrun_ignored";
        /// Option 50, 53 or 54 more than once, with the same value each time.
        OptionRepeated = "option_repeated";
        /// A DISCOVER with an option 50 or 54 without a value.
        OptionEmpty = "option_empty";
        /// Option 61 of less than two octets, which is echoed and identifies nobody (RFC 2132
        /// §9.14).
        ShortClientId = "short_client_id";
        /// A reply without option 82, which did not fit (RFC 3046 §2.2).
        RelayInfoLeftOut = "relay_info_left_out";
        /// An option left out of a reply that has no room for it, also in parts (RFC 3396). Not
        /// counted again when the kernel repeats the reply.
        OptionLeftOut = "option_left_out";
        /// A commit that failed; its client got no answer.
        StoreFailed = "store_failed";
        /// The store holds the address for another client.
        StoreConflict = "store_conflict";
        /// A binding published in the kernel's map.
        Published = "published";
        /// A binding taken out of the kernel's map.
        Withdrawn = "withdrawn";
        /// A lease served without the kernel, whose map is full.
        TableFull = "table_full";
        /// An answer published for the kernel to repeat.
        TemplatePublished = "template_published";
        /// A template kept from an earlier run.
        TemplateAdopted = "template_adopted";
        /// The map of templates was full and has been cleared for new ones.
        TemplatesFull = "templates_full";
        /// A lease whose horizon was extended for the kernel.
        HorizonExtended = "horizon_extended";
    }
    silences {
        /// Shorter than a BOOTP message.
        Truncated = "truncated";
        /// `op` is not BOOTREQUEST.
        BadOp = "bad_op";
        /// `hlen` is longer than `chaddr`.
        BadHlen = "bad_hlen";
        /// The magic cookie is missing.
        BadCookie = "bad_cookie";
        /// An option that the decision depends on runs past the end of its field.
        OptionOverrun = "option_overrun";
        /// More options than any client sends.
        TooManyOptions = "too_many_options";
        /// An option has a length that its definition does not allow.
        BadOptionLength = "bad_option_length";
        /// Option 50, 53 or 54 more than once, with different values.
        ConflictingOption = "conflicting_option";
        /// Option 53 is of wrong length, unassigned, or a type that only servers send.
        BadMessageType = "bad_message_type";
        /// A type of message that is not served.
        UnservedMessageType = "unserved_message_type";
        /// BOOTP, that is, no option 53 (RFC 1534), where it is not served, or not to this client.
        Bootp = "bootp";
        /// Neither client identifier nor hardware address.
        NoIdentity = "no_identity";
        /// `giaddr` is in no subnet of this server.
        UnknownRelay = "unknown_relay";
        /// The link that a relay agent or client has selected (RFC 3527, RFC 3011) is in no subnet
        /// of this server.
        UnknownLink = "unknown_link";
        /// The link serves no network for clients that send from it directly.
        UnknownNetwork = "unknown_network";
        /// On a link that is a proxy, a message from a client that is not firmware booting from the
        /// network.
        NotFirmware = "not_firmware";
        /// On a link that is a proxy, a message from firmware for which no boot parameters are
        /// configured.
        NothingToBoot = "nothing_to_boot";
        /// On a link that is a proxy, a message from firmware for the server that gives the
        /// addresses, or for another boot server.
        NotForBootServer = "not_for_boot_server";
        /// A REQUEST that fits no state of RFC 2131 §4.3.2.
        OddRequest = "odd_request";
        /// A REQUEST for another server.
        NotSelected = "not_selected";
        /// INIT-REBOOT or REBINDING of a client that is unknown here.
        UnknownClient = "unknown_client";
        /// The configuration refuses the client's class.
        ClassRefused = "class_refused";
        /// A REQUEST repeated while the first one is being committed, or a DISCOVER whose address
        /// is being probed.
        Retransmitted = "retransmitted";
        /// No address is free for the client.
        PoolEmpty = "pool_empty";
        /// A host had every address that was probed for a DISCOVER.
        ProbesGivenUp = "probes_given_up";
        /// A RELEASE that fits no lease.
        ReleaseMismatch = "release_mismatch";
        /// A DECLINE that fits no lease or offer.
        DeclineMismatch = "decline_mismatch";
        /// An INFORM without any address to answer to.
        InformNowhere = "inform_nowhere";
        /// A LEASEQUERY without `giaddr`, to which its answer would go (RFC 4388 §6.4.3).
        LeasequeryNowhere = "leasequery_nowhere";
        /// A LEASEQUERY from a relay agent that the configuration does not permit.
        LeasequeryRefused = "leasequery_refused";
        /// A LEASEQUERY not for exactly one of address, hardware address and client identifier (RFC
        /// 4388 §6.3).
        OddLeasequery = "odd_leasequery";
        /// The reply does not fit even without the options that may be omitted.
        ReplyTooLarge = "reply_too_large";
        /// A DISCOVER from a client without a lease while commits fail; it is left to other
        /// servers.
        StoreFailing = "store_failing";
    }
}

impl Counter {
    pub const COUNT: usize = Self::ALL.len();
}

/// The counts. The engine writes them; any holder of a reference can read them.
#[derive(Debug)]
pub struct Counters {
    values: [AtomicU64; Counter::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            values: [const { AtomicU64::new(0) }; Counter::COUNT],
        }
    }
}

impl Counters {
    pub(crate) fn count(&self, counter: Counter) {
        self.values[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize].load(Ordering::Relaxed)
    }
}
