//! Configurations of the daemon for the topologies, without the section `[server]`.

use std::net::Ipv4Addr;

use super::topology::{GATEWAY, SECOND_GATEWAY, SERVER, SERVER_INTERFACE};

/// First addresses of the pools of [`local`] and [`relayed`].
pub const LOCAL_POOL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
pub const RELAYED_POOL: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 100);

/// Returns a configuration for clients on the server's link, with `defaults` in the section of that
/// name. Addresses are not probed, so new clients are answered immediately.
pub fn local(defaults: &str) -> String {
    local_with_pool(defaults, "10.77.0.100-10.77.0.199")
}

/// Returns the configuration of [`local`] with another pool.
pub fn local_with_pool(defaults: &str, pool: &str) -> String {
    local_probed(&unprobed(defaults), pool)
}

/// Returns the configuration of [`local`] with addresses probed according to `defaults`.
pub fn local_probed(defaults: &str, pool: &str) -> String {
    head(defaults) + &subnet("10.77.0.0/24", pool, SERVER)
}

/// Returns a configuration for clients behind the relay agent.
pub fn relayed(defaults: &str) -> String {
    relayed_probed(&unprobed(defaults))
}

/// Returns the configuration of [`relayed`] with addresses probed according to `defaults`.
pub fn relayed_probed(defaults: &str) -> String {
    head(defaults) + &subnet("10.88.0.0/24", "10.88.0.100-10.88.0.199", GATEWAY)
}

/// Returns a configuration with a subnet behind each of two relay agents.
pub fn two_relays(defaults: &str) -> String {
    let second = subnet("10.89.0.0/24", "10.89.0.100-10.89.0.199", SECOND_GATEWAY);
    relayed(defaults) + &second
}

fn unprobed(defaults: &str) -> String {
    format!("{defaults}\nprobe-time = \"0s\"")
}

fn head(defaults: &str) -> String {
    format!("[defaults]\n{defaults}\n\n[[interface]]\nname = \"{SERVER_INTERFACE}\"\n")
}

fn subnet(prefix: &str, pool: &str, router: Ipv4Addr) -> String {
    format!(
        "\n[[subnet]]\nprefix = \"{prefix}\"\npools = [\"{pool}\"]\n\
         options = {{ routers = [\"{router}\"], domain-name-servers = [\"{SERVER}\"] }}\n"
    )
}
