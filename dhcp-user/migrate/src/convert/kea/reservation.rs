//! Host reservations of Kea.

use dhcp_model::hex::parse_hex;
use ipnet::Ipv4Net;

use super::{
    identifiers::{Flex, octets},
    json::Node,
    reader::Reader,
    reasons::reason,
};
use crate::convert::draft::{Finder, Owner, Reservation, Settings};

impl Reader<'_> {
    pub(super) fn reservation(&mut self, node: Node<'_>, prefix: Ipv4Net) -> Option<Reservation> {
        let line = node.line();
        let owner = match self.owner(node) {
            Ok(owner) => owner,
            Err(why) => {
                self.notes.left(line, "reservation", why);
                return None;
            }
        };
        let Some(address) = node.get("ip-address").and_then(Node::address) else {
            self.notes.left(
                line,
                "reservation without ip-address",
                "a reservation needs an address; use a class by hardware address",
            );
            return None;
        };
        let mut reservation = Reservation {
            line,
            owner,
            address,
            host_name: None,
            settings: Settings::default(),
        };
        for (key, node, line) in node.members() {
            if self.setting(&mut reservation.settings, key, node, line) {
                continue;
            }
            match key {
                "hw-address" | "client-id" | "circuit-id" | "flex-id" | "duid" | "ip-address" => {}
                "hostname" => reservation.host_name = node.string().filter(|name| !name.is_empty()).map(|name| name.trim_end_matches('.').to_owned()),
                _ if node.is_empty() => {}
                "client-classes" => self.notes.left(line, format_args!("client-classes of the reservation of {address}"), "reservations do not assign classes; set the options here, or test for the client in the class"),
                _ => self.notes.left(line, format_args!("{key} of the reservation of {address} on {prefix}"), reason(key)),
            }
        }
        Some(reservation)
    }

    /// Reads a reservation outside of subnets.
    pub(super) fn global_reservation(&mut self, node: Node<'_>, finder: &Finder) {
        let address = node.get("ip-address").and_then(Node::address);
        let index = address.and_then(|address| finder.find(address));
        let Some(index) = index else {
            self.notes.left(
                node.line(),
                "global reservation",
                "it has no address in a subnet; use a class by hardware address",
            );
            return;
        };
        let Some(prefix) = self.draft.subnets.get(index).map(|subnet| subnet.prefix) else {
            return;
        };
        let reservation = self.reservation(node, prefix);
        if let Some(subnet) = self.draft.subnets.get_mut(index) {
            subnet.reservations.extend(reservation);
        }
    }

    fn owner(&self, node: Node<'_>) -> Result<Owner, String> {
        let text = |key: &str| node.get(key).and_then(Node::string);
        if let Some(hardware) = text("hw-address") {
            let octets = parse_hex(hardware).and_then(|octets| octets.try_into().ok());
            return octets.map(Owner::Hardware).ok_or_else(|| {
                format!("hw-address {hardware:?} is not an Ethernet address of six octets")
            });
        }
        if let Some(id) = text("client-id") {
            return Ok(Owner::ClientId(octets(id)?));
        }
        if let Some(id) = text("circuit-id") {
            return Ok(Owner::CircuitId(octets(id)?));
        }
        if let Some(id) = text("flex-id") {
            let id = octets(id)?;
            return match self.identifiers.flex {
                Some(Flex::CircuitId) => Ok(Owner::CircuitId(id)),
                Some(Flex::RemoteId) => Ok(Owner::RemoteId(id)),
                Some(Flex::Hardware) if id.len() == 6 => Ok(Owner::Hardware(<[u8; 6]>::try_from(id).unwrap_or_default())),
                _ => Err("flex-id is supported only if it is the circuit id, the remote id or the hardware address".to_owned()),
            };
        }
        if text("duid").is_some() {
            return Err("a DUID alone does not identify a client; give its complete client-id, with type 255 and IAID (RFC 4361)".to_owned());
        }
        Err("it identifies no client".to_owned())
    }
}
