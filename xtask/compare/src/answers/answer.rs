//! An answer and its description in the table: short, and the same words for the same answer.

use std::net::Ipv4Addr;

use dhcp_common::wire::{
    BOOTP_FIXED_LEN, BOOTP_HEAD_LEN, BOOTREPLY, FILE_LEN, IPV4_LEN, MAC_BROADCAST, SERVER_PORT,
    SNAME_LEN, UDP_LEN, message_type, option,
};
use xtask_lab::wire::Datagram;

use super::{
    plan::{LAN, SUBNETS, Subnet},
    request::Request,
};

/// The datagram that a client must accept (RFC 2131 §2).
const DEFAULT_DATAGRAM: usize = 576;

/// A reply to one of the requests.
#[derive(Clone, Debug)]
pub struct Answer {
    request: Request,
    datagram: Datagram,
    options: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    code: u8,
    value: Vec<u8>,
    /// In `sname` or `file` (RFC 2131 §4.1).
    is_borrowed: bool,
}

impl Answer {
    /// Returns `None` if the datagram does not answer this request.
    pub fn new(request: &Request, datagram: Datagram) -> Option<Self> {
        let payload = &datagram.payload;
        let xid = payload.get(4..8)?;
        if payload.first() != Some(&BOOTREPLY) || xid != request.xid.to_be_bytes() {
            return None;
        }
        let mut options = walk(payload.get(BOOTP_FIXED_LEN..)?, false);
        let overload = options.iter().find(|field| field.code == option::OVERLOAD);
        let overload = overload.and_then(|field| field.value.first().copied());
        let sname = BOOTP_HEAD_LEN..BOOTP_HEAD_LEN + SNAME_LEN;
        let file = sname.end..sname.end + FILE_LEN;
        for (bit, range) in [(1, file), (2, sname)] {
            if overload.unwrap_or(0) & bit != 0 {
                options.extend(walk(payload.get(range)?, true));
            }
        }
        Some(Self {
            request: request.clone(),
            datagram,
            options,
        })
    }

    fn field(&self, offset: usize) -> Ipv4Addr {
        let octets = self.datagram.payload.get(offset..offset + 4);
        let octets = octets.and_then(|octets| <[u8; 4]>::try_from(octets).ok());
        octets.unwrap_or_default().into()
    }

    fn number(&self, offset: usize) -> u16 {
        let octets = self.datagram.payload.get(offset..offset + 2);
        let octets = octets.and_then(|octets| octets.try_into().ok());
        u16::from_be_bytes(octets.unwrap_or_default())
    }

    pub fn ciaddr(&self) -> Ipv4Addr {
        self.field(12)
    }

    pub fn yiaddr(&self) -> Ipv4Addr {
        self.field(16)
    }

    /// Returns the value of an option; the parts of a split option are concatenated (RFC 3396).
    pub fn option(&self, code: u8) -> Option<Vec<u8>> {
        let fields = self.options.iter().filter(|field| field.code == code);
        let values: Vec<&[u8]> = fields.map(|field| field.value.as_slice()).collect();
        (!values.is_empty()).then(|| values.concat())
    }

    pub fn kind(&self) -> Option<u8> {
        self.option(option::MESSAGE_TYPE)?.first().copied()
    }

    /// Describes type, address and destination.
    pub fn head(&self) -> String {
        let kind = match self.kind() {
            Some(message_type::OFFER) => "OFFER",
            Some(message_type::ACK) => "ACK",
            Some(message_type::NAK) => "NAK",
            _ => "an answer without type",
        };
        let address = self.yiaddr();
        let of = if address.is_unspecified() {
            String::new()
        } else {
            format!(" of {}", self.name(address))
        };
        let broken = match self.datagram.verify() {
            Ok(()) => "",
            Err(_) => ", with a wrong checksum",
        };
        format!("{kind}{of}, {}{broken}", self.way())
    }

    fn name(&self, address: Ipv4Addr) -> String {
        let mut names = self.request.names.iter();
        if let Some((_, name)) = names.find(|(named, _)| *named == address) {
            return (*name).to_owned();
        }
        let link = if self.request.giaddr.is_unspecified() {
            LAN
        } else {
            let mut subnets = SUBNETS.into_iter();
            let own = subnets.find(|subnet| subnet.contains(self.request.giaddr));
            own.unwrap_or(LAN)
        };
        if link.has_in_pool(address) {
            return "a pool address".to_owned();
        }
        let mut subnets = SUBNETS.into_iter();
        subnets
            .find(|subnet: &Subnet| subnet.contains(address))
            .map_or_else(
                || address.to_string(),
                |subnet| format!("an address of {}/24", subnet.network()),
            )
    }

