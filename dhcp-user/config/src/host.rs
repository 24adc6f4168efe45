//! The interfaces of the host, against which a configuration can be checked.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;

/// The interfaces of a host and their IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub interfaces: BTreeMap<String, Vec<Ipv4Addr>>,
    /// The prefixes of these addresses, without host bits.
    pub prefixes: Vec<Ipv4Net>,
}
