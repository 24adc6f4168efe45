//! The store and the pinned maps that the previous version has written; README.md describes how
//! they were recorded.

use std::{collections::HashMap, fs, net::Ipv4Addr, path::Path};

use aya::Pod;
use dhcp_common::{
    abi::{
        ABI_VERSION, Bucket, ClientDigest, ClientKey, Grant, Link, LinkKey, MAX_RELAYS, Meta,
        NetworkRef, Template, TemplateCell, TemplateKey, WAYS, map,
    },
    outcome::Outcome,
    wire::Be32,
};
use dhcp_model::{Nanos, RecordState};
use dhcp_store::wall_clock::Utc;

use crate::fixtures::host::HostTables;

const STORE: &[u8] = include_bytes!("leases.db");
const MAPS: &str = include_str!("maps.txt");

/// The time at which the daemon was stopped, to the second.
pub const STOPPED: Utc = Utc(1_796_074_994_000_000_000);

/// Address, last octet of the hardware address, and state of every record in the store.
pub const RECORDS: [(Ipv4Addr, u8, RecordState); 10] = [
    (Ipv4Addr::new(10, 0, 0, 5), 1, RecordState::Bound),
    (Ipv4Addr::new(10, 0, 0, 100), 2, RecordState::Bound),
    (Ipv4Addr::new(10, 0, 0, 101), 3, RecordState::Bound),
    (Ipv4Addr::new(10, 0, 0, 102), 4, RecordState::Former),
    (Ipv4Addr::new(10, 0, 0, 103), 5, RecordState::Quarantined),
    (Ipv4Addr::new(10, 0, 0, 104), 6, RecordState::Deleted),
    (Ipv4Addr::new(10, 0, 0, 105), 7, RecordState::Revoked),
    (Ipv4Addr::new(10, 0, 0, 106), 9, RecordState::Bound),
    (Ipv4Addr::new(10, 0, 0, 107), 10, RecordState::Bound),
    (Ipv4Addr::new(10, 1, 0, 100), 8, RecordState::Bound),
];

/// Returns address and number of every client that has an entry in the kernel, by address: those of
/// leases, of the revoked one, which gets a NAK, and of an offer that was not taken.
pub fn published() -> Vec<(Ipv4Addr, u8)> {
    let is_published = |state| matches!(state, RecordState::Bound | RecordState::Revoked);
    let records = RECORDS.iter().filter(|(.., state)| is_published(*state));
    let mut published: Vec<_> = records.map(|(address, who, _)| (*address, *who)).collect();
    published.push((Ipv4Addr::new(10, 0, 0, 108), 11));
    published.sort_unstable();
    published
}

/// Writes the store to a new file.
pub fn write_store(path: &Path) {
    fs::write(path, STORE).unwrap();
}

