//! A BOOTP message, taken apart and checked.
//!
//! dhcproto reads the fixed fields. The options are walked here first: the program and the engine must
//! refuse the same messages, the fingerprint is over the octets as sent, and options 61, 81 and 82 are
//! echoed octet for octet.

use std::{borrow::Cow, net::Ipv4Addr};

use dhcp_common::{
    abi::ClientKey,
    fingerprint,
    wire::{self, message_type, option},
};
use dhcp_model::{AgentIds, ClientOriginRef, Hardware, client_key};
use dhcproto::v4::borrowed;
use smallvec::SmallVec;

use super::{
    classes::Whence, counters::Counter, effect::Ingress, fqdn::Fqdn, relay_info::RelayInfo,
};

/// More options than any client sends, and than the program takes: what it answers is answered here
/// too. A message with more is dropped.
pub const MAX_OPTIONS: usize = 192;

/// More than most messages have.
const USUAL_OPTIONS: usize = 24;

/// A reply is never longer than fits into one Ethernet frame, whatever the client says it takes.
const MAX_REPLY_LEN: usize = wire::ETHERNET_MTU - wire::IPV4_LEN - wire::UDP_LEN;

/// The value of an option, which most have no memory of its own for.
pub type Octets = SmallVec<[u8; 32]>;

/// Messages that clients and relay agents send and this server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    Discover,
    Request,
    Decline,
    Release,
    Inform,
    LeaseQuery,
    /// No option 53 (RFC 1534 §2).
    Bootp,
}

/// A well-formed message of a client. Owned, for a REQUEST waits for its commit.
#[derive(Clone, Debug)]
pub struct Request {
    pub message_type: MessageType,
    pub ingress: Ingress,
    /// `op` to `chaddr`, as received.
    pub head: [u8; wire::BOOTP_HEAD_LEN],
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub hardware: Hardware,
    /// Option 50.
    pub requested: Option<Ipv4Addr>,
    /// Option 54.
    pub server_id: Option<Ipv4Addr>,
    /// Option 61.
    pub client_id: Option<Octets>,
    /// Option 82, as it is echoed.
    pub relay_info: Option<Octets>,
    /// Option 82 that its client's lease was given with, of a message which has gone past the relay agent.
    pub former_port: Option<Octets>,
    /// What counts of it.
    pub relay: RelayInfo,
    /// Option 118; only where it is honoured.
    pub subnet_selection: Option<Octets>,
    /// Option 81, as it is answered.
    pub fqdn: Option<Fqdn>,
    /// The name in option 81, which makes option 12 count for nothing, or else in that one (RFC 4702 §3.1); for
    /// people.
    pub host_name: Option<Box<str>>,
    pub shape: Shape,
    /// Of `shape`, as the program forms it; `None` where the program would not.
    pub fingerprint: Option<[u64; 2]>,
}

/// All of a request that the options of its answer depend on. Every part comes from an option that the
/// fingerprint covers, or else the program would replay the wrong answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Option 55.
    pub parameters: Option<Octets>,
    /// Option 80.
    pub rapid_commit: bool,
    /// The longest BOOTP message that the client takes, from option 57 unless it speaks BOOTP.
    pub max_len: usize,
    /// Option 51 (RFC 2131 §4.3.1).
    pub lease_secs: Option<u32>,
    /// Option 60.
    pub vendor_class: Option<Octets>,
    /// Option 124.
    pub vi_vendor_class: Option<Octets>,
    /// Option 77.
    pub user_class: Option<Octets>,
    /// Option 93, the client's own one first.
    pub architectures: SmallVec<[u16; 4]>,
    /// Option 97.
    pub machine_id: Option<Octets>,
}

/// Firmware that takes an answer for one to boot by only if its class comes back in option 60
/// (RFC 4578 §2, UEFI §24.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootClass {
    Pxe,
    Http,
}

impl BootClass {
    /// How option 60 begins; firmware adds its architecture (PXE 2.1 §2.2.3).
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Pxe => b"PXEClient",
            Self::Http => b"HTTPClient",
        }
    }

    pub fn of(shape: &Shape) -> Option<Self> {
        let vendor_class = shape.vendor_class.as_deref()?;
        [Self::Pxe, Self::Http]
            .into_iter()
            .find(|class| vendor_class.starts_with(class.name()))
    }
}

