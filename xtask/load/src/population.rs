//! The clients' identities: numbers, hardware addresses and transaction ids, all derived from one
//! seed.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use xtask_load_abi::{MAX_CLIENTS, Own};

/// Locally administered, unicast.
const FIRST_OCTET: u8 = 0x02;

/// A number of clients, each with an index from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    pub clients: u32,
    /// Number of the first client; the others follow.
    pub base: u32,
    /// Second octet of the clients' hardware addresses.
    pub tag: u8,
    pub xid_mask: u32,
    /// Bits of a transaction id that contain the index; the others count the client's exchanges.
    index_bits: u32,
}

impl Population {
    /// Returns a population of at most [`MAX_CLIENTS`] clients.
    pub fn new(clients: u32, seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        Self {
            clients: clients.min(MAX_CLIENTS),
            base: dice.random(),
            tag: dice.random(),
            xid_mask: dice.random(),
            index_bits: clients.next_power_of_two().trailing_zeros(),
        }
    }

    /// Returns the tag of hardware addresses of a flood.
    pub const fn bogus_tag(&self) -> u8 {
        !self.tag
    }

    pub fn mac(&self, index: u32) -> [u8; 6] {
        let [a, b, c, d] = self.number(index).to_be_bytes();
        [FIRST_OCTET, self.tag, a, b, c, d]
    }

    const fn number(&self, index: u32) -> u32 {
        self.base.wrapping_add(index)
    }

    /// Returns the index of the client with a hardware address, or `None` if it is unknown.
    pub fn index(&self, mac: [u8; 6]) -> Option<u32> {
        let [first, tag, a, b, c, d] = mac;
        let index = u32::from_be_bytes([a, b, c, d]).wrapping_sub(self.base);
        (first == FIRST_OCTET && tag == self.tag && index < self.clients).then_some(index)
    }

    /// Returns the transaction id of a client's exchange.
    pub const fn xid(&self, index: u32, exchange: u32) -> u32 {
        let exchange = match exchange.checked_shl(self.index_bits) {
            Some(high) => high,
            None => 0,
        };
        (exchange | index) ^ self.xid_mask
    }

    /// Returns the transaction id of a client's next exchange.
    pub const fn next_xid(&self, index: u32, xid: u32) -> u32 {
        self.xid(index, self.exchange(xid).wrapping_add(1))
    }

    /// Returns the transaction id of a client's previous exchange.
    pub const fn previous_xid(&self, index: u32, xid: u32) -> u32 {
        self.xid(index, self.exchange(xid).wrapping_sub(1))
    }

    /// Returns the number of an exchange, as far as its transaction id has room for it.
    const fn exchange(&self, xid: u32) -> u32 {
        match (xid ^ self.xid_mask).checked_shr(self.index_bits) {
            Some(exchange) => exchange,
            None => 0,
        }
    }

    /// Returns the shape of a client.
    pub const fn shape(&self, index: u32, shapes: usize) -> usize {
        match (self.number(index) as usize).checked_rem(shapes) {
            Some(shape) => shape,
            None => 0,
        }
    }

    /// Returns what fills the gaps of a client's frames.
    pub const fn own(&self, index: u32, xid: u32, address: u32) -> Own {
        Own {
            number: self.number(index).to_be(),
            xid: xid.to_be(),
            address: address.to_be(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_clients_and_another_seed_makes_others() {
        let macs = |seed| {
            let population = Population::new(1000, seed);
            (0..1000).map(|index| population.mac(index)).collect()
        };
        let first: HashSet<_> = macs(1);
        assert_eq!(first.len(), 1000);
        assert_eq!(first, macs(1));
        assert!(first.is_disjoint(&macs(2)));
    }

    #[test]
    fn a_client_is_found_by_its_hardware_address_alone() {
        for seed in 0..50 {
            let population = Population::new(300, seed);
            for index in [0, 1, 299] {
                assert_eq!(population.index(population.mac(index)), Some(index));
            }
            assert_eq!(population.index(population.mac(300)), None);
            let [_, tag, rest @ ..] = population.mac(0);
            let [a, b, c, d] = rest;
            assert_eq!(population.index([0, tag, a, b, c, d]), None);
            assert_eq!(population.index([2, !tag, a, b, c, d]), None);
        }
    }

    #[test]
    fn no_two_exchanges_under_way_have_the_same_transaction_id() {
        let population = Population::new(1000, 7);
        let xids: HashSet<_> = (0..1000)
            .flat_map(|index| (0..10).map(move |exchange| population.xid(index, exchange)))
            .collect();
        assert_eq!(xids.len(), 10_000);
    }

    #[test]
    fn transaction_ids_follow_each_other_also_where_their_numbers_wrap() {
        for clients in [1, 1000, MAX_CLIENTS] {
            let population = Population::new(clients, 7);
            for index in [0, clients - 1] {
                for exchange in [0, 1, 254, 255, 256, u32::MAX] {
                    let xid = population.xid(index, exchange);
                    let next = population.next_xid(index, xid);
                    assert_eq!(next, population.xid(index, exchange.wrapping_add(1)));
                    assert_eq!(population.previous_xid(index, next), xid);
                }
            }
        }
    }
}
