//! Configurations of the daemon for the topologies, all but the section `[server]`.

use std::net::Ipv4Addr;

use super::topology::{GATEWAY, SECOND_GATEWAY, SERVER, SERVER_INTERFACE};

/// The first addresses of the pools of [`local`] and [`relayed`].
pub const LOCAL_POOL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
pub const RELAYED_POOL: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 100);

/// A subnet for clients on the server's link, with `defaults` in the section of that name. Nothing is probed, so
/// that new clients are answered at once.
pub fn local(defaults: &str) -> String {
    local_with_pool(defaults, "10.77.0.100-10.77.0.199")
}

/// The same with another pool.
pub fn local_with_pool(defaults: &str, pool: &str) -> String {
    local_probed(&unprobed(defaults), pool)
}

/// The same with addresses probed as `defaults` say.
pub fn local_probed(defaults: &str, pool: &str) -> String {
    head(defaults) + &subnet("10.77.0.0/24", pool, SERVER)
}

/// A subnet for clients behind the relay agent.
pub fn relayed(defaults: &str) -> String {
    relayed_probed(&unprobed(defaults))
}

/// The same with addresses probed as `defaults` say.
pub fn relayed_probed(defaults: &str) -> String {
    head(defaults) + &subnet("10.88.0.0/24", "10.88.0.100-10.88.0.199", GATEWAY)
}

/// A subnet behind each of two relay agents.
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
