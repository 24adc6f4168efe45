//! Leasable addresses: an address of either family, or a prefix.

use std::{
    fmt,
    hash::Hash,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnet::Ipv6Net;

/// An address or prefix that can be leased. Leases, pools, timers and the store are generic over
/// the kind of address; messages and configuration are not, because each family has its own.
///
/// Addresses that are leased from one range have an order without gaps: that of addresses, or of
/// prefixes of one length.
pub trait Address:
    Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static
{
    /// The address in as little memory as possible. The default value is one that is never leased.
    type Packed: Copy + Eq + Default + fmt::Debug + Send + Sync;

    /// Returns the packed address.
    fn pack(self) -> Self::Packed;

    /// Returns the address that was packed.
    fn unpack(packed: Self::Packed) -> Self;

    /// Returns the next address of the same kind, or `None` after the last of all.
    fn successor(self) -> Option<Self>;

    /// Returns how many addresses there are from `first` to `last`, both included, at most
    /// `u64::MAX`.
    fn count(first: Self, last: Self) -> u64;
}

impl Address for Ipv4Addr {
    type Packed = u32;

    fn pack(self) -> u32 {
        self.to_bits()
    }

    fn unpack(packed: u32) -> Self {
        Self::from_bits(packed)
    }

    fn successor(self) -> Option<Self> {
        self.to_bits().checked_add(1).map(Self::from_bits)
    }

    fn count(first: Self, last: Self) -> u64 {
        let (first, last) = (u64::from(first.to_bits()), u64::from(last.to_bits()));
        (last + 1).saturating_sub(first)
    }
}

/// An address of DHCPv6's IA_NA (RFC 8415 §21.4).
impl Address for Ipv6Addr {
    type Packed = u128;

    fn pack(self) -> u128 {
        self.to_bits()
    }

    fn unpack(packed: u128) -> Self {
        Self::from_bits(packed)
    }

    fn successor(self) -> Option<Self> {
        self.to_bits().checked_add(1).map(Self::from_bits)
    }

    fn count(first: Self, last: Self) -> u64 {
        steps(first.to_bits(), last.to_bits(), 0)
    }
}

/// A prefix of DHCPv6's IA_PD (RFC 8415 §21.21).
impl Address for Ipv6Net {
    type Packed = (u128, u8);

    fn pack(self) -> (u128, u8) {
        (self.network().to_bits(), self.prefix_len())
    }

    fn unpack((bits, len): (u128, u8)) -> Self {
        Self::new(Ipv6Addr::from_bits(bits), len).unwrap_or_default()
    }

    fn successor(self) -> Option<Self> {
        let size = 1u128.checked_shl(host_bits(self))?;
        let next = self.network().to_bits().checked_add(size)?;
        Some(Self::unpack((next, self.prefix_len())))
    }

    fn count(first: Self, last: Self) -> u64 {
        let bits = |prefix: Self| prefix.network().to_bits();
        steps(bits(first), bits(last), host_bits(first))
    }
}

fn host_bits(prefix: Ipv6Net) -> u32 {
    u32::from(prefix.max_prefix_len() - prefix.prefix_len())
}

fn steps(first: u128, last: u128, host_bits: u32) -> u64 {
    let Some(distance) = last.checked_sub(first) else {
        return 0;
    };
    let before_last = distance.checked_shr(host_bits).unwrap_or_default();
    u64::try_from(before_last).map_or(u64::MAX, |steps| steps.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> Ipv6Addr {
        text.parse().expect("an address")
    }

    fn net(text: &str) -> Ipv6Net {
        text.parse().expect("a prefix")
    }

    #[test]
    fn addresses_are_counted_and_followed_by_the_next() {
        let last = Ipv4Addr::BROADCAST;
        assert_eq!(Ipv4Addr::count(Ipv4Addr::UNSPECIFIED, last), 1 << 32);
        assert_eq!(Ipv4Addr::count(last, Ipv4Addr::UNSPECIFIED), 0);
        assert_eq!(last.successor(), None);
        assert_eq!(Ipv6Addr::count(v6("2001:db8::1"), v6("2001:db8::10")), 16);
        assert_eq!(Ipv6Addr::count(v6("::"), v6("2001:db8::")), u64::MAX);
        assert_eq!(v6("2001:db8::ffff").successor(), Some(v6("2001:db8::1:0")));
    }

    #[test]
    fn prefixes_of_one_length_follow_each_other() {
        let first = net("2001:db8:0:100::/56");
        assert_eq!(first.successor(), Some(net("2001:db8:0:200::/56")));
        assert_eq!(Ipv6Net::count(first, net("2001:db8:0:ff00::/56")), 255);
        assert_eq!(net("ffff:ffff:ffff:ff00::/56").successor(), None);
        assert_eq!(net("::/0").successor(), None);
    }

    #[test]
    fn a_packed_address_comes_back_as_it_was() {
        let prefix = net("2001:db8:0:100::/56");
        assert_eq!(Ipv6Net::unpack(prefix.pack()), prefix);
        let address = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(Ipv4Addr::unpack(address.pack()), address);
        assert_ne!(address.pack(), u32::default());
    }
}