impl Request {
    /// # Errors
    /// Why the message gets no answer.
    pub fn decode(
        ingress: &Ingress,
        payload: &[u8],
        fingerprint_key: &[u64; fingerprint::KEY_WORDS],
    ) -> Result<Self, Counter> {
        let message = borrowed::Message::new(payload).map_err(|_| Counter::Truncated)?;
        let (fixed, field) = payload
            .split_first_chunk::<{ wire::BOOTP_FIXED_LEN }>()
            .ok_or(Counter::Truncated)?;
        if u8::from(message.opcode()) != wire::BOOTREQUEST {
            return Err(Counter::BadOp);
        }
        if message.hlen() > wire::MAX_HLEN {
            return Err(Counter::BadHlen);
        }
        if !fixed.ends_with(&wire::MAGIC_COOKIE.get().to_be_bytes()) {
            return Err(Counter::BadCookie);
        }
        let options = Options::walk(fixed, field)?;
        let message_type = options.message_type()?;
        let mut head = [0; wire::BOOTP_HEAD_LEN];
        head.copy_from_slice(&fixed[..wire::BOOTP_HEAD_LEN]);
        let mut chaddr = [0; wire::MAX_HLEN as usize];
        chaddr[..message.chaddr().len()].copy_from_slice(message.chaddr());
        let is_bootp = message_type == MessageType::Bootp;
        // A BOOTP client is known by its hardware address (RFC 951 §3).
        let client_id = options.kept(option::CLIENT_ID).filter(|_| !is_bootp);
        if client_id.as_ref().is_some_and(|id| id.len() < 2) {
            return Err(Counter::BadOptionLength);
        }
        let relay_info = options.kept(option::RELAY_INFO);
        let subnet_selection = options.kept(option::SUBNET_SELECTION);
        let fqdn = options.joined(option::FQDN);
        let fqdn = fqdn.and_then(|value| Fqdn::parse(&value));
        let is_slow = options.overloaded || subnet_selection.is_some();
        let names_nobody = client_id.is_none() && message.hlen() == 0;
        if names_nobody && message_type != MessageType::LeaseQuery {
            return Err(Counter::NoIdentity);
        }
        Ok(Self {
            message_type,
            ingress: *ingress,
            head,
            flags: message.flags().into(),
            ciaddr: message.ciaddr(),
            giaddr: message.giaddr(),
            hardware: Hardware {
                htype: message.htype().into(),
                len: message.hlen(),
                chaddr,
            },
            requested: options.address(option::REQUESTED_ADDRESS)?,
            server_id: options.address(option::SERVER_ID)?,
            client_id,
            relay: relay_info
                .as_deref()
                .map(RelayInfo::parse)
                .unwrap_or_default(),
            former_port: None,
            relay_info,
            subnet_selection,
            host_name: match &fqdn {
                Some(fqdn) => fqdn.text(),
                None => options
                    .joined(option::HOST_NAME)
                    .map(|name| String::from_utf8_lossy(&name).into_owned().into()),
            },
            fqdn,
            shape: Shape {
                parameters: options.kept(option::PARAMETER_LIST).filter(|_| !is_bootp),
                rapid_commit: options.joined(option::RAPID_COMMIT).is_some(),
                max_len: if is_bootp {
                    bootp_max_len(payload.len())
                } else {
                    options.max_len()
                },
                lease_secs: options.lease_secs(),
                vendor_class: options.kept(option::VENDOR_CLASS),
                vi_vendor_class: options.kept(option::VI_VENDOR_CLASS),
                user_class: options.kept(option::USER_CLASS),
                architectures: options.architectures(),
                machine_id: options.kept(option::CLIENT_MACHINE_ID),
            },
            fingerprint: if is_slow {
                None
            } else {
                fingerprint::of_options(field, fingerprint_key)
            },
        })
    }

    /// Who asks (RFC 2131 §4.2): the client identifier alone if there is one and it is looked at, or else
    /// the hardware address. Both only mean something on their network.
    pub fn client(&self, network: u32, match_client_id: bool) -> ClientKey {
        let id = self.client_id.as_deref().filter(|_| match_client_id);
        client_key(network, id, &self.hardware)
    }

    /// What is kept of it with a lease.
    pub fn origin(&self) -> ClientOriginRef<'_> {
        ClientOriginRef {
            hardware: self.hardware,
            client_id: self.client_id.as_deref(),
            host_name: self.host_name.as_deref(),
            relay_info: self.port(),
        }
    }

    /// Option 82 that tells where the client is.
    pub fn port(&self) -> Option<&[u8]> {
        self.relay_info.as_deref().or(self.former_port.as_deref())
    }

    /// Whether it was sent to our own address, past any relay agent that would say where the client is
    /// (RFC 2131 §4.3.2).
    pub fn has_gone_past_the_relay(&self) -> bool {
        self.relay_info.is_none() && self.is_unicast()
    }

    /// Where it comes from.
    pub fn whence(&self) -> Whence<'_> {
        Whence {
            hardware: self.hardware.octets(),
            agent: self.port().map(AgentIds::parse).unwrap_or_default(),
        }
    }

    /// Whether the client sent it to our own address, as it does in RENEWING. A relay agent sends all
    /// that it relays so, and in RENEWING there is none (RFC 2131 §4.3.2).
    pub fn is_unicast(&self) -> bool {
        self.giaddr.is_unspecified() && !self.ingress.destination.is_broadcast()
    }
}

/// What a BOOTP client takes: the message of RFC 951, or as much as it sends (RFC 1542 §2.1).
const fn bootp_max_len(len: usize) -> usize {
    if len < wire::BOOTP_MIN_LEN {
        wire::BOOTP_MIN_LEN
    } else if len > MAX_REPLY_LEN {
        MAX_REPLY_LEN
    } else {
        len
    }
}

