//! What the fast path needs of the maps and of the machine, in the kernel or in a test.
//!
//! Values that the controller may replace under a running program are copied out; see
//! [`Binding::seal`] and [`Template`] for what makes the copies and the references safe to use.

use core::hint::black_box;

#[cfg(doc)]
use dhcp_common::abi::CLOCK_LEAD_NS;
use dhcp_common::{
    abi::{
        Binding, ClientDigest, ClientKey, Event, Grant, Link, LinkKey, Meta, NETWORK_IS_OURS,
        NetworkRef, Template, TemplateKey,
    },
    wire::Be32,
};

use crate::packet::Packet;

pub trait Tables {
    fn meta(&self) -> Option<&Meta>;
    fn link(&self, key: &LinkKey) -> Option<&Link>;
    /// What is known of the longest prefix that covers an address.
    fn relay(&self, address: Be32) -> Option<NetworkRef>;

    /// The network that an address lies in.
    #[inline(always)]
    fn network_of(&self, address: Be32) -> Option<NetworkRef> {
        self.relay(address).filter(|network| network.id != 0)
    }

    /// Whether an address is ours on the link or, failing that, on any other (RFC 2131 §4.1).
    #[inline(always)]
    fn is_ours(&self, link: &Link, address: Be32) -> bool {
        if link.has_address(address) {
            return true;
        }
        // Or else the compiler tests flags that it has not read, which the verifier refuses.
        let flags = black_box(self.relay(address).map_or(0, |network| network.flags));
        flags & NETWORK_IS_OURS != 0
    }

    /// A copy of what is published for a client, whose digest is by the key of `meta`.
    fn binding(&self, client: &ClientKey, digest: ClientDigest, meta: &Meta) -> Option<Binding>;
    fn template(&self, key: &TemplateKey) -> Option<&Template>;

    /// A copy of a slot's grant.
    fn grant(&self, slot: u32) -> Option<Grant>;
    /// Writes [`Grant::granted`] of a slot; `false` if it is no longer `before`, for another CPU has
    /// written it.
    fn swap_granted(&self, slot: u32, before: u64, word: u64) -> bool;
    /// Writes [`Grant::asked`] of a slot unless it is no longer `before`.
    fn swap_asked(&self, slot: u32, before: u64, word: u64);
    /// Writes [`Grant::asked`] of a slot, whatever it is.
    fn set_asked(&self, slot: u32, word: u64);

    /// The bucket of a source, see `limit.rs`.
    fn bucket(&self, source: u64) -> Option<u64>;
    fn set_bucket(&self, source: u64, bucket: u64);

    /// Hands an event to the controller; `false` if the ring is full.
    fn notify(&self, event: &Event) -> bool;
    /// Whether a socket of the controller stands at this index of `SLOW`.
    fn is_served(&self, slow_index: u32) -> bool;
    /// Now, in nanoseconds of `CLOCK_BOOTTIME`, or up to [`CLOCK_LEAD_NS`] later.
    fn now_ns(&self) -> u64;

    /// The unfolded sum, as in [`dhcp_common::checksum`], of `len` octets, a multiple of four, from
    /// `offset` of the options.
    fn sum_options(&self, packet: &Packet, offset: usize, len: usize) -> u64;
}
