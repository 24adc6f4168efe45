//! What this host has of the things that a configuration names.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;

/// The interfaces of a host and their IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub interfaces: BTreeMap<String, Vec<Ipv4Addr>>,
    /// The networks that these addresses are on.
    pub prefixes: Vec<Ipv4Net>,
}
