//! Damaged files, and files of other formats.

use std::{fmt::Write as _, path::Path};

use dhcp_config::Host;
use dhcp_migrate::{
    Source,
    import::{Destination, Journal},
    leases,
};
use dhcp_store::wall_clock::{Sample, Utc, Wall};
use proptest::prelude::*;

use super::{NOW, TestStore, fixture, lab, text, text_of};

const SOURCES: [Source; 3] = [Source::Kea, Source::Dnsmasq, Source::Isc];

fn refusal(source: Source, octets: &[u8]) -> String {
    let read = leases::read_one(source, Path::new("x"), octets, &mut |_| {});
    read.unwrap_err().to_string()
}

/// Returns the line and the error of each entry that cannot be parsed.
fn unreadable(source: Source, octets: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    leases::read_one(source, Path::new("x"), octets, &mut |entry| {
        if let Err(why) = entry.lease {
            said.push(format!("{}: {why}", entry.position.line));
        }
    })
    .unwrap();
    said
}

#[test]
fn a_file_of_another_kind_is_called_by_its_name() {
    let read = |name| std::fs::read(fixture(name)).unwrap();
    let kea_config = br#"{ "Dhcp4": { "valid-lifetime": 600 } }"#;
    for (source, octets, said) in [
        (
            Source::Kea,
            read("dnsmasq.leases"),
            "looks like a lease file of dnsmasq, not like a lease file of Kea; use `--from dnsmasq`",
        ),
        (
            Source::Isc,
            read("kea-journal.csv"),
            "a lease file of Kea, not like a lease file of ISC dhcpd; use `--from kea`",
        ),
        (
            Source::Dnsmasq,
            read("dhcpd.leases"),
            "a lease file of ISC dhcpd, not like a lease file of dnsmasq; use `--from isc`",
        ),
        (
            Source::Kea,
            kea_config.to_vec(),
            "a configuration of Kea, not like a lease file of Kea; use `xdhcpd convert`",
        ),
        (
            Source::Isc,
            b"subnet 10.0.0.0 netmask 255.0.0.0 {\n}\n".to_vec(),
            "a configuration of ISC dhcpd",
        ),
        (
            Source::Dnsmasq,
            b"interface=eth0\n".to_vec(),
            "a configuration of dnsmasq",
        ),
        (
            Source::Kea,
            b"address,duid,valid_lifetime\n".to_vec(),
            "DHCPv6",
        ),
        (Source::Isc, b"SQLite format 3\0".to_vec(), "an SQLite file"),
        (Source::Dnsmasq, b"\x7fELF\0\0".to_vec(), "a binary file"),
    ] {
        let error = refusal(source, &octets);
        assert!(error.contains(said), "{error}");
    }
    let error = refusal(Source::Kea, b"hello\n");
    assert!(error.contains("the first line is \"hello\""), "{error}");
}

#[test]
fn what_is_cut_off_is_told_and_the_rest_is_read() {
    for (source, name) in [
        (Source::Kea, "kea-journal.csv"),
        (Source::Dnsmasq, "dnsmasq.leases"),
        (Source::Isc, "dhcpd.leases"),
    ] {
        let whole = std::fs::read(fixture(name)).unwrap();
        assert_eq!(
            unreadable(source, &whole).len(),
            usize::from(source == Source::Kea)
        );
        let cut = &whole[..whole.len() - 4];
        let said = unreadable(source, cut);
        let last = said.last().unwrap();
        assert!(last.contains("truncated"), "{name}: {last}");
    }
}

#[test]
fn a_broken_entry_costs_no_other_one() {
    let isc = "lease 10.77.0.1 {\n  starts 1 2026/01/01 00:00:00;\n  uid \"unended;\n  binding state active;\n}\n\
        lease 10.77.0.2 {\n  ends never;\n  binding state active;\n  hardware ethernet 2:0:0:0:0:1;\n}\n\
        lease 10.77.0.3 {\n  ends yesterday;\n}\n";
    assert_eq!(
        unreadable(Source::Isc, isc.as_bytes()),
        [
            "3: unterminated string",
            "11: line 12: \"ends yesterday\" cannot be parsed"
        ]
    );
    let mut store = TestStore::new(1_795_551_190);
    let report = store.import(&lab(), text(Source::Isc, isc));
    assert_eq!(report.imported, 1);

    let dnsmasq = "x 02:00:00:00:00:01 10.77.0.1 * *\n0 02 10.77.0.2 * *\n0 02:00 10.77.0.300 * *\n\
        0 zz 10.77.0.4 * *\n0 02:00:00:00:00:05 10.77.0.5 * 0\n";
    assert_eq!(
        unreadable(Source::Dnsmasq, dnsmasq.as_bytes()),
        [
            "1: \"x\" is not a time in seconds since 1970",
            "3: \"10.77.0.300\" is not an IPv4 address",
            "4: \"zz\" is not a hardware address",
            "5: \"0\" is not a client identifier",
        ]
    );
}

