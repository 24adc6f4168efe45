//! What the answers to a set of clients are made from.

use std::{collections::HashSet, net::Ipv4Addr, sync::Arc};

use sha2::{Digest, Sha256};

use crate::config::{LeaseTimes, OptionValue, Subnet};

/// Part of every profile's id. Raised whenever [`super::reply`] would encode other octets from the same
/// profile and request: templates of an earlier program may still stand in the kernel's map.
const RENDERING: u32 = 1;

/// One for each subnet, and one more for each reservation with a host name.
#[derive(Debug)]
pub struct Profile {
    /// Derived from all the rest: the same after a restart, another after a change.
    pub id: u32,
    pub server_id: Ipv4Addr,
    pub mask: Ipv4Addr,
    pub lease: LeaseTimes,
    pub options: Arc<[OptionValue]>,
    /// Option 12 of a reservation.
    pub host_name: Option<String>,
}

impl Profile {
    pub fn new(subnet: &Subnet, server_id: Ipv4Addr, ids: &mut Ids) -> Self {
        let mut profile = Self {
            id: 0,
            server_id,
            mask: subnet.prefix.netmask(),
            lease: subnet.lease,
            options: subnet.options.as_slice().into(),
            host_name: None,
        };
        profile.id = ids.draw(profile.digest());
        profile
    }

    pub fn with_host_name(&self, host_name: &str, ids: &mut Ids) -> Self {
        let mut profile = Self {
            id: 0,
            options: Arc::clone(&self.options),
            host_name: Some(host_name.to_owned()),
            ..*self
        };
        profile.id = ids.draw(profile.digest());
        profile
    }

    /// Every part with its length before it, so that no two profiles give the same input.
    fn digest(&self) -> u32 {
        let LeaseTimes {
            lease_secs,
            renewal_secs,
            rebinding_secs,
            ..
        } = self.lease;
        let mut hash = Sha256::new();
        let numbers = [
            RENDERING,
            self.server_id.into(),
            self.mask.into(),
            lease_secs,
            renewal_secs,
            rebinding_secs,
        ];
        for number in numbers {
            hash.update(number.to_be_bytes());
        }
        for option in self.options.iter() {
            hash.update([option.code]);
            hash.update((option.data.len() as u64).to_be_bytes());
            hash.update(&option.data);
        }
        if let Some(name) = &self.host_name {
            hash.update([0]);
            hash.update(name);
        }
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        u32::from_be_bytes([a, b, c, d])
    }
}

/// The ids in use. Of 32 bits two may well be equal among many reservations; the later one in the order
/// of the configuration then gets the next number.
#[derive(Debug, Default)]
pub struct Ids(HashSet<u32>);

impl Ids {
    pub fn contains(&self, id: u32) -> bool {
        self.0.contains(&id)
    }

    fn draw(&mut self, digest: u32) -> u32 {
        let mut id = digest;
        while !self.0.insert(id) {
            id = id.wrapping_add(1);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_digests_get_ids_of_their_own() {
        let mut ids = Ids::default();
        assert_eq!(
            [7, 7, 8, u32::MAX, u32::MAX].map(|digest| ids.draw(digest)),
            [7, 8, 9, u32::MAX, 0]
        );
    }
}
