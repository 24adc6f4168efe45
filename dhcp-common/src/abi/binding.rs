//! The published decision about a client, and the time that the program grants from it.

use super::{digest::ClientDigest, time::FOREVER_NS};
#[cfg(doc)]
use crate::fingerprint;
use crate::wire::Be32;

/// State of a [`Binding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BindingState {
    /// Offered, not committed: answers a repeated DISCOVER until `expires_ns`.
    Offered = 1,
    /// Leased, and durable until `durable_until_ns`.
    Bound = 2,
    /// Revoked: a REQUEST for the address gets a NAK.
    Revoked = 3,
}

impl BindingState {
    /// Returns the state with a number.
    #[inline(always)]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Offered),
            2 => Some(Self::Bound),
            3 => Some(Self::Revoked),
            _ => None,
        }
    }
}

/// In [`Binding::flags`]: the answers are only for requests with the same `htype` and `chaddr`.
pub const BINDING_CHECKS_HARDWARE: u8 = 1;
/// In [`Binding::flags`]: the answers are only for requests with the same option 82. A unicast
/// request without the option, or with one that does not count, passes, because it has bypassed the
/// relay agent (RFC 2131 §4.3.2).
pub const BINDING_CHECKS_RELAY_INFO: u8 = 2;

/// Value of `LEASES`: the controller's durable decision about a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Binding {
    /// [`Binding::seal_for`] the client and all other fields. The kernel writes into memory that a
    /// run may be reading, in unspecified order; a copy with a wrong seal was torn.
    pub seal: u64,
    pub address: Be32,
    /// The cell, which is also the index into `GRANTS`: the bucket's index times `WAYS`, plus the
    /// cell's index in it.
    pub slot: u32,
    /// The profile of this client's rendered answers, see `TemplateKey`.
    pub profile: u64,
    /// [`BindingState`].
    pub state: u8,
    /// See the `BINDING_CHECKS_*` constants.
    pub flags: u8,
    /// Number of the slot's use; a grant with another epoch is of another use.
    pub epoch: u16,
    /// [`fingerprint::of_hardware`] of the client that the answers are for, if that is checked.
    pub hardware: u32,
    /// [`fingerprint::of_option`] of the request's option 82, or zero without one, if that is
    /// checked.
    pub relay_info: u64,
    /// End of the lease or offer at the time of publication; a grant may have extended it.
    pub expires_ns: u64,
    /// The horizon: the address is durably the client's until then, and no ACK may promise more.
    pub durable_until_ns: u64,
}

impl Binding {
    /// Returns a sum of products with odd constants. A difference in one word always changes it,
    /// and a difference in several words does except with a probability of 2^-64. No product
    /// depends on another.
    #[inline(always)]
    pub const fn seal_for(&self, client: ClientDigest) -> u64 {
        let [low, high] = client.lanes();
        let mut seal = 0u64;
        let words = [
            low,
            high,
            self.address.raw() as u64 | (self.slot as u64) << 32,
            self.profile,
            self.state as u64
                | (self.flags as u64) << 8
                | (self.epoch as u64) << 16
                | (self.hardware as u64) << 32,
            self.relay_info,
            self.expires_ns,
            self.durable_until_ns,
        ];
        let mut i = 0;
        while i < words.len() {
            seal = seal.wrapping_add(words[i].wrapping_mul(SEAL_FACTORS[i]));
            i += 1;
        }
        seal
    }

    /// Returns the binding with its seal.
    #[must_use]
    pub const fn sealed_for(mut self, client: ClientDigest) -> Self {
        self.seal = self.seal_for(client);
        self
    }

    /// Returns whether the seal is right.
    #[inline(always)]
    pub const fn is_sealed_for(&self, client: ClientDigest) -> bool {
        self.seal == self.seal_for(client)
    }
}

/// Factors of [`Binding::seal_for`]: the first eight outputs of SplitMix64 from zero, made odd.
const SEAL_FACTORS: [u64; 8] = {
    let mut factors = [0; 8];
    let mut i = 0;
    while i < factors.len() {
        let mut word = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        factors[i] = (word ^ word >> 31) | 1;
        i += 1;
    }
    factors
};

