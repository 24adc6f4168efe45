//! The links and relay agents that requests come from.

use super::capacity::{MAX_LINK_ADDRESSES, MAX_LINKS, MAX_RELAYS, MAX_SUBNETS};
use crate::wire::Be32;

/// Key of `LINKS`: the interface and VLAN of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct LinkKey {
    pub ifindex: u32,
    /// VLAN id of the outer tag, or zero.
    pub outer: u16,
    /// VLAN id of the inner tag, or zero.
    pub inner: u16,
}

/// A network: the set of subnets that share a link, and the scope of a client's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct NetworkRef {
    /// Not zero.
    pub id: u32,
    pub flags: u32,
}

/// Value of `LINKS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Link {
    /// The network of clients that send directly; its id is zero if there is none.
    pub network: NetworkRef,
    /// See the `LINK_*` constants.
    pub flags: u32,
    /// First index of the interface's sockets in `SLOW`.
    pub slow_base: u32,
    pub mac: [u8; 6],
    /// Number of `addresses` in use.
    pub address_count: u16,
    /// Addresses of the server on this link, unused ones zero.
    pub addresses: [Be32; MAX_LINK_ADDRESSES],
}

impl Link {
    /// Returns whether an address is the server's on this link.
    #[inline(always)]
    pub fn has_address(&self, address: Be32) -> bool {
        !address.is_zero()
            && (self.addresses[0] == address
                || self.addresses[1] == address
                || self.addresses[2] == address
                || self.addresses[3] == address
                || self.addresses[4] == address
                || self.addresses[5] == address
                || self.addresses[6] == address
                || self.addresses[7] == address)
    }
}

/// In [`Link::flags`]: option 82 counts without a relay agent (`giaddr` zero), because a switch on
/// the link adds it. Elsewhere it is echoed only.
pub const LINK_TRUSTS_RELAY_INFO: u32 = 1;

/// In [`Link::flags`]: another server gives the addresses on this link, and the controller only
/// tells firmware what to boot, also as a boot server at port 4011 (PXE 2.1 §2.2).
pub const LINK_IS_PROXY: u32 = 2;

/// Key data of `RELAYS`, a trie over prefixes in network order; its value is [`NetworkRef`]. It
/// holds the subnets, the server's addresses on all links with [`NETWORK_IS_OURS`], and the
/// addresses with [`NETWORK_IS_BROADCAST`].
pub type RelayKey = Be32;

/// In [`NetworkRef::flags`]: the prefix is one address of the server. The id is that of the network
/// that contains it, or zero.
pub const NETWORK_IS_OURS: u32 = 1;

/// In [`NetworkRef::flags`]: the prefix is the directed broadcast address of a subnet in which the
/// server has an address (RFC 1122 §3.3.6). The id is that of the network that contains it.
pub const NETWORK_IS_BROADCAST: u32 = 4;

/// In [`NetworkRef::flags`]: clients are identified by hardware address only, and option 61 is
/// ignored.
pub const NETWORK_IGNORES_CLIENT_ID: u32 = 2;

const _: () = assert!(
    3 * MAX_SUBNETS as usize + MAX_LINKS as usize * MAX_LINK_ADDRESSES <= MAX_RELAYS as usize,
    "each subnet has a prefix, a server identifier and a broadcast address"
);

const _: () = assert!(
    MAX_LINK_ADDRESSES == 8,
    "Link::has_address compares each of them, without a loop that the verifier would have to walk"
);