    fn way(&self) -> String {
        let path = self.datagram.path;
        let is_broadcast_frame = path.destination_mac == MAC_BROADCAST;
        if path.destination.is_broadcast() {
            let frame = if is_broadcast_frame {
                ""
            } else {
                " in a unicast frame"
            };
            return format!("broadcast{frame}");
        }
        let whose = match path.destination {
            address if address == self.request.giaddr => "the relay agent".to_owned(),
            address if address == self.request.ciaddr => "`ciaddr`".to_owned(),
            address if address == self.yiaddr() => "that address".to_owned(),
            address => address.to_string(),
        };
        let is_to_relay = path.destination == self.request.giaddr;
        let port = if is_to_relay == (path.destination_port == SERVER_PORT) {
            String::new()
        } else {
            format!(", port {}", path.destination_port)
        };
        let frame = if is_broadcast_frame {
            " in a broadcast frame"
        } else {
            ""
        };
        format!("to {whose}{port}{frame}")
    }

    pub fn flags(&self) -> String {
        format!("flags {:#06x}", self.number(10))
    }

    pub fn secs(&self) -> String {
        format!("`secs` {}", self.number(8))
    }

    pub fn siaddr(&self) -> String {
        let siaddr = self.field(20);
        let what = if siaddr.is_unspecified() {
            "zero"
        } else {
            "set"
        };
        format!("`siaddr` {what}")
    }

    pub fn lease_time(&self) -> String {
        let value = self.option(option::LEASE_TIME);
        match value.and_then(|value| <[u8; 4]>::try_from(value).ok()) {
            Some(secs) => format!("{} s", u32::from_be_bytes(secs)),
            None => "no 51".to_owned(),
        }
    }

    pub fn zero_ciaddr(&self) -> String {
        let what = if self.ciaddr().is_unspecified() {
            "zero"
        } else {
            "kept"
        };
        format!("`ciaddr` {what}")
    }

    /// Describes whether an option of the request was echoed unchanged, and where.
    pub fn echo(&self, code: u8) -> String {
        let Some(value) = self.option(code) else {
            return format!("no {code}");
        };
        let same = if Some(value.as_slice()) == self.request.option(code) {
            "as sent"
        } else {
            "changed"
        };
        format!("{code} {same}")
    }

    /// Describes whether an option is the last one.
    pub fn position(&self, code: u8) -> String {
        let mut own = self.options.iter().filter(|field| !field.is_borrowed);
        if own.next_back().is_some_and(|field| field.code == code) {
            "last".to_owned()
        } else {
            "not last".to_owned()
        }
    }

    /// Lists which of these options are present, in their order.
    pub fn order(&self, codes: &[u8]) -> String {
        let mut order: Vec<u8> = self.options.iter().map(|field| field.code).collect();
        order.retain(|code| codes.contains(code));
        order.dedup();
        let order: Vec<_> = order.iter().map(u8::to_string).collect();
        if order.is_empty() {
            "none of the options".to_owned()
        } else {
            format!("options {}", order.join(" "))
        }
    }

    pub fn size(&self) -> String {
        let len = self.datagram.payload.len() + UDP_LEN + IPV4_LEN;
        let size = if len <= DEFAULT_DATAGRAM {
            format!("at most {DEFAULT_DATAGRAM} octets")
        } else {
            format!("more than {DEFAULT_DATAGRAM} octets")
        };
        let is_overloaded = self.options.iter().any(|field| field.is_borrowed);
        let overloaded = if is_overloaded {
            ", some in `sname` and `file`"
        } else {
            ""
        };
        format!("{size}{overloaded}")
    }
}

/// Returns the options up to END, or as far as they are complete.
fn walk(mut octets: &[u8], is_borrowed: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    loop {
        octets = match octets {
            [option::PAD, rest @ ..] => rest,
            [option::END, ..] | [] | [_] => return fields,
            [code, len, rest @ ..] => {
                let Some((value, rest)) = rest.split_at_checked(usize::from(*len)) else {
                    return fields;
                };
                fields.push(Field {
                    code: *code,
                    value: value.to_vec(),
                    is_borrowed,
                });
                rest
            }
        };
    }
}
