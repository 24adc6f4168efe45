//! Reservations: what is reserved for a client, by its identity, its machine or its port.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{ClientKey, Identity},
    wire::{GUID_LEN, HTYPE_ETHERNET, HTYPE_IEEE802, HTYPE_INFINIBAND},
};
use dhcp_config::{Classes, Owner, RelayPort, Reservation};
use dhcp_model::{AgentIds, ClientOriginRef, Hardware};

use crate::request::Octets;

/// The first octet of a client identifier that consists of an IAID and a DUID (RFC 4361 §6.1).
const TYPE_DUID: u8 = 255;
/// The octets of such an identifier before the DUID.
const BEFORE_DUID: usize = 5;

/// The part of the network in which a reservation without an address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The subnet with this index.
    Subnet(usize),
    Everywhere,
}

/// What is reserved for a client on a network.
#[derive(Clone, Debug, Default)]
pub struct Reserved {
    /// The address that is reserved for it there.
    pub address: Option<Ipv4Addr>,
    found: Option<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    reservation: Arc<Reservation>,
    scope: Scope,
}

impl Reserved {
    /// Returns whether anything is reserved.
    pub const fn is_known(&self) -> bool {
        self.found.is_some()
    }

    /// Returns the classes that the reservation makes the client a member of.
    pub fn classes(&self) -> Classes {
        let found = self.found.as_ref();
        found.map_or(0, |entry| entry.reservation.classes)
    }

    /// Returns the reservation if it says what its client gets with any address of a subnet.
    pub(super) fn with_any_address(&self, subnet: usize) -> Option<&Arc<Reservation>> {
        let Entry { reservation, scope } = self.found.as_ref()?;
        let counts = match scope {
            Scope::Subnet(only) => *only == subnet && reservation.address.is_none(),
            Scope::Everywhere => true,
        };
        counts.then_some(reservation)
    }
}

/// The reservations of a network, or those for all networks.
#[derive(Debug)]
pub struct ReservationTable {
    /// The network in the keys of clients.
    network: u32,
    by_owner: HashMap<Owner, Entry>,
    /// Whether any reservation is for a hardware address.
    pub reserves_hardware: bool,
    /// Whether any reservation is for a port of a relay agent.
    pub reserves_ports: bool,
    /// Whether any reservation is for a DUID.
    reserves_duids: bool,
}

impl ReservationTable {
    pub fn new(network: u32) -> Self {
        Self {
            network,
            by_owner: HashMap::new(),
            reserves_hardware: false,
            reserves_ports: false,
            reserves_duids: false,
        }
    }

    /// Adds a reservation of the subnet with an index, or of all subnets.
    pub fn add(&mut self, reservation: &Arc<Reservation>, subnet: Option<usize>) {
        for owner in &reservation.owners {
            match owner {
                Owner::Client(key) => {
                    self.reserves_hardware |= key.identity() == Identity::Hardware;
                }
                Owner::Duid(_) => self.reserves_duids = true,
                Owner::RelayPort(_) => self.reserves_ports = true,
            }
            let entry = Entry {
                reservation: Arc::clone(reservation),
                scope: subnet.map_or(Scope::Everywhere, Scope::Subnet),
            };
            self.by_owner.insert(owner.clone(), entry);
        }
    }

    fn find(&self, client: &ClientKey, origin: &ClientOriginRef<'_>) -> Option<&Entry> {
        if self.by_owner.is_empty() {
            return None;
        }
        let of = |client: ClientKey| self.by_owner.get(&Owner::Client(client));
        let identifier = identifier(client, origin.client_id);
        of(client.on(self.network))
            .or_else(|| {
                let duid = duid(identifier.as_deref()?).filter(|_| self.reserves_duids)?;
                self.by_owner.get(&Owner::Duid(duid.to_vec()))
            })
            .or_else(|| {
                let hardware = Some(&origin.hardware).filter(|_| self.reserves_hardware)?;
                let keys = hardware_keys(self.network, identifier.as_deref(), hardware);
                keys.into_iter().flatten().find_map(of)
            })
            .or_else(|| self.of_port(origin.relay_info?))
    }

