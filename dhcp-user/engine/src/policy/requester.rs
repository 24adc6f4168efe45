//! The client that sends a request, and its place in the network.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_config::Classes;

use super::View;
use crate::{networks::OriginMatches, request::Request};

/// The properties of a message's sender that the answer depends on.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    pub client: ClientKey,
    pub network: u32,
    /// Index of the subnet by which the network is known.
    pub subnet: usize,
    pub classes: Classes,
    pub origin: OriginMatches,
    /// The address that is reserved for it there.
    pub reserved: Option<Ipv4Addr>,
}

impl Requester {
    pub fn new(view: View<'_>, client: ClientKey, subnet: usize, request: &Request) -> Self {
        let classes = view.networks.classes();
        let origin = request.origin();
        let network = client.network();
        Self {
            client,
            network,
            subnet,
            classes: classes.of(&request.shape, &origin),
            origin: classes.matches(&origin),
            reserved: view.networks.get(network).and_then(|network| {
                network.reservation(&client, &request.hardware, origin.relay_info)
            }),
        }
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