/// A map as it was pinned.
#[derive(Clone, Debug, Default)]
pub struct PinnedMap {
    pub name: &'static str,
    pub map_type: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
    /// Keys and values of all elements that are not zero.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The recorded state of the kernel.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub boottime: Nanos,
    pub maps: Vec<PinnedMap>,
    /// Requests that the kernel answered, and the answers.
    pub exchanges: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Recording {
    /// Reads `maps.txt`.
    pub fn read() -> Self {
        let mut recording = Self::default();
        for line in MAPS.lines() {
            let words: Vec<_> = line.split(' ').collect();
            match *words {
                ["boottime", ns] => recording.boottime = Nanos(ns.parse().unwrap()),
                ["map", name, ref numbers @ ..] => {
                    let numbers: Vec<_> = numbers.iter().map(|n| n.parse().unwrap()).collect();
                    let [map_type, key_size, value_size, max_entries, flags] = numbers[..] else {
                        panic!("{line}");
                    };
                    recording.maps.push(PinnedMap {
                        name,
                        map_type,
                        key_size,
                        value_size,
                        max_entries,
                        flags,
                        entries: Vec::new(),
                    });
                }
                ["entry", key, value] => {
                    let map = recording.maps.last_mut().unwrap();
                    map.entries.push((octets(key), octets(value)));
                }
                ["request", frame] => recording.exchanges.push((octets(frame), Vec::new())),
                ["answer", frame] => recording.exchanges.last_mut().unwrap().1 = octets(frame),
                _ => panic!("{line}"),
            }
        }
        recording
    }

    /// Returns what the recorded run would have left if its version had had the present contract.
    /// Only the number of outcomes and that of relay agents have changed.
    pub fn in_the_present_contract(mut self) -> Self {
        for map in &mut self.maps {
            match map.name {
                map::META => map.entries[0].1[..4].copy_from_slice(&ABI_VERSION.to_ne_bytes()),
                map::OUTCOMES => map.max_entries = Outcome::COUNT as u32,
                map::RELAYS => map.max_entries = MAX_RELAYS,
                _ => {}
            }
        }
        self
    }

    /// Returns the elements of a map, as this version's contract reads them.
    pub fn elements<K: Pod, V: Pod>(&self, name: &str) -> Vec<(K, V)> {
        let map = self.maps.iter().find(|map| map.name == name).unwrap();
        let element = |(key, value): &(Vec<u8>, Vec<u8>)| (read(key), read(value));
        map.entries.iter().map(element).collect()
    }

    /// Returns the metadata of the maps.
    pub fn meta(&self) -> Meta {
        self.elements::<u32, Meta>(map::META)[0].1
    }

    /// Fills the host's tables as the program would find the maps at the recorded time.
    ///
    /// # Panics
    /// An entry is not where the program looks for it, or is not sealed as it expects.
    pub fn host_tables(&self) -> HostTables {
        let meta = self.meta();
        let mut tables = HostTables::new(meta);
        tables.max_leases = meta.max_leases;
        tables.now_ns = self.boottime.0;
        let clients: HashMap<u32, ClientKey> = self.elements(map::CLIENTS).into_iter().collect();
        for (index, bucket) in self.elements::<u32, Bucket>(map::LEASES) {
            for (slot, cell) in (index * WAYS..).zip(bucket.cells) {
                if !cell.is_in_use() {
                    continue;
                }
                let client = clients[&slot];
                let digest = ClientDigest::new(&client, &meta.fingerprint_key);
                assert_eq!(cell.binding.slot, slot);
                assert!(digest.slots(meta.lease_homes).contains(&slot), "{client:?}");
                assert!(
                    dhcp_common::abi::Cell::is_of(cell.tag, digest),
                    "{client:?}"
                );
                assert!(cell.binding.is_sealed_for(digest), "{client:?}");
                tables.leases.insert(client, cell.binding);
            }
        }
        let templates: HashMap<u32, Template> = self.elements(map::TEMPLATES).into_iter().collect();
        for (index, cell) in self.elements::<u32, TemplateCell>(map::TEMPLATE_INDEX) {
            let key: TemplateKey = cell.key;
            let ways = key.first_cell()..key.first_cell() + dhcp_common::abi::TEMPLATE_WAYS;
            assert!(ways.contains(&index), "{key:?}");
            tables.templates.insert(key, templates[&cell.element]);
        }
        let grants: Vec<(u32, Grant)> = self.elements(map::GRANTS);
        tables.grants.borrow_mut().extend(grants);
        let links: Vec<(LinkKey, Link)> = self.elements(map::LINKS);
        tables.links.extend(links);
        let relays: Vec<([u32; 2], NetworkRef)> = self.elements(map::RELAYS);
        tables.relays = relays
            .into_iter()
            .map(|([len, prefix], network)| (len, Be32::new(u32::from_be(prefix)), network))
            .collect();
        tables
    }
}

fn read<T: Pod>(octets: &[u8]) -> T {
    assert_eq!(octets.len(), size_of::<T>(), "another layout");
    // SAFETY: there are as many octets as a `T` has, and every bit pattern is a `T`.
    unsafe { octets.as_ptr().cast::<T>().read_unaligned() }
}

fn octets(digits: &str) -> Vec<u8> {
    if digits.is_empty() {
        return Vec::new();
    }
    dhcp_model::hex::parse_hex(digits).unwrap()
}
