//! Command lines that read a store.

use std::fs;

use dhcp_config::file;
use dhcp_model::RecordState;
use dhcp_store::{
    Store as _, WallChange, WallRecord,
    sqlite::SqliteStore,
    wall_clock::{Sample, Utc},
};
use dhcp_testkit::stores::{address, record};

use crate::cli::tests::{CommandResult, GOOD, file, xdhcpd};

/// A directory with a configuration and a store, which has a lease of 10.0.0.5 for a day since an
/// hour ago.
struct Host {
    directory: tempfile::TempDir,
    config: String,
    store: SqliteStore,
}

const HOUR: i64 = 3600 * 1_000_000_000;

fn lease(state: RecordState) -> WallRecord {
    let config = file::parse(std::path::Path::new("x.toml"), GOOD, None).unwrap();
    let client =
        dhcp_common::abi::ClientKey::hardware(config.networks[0].id, 1, &[2, 0, 0, 0, 0, 1]);
    let now = Sample::now().utc;
    let mut lease = record(address(5), client.unwrap(), state);
    lease.record.origin.host_name = Some("prin\u{1b}ter".into());
    lease.record.origin.client_id = Some([1, 0xab].into());
    lease.since = now.shifted(-HOUR);
    lease.expires = now.shifted(if state == RecordState::Bound {
        23 * HOUR
    } else {
        -HOUR / 2
    });
    lease.horizon = lease.expires;
    lease
}

impl Host {
    fn new() -> Self {
        let (directory, config) = file("");
        let path = directory.path().join("leases.db");
        let text = format!("[server]\nstore = '{}'\n{GOOD}", path.display());
        fs::write(&config, text).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        store
            .commit(&[WallChange::Put(Box::new(lease(RecordState::Bound)))])
            .unwrap();
        Self {
            directory,
            config,
            store,
        }
    }

    /// Runs a command, and replaces the directory by DIR in its output.
    fn run(&self, args: &[&str]) -> CommandResult {
        let outcome = xdhcpd(&[args, &["--config", &self.config]].concat());
        let shown = |text: String| text.replace(self.directory.path().to_str().unwrap(), "DIR");
        CommandResult {
            code: outcome.code,
            out: shown(outcome.out),
            err: shown(outcome.err),
        }
    }
}

fn json(outcome: &CommandResult) -> serde_json::Value {
    serde_json::from_str(&outcome.out).unwrap()
}

#[test]
fn check_says_that_a_store_is_good_or_what_is_wrong_with_it() {
    let host = Host::new();
    let good = host.run(&["check", "--store"]);
    assert_eq!((good.code, &*good.err), (0, ""));
    assert_eq!(
        good.out,
        "\
DIR/leases.db is valid; schema 3.

RECORDS      COUNT
bound            1
past leases      0
"
    );
    let other = rusqlite::Connection::open(host.directory.path().join("leases.db")).unwrap();
    other
        .execute_batch("UPDATE lease SET horizon = 5, expires = 5, since = 6")
        .unwrap();
    let mut foreign = lease(RecordState::Bound);
    foreign.record.address = [192, 0, 2, 1].into();
    foreign.record.client = dhcp_common::abi::ClientKey::hardware(7, 1, &[2]).unwrap();
    let Host {
        mut store,
        directory,
        config,
    } = host;
    store.commit(&[WallChange::Put(Box::new(foreign))]).unwrap();
    let host = Host {
        store,
        directory,
        config,
    };
    let bad = host.run(&["check", "--store"]);
    assert_eq!((bad.code, &*bad.err), (1, ""));
    assert_eq!(
        bad.out,
        "\
DIR/leases.db has 1 problem; schema 3.

RECORDS      COUNT
bound            2
past leases      0

ADDRESS   PROBLEM
10.0.0.5  ends at 1970-01-01T00:00:00Z, before it begins at 1970-01-01T00:00:00Z

ADDRESS    NOT IN THE CONFIGURATION
192.0.2.1  in no subnet of the configuration
"
    );
    let bad = host.run(&["check", "--json", "--store"]);
    assert_eq!(bad.code, 1);
    let value = json(&bad);
    assert_eq!(value["ok"], false);
    assert_eq!(value["problems"]["shown"][0]["address"], "10.0.0.5");
    assert_eq!(value["foreign"]["count"], 1);
}