/// The options of a message in the order in which they count (RFC 3396 §5).
struct Options<'a> {
    options: SmallVec<[(u8, &'a [u8]); USUAL_OPTIONS]>,
    overloaded: bool,
}

impl<'a> Options<'a> {
    fn walk(fixed: &'a [u8; wire::BOOTP_FIXED_LEN], field: &'a [u8]) -> Result<Self, Counter> {
        const SNAME: usize = wire::BOOTP_HEAD_LEN;
        const FILE: usize = SNAME + wire::SNAME_LEN;
        let mut options = Self {
            options: SmallVec::new(),
            overloaded: false,
        };
        options.walk_field(field)?;
        let Some(overload) = options.joined(option::OVERLOAD) else {
            return Ok(options);
        };
        // RFC 2131 §4.1: `file` before `sname`.
        options.overloaded = true;
        let &[overload @ 1..=3] = &*overload else {
            return Err(Counter::BadOptionLength);
        };
        if overload & 1 != 0 {
            options.walk_field(&fixed[FILE..FILE + wire::FILE_LEN])?;
        }
        if overload & 2 != 0 {
            options.walk_field(&fixed[SNAME..FILE])?;
        }
        Ok(options)
    }

    fn walk_field(&mut self, mut field: &'a [u8]) -> Result<(), Counter> {
        loop {
            match *field {
                [] => return Err(Counter::NoEnd),
                [option::END, ..] => return Ok(()),
                [option::PAD, ref rest @ ..] => field = rest,
                [_] => return Err(Counter::OptionOverrun),
                [code, len, ref rest @ ..] => {
                    let (value, rest) = rest
                        .split_at_checked(usize::from(len))
                        .ok_or(Counter::OptionOverrun)?;
                    if self.options.len() == MAX_OPTIONS {
                        return Err(Counter::TooManyOptions);
                    }
                    self.options.push((code, value));
                    field = rest;
                }
            }
        }
    }

    /// The value of an option, its instances joined (RFC 3396 §7).
    fn joined(&self, code: u8) -> Option<Cow<'a, [u8]>> {
        let mut instances = self.options.iter().filter(|(other, _)| *other == code);
        let mut value = Cow::Borrowed(instances.next()?.1);
        for (_, more) in instances {
            value.to_mut().extend_from_slice(more);
        }
        Some(value)
    }

    /// As [`Options::joined`], to be kept.
    fn kept(&self, code: u8) -> Option<Octets> {
        self.joined(code).map(|value| Octets::from_slice(&value))
    }

    fn message_type(&self) -> Result<MessageType, Counter> {
        let Some(value) = self.joined(option::MESSAGE_TYPE) else {
            return Ok(MessageType::Bootp);
        };
        let &[value] = &*value else {
            return Err(Counter::BadMessageType);
        };
        match value {
            message_type::DISCOVER => Ok(MessageType::Discover),
            message_type::REQUEST => Ok(MessageType::Request),
            message_type::DECLINE => Ok(MessageType::Decline),
            message_type::RELEASE => Ok(MessageType::Release),
            message_type::INFORM => Ok(MessageType::Inform),
            message_type::LEASEQUERY => Ok(MessageType::LeaseQuery),
            0 | message_type::OFFER | message_type::ACK | message_type::NAK => {
                Err(Counter::BadMessageType)
            }
            ..=message_type::LAST_ASSIGNED => Err(Counter::UnservedMessageType),
            _ => Err(Counter::BadMessageType),
        }
    }

    fn address(&self, code: u8) -> Result<Option<Ipv4Addr>, Counter> {
        let Some(value) = self.joined(code) else {
            return Ok(None);
        };
        let octets: [u8; 4] = (*value).try_into().map_err(|_| Counter::BadOptionLength)?;
        Ok(Some(octets.into()))
    }

    /// What is no number of four octets is no wish.
    fn lease_secs(&self) -> Option<u32> {
        let value = self.joined(option::LEASE_TIME)?;
        Some(u32::from_be_bytes((*value).try_into().ok()?))
    }

    /// RFC 4578 §2.1. An odd octet at the end is not looked at.
    fn architectures(&self) -> SmallVec<[u16; 4]> {
        let value = self.joined(option::ARCHITECTURE).unwrap_or_default();
        let (pairs, _) = value.as_chunks();
        pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
    }

    /// Option 57 counts the whole datagram, and values under the minimum are not meant
    /// (RFC 2132 §9.10). Nor is what is no number of two octets: the program says NAK without a look at
    /// the option.
    fn max_len(&self) -> usize {
        let value = self.joined(option::MAX_MESSAGE_SIZE).unwrap_or_default();
        let octets = <[u8; 2]>::try_from(&*value).unwrap_or_default();
        let len =
            usize::from(u16::from_be_bytes(octets)).saturating_sub(wire::IPV4_LEN + wire::UDP_LEN);
        len.clamp(wire::BOOTP_DEFAULT_MAX_LEN, MAX_REPLY_LEN)
    }
}