/// Value of `GRANTS`: the program's report to the controller about a slot.
///
/// Each word holds a time, rounded up to 2^16 ns, and in its low 16 bits the epoch of the binding
/// for which it was written, so both are read and written together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Grant {
    /// The latest end of lease that the program has acknowledged.
    pub granted: u64,
    /// The horizon that the program has asked to extend, or [`Grant::CLOSED`].
    pub asked: u64,
}

impl Grant {
    const EPOCH_MASK: u64 = 0xffff;
    const LAST: u64 = !Self::EPOCH_MASK;
    /// In `asked`: the client has released or declined, and the entry no longer gives answers.
    pub const CLOSED: u64 = FOREVER_NS;

    /// Packs a time and an epoch into a word. The time is rounded up, so it never shortens a
    /// promise.
    #[inline(always)]
    pub const fn pack(time_ns: u64, epoch: u16) -> u64 {
        let rounded = if time_ns > Self::LAST {
            Self::LAST
        } else {
            (time_ns + Self::EPOCH_MASK) & !Self::EPOCH_MASK
        };
        rounded | epoch as u64
    }

    /// Returns the time in a word if that was written for this epoch; at least the time packed.
    #[inline(always)]
    pub const fn unpack(word: u64, epoch: u16) -> Option<u64> {
        if word == 0 || (word & Self::EPOCH_MASK) != epoch as u64 {
            return None;
        }
        let time = word & !Self::EPOCH_MASK;
        Some(if time == Self::LAST { FOREVER_NS } else { time })
    }

    /// Returns whether the client of this epoch has released or declined.
    #[inline(always)]
    pub const fn is_closed(&self, epoch: u16) -> bool {
        matches!(Self::unpack(self.asked, epoch), Some(Self::CLOSED))
    }

    /// Returns the end of lease granted to the binding of this epoch.
    #[inline(always)]
    pub const fn granted_for(&self, epoch: u16) -> Option<u64> {
        Self::unpack(self.granted, epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::client::ClientKey;

    fn client(network: u32) -> ClientDigest {
        let client = ClientKey::client_id(network, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        ClientDigest::new(&client.unwrap(), &core::array::from_fn(|i| !i as u64))
    }

    fn binding() -> Binding {
        Binding {
            seal: 0,
            address: Be32::new(0x0a00_0001),
            slot: 3,
            profile: 4,
            state: BindingState::Bound as u8,
            flags: 0,
            hardware: 5,
            relay_info: 6,
            epoch: 9,
            expires_ns: 1_000,
            durable_until_ns: 2_000,
        }
    }

    #[test]
    fn a_seal_shows_any_change() {
        let sealed = binding().sealed_for(client(7));
        assert!(sealed.is_sealed_for(client(7)));
        assert!(!sealed.is_sealed_for(client(8)));
        let changes: [fn(&mut Binding); 10] = [
            |b| b.address = Be32::new(1),
            |b| b.slot += 1,
            |b| b.profile += 1,
            |b| b.state = BindingState::Offered as u8,
            |b| b.epoch += 1,
            |b| b.flags += 1,
            |b| b.hardware += 1,
            |b| b.relay_info += 1,
            |b| b.expires_ns += 1,
            |b| b.durable_until_ns += 1,
        ];
        for change in changes {
            let mut torn = sealed;
            change(&mut torn);
            assert!(!torn.is_sealed_for(client(7)), "{torn:?}");
        }
    }

    #[test]
    fn a_grant_is_never_earlier_than_promised_and_only_its_epochs() {
        for time in [
            1,
            0xffff,
            0x10000,
            0x10001,
            1 << 40,
            FOREVER_NS - 1,
            FOREVER_NS,
        ] {
            let word = Grant::pack(time, 5);
            assert!(Grant::unpack(word, 5).unwrap() >= time);
            assert_eq!(Grant::unpack(word, 6), None);
        }
        assert_eq!(Grant::unpack(0, 0), None);
        let grant = Grant {
            granted: 0,
            asked: Grant::pack(Grant::CLOSED, 2),
        };
        assert!(grant.is_closed(2));
        assert!(!grant.is_closed(3));
    }
}
