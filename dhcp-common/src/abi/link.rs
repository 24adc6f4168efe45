//! Where requests come from.

use super::capacity::{MAX_LINK_ADDRESSES, MAX_LINKS, MAX_RELAYS, MAX_SUBNETS};
use crate::wire::Be32;

/// Key of `LINKS`: where a frame came from.
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
    /// The network of clients that send here directly; its id is zero where there is none.
    pub network: NetworkRef,
    /// See the `LINK_*` constants.
    pub flags: u32,
    /// First index of the interface's sockets in `SLOW`.
    pub slow_base: u32,
    pub mac: [u8; 6],
    /// How many of `addresses` are in use.
    pub address_count: u16,
    /// Ours on this link, unused ones zero.
    pub addresses: [Be32; MAX_LINK_ADDRESSES],
}

impl Link {
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

/// Option 82 is taken from clients' links (`giaddr` zero): a switch there adds it.
pub const LINK_TRUSTS_RELAY_INFO: u32 = 1;

/// Key data of `RELAYS`, a trie over prefixes in network order; its value is [`NetworkRef`]. Beside the
/// subnets each address of ours stands in it, on whichever link it is, with [`NETWORK_IS_OURS`].
pub type RelayKey = Be32;

/// In [`NetworkRef::flags`]: the prefix is one address, and ours. The id is that of the network that it
/// lies in, or zero.
pub const NETWORK_IS_OURS: u32 = 1;

/// In [`NetworkRef::flags`]: its clients are known by their hardware addresses, whatever option 61 they
/// send.
pub const NETWORK_IGNORES_CLIENT_ID: u32 = 2;

const _: () = assert!(
    2 * MAX_SUBNETS as usize + MAX_LINKS as usize * MAX_LINK_ADDRESSES <= MAX_RELAYS as usize,
    "each subnet has a prefix and a server identifier"
);

const _: () = assert!(
    MAX_LINK_ADDRESSES == 8,
    "Link::has_address compares each of them, without a loop that the verifier would have to walk"
);
