//! Runs the fast path on the host over the maps of the previous version: it finds the entries which
//! that version has written, and answers with the same octets.
#![cfg(target_endian = "little")]

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{ClientKey, Identity},
    outcome::Outcome,
};
use dhcp_testkit::{
    fixtures::host::HostFrame,
    version_before::{Recording, published},
};

/// Returns the number of a client: the last octet of its hardware address, or the digit of its
/// identifier.
fn number(client: &ClientKey) -> u8 {
    match client.identity() {
        Identity::Hardware => client.id().0[5],
        _ => client.id().0[8] - b'0',
    }
}

#[test]
fn entries_of_the_version_before_are_found_and_answered_from_alike() {
    let recording = Recording::read().in_the_present_contract();
    let tables = recording.host_tables();
    let mut found: Vec<_> = tables
        .leases
        .iter()
        .map(|(client, binding)| (Ipv4Addr::from(binding.address.get()), number(client)))
        .collect();
    found.sort_unstable();
    assert_eq!(found, published());
    assert_eq!(recording.exchanges.len(), 2);
    let ifindex = tables.links.keys().next().expect("a link").ifindex;
    for (request, answer) in recording.exchanges {
        let mut frame = HostFrame(request);
        let verdict = tables.respond(&mut frame, ifindex);
        assert_eq!(verdict.outcome, Outcome::AckedRenewing);
        assert!(frame.0 == answer, "another answer");
    }
}
