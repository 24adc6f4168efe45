//! The other server.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dhcp_common::wire::{message_type, option};

use super::{client::Reply, dice::Dice, scene::RIVAL};
use crate::fixtures::request::RequestFrame;

/// Another server on the link, with its own addresses, one for each client.
#[derive(Debug, Default)]
pub struct Rival {
    leased: BTreeSet<Ipv4Addr>,
}

const RIVAL_LEASE_SECS: u32 = 300;

impl Rival {
    /// Returns its answer to a message.
    pub fn answer(&mut self, message: &RequestFrame, dice: &mut Dice) -> Option<Reply> {
        let n = message.chaddr[5];
        let own = if message.giaddr.is_unspecified() {
            Ipv4Addr::new(10, 0, 0, 200 + n % 50)
        } else {
            Ipv4Addr::new(10, 9, 2, n)
        };
        let address = |code| {
            let (_, value) = message.options.iter().find(|(other, _)| *other == code)?;
            Some(Ipv4Addr::from(<[u8; 4]>::try_from(value.as_slice()).ok()?))
        };
        let asked = address(option::REQUESTED_ADDRESS).unwrap_or(message.ciaddr);
        let server = address(option::SERVER_ID);
        let kind = match message.options.first()?.1[..] {
            [message_type::DISCOVER] if dice.chance(600) => message_type::OFFER,
            [message_type::REQUEST] if server == Some(RIVAL) => message_type::ACK,
            [message_type::REQUEST]
                if server.is_none() && asked == own && self.leased.contains(&own) =>
            {
                message_type::ACK
            }
            _ => return None,
        };
        if kind == message_type::ACK {
            self.leased.insert(own);
        }
        Some(Reply {
            kind,
            xid: message.xid,
            address: own,
            server: RIVAL,
            lease_secs: RIVAL_LEASE_SECS,
        })
    }
}
