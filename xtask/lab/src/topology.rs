//! How servers and clients are connected.

use std::net::Ipv4Addr;

use anyhow::Result;

use super::{Lab, Namespace};

/// The server's only interface, in every topology.
pub const SERVER_INTERFACE: &str = "veth-srv";
/// A client's only interface, in every topology.
pub const CLIENT_INTERFACE: &str = "eth0";
/// The relay agent's interfaces.
pub const RELAY_TO_SERVER: &str = "to-server";
pub const RELAY_TO_CLIENTS: &str = "to-clients";

pub const PREFIX_LEN: u8 = 24;
/// The server's address, on the network of clients that need no relay agent.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The relay agent's address on the server's link.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The relay agent's address on the clients' link: `giaddr`, and the clients' router.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
const CLIENTS_NETWORK: &str = "10.88.0.0/24";
/// The address of the second relay agent on the server's link, in [`TwoRelays`].
pub const SECOND_RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
pub const SECOND_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);
const SECOND_CLIENTS_NETWORK: &str = "10.89.0.0/24";

/// Returns the hardware address of the n-th client, counted from one.
pub const fn client_mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

/// One client, connected directly to the server.
#[derive(Debug)]
pub struct Direct {
    pub server: Namespace,
    pub client: Namespace,
}

impl Direct {
    /// Creates the topology.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn new(lab: &Lab) -> Result<Self> {
        let server = lab.namespace("srv")?;
        let client = lab.namespace("cli")?;
        lab.veth((&server, SERVER_INTERFACE), (&client, CLIENT_INTERFACE))?;
        server.add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;
        lab.receive_xdp(&client, CLIENT_INTERFACE)?;
        set_client_mac(&client, 1)?;
        Ok(Self { server, client })
    }
}

/// Several clients and the server on a switch.
#[derive(Debug)]
pub struct Switched {
    pub server: Namespace,
    pub clients: Vec<Namespace>,
}

impl Switched {
    /// Creates the topology with a number of clients.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn new(lab: &Lab, clients: u8) -> Result<Self> {
        let server = lab.namespace("srv")?;
        let switch = switch(lab)?;
        let port = "port-srv";
        lab.veth((&server, SERVER_INTERFACE), (&switch, port))?;
        switch.ip(["link", "set", port, "master", BRIDGE])?;
        server.add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;
        // The bridge forwards the frames that the server sends by XDP_TX as any other.
        lab.receive_xdp(&switch, port)?;
        let clients = plug_in_clients(lab, &switch, clients)?;
        Ok(Self { server, clients })
    }
}

/// Several clients on a switch, with a router between them and the server.
#[derive(Debug)]
pub struct Relayed {
    pub server: Namespace,
    pub relay: Namespace,
    pub clients: Vec<Namespace>,
}

impl Relayed {
    /// Creates the topology with a number of clients.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn new(lab: &Lab, clients: u8) -> Result<Self> {
        let server = lab.namespace("srv")?;
        let relay = lab.namespace("rly")?;
        let switch = switch(lab)?;
        lab.veth((&server, SERVER_INTERFACE), (&relay, RELAY_TO_SERVER))?;
        server.add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;
        relay.add_address(RELAY_TO_SERVER, RELAY, PREFIX_LEN)?;
        let gateway = RELAY.to_string();
        server.ip(["route", "add", CLIENTS_NETWORK, "via", &gateway])?;
        lab.receive_xdp(&relay, RELAY_TO_SERVER)?;

        let port = "port-rly";
        lab.veth((&relay, RELAY_TO_CLIENTS), (&switch, port))?;
        switch.ip(["link", "set", port, "master", BRIDGE])?;
        relay.add_address(RELAY_TO_CLIENTS, GATEWAY, PREFIX_LEN)?;
        relay.set_ipv4("ip_forward", "1")?;
        let clients = plug_in_clients(lab, &switch, clients)?;
        Ok(Self {
            server,
            relay,
            clients,
        })
    }
}

/// Two routers on a switch with the server, with one client behind each. Interface names and the
/// client's hardware address are the same behind both.
#[derive(Debug)]
pub struct TwoRelays {
    pub server: Namespace,
    pub relays: [Namespace; 2],
    pub clients: [Namespace; 2],
}

impl TwoRelays {
    /// Creates the topology.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn new(lab: &Lab) -> Result<Self> {
        let server = lab.namespace("srv")?;
        let switch = switch(lab)?;
        let port = "port-srv";
        lab.veth((&server, SERVER_INTERFACE), (&switch, port))?;
        switch.ip(["link", "set", port, "master", BRIDGE])?;
        lab.receive_xdp(&switch, port)?;
        server.add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;

        let branch = |number: u8, address: Ipv4Addr, gateway, network| -> Result<_> {
            let relay = lab.namespace(&format!("rly{number}"))?;
            let client = lab.namespace(&format!("cli{number}"))?;
            let port = format!("port-{number}");
            lab.veth((&switch, &port), (&relay, RELAY_TO_SERVER))?;
            switch.ip(["link", "set", &port, "master", BRIDGE])?;
            relay.add_address(RELAY_TO_SERVER, address, PREFIX_LEN)?;
            lab.veth((&relay, RELAY_TO_CLIENTS), (&client, CLIENT_INTERFACE))?;
            relay.add_address(RELAY_TO_CLIENTS, gateway, PREFIX_LEN)?;
            relay.set_ipv4("ip_forward", "1")?;
            set_client_mac(&client, 1)?;
            server.ip(["route", "add", network, "via", &address.to_string()])?;
            Ok((relay, client))
        };
        let (relay, client) = branch(1, RELAY, GATEWAY, CLIENTS_NETWORK)?;
        let (second_relay, second_client) =
            branch(2, SECOND_RELAY, SECOND_GATEWAY, SECOND_CLIENTS_NETWORK)?;
        Ok(Self {
            server,
            relays: [relay, second_relay],
            clients: [client, second_client],
        })
    }
}

const BRIDGE: &str = "bridge";

fn switch(lab: &Lab) -> Result<Namespace> {
    let switch = lab.namespace("sw")?;
    // The bridge forwards from the first frame on, without a forward delay.
    let delay = ["forward_delay", "0", "stp_state", "0"];
    switch.ip([
        "link", "add", BRIDGE, "type", "bridge", delay[0], delay[1], delay[2], delay[3],
    ])?;
    switch.ip(["link", "set", BRIDGE, "up"])?;
    Ok(switch)
}

fn plug_in_clients(lab: &Lab, switch: &Namespace, clients: u8) -> Result<Vec<Namespace>> {
    (1..=clients)
        .map(|number| {
            let client = lab.namespace(&format!("cli{number}"))?;
            let port = format!("port-{number}");
            lab.veth((switch, &port), (&client, CLIENT_INTERFACE))?;
            switch.ip(["link", "set", &port, "master", BRIDGE])?;
            set_client_mac(&client, number)?;
            Ok(client)
        })
        .collect()
}

fn set_client_mac(client: &Namespace, number: u8) -> Result<()> {
    let mac = mac_text(client_mac(number));
    client.ip(["link", "set", "dev", CLIENT_INTERFACE, "address", &mac])
}

/// Formats a hardware address in the usual notation.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
