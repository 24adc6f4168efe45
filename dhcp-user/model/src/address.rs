//! What can be leased: an address of either family, or a prefix.

use std::{
    fmt,
    hash::Hash,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnet::Ipv6Net;

/// What a lease is of. Leases, pools, timers and the store are written for any of them; messages and
/// configuration are not, for each family has its own.
pub trait Address:
    Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static
{
}

impl Address for Ipv4Addr {}

/// An address of DHCPv6's IA_NA (RFC 8415 §21.4).
impl Address for Ipv6Addr {}

/// A prefix of DHCPv6's IA_PD (RFC 8415 §21.21).
impl Address for Ipv6Net {}
