//! The configuration of each server: one subnet with room for all clients, three options, leases of
//! an hour, no probing, and as little logging as possible.

use std::net::Ipv4Addr;

use anyhow::Result;
use ipnet::Ipv4Net;
use serde_json::json;
use xtask_lab::{Namespace, topology::SERVER_INTERFACE};
use xtask_load::site::{self, SERVER};

use crate::answers::{Contender, contender::kea};

const LEASE_SECS: u32 = 3600;

/// Returns the configuration of a server in its own format, for a number of clients.
///
/// # Errors
/// Never.
pub fn of(contender: Contender, namespace: &Namespace, clients: u32) -> Result<String> {
    let network = site::range()?;
    let pool = site::pool(clients);
    Ok(match contender {
        Contender::Xdhcpd => site::config(clients, &[]),
        Contender::Kea => kea(network, pool, namespace),
        // dnsmasq offers an address to several clients at once if it has to search for a free one,
        // hence the large pool.
        Contender::Dnsmasq => dnsmasq(network, site::pool(u32::MAX), pool),
        Contender::Dhcpd => dhcpd(network, pool),
    })
}

/// Returns the configuration of Kea: as many threads as processors; leases in memory and in a file.
fn kea(network: Ipv4Net, (first, last): (Ipv4Addr, Ipv4Addr), namespace: &Namespace) -> String {
    let server = SERVER.to_string();
    json!({ "Dhcp4": {
        "interfaces-config": { "interfaces": [SERVER_INTERFACE], "dhcp-socket-type": "raw" },
        "lease-database": { "type": "memfile", "persist": true, "name": kea::leases(namespace) },
        "multi-threading": { "enable-multi-threading": true, "thread-pool-size": 0 },
        "valid-lifetime": LEASE_SECS,
        // By default Kea does not write renewals within the first quarter of a lease, as all
        // clients' here are. Kea does not accept zero.
        "cache-threshold": 0.000_01,
        // There are no reservations to be looked up.
        "reservations-in-subnet": false,
        "subnet4": [{
            "id": 1,
            "subnet": network.to_string(),
            "interface": SERVER_INTERFACE,
            "pools": [{ "pool": format!("{first} - {last}") }],
            "option-data": [
                { "name": "routers", "data": server },
                { "name": "domain-name-servers", "data": server }
            ]
        }],
        "loggers": [{
            "name": "kea-dhcp4", "severity": "ERROR", "output_options": [{ "output": "stderr" }]
        }]
    }})
    .to_string()
}

fn dnsmasq(
    network: Ipv4Net,
    (first, last): (Ipv4Addr, Ipv4Addr),
    needed: (Ipv4Addr, Ipv4Addr),
) -> String {
    let mask = network.netmask();
    let leases = u32::from(needed.1) - u32::from(needed.0) + 1;
    format!(
        "port=0\ninterface={SERVER_INTERFACE}\nno-ping\nquiet-dhcp\ndhcp-lease-max={leases}\n\
         dhcp-range={first},{last},{mask},{LEASE_SECS}\n\
         dhcp-option=option:router,{SERVER}\ndhcp-option=option:dns-server,{SERVER}\n"
    )
}

/// Makes dhcpd write renewals within the first quarter of a lease, as for Kea.
fn dhcpd(network: Ipv4Net, (first, last): (Ipv4Addr, Ipv4Addr)) -> String {
    format!(
        "authoritative;\nping-check off;\nddns-update-style none;\ndhcp-cache-threshold 0;\n\
         default-lease-time {LEASE_SECS};\nmax-lease-time {LEASE_SECS};\n\
         subnet {} netmask {} {{\n  range {first} {last};\n  option routers {SERVER};\n  \
         option domain-name-servers {SERVER};\n}}\n",
        network.network(),
        network.netmask()
    )
}
