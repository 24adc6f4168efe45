//! What the answers to a set of clients are made from.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::{abi::PROFILE_BITS, wire::option};
use dhcp_config::{Boot, Class, Classes, OptionValue, Overrides, Reservation, Subnet};
use dhcp_model::LeaseTimes;
use sha2::{Digest, Sha256};

use super::classes::Marks;

/// Part of every profile's id. Raised whenever [`super::reply`] would encode other octets from the same
/// profile and request: templates of an earlier program may still stand in the kernel's map.
const RENDERING: u32 = 5;

/// What a client is told, and for how long it may have its address.
#[derive(Clone, Debug)]
pub struct Terms {
    pub server_id: Ipv4Addr,
    pub mask: Ipv4Addr,
    pub lease: LeaseTimes,
    /// Whether its clients can do without IPv4 where they say so (RFC 8925).
    pub ipv6_mostly: bool,
    pub options: Arc<[OptionValue]>,
    pub boot: Arc<Boot>,
    /// Option 12 of a reservation.
    pub host_name: Option<Arc<str>>,
}

impl Terms {
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

    /// With what stands nearer to the client put over it.
    fn under(self: Arc<Self>, overrides: &Overrides) -> Arc<Self> {
        let Overrides {
            lease,
            ipv6_mostly,
            options,
            boot,
        } = overrides;
        if *overrides == Overrides::default() {
            return self;
        }
        let is_inherited =
            |option: &&OptionValue| options.iter().all(|own| own.code != option.code);
        let inherited = self.options.iter().filter(is_inherited);
        Arc::new(Self {
            lease: LeaseTimes {
                horizon_leases: self.lease.horizon_leases,
                ..lease.unwrap_or(self.lease)
            },
            ipv6_mostly: ipv6_mostly.unwrap_or(self.ipv6_mostly),
            options: options.iter().chain(inherited).cloned().collect(),
            boot: Arc::new(boot.over(&self.boot)),
            host_name: self.host_name.clone(),
            ..*self
        })
    }
}

/// Terms before it is known of which classes a request is. There is one for each kind of pool of a subnet,
/// and one for each reservation that says more than an address.
///
/// What classes give is not part of it: a template is found by profile and fingerprint, and the fingerprint
/// covers all that classes are told by.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Derived from all the rest: the same after a restart, another after a change.
    pub id: u64,
    /// Whether no OFFER is published for requests with option 80.
    pub rapid_commit: bool,
    /// The subnet's under the pool's; what classes say goes over it.
    pool: Arc<Terms>,
    /// What no class changes.
    reservation: Option<Arc<Reservation>>,
    /// What clients of no class are told.
    terms: Arc<Terms>,
}

impl Profile {
    /// Of the pools for some classes, or for all clients, that have the same overrides. `digest` is one of
    /// all classes.
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
            boot: Arc::new(subnet.boot.clone()),
            host_name: None,
        });
        let terms = terms.under(overrides);
        // Debug names all parts of a value, and two that print alike are alike.
        let parts = format!(
            "{:?}",
            (RENDERING, &terms, subnet.rapid_commit, classes, digest)
        );
        Self {
            id: id(&parts),
            rapid_commit: subnet.rapid_commit,
            pool: Arc::clone(&terms),
            reservation: None,
            terms,
        }
    }

    /// The number of the answers to requests from an origin with these marks.
    pub const fn id_for(&self, marks: Marks) -> u64 {
        // Fibonacci hashing: without marks it is the profile's own.
        let spread = marks.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.id ^ (spread ^ spread >> 32) >> (u64::BITS - PROFILE_BITS)
    }

    /// `None` where the reservation's client is told the same as any other.
    pub fn of_reservation(&self, reservation: &Arc<Reservation>) -> Option<Self> {
        let Reservation {
            host_name,
            overrides,
            ..
        } = &**reservation;
        if host_name.is_none() && *overrides == Overrides::default() {
            return None;
        }
        let parts = format!("{:?}", (self.id, host_name, overrides));
        Some(Self {
            id: id(&parts),
            rapid_commit: self.rapid_commit,
            pool: Arc::clone(&self.pool),
            terms: reserved(Arc::clone(&self.pool), reservation),
            reservation: Some(Arc::clone(reservation)),
        })
    }

    /// What clients of these classes are told, the later class over the earlier.
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

fn id(parts: &str) -> u64 {
    let [octets @ .., _] = *Sha256::digest(parts).first_chunk::<8>().unwrap_or(&[0; 8]);
    octets
        .iter()
        .fold(0, |id, octet| id << 8 | u64::from(*octet))
}

const _: () = assert!(PROFILE_BITS == 56, "seven octets of the digest");