#[test]
fn check_refuses_a_wrong_configuration_before_it_looks_and_what_is_no_store() {
    let host = Host::new();
    let elsewhere = host.directory.path().join("x.toml");
    let elsewhere = elsewhere.to_str().unwrap();
    let no_store = host.run(&["check", "--store", elsewhere]);
    assert_eq!((no_store.code, &*no_store.out), (1, ""));
    assert_eq!(
        no_store.err,
        "xdhcpd: DIR/x.toml: not an SQLite file, not a store of xdhcpd; move it away, or set another `server.store`\n"
    );
    fs::write(&host.config, "subnet = 5").unwrap();
    let wrong = host.run(&["check", "--store"]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.contains("x.toml:1:10: subnet = 5"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_backup_is_made_checked_and_not_overwritten() {
    let host = Host::new();
    let to = host.directory.path().join("copy.db");
    let to = to.to_str().unwrap();
    let made = host.run(&["backup", to]);
    assert_eq!((made.code, &*made.err), (0, ""));
    assert!(
        made.out
            .starts_with("DIR/copy.db: 1 addresses and 0 past leases in "),
        "{}",
        made.out
    );
    let again = host.run(&["backup", to]);
    assert_eq!((again.code, &*again.out), (1, ""));
    assert_eq!(
        again.err,
        "xdhcpd: DIR/copy.db: is there already; give another name, or --force to replace it\n"
    );
    let forced = host.run(&["backup", "--force", "--json", to]);
    assert_eq!(forced.code, 0);
    assert_eq!(json(&forced)["records"], 1);
    assert_eq!(host.run(&["check", "--store", to]).code, 0);
    let of_backup = xdhcpd(&["history", "10.0.0.5", "--store", to]);
    assert_eq!(of_backup.code, 0);
}

#[test]
fn history_tells_who_had_an_address_and_when() {
    let mut host = Host::new();
    let rows = |outcome: &CommandResult| -> Vec<(String, String)> {
        let value = json(outcome);
        let row = |row: &serde_json::Value| {
            let text = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
            (text("hardware_address"), text("until"))
        };
        value.as_array().unwrap().iter().map(row).collect()
    };
    let first = "02:00:00:00:00:01".to_owned();
    let goes_on = [(first.clone(), "-".to_owned())];
    assert_eq!(rows(&host.run(&["history", "10.0.0.5", "--json"])), goes_on);
    for (args, is_known) in [
        (&["--at", "10m ago"][..], true),
        (&["--at", "2h ago"], false),
        (&["--client", "02:00:00:00:00:01"], true),
        (&["--client", "01ab"], true),
        (&["--client", "020000000002"], false),
    ] {
        let outcome = host.run(&[&["history", "10.0.0.5", "--json"], args].concat());
        assert_eq!(rows(&outcome).len(), usize::from(is_known), "{args:?}");
    }
    assert_eq!(
        rows(&host.run(&["history", "--client", "01:ab", "--json"])),
        goes_on
    );

    let former = lease(RecordState::Former);
    let (since, until): (Utc, Utc) = (former.since, former.expires);
    host.store
        .commit(&[WallChange::Put(Box::new(former))])
        .unwrap();
    let shown = host.run(&["history", "10.0.0.5"]);
    let lines: Vec<_> = shown.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", shown.out);
    assert!(lines[0].starts_with("ADDRESS   SINCE"), "{}", lines[0]);
    let words: Vec<_> = lines[1].split_whitespace().collect();
    let (since, until) = (since.to_string(), until.to_string());
    assert_eq!(
        words,
        [
            "10.0.0.5",
            &since,
            &until,
            &first,
            "01:ab",
            "prin\\u{1b}ter"
        ]
    );
    let nobody = host.run(&["history", "10.0.0.5", "--at", "10m ago"]);
    assert_eq!(nobody.code, 0);
    assert!(
        nobody.out.starts_with("no client had 10.0.0.5 at 20"),
        "{}",
        nobody.out
    );
}

#[test]
fn a_history_of_nothing_in_particular_or_of_the_future_is_a_wrong_command_line() {
    for args in [
        &["history"][..],
        &["history", "10.0.0.5", "--at", "tomorrow"],
        &["history", "10.0.0.5", "--at", "2199-01-01T00:00:00Z"],
        &["history", "--client", "printer"],
        &["backup"],
    ] {
        let outcome = xdhcpd(args);
        assert_eq!((outcome.code, &*outcome.out), (2, ""), "{args:?}");
    }
}
