//! A BOOTP message, taken apart and checked.
//!
//! dhcproto reads the fixed fields. The options are walked here first: the program and the engine
//! must refuse the same messages, the fingerprint is over the octets as sent, and options 61, 81
//! and 82 are echoed octet for octet.

mod copies;
mod options;

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::ClientKey,
    fingerprint,
    wire::{self, option},
};
use dhcproto::v4::borrowed;
use smallvec::SmallVec;

use dhcp_model::{ClientOriginRef, Hardware, client_key};

pub use self::copies::Copies;
use self::options::Oddities;
use self::options::Options;
pub use self::options::{pxe_entries, pxe_suboption};
use crate::{counters::Silence, effect::Ingress, fqdn::Fqdn, relay_info::RelayInfo};

/// The longest reply: it must fit into one Ethernet frame, even if the client announces more.
const MAX_REPLY_LEN: usize = wire::ETHERNET_MTU - wire::IPV4_LEN - wire::UDP_LEN;

/// The offset of `secs` in a message (RFC 2131 §2).
const SECS: usize = 8;

/// The value of an option; most need no memory of their own.
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

/// A well-formed message of a client. Owned, because a REQUEST waits for its commit.
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
    /// Option 82.
    pub relay_info: Option<Octets>,
    /// Options 61 and 82 that are echoed and otherwise do not count.
    pub uncounted: Uncounted,
    /// Option 82 that the client's lease was given with, for a message that the relay agent did not
    /// forward.
    pub recorded_relay_info: Option<Octets>,
    /// Its sub-options that the answer depends on.
    pub relay: RelayInfo,
    /// Option 118; only where it is honoured.
    pub subnet_selection: Option<Octets>,
    /// Option 81, as it is answered.
    pub fqdn: Option<Fqdn>,
    /// The name in option 81 or else in option 12 (RFC 4702 §3.1), for display.
    pub host_name: Option<Box<str>>,
    pub shape: Shape,
    pub oddities: Oddities,
    /// The options that conditions of classes test, with their codes.
    pub tested: SmallVec<[(u8, Octets); 2]>,
    /// The fingerprint of `shape`, as the program forms it; `None` if the program forms none.
    pub fingerprint: Option<[u64; 2]>,
}

/// Options that are echoed, but identify nobody and decide nothing.
#[derive(Clone, Debug, Default)]
pub struct Uncounted {
    /// Option 61 of less than two octets.
    pub client_id: Option<Octets>,
    /// Option 82 from a link that is not trusted to add it.
    pub relay_info: Option<Octets>,
}

/// The parts of a request that the options of its answer depend on. Every part comes from an option
/// that the fingerprint covers; otherwise the program would replay the wrong answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Option 55.
    pub parameters: Option<Octets>,
    /// Option 80.
    pub rapid_commit: bool,
    /// The longest BOOTP message that the client accepts, from option 57 unless it speaks BOOTP.
    pub max_len: usize,
    /// Option 51 (RFC 2131 §4.3.1).
    pub lease_secs: Option<u32>,
    /// Option 60.
    pub vendor_class: Option<Octets>,
    /// Option 124.
    pub vi_vendor_class: Option<Octets>,
    /// Option 77.
    pub user_class: Option<Octets>,
    /// Option 93, the client's own architecture first.
    pub architectures: SmallVec<[u16; 4]>,
    /// Option 97.
    pub machine_id: Option<Octets>,
    /// The item of a boot menu that PXE firmware asks for, from option 43.
    pub boot_item: Option<BootItem>,
}

/// An item of a boot menu, and one of its files (PXE 2.1 §2.2, sub-option 71).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootItem {
    /// The type under which the menu and the list of servers have it.
    pub kind: u16,
    /// As sent, to be returned.
    pub layer: [u8; 2],
}

/// Firmware that boots only from an answer with its own class in option 60 (RFC 4578 §2, UEFI
/// §24.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootClass {
    Pxe,
    Http,
}

impl BootClass {
    /// Returns the beginning of option 60; firmware adds its architecture (PXE 2.1 §2.2.3).
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Pxe => b"PXEClient",
            Self::Http => b"HTTPClient",
        }
    }

    pub fn of(shape: &Shape) -> Option<Self> {
        Self::named(shape.vendor_class.as_deref()?)
    }

    /// Returns the class that a value of option 60 begins with.
    fn named(vendor_class: &[u8]) -> Option<Self> {
        [Self::Pxe, Self::Http]
            .into_iter()
            .find(|class| vendor_class.starts_with(class.name()))
    }
}

