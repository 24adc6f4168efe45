//! A store with many leases.

use std::{ops::Range, path::Path};

use dhcp_common::abi::ClientKey;
use dhcp_model::{Applied, ClientOrigin, Hardware, Nanos, Record, RecordState};
use dhcp_store::wall_clock::boottime;
use dhcp_store::{
    Store as _, WallChange,
    sqlite::SqliteStore,
    wall_clock::{self, Sample, Wall},
};
use dhcp_testkit::fixtures::fleet;

/// Writes the leases of clients. `times` returns the end and the horizon of each.
pub fn fill(
    path: &Path,
    network: u32,
    clients: Range<u32>,
    mut times: impl FnMut(Nanos) -> (Nanos, Nanos),
) {
    let mut store = SqliteStore::open(path).expect("a store");
    let boot = wall_clock::boot_id().expect("Linux has one");
    let wall = Wall::resume(&mut store, &boot, Sample::now()).expect("its clock");
    let now = boottime();
    let clients: Vec<_> = clients.collect();
    for chunk in clients.chunks(16_384) {
        let changes: Vec<_> = chunk
            .iter()
            .map(|n| {
                let (expires, horizon) = times(now);
                let record = Record {
                    since: now,
                    expires,
                    horizon,
                    ..record(network, *n)
                };
                WallChange::Put(Box::new(wall.wall_record(record)))
            })
            .collect();
        let applied = store.commit(&changes).expect("the disk takes it");
        assert!(applied.iter().all(|applied| *applied == Applied::Done));
    }
}

/// Returns the record of the n-th client of [`fleet::discover`].
fn record(network: u32, n: u32) -> Record {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&fleet::mac(n));
    let client_id: Vec<_> = std::iter::once(1).chain(fleet::mac(n)).collect();
    Record {
        address: fleet::address(n),
        client: ClientKey::client_id(network, &client_id).expect("seven octets fit"),
        state: RecordState::Bound,
        origin: ClientOrigin {
            hardware: Hardware {
                htype: 1,
                len: 6,
                chaddr,
            },
            client_id: Some(client_id.into()),
            host_name: Some(format!("client-{n}").into()),
            relay_info: None,
        },
        since: Nanos(0),
        expires: Nanos(0),
        horizon: Nanos(0),
    }
}