    fn of_port(&self, relay_info: &[u8]) -> Option<&Entry> {
        if !self.reserves_ports {
            return None;
        }
        let AgentIds {
            circuit, remote, ..
        } = AgentIds::parse(relay_info);
        let named = [(circuit, remote), (circuit, None), (None, remote)];
        named.into_iter().find_map(|(circuit, remote)| {
            let port = RelayPort {
                circuit_id: circuit.map(<[u8]>::to_vec),
                remote_id: remote.map(<[u8]>::to_vec),
            };
            self.by_owner.get(&Owner::RelayPort(port))
        })
    }

    /// Returns the owners, with their reservations, that another table does not have so.
    pub fn differing<'t>(
        &'t self,
        other: &'t Self,
    ) -> impl Iterator<Item = (&'t Owner, &'t Reservation)> {
        let entries = self.by_owner.iter();
        entries.filter_map(|(owner, entry)| {
            let same = other.by_owner.get(owner).is_some_and(|other| {
                other.scope == entry.scope && other.reservation == entry.reservation
            });
            (!same).then_some((owner, &*entry.reservation))
        })
    }
}

/// Returns what is reserved for a client in the first of the tables that has anything: by its key,
/// otherwise by its DUID, by its hardware address, and by the port that it is attached to. Option
/// 61 alone identifies the holder of a lease (RFC 2131 §4.2), but a reservation by hardware address
/// is for the machine, with any client identifier. A reservation that names both ids of a port
/// takes precedence over one that names one of them.
pub(super) fn reserved<'t>(
    tables: impl IntoIterator<Item = &'t ReservationTable>,
    client: &ClientKey,
    origin: &ClientOriginRef<'_>,
    is_here: impl FnOnce(Ipv4Addr) -> bool,
) -> Reserved {
    let mut tables = tables.into_iter();
    let found = tables.find_map(|table| table.find(client, origin)).cloned();
    let address = found.as_ref().and_then(|entry| entry.reservation.address);
    Reserved {
        address: address.filter(|address| is_here(*address)),
        found,
    }
}

/// Returns the client identifier by which a client is known, if it is known by one. `client_id` is
/// its option 61, whose length may exceed that of a key.
pub fn identifier(client: &ClientKey, client_id: Option<&[u8]>) -> Option<Octets> {
    match client.identity() {
        Identity::Hardware => None,
        Identity::ClientId => {
            let (octets, len) = client.id();
            octets.get(..len).map(Octets::from_slice)
        }
        Identity::ClientIdDigest => client_id.map(Octets::from_slice),
    }
}

fn duid(identifier: &[u8]) -> Option<&[u8]> {
    let is_of_duid = identifier.first() == Some(&TYPE_DUID);
    identifier.get(BEFORE_DUID..).filter(|_| is_of_duid)
}

/// Returns the keys by which a machine may be reserved for: that of its hardware address; that of
/// the same address on Ethernet if the client says IEEE 802; and that of the GUID at the end of the
/// identifier of an InfiniBand client, whose `chaddr` is empty (RFC 4390 §2).
pub fn hardware_keys(
    network: u32,
    identifier: Option<&[u8]>,
    hardware: &Hardware,
) -> [Option<ClientKey>; 2] {
    let octets = hardware.octets();
    let other = match (hardware.htype, octets) {
        (HTYPE_IEEE802, [_, _, _, _, _, _]) => ClientKey::hardware(network, HTYPE_ETHERNET, octets),
        (HTYPE_INFINIBAND, []) => identifier
            .and_then(|identifier| identifier.split_first()?.1.last_chunk::<GUID_LEN>())
            .and_then(|guid| ClientKey::hardware(network, HTYPE_INFINIBAND, guid)),
        _ => None,
    };
    [ClientKey::hardware(network, hardware.htype, octets), other]
}
