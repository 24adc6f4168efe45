//! What the answers to a set of clients are made from.

use std::{collections::HashSet, net::Ipv4Addr, sync::Arc};

use dhcp_common::wire::option;
use sha2::{Digest, Sha256};

use crate::config::{Boot, Class, Classes, LeaseTimes, OptionValue, Reservation, Subnet};

/// Part of every profile's id. Raised whenever [`super::reply`] would encode other octets from the same
/// profile and request: templates of an earlier program may still stand in the kernel's map.
const RENDERING: u32 = 3;

/// One for each subnet, one more for each set of its pools that is for certain classes, and one for each
/// reservation that says more than an address. What classes give on top is not part of it: a template is found by profile
/// and fingerprint, and the fingerprint covers all that classes are told by.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Derived from all the rest: the same after a restart, another after a change.
    pub id: u32,
    pub server_id: Ipv4Addr,
    pub mask: Ipv4Addr,
    /// Whether no OFFER is published for requests with option 80.
    pub rapid_commit: bool,
    pub lease: LeaseTimes,
    pub options: Arc<[OptionValue]>,
    pub boot: Boot,
    /// What of that a reservation says, which no class changes.
    reserved_boot: Boot,
    /// Option 12 of a reservation.
    pub host_name: Option<String>,
    pools: Classes,
    classes: [u8; 32],
}

impl Profile {
    /// `pools` are the classes for which the addresses are, and `classes` a digest of all of them.
    pub fn new(
        subnet: &Subnet,
        server_id: Ipv4Addr,
        pools: Classes,
        classes: [u8; 32],
        ids: &mut Ids,
    ) -> Self {
        let mut profile = Self {
            id: 0,
            server_id,
            mask: subnet.prefix.netmask(),
            rapid_commit: subnet.rapid_commit,
            lease: subnet.lease,
            options: subnet.options.as_slice().into(),
            boot: subnet.boot.clone(),
            reserved_boot: Boot::default(),
            host_name: None,
            pools,
            classes,
        };
        profile.id = ids.draw(profile.digest());
        profile
    }

    /// For one answer to a relay agent that stands for the server (RFC 5107). It has the same id, under
    /// which nothing of it may be published.
    pub fn with_server_id(&self, server_id: Ipv4Addr) -> Self {
        Self {
            server_id,
            options: Arc::clone(&self.options),
            boot: self.boot.clone(),
            reserved_boot: self.reserved_boot.clone(),
            host_name: self.host_name.clone(),
            ..*self
        }
    }

    /// `None` where the reservation's client is told the same as any other.
    pub fn for_reservation(&self, reservation: &Reservation, ids: &mut Ids) -> Option<Self> {
        if reservation.host_name.is_none() && reservation.boot == Boot::default() {
            return None;
        }
        let mut profile = Self {
            id: 0,
            options: Arc::clone(&self.options),
            boot: reservation.boot.over(&self.boot),
            reserved_boot: reservation.boot.clone(),
            host_name: reservation.host_name.clone(),
            ..*self
        };
        profile.id = ids.draw(profile.digest());
        Some(profile)
    }

    /// The value of an option of the configuration. The boot file and the server's name are options too,
    /// for a client that asks for them (RFC 2132 §9.4, §9.5).
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let configured = self.options.iter().find(|option| option.code == code);
        let boot = match code {
            option::TFTP_SERVER_NAME => &self.boot.server_name,
            option::BOOTFILE_NAME => &self.boot.file,
            _ => &None,
        };
        configured
            .map(|option| &*option.data)
            .or_else(|| boot.as_deref().map(str::as_bytes))
    }

    /// With what the classes of a client give: over the subnet's, and the later class over the earlier.
    pub fn with_classes<'a>(&self, classes: impl DoubleEndedIterator<Item = &'a Class>) -> Self {
        let mut options: Vec<OptionValue> = Vec::new();
        let mut lease = None;
        let mut boot = self.reserved_boot.clone();
        let mut add = |more: &[OptionValue]| {
            for option in more {
                if options.iter().all(|other| other.code != option.code) {
                    options.push(option.clone());
                }
            }
        };
        for class in classes.rev() {
            add(&class.options);
            lease = lease.or(class.lease);
            boot = boot.over(&class.boot);
        }
        add(&self.options);
        Self {
            options: options.into(),
            lease: LeaseTimes {
                horizon_leases: self.lease.horizon_leases,
                ..lease.unwrap_or(self.lease)
            },
            boot: boot.over(&self.boot),
            reserved_boot: self.reserved_boot.clone(),
            host_name: self.host_name.clone(),
            ..*self
        }
    }

    /// Every part with its length before it, so that no two profiles give the same input.
    fn digest(&self) -> u32 {
        let LeaseTimes {
            lease_secs,
            renewal_secs,
            rebinding_secs,
            range,
            ..
        } = self.lease;
        let mut hash = Sha256::new();
        let numbers = [
            RENDERING,
            self.server_id.into(),
            self.mask.into(),
            self.rapid_commit.into(),
            lease_secs,
            renewal_secs,
            rebinding_secs,
        ];
        for number in numbers {
            hash.update(number.to_be_bytes());
        }
        for bound in range.into_iter().flatten() {
            hash.update(bound.to_be_bytes());
        }
        for option in self.options.iter() {
            hash.update([option.code]);
            hash.update((option.data.len() as u64).to_be_bytes());
            hash.update(&option.data);
        }
        if let Some(name) = &self.host_name {
            hash.update([option::PAD]);
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        hash.update(self.pools.to_be_bytes());
        hash.update(self.classes);
        let Boot {
            next_server,
            file,
            server_name,
        } = &self.boot;
        // Codes that no option of the configuration has, END and two that the server alone sends.
        if let Some(address) = next_server {
            hash.update([option::END]);
            hash.update(address.octets());
        }
        for (mark, text) in [
            (option::MESSAGE_TYPE, file),
            (option::SERVER_ID, server_name),
        ] {
            if let Some(text) = text {
                hash.update([mark]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
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
