//! Profiles: the terms from which the answers to a set of clients are rendered.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::abi::PROFILE_BITS;

use dhcp_config::{Class, Classes, Overrides, Reservation, Subnet};

use super::{
    classes::OriginMatches,
    encoding::{Encode, Encoder},
    terms::Terms,
};

/// Part of every profile's id. It is raised whenever [`crate::reply`] would encode other octets
/// from the same profile and request: templates of an earlier program may still be in the kernel's
/// map.
const RENDERING: u32 = 6;

/// The terms of a set of clients before the classes of a request are known. There is one for each
/// kind of pool of a subnet, and one for each reservation that says more than an address.
///
/// Additions of classes are not part of it: a template is found by profile and fingerprint, and the
/// fingerprint covers everything that class conditions depend on.
#[derive(Clone, Debug)]
pub struct Profile {
    /// A hash of the other fields: it survives a restart, and differs after a change.
    pub id: u64,
    /// Whether no OFFER is published for requests with option 80.
    pub rapid_commit: bool,
    /// The pool's terms over the subnet's; those of classes go over them.
    pool: Arc<Terms>,
    /// The reservation, which no class changes.
    reservation: Option<Arc<Reservation>>,
    /// The terms of clients without a class.
    terms: Arc<Terms>,
}

impl Profile {
    /// Creates the profile of the pools for certain classes, or for all clients, that have the same
    /// overrides. `digest` is that of all classes.
    pub fn of_pool(
        subnet: &Subnet,
        server_id: Ipv4Addr,
        classes: Classes,
        overrides: &Overrides,
        digest: [u8; 32],
    ) -> Self {
        let terms = Arc::new(Terms {
            server_id,
            mask: subnet.prefix.netmask(),
            lease: subnet.lease,
            ipv6_mostly: subnet.ipv6_mostly,
            options: subnet.options.as_slice().into(),
            presence: subnet.presence.clone(),
            boot: Arc::new(subnet.boot.clone()),
            host_name: None,
        });
        let terms = terms.under(overrides);
        let mut parts = Encoder::default();
        RENDERING.encode(&mut parts);
        terms.encode(&mut parts);
        subnet.rapid_commit.encode(&mut parts);
        classes.encode(&mut parts);
        digest.encode(&mut parts);
        Self {
            id: id(parts),
            rapid_commit: subnet.rapid_commit,
            pool: Arc::clone(&terms),
            reservation: None,
            terms,
        }
    }

    /// Returns the profile number for clients whose origin satisfies these conditions.
    pub const fn id_for(&self, matches: OriginMatches) -> u64 {
        let OriginMatches { conditions, given } = matches;
        // Fibonacci hashing: if no condition holds, the result is the profile's own number.
        let spread = conditions.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ given.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(17);
        self.id ^ (spread ^ spread >> 32) >> (u64::BITS - PROFILE_BITS)
    }

    /// Creates the profile of a reservation; `None` if its client gets the same answers as any
    /// other.
    pub fn of_reservation(&self, reservation: &Arc<Reservation>) -> Option<Self> {
        // Neither the owner nor the address is part of an answer's options.
        let Reservation {
            owners: _,
            address: _,
            host_name,
            // `id_for` counts them, also where the terms of the reservation do not apply.
            classes: _,
            overrides,
        } = &**reservation;
        if host_name.is_none() && *overrides == Overrides::default() {
            return None;
        }
        let mut parts = Encoder::default();
        self.id.encode(&mut parts);
        host_name.encode(&mut parts);
        overrides.encode(&mut parts);
        Some(Self {
            id: id(parts),
            rapid_commit: self.rapid_commit,
            pool: Arc::clone(&self.pool),
            terms: reserved(Arc::clone(&self.pool), reservation),
            reservation: Some(Arc::clone(reservation)),
        })
    }

    /// Returns the terms of clients of these classes, the later class over the earlier.
    pub fn terms<'a>(&self, classes: impl Iterator<Item = &'a Class>) -> Arc<Terms> {
        let mut classes = classes.peekable();
        if classes.peek().is_none() {
            return Arc::clone(&self.terms);
        }
        let pool = Arc::clone(&self.pool);
        let terms = classes.fold(pool, |terms, class| terms.under(&class.overrides));
        match &self.reservation {
            Some(reservation) => reserved(terms, reservation),
            None => terms,
        }
    }
}

fn reserved(terms: Arc<Terms>, reservation: &Reservation) -> Arc<Terms> {
    let terms = terms.under(&reservation.overrides);
    match &reservation.host_name {
        Some(name) => Arc::new(Terms {
            host_name: Some(name.as_str().into()),
            ..Terms::clone(&terms)
        }),
        None => terms,
    }
}

fn id(parts: Encoder) -> u64 {
    let digest = parts.finish();
    let octets = digest.iter().take(PROFILE_BITS as usize / 8);
    octets.fold(0, |id, octet| id << 8 | u64::from(*octet))
}

const _: () = assert!(PROFILE_BITS == 56, "seven octets of the digest");
