//! What can become of a frame: exit, action, counter and metric label in one.
//!
//! The program ends each run with exactly one outcome and counts it once in `OUTCOMES`; the
//! controller shows the same names.

/// What the driver is told to do with the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The frame goes to the host's network stack, untouched.
    Pass,
    /// The frame, now a reply, leaves by the interface on which it came.
    Transmit,
    /// The frame goes to the controller, untouched.
    Slow,
    /// The frame ends here.
    Drop,
}

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $action:ident, $label:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Outcome {
            $($(#[$doc])* $name,)+
        }

        impl Outcome {
            /// Every outcome, in the order of its counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The counter's name in metrics and tables.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                }
            }

            #[inline(always)]
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$name => Action::$action,)+
                }
            }
        }
    };
}

outcomes! {
    /// Not IPv4/UDP to port 67.
    NotDhcp = Pass, "not_dhcp";
    /// DHCP, but not for an address of ours on a link of ours.
    NotOurs = Pass, "not_ours";
    /// `op` is BOOTREPLY: a server's answer to a relay agent on this host.
    BootReply = Pass, "boot_reply";

    /// OFFER to a client with a lease, or once more to one with an offer.
    Offered = Transmit, "offered";
    /// ACK in SELECTING, of an address leased to the client already.
    AckedSelecting = Transmit, "acked_selecting";
    /// ACK in INIT-REBOOT.
    AckedRebooting = Transmit, "acked_rebooting";
    /// ACK in RENEWING.
    AckedRenewing = Transmit, "acked_renewing";
    /// ACK in REBINDING.
    AckedRebinding = Transmit, "acked_rebinding";
    /// NAK to a client whose lease was revoked.
    Naked = Transmit, "naked";

    /// The program was told to answer nothing itself.
    SlowOnly = Slow, "slow_only";
    /// Nothing is published for this client.
    UnknownClient = Slow, "unknown_client";
    /// `giaddr` lies in no subnet of ours.
    UnknownRelay = Slow, "unknown_relay";
    /// The link has no network for a client that sends from it directly.
    UnknownNetwork = Slow, "unknown_network";
    /// No answer for this shape of request has been rendered yet.
    NoTemplate = Slow, "no_template";
    /// A REQUEST from a client with an offer pending: to be committed, or to free the offer.
    OfferPending = Slow, "offer_pending";
    /// The published offer or lease has run out.
    Expired = Slow, "expired";
    /// The full lease would reach beyond the time that is durable.
    BeyondHorizon = Slow, "beyond_horizon";
    /// The client names another address than the one published for it.
    AddressMismatch = Slow, "address_mismatch";
    /// The request came from another port of a relay agent, or from other hardware, than the answers are for.
    OtherOrigin = Slow, "other_origin";
    /// RELEASE, DECLINE, INFORM or a type of message that only the controller knows.
    MessageType = Slow, "message_type";
    /// The client has released or declined, and the controller has not yet said what follows.
    Closed = Slow, "closed";
    /// A revoked client that starts afresh.
    RevokedClient = Slow, "revoked_client";
    /// A REQUEST that fits no state of RFC 2131 §4.3.2.
    OddRequest = Slow, "odd_request";
    /// No option 53: BOOTP (RFC 1534).
    Bootp = Slow, "bootp";
    /// Option 52: options continue in `sname` or `file`.
    Overload = Slow, "overload";
    /// An option that decides something came more than once (RFC 3396).
    SplitOption = Slow, "split_option";
    /// More options, or longer ones, than the walk takes.
    ManyOptions = Slow, "many_options";
    /// A client identifier longer than the key holds.
    LongClientId = Slow, "long_client_id";
    /// Option 82 with a sub-option that changes the answer.
    RelaySuboption = Slow, "relay_suboption";
    /// Option 118: the client or its relay agent names the subnet (RFC 3011).
    SubnetSelection = Slow, "subnet_selection";
    /// Hardware that is not Ethernet.
    Hardware = Slow, "hardware";
    /// The reply would be larger than the client, or the frame's buffer, takes.
    ReplyTooLarge = Slow, "reply_too_large";
    /// The entry changed hands while it was read.
    Torn = Slow, "torn";

    /// The frame ends before its headers or lengths say.
    Truncated = Drop, "truncated";
    /// IPv4 header with options.
    IpOptions = Drop, "ip_options";
    /// A fragment of a datagram to port 67.
    Fragment = Drop, "fragment";
    /// The lengths of IP and UDP disagree.
    LengthMismatch = Drop, "length_mismatch";
    /// The checksum of the IPv4 header is wrong.
    BadIpChecksum = Drop, "bad_ip_checksum";
    /// The UDP checksum is wrong.
    BadUdpChecksum = Drop, "bad_udp_checksum";
    /// Larger than a datagram of an Ethernet link without jumbo frames.
    Oversized = Drop, "oversized";
    /// `op` is neither BOOTREQUEST nor BOOTREPLY.
    BadOp = Drop, "bad_op";
    /// `hlen` is over 16.
    BadHlen = Drop, "bad_hlen";
    /// No magic cookie.
    BadCookie = Drop, "bad_cookie";
    /// An option runs past the end of the message.
    OptionOverrun = Drop, "option_overrun";
    /// The options do not end with END.
    NoEnd = Drop, "no_end";
    /// An option has a length that its definition does not allow.
    BadOptionLength = Drop, "bad_option_length";
    /// Option 53 is of wrong length, unassigned, or a type that only servers send.
    BadMessageType = Drop, "bad_message_type";
    /// Option 82 from a client's link that is not trusted to add it.
    UntrustedRelayInfo = Drop, "untrusted_relay_info";
    /// A REQUEST for another server, from a client with a lease and no pending offer here.
    NotSelected = Drop, "not_selected";
    /// More from one source than the controller takes.
    Limited = Drop, "limited";
    /// For the controller, but none is listening.
    Unserved = Drop, "unserved";
    /// The reply that had been checked could not be written, or what it promises not be noted; never
    /// expected.
    WriteFailed = Drop, "write_failed";
    /// The maps have no or other metadata; never expected.
    BadMeta = Drop, "bad_meta";
}

impl Outcome {
    pub const COUNT: usize = Self::ALL.len();

    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|outcome| outcome.label() == label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_labels_are_unambiguous() {
        for (index, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, index);
            assert_eq!(Outcome::from_label(outcome.label()), Some(*outcome));
        }
        assert_eq!(Outcome::from_label("no such outcome"), None);
    }
}
