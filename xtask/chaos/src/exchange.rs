//! A request on the link, and its purpose.

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};

use super::conditions::Moment;

/// A client's `chaddr`, which is unique in a lab.
pub type Client = [u8; 6];

/// The key by which answers are matched to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    pub xid: u32,
    pub client: Client,
    pub is_discover: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Discover,
    Selecting,
    InitReboot,
    Extending,
}

/// A request and its retransmissions.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub first: Moment,
    pub sent: u32,
    pub answers: u32,
    pub claim: Claim,
    pub about: Ipv4Addr,
    /// Set if the sender held the lease that it asks for: until when that was on disk.
    pub owed: Option<Moment>,
}

impl Claim {
    /// Returns the kind of request by RFC 2131 §4.3.2, table 4, and the address it asks for.
    pub fn of(message: &Message) -> (Self, Ipv4Addr) {
        if message.opts().msg_type() == Some(MessageType::Discover) {
            return (Self::Discover, requested(message));
        }
        if !message.ciaddr().is_unspecified() {
            return (Self::Extending, message.ciaddr());
        }
        let names_a_server = message.opts().get(OptionCode::ServerIdentifier).is_some();
        let claim = if names_a_server {
            Self::Selecting
        } else {
            Self::InitReboot
        };
        (claim, requested(message))
    }
}

/// Returns option 50.
pub fn requested(message: &Message) -> Ipv4Addr {
    match message.opts().get(OptionCode::RequestedIpAddress) {
        Some(DhcpOption::RequestedIpAddress(address)) => *address,
        _ => Ipv4Addr::UNSPECIFIED,
    }
}