impl Request {
    /// Takes a message apart and checks it. `tested` are the codes of further options to keep.
    ///
    /// # Errors
    /// The reason why the message gets no answer.
    pub fn decode(
        ingress: &Ingress,
        payload: &[u8],
        fingerprint_key: &[u64; fingerprint::KEY_WORDS],
        tested: &[u8],
    ) -> Result<Self, Silence> {
        let message = borrowed::Message::new(payload).map_err(|_| Silence::Truncated)?;
        let (fixed, field) = payload
            .split_first_chunk::<{ wire::BOOTP_FIXED_LEN }>()
            .ok_or(Silence::Truncated)?;
        if u8::from(message.opcode()) != wire::BOOTREQUEST {
            return Err(Silence::BadOp);
        }
        if message.hlen() > wire::MAX_HLEN {
            return Err(Silence::BadHlen);
        }
        let mut options = match fixed.last_chunk() {
            Some(cookie) if *cookie == wire::MAGIC_COOKIE.get().to_be_bytes() => {
                Options::walk(fixed, field)?
            }
            // A client that knows no options (RFC 951 §3).
            Some([0, 0, 0, 0]) => Options::none(),
            _ => return Err(Silence::BadCookie),
        };
        let message_type = options.message_type()?;
        let mut head = [0; wire::BOOTP_HEAD_LEN];
        head.copy_from_slice(&fixed[..wire::BOOTP_HEAD_LEN]);
        let mut chaddr = [0; wire::MAX_HLEN as usize];
        chaddr[..message.chaddr().len()].copy_from_slice(message.chaddr());
        let is_bootp = message_type == MessageType::Bootp;
        // A BOOTP client is known by its hardware address (RFC 951 §3).
        let client_id = options.kept(option::CLIENT_ID).filter(|_| !is_bootp);
        // RFC 2132 §9.14. Clients that send such a one would all be the same client.
        let is_short = client_id.as_ref().is_some_and(|id| id.len() < 2);
        options.oddities.has_short_client_id = is_short;
        let (client_id, short_client_id) = if is_short {
            (None, client_id)
        } else {
            (client_id, None)
        };
        let requested = options.address(option::REQUESTED_ADDRESS, message_type)?;
        let server_id = options.address(option::SERVER_ID, message_type)?;
        let relay_info = options.kept(option::RELAY_INFO);
        let subnet_selection = options.kept(option::SUBNET_SELECTION);
        let fqdn = options.joined(option::FQDN);
        let fqdn = fqdn.and_then(|value| Fqdn::parse(&value));
        let is_slow = options.overloaded || subnet_selection.is_some();
        let names_nobody = client_id.is_none() && message.hlen() == 0;
        if names_nobody && message_type != MessageType::LeaseQuery {
            return Err(Silence::NoIdentity);
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
            requested,
            server_id,
            client_id,
            relay: relay_info
                .as_deref()
                .map(RelayInfo::parse)
                .unwrap_or_default(),
            recorded_relay_info: None,
            relay_info,
            uncounted: Uncounted {
                client_id: short_client_id,
                relay_info: None,
            },
            subnet_selection,
            host_name: match &fqdn {
                Some(fqdn) => fqdn.text(),
                None => options
                    .joined(option::HOST_NAME)
                    .map(|name| String::from_utf8_lossy(&name).into_owned().into()),
            },
            fqdn,
            tested: tested
                .iter()
                .filter_map(|code| Some((*code, options.kept(*code)?)))
                .collect(),
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
                boot_item: options.boot_item(),
            },
            oddities: options.oddities,
            fingerprint: if is_slow {
                None
            } else {
                fingerprint::of_options(field, fingerprint_key)
            },
        })
    }

    /// Returns the value of an option that conditions of classes test.
    pub fn tested(&self, code: u8) -> Option<&[u8]> {
        let (_, value) = self.tested.iter().find(|(tested, _)| *tested == code)?;
        Some(value)
    }

    /// Returns `secs`.
    pub fn secs(&self) -> u16 {
        let octets = self.head.get(SECS..).and_then(<[u8]>::first_chunk);
        octets.map_or(0, |octets| u16::from_be_bytes(*octets))
    }

    /// Returns the key of the client (RFC 2131 §4.2): from the client identifier alone if there is
    /// one and it counts, otherwise from the hardware address. Both have a meaning on their network
    /// only.
    pub fn client(&self, network: u32, match_client_id: bool) -> ClientKey {
        let id = self.client_id.as_deref().filter(|_| match_client_id);
        client_key(network, id, &self.hardware)
    }

    /// Leaves nothing of option 82 but its echo.
    pub fn distrust_relay_info(&mut self) {
        self.uncounted.relay_info = self.relay_info.take();
        self.relay = RelayInfo::default();
    }

    /// Returns options 61 and 82, as they are echoed.
    pub fn echoed(&self) -> [Option<&[u8]>; 2] {
        let uncounted = &self.uncounted;
        [
            self.client_id.as_ref().or(uncounted.client_id.as_ref()),
            self.relay_info.as_ref().or(uncounted.relay_info.as_ref()),
        ]
        .map(|value| value.map(|value| &**value))
    }

    /// Returns the part of the request that is kept with a lease.
    pub fn origin(&self) -> ClientOriginRef<'_> {
        ClientOriginRef {
            hardware: self.hardware,
            client_id: self.client_id.as_deref(),
            host_name: self.host_name.as_deref(),
            relay_info: self
                .relay_info
                .as_deref()
                .or(self.recorded_relay_info.as_deref()),
        }
    }

    /// Returns whether the request was sent to the server's own address, past any relay agent that
    /// would add option 82 (RFC 2131 §4.3.2).
    pub fn has_gone_past_the_relay(&self) -> bool {
        self.relay_info.is_none() && self.is_unicast()
    }

    /// Returns whether the request was sent to the port of boot servers (PXE 2.1 §2.2.1).
    pub const fn is_for_boot_server(&self) -> bool {
        self.ingress.destination_port == wire::BOOT_SERVER_PORT
    }

    /// Returns whether the client sent the request to the server's own address, as in RENEWING. A
    /// relay agent sends everything that it relays so, but takes no part in RENEWING (RFC 2131
    /// §4.3.2).
    pub fn is_unicast(&self) -> bool {
        self.giaddr.is_unspecified() && !self.ingress.destination.is_broadcast()
    }
}

/// Returns the longest message that a BOOTP client accepts: that of RFC 951, or the length of its
/// request if that is longer (RFC 1542 §2.1).
const fn bootp_max_len(len: usize) -> usize {
    if len < wire::BOOTP_MIN_LEN {
        wire::BOOTP_MIN_LEN
    } else if len > MAX_REPLY_LEN {
        MAX_REPLY_LEN
    } else {
        len
    }
}
