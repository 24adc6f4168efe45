//! How a run of the program ends: verdict, counter and metric label in one table.
//!
//! A run ends with an [`Answer`], or with a [`Silence`] that says why the program does not answer.
//! Either becomes an [`Outcome`], which the program counts once in `OUTCOMES`. The controller shows
//! the counters under the same labels.

/// The verdict for the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The frame goes to the host's network stack, unchanged.
    Pass,
    /// The frame, now a reply, leaves by the interface on which it arrived.
    Transmit,
    /// The frame goes to the controller, unchanged.
    Slow,
    /// The frame is discarded.
    Drop,
}

macro_rules! outcomes {
    (
        Pass { $($(#[$pass_doc:meta])* $pass:ident = $pass_label:literal;)+ }
        Transmit { $($(#[$answer_doc:meta])* $answer:ident = $answer_label:literal;)+ }
        Slow { $($(#[$slow_doc:meta])* $slow:ident = $slow_label:literal;)+ }
        Drop { $($(#[$drop_doc:meta])* $drop:ident = $drop_label:literal;)+ }
    ) => {
        /// The one exit of a run; its number is the index of its counter in `OUTCOMES`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Outcome {
            $($(#[$pass_doc])* $pass,)+
            $($(#[$answer_doc])* $answer,)+
            $($(#[$slow_doc])* $slow,)+
            $($(#[$drop_doc])* $drop,)+
        }

        /// A reply that the program sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Answer {
            $($(#[$answer_doc])* $answer = Outcome::$answer as u32,)+
        }

        /// The reason why the program sends no reply itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Silence {
            $($(#[$pass_doc])* $pass = Outcome::$pass as u32,)+
            $($(#[$slow_doc])* $slow = Outcome::$slow as u32,)+
            $($(#[$drop_doc])* $drop = Outcome::$drop as u32,)+
        }

        impl Outcome {
            /// All outcomes, in the order of their counters.
            pub const ALL: &'static [Self] = &[
                $(Self::$pass,)+
                $(Self::$answer,)+
                $(Self::$slow,)+
                $(Self::$drop,)+
            ];

            /// Returns the counter's name in metrics and tables.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$pass => $pass_label,)+
                    $(Self::$answer => $answer_label,)+
                    $(Self::$slow => $slow_label,)+
                    $(Self::$drop => $drop_label,)+
                }
            }

            /// Returns the verdict that goes with the outcome.
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$pass => Action::Pass,)+
                    $(Self::$answer => Action::Transmit,)+
                    $(Self::$slow => Action::Slow,)+
                    $(Self::$drop => Action::Drop,)+
                }
            }
        }

        impl Silence {
            /// Returns the verdict that goes with the outcome; never [`Action::Transmit`].
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$pass => Action::Pass,)+
                    $(Self::$slow => Action::Slow,)+
                    $(Self::$drop => Action::Drop,)+
                }
            }
        }

        impl From<Answer> for Outcome {
            #[inline(always)]
            fn from(answer: Answer) -> Self {
                match answer {
                    $(Answer::$answer => Self::$answer,)+
                }
            }
        }

        impl From<Silence> for Outcome {
            #[inline(always)]
            fn from(silence: Silence) -> Self {
                match silence {
                    $(Silence::$pass => Self::$pass,)+
                    $(Silence::$slow => Self::$slow,)+
                    $(Silence::$drop => Self::$drop,)+
                }
            }
        }
    };
}

outcomes! {
    Pass {
        /// Not IPv4/UDP to port 67, nor to port 4011 on a link that is a proxy.
        NotDhcp = "not_dhcp";
        /// DHCP, but not for an address of this server on one of its links.
        NotOurs = "not_ours";
        /// `op` is BOOTREPLY: another server's answer to a relay agent on this host.
        BootReply = "boot_reply";
    }
    Transmit {
        /// OFFER to a client that has a lease, or repeated to a client that has an offer.
        Offered = "offered";
        /// ACK in SELECTING, for an address that is leased to the client already.
        AckedSelecting = "acked_selecting";
        /// ACK in INIT-REBOOT.
        AckedRebooting = "acked_rebooting";
        /// ACK in RENEWING.
        AckedRenewing = "acked_renewing";
        /// ACK in REBINDING.
        AckedRebinding = "acked_rebinding";
        /// NAK to a client whose lease was revoked.
        NakSent = "nak";
    }
    Slow {
        /// The fast path is switched off.
        SlowOnly = "slow_only";
        /// Nothing is published for the client.
        UnknownClient = "unknown_client";
        /// `giaddr` is in no configured subnet.
        UnknownRelay = "unknown_relay";
        /// The link has no network for clients that send from it directly, as where another server
        /// gives the addresses; or a message for a boot server.
        UnknownNetwork = "unknown_network";
        /// No answer has been rendered yet for this shape of request.
        NoTemplate = "no_template";
        /// A REQUEST from a client with a pending offer, which is to be committed or freed.
        OfferPending = "offer_pending";
        /// The published offer or lease has expired.
        Expired = "expired";
        /// The full lease would end later than the durable time.
        BeyondHorizon = "beyond_horizon";
        /// The client names another address than the one published for it.
        AddressMismatch = "address_mismatch";
        /// The request came from another port of a relay agent, or from another hardware address,
        /// than the one the answers were published for.
        OtherOrigin = "other_origin";
        /// RELEASE, DECLINE, INFORM or a message type that only the controller handles.
        MessageType = "message_type";
        /// The client has released or declined, and the controller has not published since.
        Closed = "closed";
        /// A DISCOVER from a client whose lease was revoked.
        RevokedClient = "revoked_client";
        /// A REQUEST that matches no client state of RFC 2131 §4.3.2.
        OddRequest = "odd_request";
        /// No option 53: BOOTP (RFC 1534).
        Bootp = "bootp";
        /// Option 52: options continue in `sname` or `file`.
        Overload = "overload";
        /// The UDP datagram is shorter than the IP header says; what is behind it is ignored.
        ShortDatagram = "short_datagram";
        /// The last option extends beyond the end of the message.
        OptionOverrun = "option_overrun";
        /// Option 50 or 54 without a value.
        EmptyOption = "empty_option";
        /// Option 61 of less than two octets, which identifies nobody (RFC 2132 §9.14).
        ShortClientId = "short_client_id";
        /// An option that the decision depends on occurs more than once (RFC 3396).
        SplitOption = "split_option";
        /// More options, or longer ones, than the walk takes.
        ManyOptions = "many_options";
        /// The client identifier is longer than a key.
        LongClientId = "long_client_id";
        /// Option 82 with a sub-option that changes the answer.
        RelaySuboption = "relay_suboption";
        /// Option 118: the client or its relay agent selects the subnet (RFC 3011).
        SubnetSelection = "subnet_selection";
        /// The hardware type is not Ethernet.
        Hardware = "hardware";
        /// The reply is larger than the client accepts or the frame's buffer holds.
        ReplyTooLarge = "reply_too_large";
        /// The entry changed while it was read.
        Torn = "torn";
    }
    Drop {
        /// The frame is shorter than its headers or length fields say.
        Truncated = "truncated";
        /// The IPv4 header has options.
        IpOptions = "ip_options";
        /// A fragment of a datagram to port 67.
        Fragment = "fragment";
        /// The UDP datagram is longer than the IP header says.
        LengthMismatch = "length_mismatch";
        /// The checksum of the IPv4 header is wrong.
        BadIpChecksum = "bad_ip_checksum";
        /// The UDP checksum is wrong.
        BadUdpChecksum = "bad_udp_checksum";
        /// Larger than a datagram of an Ethernet link without jumbo frames.
        Oversized = "oversized";
        /// `op` is neither BOOTREQUEST nor BOOTREPLY.
        BadOp = "bad_op";
        /// `hlen` is over 16.
        BadHlen = "bad_hlen";
        /// The magic cookie is missing.
        BadCookie = "bad_cookie";
        /// An option has a length that its definition does not allow.
        BadOptionLength = "bad_option_length";
        /// Option 53 has a wrong length, an unassigned type, or a type that only servers send.
        BadMessageType = "bad_message_type";
        /// A REQUEST for another server, from a client with a lease and no pending offer here.
        NotSelected = "not_selected";
        /// The source, or unknown clients together, exceed the limit of the controller.
        Limited = "limited";
        /// The frame is for the controller, and no controller is running.
        Unserved = "unserved";
        /// A checked reply could not be written, or its promise not be noted; never expected.
        WriteFailed = "write_failed";
        /// The maps have no metadata or metadata of another version; never expected.
        BadMeta = "bad_meta";
    }
}

impl Outcome {
    /// The number of outcomes, and of their counters.
    pub const COUNT: usize = Self::ALL.len();

    /// Returns the outcome with a label.
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

    /// Pinned counters outlive an upgrade, which must not change what they count (ABI version 5).
    #[test]
    fn counters_keep_their_numbers() {
        assert_eq!(Outcome::COUNT, 54);
        for (outcome, number) in [
            (Outcome::NotDhcp, 0),
            (Outcome::Offered, 3),
            (Outcome::NakSent, 8),
            (Outcome::SlowOnly, 9),
            (Outcome::Torn, 36),
            (Outcome::Truncated, 37),
            (Outcome::BadMeta, 53),
        ] {
            assert_eq!(outcome as u32, number, "{outcome:?}");
        }
    }

    #[test]
    fn answers_and_silences_count_as_the_outcome_of_their_name() {
        assert_eq!(Outcome::from(Answer::NakSent), Outcome::NakSent);
        assert_eq!(Answer::NakSent as u32, Outcome::NakSent as u32);
        for silence in [Silence::BootReply, Silence::Torn, Silence::BadMeta] {
            let outcome = Outcome::from(silence);
            assert_eq!(silence as u32, outcome as u32, "{silence:?}");
            assert_eq!(silence.action(), outcome.action(), "{silence:?}");
            assert_ne!(silence.action(), Action::Transmit, "{silence:?}");
        }
    }
}
