//! What the slow path did, by name.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)+) => {
        /// One thing that the engine did, or the reason why it was silent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Counter {
            $($(#[$doc])* $name,)+
        }

        impl Counter {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The counter's name in metrics and tables.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                }
            }
        }
    };
}

counters! {
    Offered = "offered";
    /// An OFFER without an address, to a client that does without IPv4 (RFC 8925).
    Ipv6Only = "ipv6_only";
    Acked = "acked";
    Naked = "naked";
    /// ACK to an INFORM.
    Informed = "informed";
    /// Answers to LEASEQUERY (RFC 4388 §6.4).
    LeaseActive = "lease_active";
    LeaseUnassigned = "lease_unassigned";
    LeaseUnknown = "lease_unknown";
    /// A reply to a BOOTP request.
    BootpAnswered = "bootp_answered";
    Released = "released";
    Declined = "declined";
    /// An offer freed because its client chose another server.
    OfferDeclined = "offer_declined";
    /// An offer that was not taken in time.
    OfferExpired = "offer_expired";
    /// A probe for a host that has the address which a client is to be offered.
    Probed = "probed";
    /// An address that somebody has who answered a probe; it is quarantined.
    AddressInUse = "address_in_use";
    /// An address offered without a probe, for as many as allowed were under way.
    Unprobed = "unprobed";
    /// A lease that ended, its address free again.
    LeaseExpired = "lease_expired";

    /// Shorter than a BOOTP message.
    Truncated = "truncated";
    BadOp = "bad_op";
    BadHlen = "bad_hlen";
    BadCookie = "bad_cookie";
    /// An option runs past the end of its field.
    OptionOverrun = "option_overrun";
    NoEnd = "no_end";
    TooManyOptions = "too_many_options";
    /// An option has a length that its definition does not allow.
    BadOptionLength = "bad_option_length";
    /// Option 53 is of wrong length, unassigned, or a type that only servers send.
    BadMessageType = "bad_message_type";
    /// A type of message that is not served.
    UnservedMessageType = "unserved_message_type";
    /// BOOTP, that is, no option 53 (RFC 1534), where it is not served, or not to this client.
    Bootp = "bootp";
    /// Neither client identifier nor hardware address.
    NoIdentity = "no_identity";
    /// `giaddr` lies in no subnet of ours.
    UnknownRelay = "unknown_relay";
    /// The link that a relay agent or client has selected (RFC 3527, RFC 3011) is in no subnet of ours.
    UnknownLink = "unknown_link";
    /// The link has no network for a client that sends from it directly.
    UnknownNetwork = "unknown_network";
    /// Option 82 from a client's link that is not trusted to add it.
    UntrustedRelayInfo = "untrusted_relay_info";
    /// Option 82 with a sub-option that makes no sense; it is left out of account.
    BrokenRelayInfo = "broken_relay_info";
    /// A REQUEST that fits no state of RFC 2131 §4.3.2.
    OddRequest = "odd_request";
    /// A REQUEST for another server.
    NotSelected = "not_selected";
    /// INIT-REBOOT or REBINDING of a client that is unknown here.
    UnknownClient = "unknown_client";
    /// The configuration refuses its class.
    ClassRefused = "class_refused";
    /// A REQUEST that came again while the first one is being committed, or a DISCOVER whose address is
    /// being probed.
    Retransmitted = "retransmitted";
    /// No address is free for the client.
    PoolEmpty = "pool_empty";
    /// Somebody had every address that was probed for a DISCOVER.
    ProbesGivenUp = "probes_given_up";
    /// A RELEASE that fits no lease.
    ReleaseMismatch = "release_mismatch";
    /// A DECLINE that fits no lease or offer.
    DeclineMismatch = "decline_mismatch";
    /// An INFORM without any address to answer to.
    InformNowhere = "inform_nowhere";
    /// A LEASEQUERY without `giaddr`, which is where its answer would go (RFC 4388 §6.4.3).
    LeasequeryNowhere = "leasequery_nowhere";
    /// A LEASEQUERY of a relay agent that the configuration does not permit to ask.
    LeasequeryRefused = "leasequery_refused";
    /// A LEASEQUERY not for exactly one of address, hardware address and client identifier (RFC 4388 §6.3).
    OddLeasequery = "odd_leasequery";
    /// The reply does not fit even with all that may be left out.
    ReplyTooLarge = "reply_too_large";
    /// A reply without option 82, which did not fit (RFC 3046 §2.2).
    RelayInfoLeftOut = "relay_info_left_out";

    /// A commit failed; its client got no answer.
    StoreFailed = "store_failed";
    /// A DISCOVER of a client without a lease while commits fail: it is left to other servers.
    StoreFailing = "store_failing";
    /// The store holds the address for another client.
    StoreConflict = "store_conflict";
    Published = "published";
    Withdrawn = "withdrawn";
    /// A lease that works without the kernel, whose map is full.
    TableFull = "table_full";
    TemplatePublished = "template_published";
    /// One that an earlier run has published.
    TemplateAdopted = "template_adopted";
    /// The map of templates was full, and has been cleared for what comes in now.
    TemplatesFull = "templates_full";
    /// Leases whose horizon was extended for the kernel.
    HorizonExtended = "horizon_extended";
}

impl Counter {
    pub const COUNT: usize = Self::ALL.len();
}

/// Written by the engine, read at any time by whoever holds a reference.
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
