//! The addresses of all participants, and the server's configuration.

use std::{
    fmt::{self, Write as _},
    net::Ipv4Addr,
};

use xtask_lab::topology::{SERVER_INTERFACE, mac_text};

use super::{accounts::Guarantee, exchange::Client};

pub const PREFIX_LEN: u8 = 16;
/// The server on its clients' link.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The relay agent on that link, and on the link of its clients (`giaddr`).
pub const AGENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
const DIRECT: Pool = Pool::of(10 << 24 | 99 << 16);
const RELAYED: Pool = Pool::of(10 << 24 | 98 << 16);
/// A client with a reservation outside all pools in some of the configurations.
pub const RESERVED: (Client, Ipv4Addr) = ([2, 9, 0, 0, 0, 1], Ipv4Addr::new(10, 99, 0, 77));

pub const GUARANTEE: Guarantee = Guarantee { horizon_leases: 2 };
/// The longer of the two lease times that reloads switch between.
pub const LONGEST_LEASE_SECS: u32 = 8;
const SHORTER_LEASE_SECS: u32 = 6;
/// One in this many clients is behind the relay agent.
const ONE_RELAYED_OF: u32 = 4;
/// One in this many addresses has no client, so that a lost address is soon missed.
const ONE_SPARE_OF: u32 = 50;
/// Spare addresses for declined ones and for the smallest fleet.
const LEAST_SPARE: u32 = 8;

/// A subnet and its pool.
#[derive(Clone, Copy, Debug)]
struct Pool {
    subnet: u32,
}

impl Pool {
    const fn of(subnet: u32) -> Self {
        Self { subnet }
    }

    fn addresses(self, size: u32) -> impl Iterator<Item = Ipv4Addr> {
        let first = self.subnet + (16 << 8);
        (first..first + size).map(Ipv4Addr::from)
    }

    fn text(self, size: u32) -> String {
        let mut addresses = self.addresses(size);
        match (addresses.next(), self.addresses(size).last()) {
            (Some(first), Some(last)) => format!("{first}-{last}"),
            _ => String::new(),
        }
    }
}

/// The part of the configuration that a reload changes. Clients keep their addresses in every
/// variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    pub has_shorter_leases: bool,
    pub has_other_options: bool,
    pub has_third_subnet: bool,
    pub has_reservation: bool,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lease, options) = (self.lease_secs(), self.name_server());
        let third = if self.has_third_subnet {
            "three"
        } else {
            "two"
        };
        let reservation = if self.has_reservation { "a" } else { "no" };
        write!(
            f,
            "leases of {lease} s, name server {options}, {third} subnets, {reservation} reservation"
        )
    }
}

impl Variant {
    const fn lease_secs(self) -> u32 {
        if self.has_shorter_leases {
            SHORTER_LEASE_SECS
        } else {
            LONGEST_LEASE_SECS
        }
    }

    const fn name_server(self) -> Ipv4Addr {
        let last = if self.has_other_options { 54 } else { 53 };
        Ipv4Addr::new(192, 0, 2, last)
    }
}

/// Number of clients and of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene {
    pub direct: u32,
    pub relayed: u32,
}

impl Scene {
    pub const fn new(clients: u32) -> Self {
        let relayed = clients / ONE_RELAYED_OF;
        Self {
            direct: clients - relayed,
            relayed,
        }
    }

    pub const fn clients(self) -> u32 {
        self.direct + self.relayed
    }

    /// Returns the scene with as many clients as addresses.
    #[must_use]
    pub const fn full(self) -> Self {
        Self {
            direct: pool_size(self.direct),
            relayed: pool_size(self.relayed),
        }
    }

    /// Returns every address that any client can lease.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        let Self { direct, relayed } = self.full();
        DIRECT.addresses(direct).chain(RELAYED.addresses(relayed))
    }

    /// Returns the configuration without the section `[server]`.
    pub fn config(self, variant: Variant) -> String {
        let full = self.full();
        let (lease, name_server) = (variant.lease_secs(), variant.name_server());
        let mut text = format!(
            "[defaults]\nlease-time = \"{lease}s\"\nhorizon-leases = {}\noffer-time = \"3s\"\nprobe-time = \"0s\"\n\
             decline-time = \"5s\"\nauthoritative = true\noptions = {{ domain-name-servers = [\"{name_server}\"] }}\n\n\
             [[interface]]\nname = \"{SERVER_INTERFACE}\"\n",
            GUARANTEE.horizon_leases
        );
        for (name, pool, router, size) in [
            ("direct", DIRECT, SERVER, full.direct),
            ("relayed", RELAYED, GATEWAY, full.relayed),
        ] {
            let prefix = Ipv4Addr::from(pool.subnet);
            let _ = write!(
                text,
                "\n[[subnet]]\nprefix = \"{prefix}/{PREFIX_LEN}\"\nname = \"{name}\"\npools = [\"{}\"]\n\
                 options = {{ routers = [\"{router}\"] }}\n",
                pool.text(size)
            );
            if variant.has_reservation && name == "direct" {
                let (machine, address) = RESERVED;
                let _ = write!(
                    text,
                    "\n[[subnet.reservation]]\nhardware-address = \"{}\"\naddress = \"{address}\"\n",
                    mac_text(machine)
                );
            }
        }
        if variant.has_third_subnet {
            text +=
                "\n[[subnet]]\nprefix = \"10.97.0.0/24\"\npools = [\"10.97.0.100-10.97.0.199\"]\n";
        }
        text
    }
}

const fn pool_size(clients: u32) -> u32 {
    clients + clients / ONE_SPARE_OF + LEAST_SPARE
}

/// Returns the hardware address of a client of a fleet.
pub const fn mac(fleet: u8, number: u32) -> Client {
    let [a, b, c, d] = number.to_be_bytes();
    [2 | a << 2, fleet, 0, b, c, d]
}
