//! The fast path's view of the maps and of the machine, in the kernel or in a test.
//!
//! Values that the controller may replace while a run uses them are copied; [`Binding::seal`] and
//! [`Template`] describe why the copies and the references are safe to use.

use core::hint::black_box;

#[cfg(doc)]
use dhcp_common::abi::CLOCK_LEAD_NS;
use dhcp_common::{
    abi::{
        Binding, ClientDigest, ClientKey, Event, Grant, Link, LinkKey, Meta, NETWORK_IS_BROADCAST,
        NETWORK_IS_OURS, NetworkRef, Template, TemplateKey,
    },
    wire::Be32,
};

use crate::packet::Packet;

/// The maps, the clock and the helpers of the kernel.
pub trait Tables {
    /// Returns the only entry of `META`.
    fn meta(&self) -> Option<&Meta>;
    /// Returns the link that a frame came from.
    fn link(&self, key: &LinkKey) -> Option<&Link>;
    /// Returns the entry of the longest prefix that covers an address.
    fn relay(&self, address: Be32) -> Option<NetworkRef>;

    /// Returns the network of an address.
    #[inline(always)]
    fn network_of(&self, address: Be32) -> Option<NetworkRef> {
        self.relay(address).filter(|network| network.id != 0)
    }

    /// Returns whether an address is the server's on this or any other link (RFC 2131 §4.1).
    #[inline(always)]
    fn is_ours(&self, link: &Link, address: Be32) -> bool {
        if link.has_address(address) {
            return true;
        }
        // Without this the compiler tests flags that it has not read, which the verifier refuses.
        let flags = black_box(self.relay(address).map_or(0, |network| network.flags));
        flags & NETWORK_IS_OURS != 0
    }

    /// Returns whether an address is the directed broadcast of a subnet in which the server has an
    /// address.
    #[inline(always)]
    fn is_directed_broadcast(&self, address: Be32) -> bool {
        let flags = black_box(self.relay(address).map_or(0, |network| network.flags));
        flags & NETWORK_IS_BROADCAST != 0
    }

    /// Returns a copy of the entry published for a client, whose digest uses the key of `meta`.
    fn binding(&self, client: &ClientKey, digest: ClientDigest, meta: &Meta) -> Option<Binding>;
    /// Returns the rendered answer with a key.
    fn template(&self, key: &TemplateKey) -> Option<&Template>;

    /// Returns a copy of a slot's grant.
    fn grant(&self, slot: u32) -> Option<Grant>;
    /// Writes [`Grant::granted`] of a slot. Returns `false` if it is no longer `before` because
    /// another CPU has written it.
    fn swap_granted(&self, slot: u32, before: u64, word: u64) -> bool;
    /// Writes [`Grant::asked`] of a slot unless it is no longer `before`.
    fn swap_asked(&self, slot: u32, before: u64, word: u64);
    /// Writes [`Grant::asked`] of a slot unconditionally.
    fn set_asked(&self, slot: u32, word: u64);

    /// Returns the bucket of a source, see `limit.rs`.
    fn bucket(&self, source: u64) -> Option<u64>;
    /// Stores the bucket of a source.
    fn set_bucket(&self, source: u64, bucket: u64);

    /// Sends an event to the controller. Returns `false` if the ring is full.
    fn notify(&self, event: &Event) -> bool;
    /// Returns whether the controller has a socket at this index of `SLOW`.
    fn is_served(&self, slow_index: u32) -> bool;
    /// Returns the time in nanoseconds of `CLOCK_BOOTTIME`, or up to [`CLOCK_LEAD_NS`] later.
    fn now_ns(&self) -> u64;

    /// Returns the unfolded sum, as in [`dhcp_common::checksum`], of `len` octets from `offset` of
    /// the options. `len` is a multiple of four.
    fn sum_options(&self, packet: &Packet, offset: usize, len: usize) -> u64;
}
