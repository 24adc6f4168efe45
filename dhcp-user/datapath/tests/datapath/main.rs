//! The controller's side of the kernel, against the kernel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{error::Error, fs, ops::Range, path::Path};

use aya::programs::links::{FdLink, PinnedLink};
use dhcp_common::{
    abi::{
        Binding, BindingState, ClientDigest, ClientKey, Limit, Link, MAX_LINK_ADDRESSES, NetworkRef,
    },
    fingerprint::KEY_WORDS,
    wire::Be32,
};
use dhcp_datapath::{Leases, Options};
use dhcp_testkit::fixtures::table::Table;

mod adoption;
mod attach;
mod fence;
mod leases;
mod maps;
mod version_before;
mod wire;

use dhcp_testkit::lab::{self, Lab};

const NETWORK: NetworkRef = NetworkRef { id: 1, flags: 0 };
const PLENTY: Limit = Limit::per_second(1_000_000, 1_000_000);

fn options(lab: &Lab) -> Options {
    Options {
        pin_dir: lab.pin_dir(),
        max_leases: 1024,
        client_limit: PLENTY,
        relay_limit: PLENTY,
        unknown_limit: PLENTY,
        fast_path: true,
    }
}

fn key(client: u32) -> ClientKey {
    ClientKey::client_id(NETWORK.id, &client.to_be_bytes()).unwrap()
}

fn binding(client: u32, slot: u32) -> Binding {
    Binding {
        seal: 0,
        address: Be32::new(0x0a00_0000 + client),
        slot,
        profile: 1,
        state: BindingState::Bound as u8,
        flags: 0,
        epoch: 1,
        hardware: 0,
        relay_info: 0,
        expires_ns: 1,
        durable_until_ns: 2,
    }
}

/// Returns the entries of some clients, each in its own slot.
fn entries(
    max_leases: u32,
    fingerprint_key: [u64; KEY_WORDS],
    clients: Range<u32>,
) -> Vec<(ClientKey, Binding)> {
    let mut table = Table::new(max_leases, fingerprint_key);
    let entry = |client| {
        let slot = table.slot_for(&key(client));
        let digest = ClientDigest::new(&key(client), &fingerprint_key);
        let binding = binding(client, slot).sealed_for(digest);
        table.put(&key(client), binding);
        (key(client), binding)
    };
    clients.map(entry).collect()
}

fn publish(leases: &mut Leases, entries: &[(ClientKey, Binding)]) {
    leases.publish(entries.iter().copied(), |key, error| {
        panic!("{key:?}: {error}")
    });
}

/// Returns every published entry.
fn published(leases: &Leases) -> Vec<(ClientKey, Binding)> {
    let mut published = Vec::new();
    leases.for_each(|binding| published.push((leases.client(binding.slot), binding)));
    published
}

/// Formats an error with all its causes, as an operator sees it.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// Returns the kernel's numbers of the link at a pin and of its program.
fn link_ids(pin: &Path) -> (u32, u32) {
    let link = FdLink::from(PinnedLink::from_pin(pin).unwrap());
    let info = link.info().unwrap();
    (info.id(), info.program_id())
}

fn pins(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.pin_dir()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn link(mac: [u8; 6]) -> Link {
    let mut addresses = [Be32::new(0); MAX_LINK_ADDRESSES];
    addresses[0] = Be32::new(0x0a00_0001);
    Link {
        network: NETWORK,
        flags: 0,
        slow_base: 0,
        mac,
        address_count: 1,
        addresses,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
