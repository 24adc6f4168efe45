//! The client that sends a request, and its place in the network.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_config::Classes;

use super::View;
use crate::{
    networks::{OriginMatches, Reserved},
    request::{MessageType, Request},
};

/// The properties of a message's sender that the answer depends on.
#[derive(Clone, Debug)]
pub struct Requester {
    pub client: ClientKey,
    pub network: u32,
    /// Index of the subnet by which the network is known.
    pub subnet: usize,
    pub classes: Classes,
    /// The classes for which it may keep the address that it has.
    pub to_keep: Classes,
    pub origin: OriginMatches,
    /// What is reserved for it there.
    pub reserved: Reserved,
}

impl Requester {
    pub fn new(view: View<'_>, client: ClientKey, subnet: usize, request: &Request) -> Self {
        let table = view.networks.classes();
        let origin = request.origin();
        let reserved = view.reserved(&client, &origin);
        let facts = view.facts(&client, &origin, &reserved);
        let classes = table.of(request, &facts);
        Self {
            client,
            network: client.network(),
            subnet,
            classes,
            to_keep: table.to_keep(request, &facts).unwrap_or(classes),
            origin: table.matches(&facts),
            reserved,
        }
    }

    /// Returns the classes that all requests of a kind with the fingerprint of this one have, if
    /// they have the same.
    pub fn certain_classes(
        &self,
        view: View<'_>,
        request: &Request,
        kind: MessageType,
    ) -> Option<Classes> {
        let table = view.networks.classes();
        if !table.depend_on_rest() {
            return Some(self.classes);
        }
        let facts = view.facts(&self.client, &request.origin(), &self.reserved);
        table.certain(request, &facts, kind)
    }

    /// The client that an address is held for.
    pub fn of_lease(
        view: View<'_>,
        address: Ipv4Addr,
        client: ClientKey,
        request: &Request,
    ) -> Self {
        let network = view.networks.get(client.network());
        let index = network.and_then(|network| network.index_of(address));
        Self::new(view, client, index.unwrap_or(0), request)
    }
}