#[test]
fn a_line_of_a_megabyte_is_not_kept() {
    for (source, head) in [
        (
            Source::Kea,
            "address,hwaddr,client_id,valid_lifetime,expire\n",
        ),
        (Source::Dnsmasq, "0 02:00:00:00:00:01 10.77.0.100 * *\n"),
        (Source::Isc, "lease 10.77.0.100 {\n  ends never;\n}\n"),
    ] {
        let text = format!("{head}{}\n", "a".repeat(1 << 20));
        let said = unreadable(source, text.as_bytes());
        assert_eq!(said.len(), 1);
        assert!(
            said[0].ends_with("line longer than 65536 octets"),
            "{}",
            said[0]
        );
    }
}

#[test]
fn blocks_without_end_are_refused() {
    let deep = format!("lease 10.77.0.1 {}\n", "{ x ".repeat(100_000));
    for line in unreadable(Source::Isc, deep.as_bytes()) {
        assert!(
            line.contains("line longer than") || line.contains("blocks nested more than 32 deep"),
            "{line}"
        );
    }
    let mut wide = "lease 10.77.0.1 {\n".to_owned();
    for _ in 0..600_000 {
        wide.push_str("x;\n");
    }
    let said = unreadable(Source::Isc, wide.as_bytes());
    assert_eq!(said, ["524288: unterminated statement"]);
}

#[test]
fn a_million_broken_lines_are_counted_and_some_are_named() {
    let mut lines = "0 02:00:00:00:00:01 10.77.0.100 * *\n".to_owned();
    for number in 0..1_000_000 {
        writeln!(lines, "broken {number}").unwrap();
    }
    let mut store = TestStore::new(0);
    let report = store.import(&lab(), text(Source::Dnsmasq, &lines));
    assert_eq!(report.imported, 1);
    assert_eq!(
        (report.skipped_count(), report.named.len()),
        (1_000_000, 10_000)
    );
}

/// Generates text that resembles leases.
fn lease_like() -> impl Strategy<Value = String> {
    let words = [
        "lease",
        "10.77.0.1",
        "{",
        "}",
        ";",
        "\n",
        "\"",
        "\\",
        "starts",
        "ends",
        "never",
        "2",
        "2026/01/01",
        "00:00:00",
        "epoch",
        "99999999999999999999",
        "binding",
        "state",
        "active",
        "hardware",
        "ethernet",
        "2:0:0:0:0:1",
        "uid",
        "01:02",
        "option",
        "agent.circuit-id",
        "agent.unknown-",
        "=",
        ",",
        " ",
        "0",
        "*",
        "duid",
        "-",
        "06-",
        "address,hwaddr,client_id,valid_lifetime,expire,user_context\n",
        "10.77.0.2,02:00:00:00:00:01,,4294967295,",
        "&#x",
        "{ \"ISC\": { \"relay-agent-info\": \"0x01\" } }",
        "ü",
        "\r\n",
        "#",
    ];
    text_of(words, 8, 80)
}

proptest! {
    #[test]
    fn no_text_upsets_a_parser(text in lease_like(), now in 0..4_000_000_000_i64) {
        for source in SOURCES {
            let mut journal = Journal::default();
            let _ = leases::read_one(source, Path::new("x"), text.as_bytes(), &mut |entry| journal.take(entry));
            let sample = Sample { boottime: NOW, utc: Utc(now * 1_000_000_000) };
            let wall = Wall::for_display(sample);
            let (config, host) = (lab(), Host::default());
            let destination = Destination::new(&config, &host, Vec::new(), &wall, sample);
            destination.plan(journal);
        }
    }

    #[test]
    fn no_octets_upset_a_parser(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        for source in SOURCES {
            let _ = leases::read_one(source, Path::new("x"), &*octets, &mut |_| {});
        }
    }
}
