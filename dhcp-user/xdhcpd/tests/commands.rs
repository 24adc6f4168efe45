//! Command lines, executed as processes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use dhcp_model::RecordState;
use dhcp_store::{Store as _, sqlite::SqliteStore};

fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrate/tests/migrate/fixtures");
    fixtures.join(name)
}

/// A directory with a configuration and its store.
struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let dir = site.directory.path().display();
        let config = format!(
            "[server]\nstore = '{dir}/leases.db'\ncontrol-socket = '{dir}/control.sock'\n\
             [[interface]]\nname = 'lo'\n\
             [[subnet]]\nprefix = '10.77.0.0/24'\nname = 'lab'\npools = ['10.77.0.100-10.77.0.199']\n"
        );
        fs::write(site.config(), config).unwrap();
        site
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("x.toml")
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("leases.db")
    }

    fn xdhcpd(&self, args: &[&str], last: &[&Path]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xdhcpd"))
            .args(args)
            .arg("--config")
            .arg(self.config())
            .args(last)
            .output()
            .unwrap()
    }

    fn records(&self) -> usize {
        let mut count = 0;
        let mut store = SqliteStore::open(&self.store()).unwrap();
        store.load(&mut |_| count += 1).unwrap();
        count
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Writes a lease file of dnsmasq: an infinite lease, an active one, an ended one, and one outside
/// of all subnets.
fn dnsmasq(site: &Site) -> PathBuf {
    let path = site.directory.path().join("dnsmasq.leases");
    let text = "0 02:00:00:00:00:01 10.77.0.100 plain *\n\
        4000000000 02:00:00:00:00:02 10.77.0.101 =cmd|calc,\"x\" 01:02:00:00:00:00:02\n\
        1000000000 02:00:00:00:00:03 10.77.0.102 * *\n\
        4000000000 02:00:00:00:00:04 10.78.0.101 * *\n";
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn import_says_what_it_has_done_and_names_what_it_has_not() {
    let site = Site::new();
    let file = dnsmasq(&site);
    let output = site.xdhcpd(&["import", "--from", "dnsmasq"], &[&file]);
    assert!(output.status.success(), "{}", err(&output));
    let name = file.display();
    assert_eq!(
        out(&output),
        format!(
            "{name}: imported\n       2  active leases, with their remaining times\n       \
             1  ended leases; their clients get them again while they are free\n       1  skipped: outside all subnets\n"
        )
    );
    assert_eq!(
        err(&output),
        format!("{name}:4: 10.78.0.101: in no subnet of the configuration\n")
    );
    assert_eq!(site.records(), 3);
}

#[test]
fn a_dry_run_writes_nothing_not_even_a_store() {
    let site = Site::new();
    let file = dnsmasq(&site);
    let args = ["import", "--from", "dnsmasq", "--dry-run", "--json"];
    let output = site.xdhcpd(&args, &[&file]);
    let summary: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(
        (&summary["ok"], &summary["dry_run"]),
        (&true.into(), &true.into())
    );
    assert_eq!(
        (&summary["imported"], &summary["former"]),
        (&2.into(), &1.into())
    );
    assert_eq!(summary["skipped"]["outside-subnets"], 1);
    assert_eq!(summary["entries"][0]["line"], 4);
    assert!(!site.store().exists());
}

#[test]
fn strict_refuses_the_whole_file() {
    let site = Site::new();
    let file = dnsmasq(&site);
    let output = site.xdhcpd(&["import", "--from", "dnsmasq", "--strict"], &[&file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        out(&output).contains("not imported: --strict"),
        "{}",
        out(&output)
    );
    assert!(err(&output).contains(":4: 10.78.0.101: "));
    assert_eq!(site.records(), 0);
}

#[test]
fn a_store_in_use_is_not_imported_into() {
    let site = Site::new();
    let file = dnsmasq(&site);
    let running = SqliteStore::open(&site.store()).unwrap();
    let output = site.xdhcpd(&["import", "--from", "dnsmasq"], &[&file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("another xdhcpd has this store open; stop it first"));
    // A dry run only reads the store.
    let output = site.xdhcpd(&["import", "--from", "dnsmasq", "--dry-run"], &[&file]);
    assert!(output.status.success(), "{}", err(&output));
    drop(running);
    assert_eq!(site.records(), 0);
}

#[test]
fn a_file_that_is_not_there_or_of_another_server_is_an_error() {
    let site = Site::new();
    let output = site.xdhcpd(&["import", "--from", "kea"], &[Path::new("/nonexistent")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        err(&output),
        "xdhcpd: /nonexistent: cannot be read: No such file or directory (os error 2)\n"
    );
    let output = site.xdhcpd(&["import", "--from", "kea"], &[&dnsmasq(&site)]);
    assert!(
        err(&output).contains("use `--from dnsmasq`"),
        "{}",
        err(&output)
    );
}

#[test]
fn keas_cleaned_journal_is_read_with_the_file_beside_it() {
    let site = Site::new();
    let file = fixture("kea-cleaned.csv");
    let args = ["import", "--from", "kea", "--dry-run", "--json"];
    let summary: serde_json::Value =
        serde_json::from_str(&out(&site.xdhcpd(&args, &[&file]))).unwrap();
    let count = |field: &str| summary[field].as_u64().unwrap();
    assert_eq!(
        count("imported") + count("former") + count("quarantined") + count("nothing"),
        11
    );
}

#[test]
fn without_a_server_leases_are_exported_from_the_store() {
    let site = Site::new();
    site.xdhcpd(&["import", "--from", "dnsmasq"], &[&dnsmasq(&site)]);
    let csv = site.xdhcpd(&["export"], &[]);
    assert!(csv.status.success(), "{}", err(&csv));
    let lines = out(&csv);
    let mut lines = lines.lines();
    assert_eq!(
        lines.next().unwrap(),
        "address,state,network,hardware_type,hardware_address,client_id,host_name,circuit_id,remote_id,relay_info,since,since_epoch,expires,expires_epoch"
    );
    let infinite = lines.next().unwrap();
    assert!(
        infinite.starts_with("10.77.0.100,bound,lab,1,02:00:00:00:00:01,,plain,,,,20"),
        "{infinite}"
    );
    assert!(
        infinite.ends_with("Z,infinite,") || infinite.ends_with(",infinite,"),
        "{infinite}"
    );
    let hostile = lines.next().unwrap();
    assert!(hostile.contains(",\"'=cmd|calc,\"\"x\"\"\","), "{hostile}");
    assert!(
        hostile.ends_with(",2096-10-02T07:06:40Z,4000000000"),
        "{hostile}"
    );
    assert!(lines.next().unwrap().starts_with("10.77.0.102,former,lab,"));
    assert_eq!(lines.next(), None);

    let json = site.xdhcpd(&["export", "--format", "json"], &[]);
    let rows: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(rows[0]["expires_epoch"], serde_json::Value::Null);
    assert_eq!(rows[1]["host_name"], "=cmd|calc,\"x\"");
}

#[test]
fn an_export_changes_nothing_in_the_store() {
    let site = Site::new();
    site.xdhcpd(&["import", "--from", "dnsmasq"], &[&dnsmasq(&site)]);
    let before = fs::read(site.store()).unwrap();
    site.xdhcpd(&["export"], &[]);
    assert_eq!(fs::read(site.store()).unwrap(), before);
    let mut states = Vec::new();
    let mut store = SqliteStore::open(&site.store()).unwrap();
    store
        .load(&mut |stored| states.push(stored.record.state))
        .unwrap();
    assert_eq!(
        states,
        [RecordState::Bound, RecordState::Bound, RecordState::Former]
    );
}

#[test]
fn what_convert_prints_passes_check_and_the_list_stands_beside_it() {
    let site = Site::new();
    let file = site.directory.path().join("dnsmasq.conf");
    let text = "interface=lo\nport=0\ndhcp-range=10.77.0.50,10.77.0.150,255.255.255.0,12h\nlog-dhcp\ndhcp-option=3,10.77.0.1\n";
    fs::write(&file, text).unwrap();
    let convert = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_xdhcpd"))
            .args(["convert", "--from", "dnsmasq"])
            .args(args)
            .arg(&file)
            .output()
            .unwrap()
    };
    let output = convert(&[]);
    assert!(output.status.success(), "{}", err(&output));
    let name = file.display();
    assert_eq!(
        err(&output),
        format!(
            "{name}:2: left out: port: not part of DHCPv4; dnsmasq can continue to serve DNS and TFTP without `dhcp-range`\n\
             {name}:4: left out: log-dhcp: no such setting is needed\n"
        )
    );
    fs::write(site.config(), &output.stdout).unwrap();
    let checked = site.xdhcpd(&["check"], &[]);
    assert!(checked.status.success(), "{}", err(&checked));

    let json = convert(&["--json"]);
    let summary: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(summary["toml"], out(&output));
    assert_eq!(summary["notes"][1]["line"], 4);
    assert_eq!(summary["notes"][1]["kind"], "left");
    assert_eq!(err(&json), "");
}
