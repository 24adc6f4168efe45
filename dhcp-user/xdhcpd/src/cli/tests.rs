//! Command lines: exit code, standard output and standard error.

use std::{ffi::OsString, fs, sync::Mutex};

use dhcp_engine::lease_table::LeaseState;
use dhcp_model::Nanos;

use super::Run;
use crate::control::tests::{TestServer, serve};

pub(super) const GOOD: &str = "\
[[interface]]
name = 'lo'
[[interface.vlan]]
ids = [100, 200]
addresses = ['10.1.0.1']
[[subnet]]
prefix = '10.0.0.0/24'
name = 'lan'
pools = ['10.0.0.100-10.0.0.199']
options = { routers = ['10.0.0.1'] }
[[subnet]]
prefix = '10.1.0.0/24'
lease-time = 'infinite'
";

pub(super) struct CommandResult {
    pub code: u8,
    pub out: String,
    pub err: String,
}

fn xdhcpd_running(run: Run, args: &[&str]) -> CommandResult {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = std::iter::once(&"xdhcpd").chain(args).map(OsString::from);
    let code = super::execute(args, run, &mut out, &mut err);
    CommandResult {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

pub(super) fn xdhcpd(args: &[&str]) -> CommandResult {
    xdhcpd_running(|_, _| panic!("not to be run"), args)
}

/// Sends a command to a server.
fn ask(server: &TestServer, args: &[&str]) -> CommandResult {
    let socket = server.path.to_str().unwrap();
    xdhcpd(&[args, &["--socket", socket]].concat())
}

pub(super) fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn check_says_what_a_good_file_means() {
    let (_directory, path) = file(GOOD);
    let outcome = xdhcpd(&["check", "--config", &path]);
    assert_eq!((outcome.code, &*outcome.err), (0, ""));
    let expected = format!(
        "\
{path} is valid.

INTERFACE  VLAN     ADDRESSES
lo                  from the interface
lo         100.200  10.1.0.1

SUBNET       PREFIX       POOL ADDRESSES  RESERVATIONS  LEASE     OPTIONS
lan          10.0.0.0/24  100             0             1h        3
10.1.0.0/24  10.1.0.0/24  0               0             infinite

Note: subnet 10.1.0.0/24 has neither pools nor reservations.
"
    );
    assert_eq!(outcome.out, expected);
}

#[test]
fn check_and_run_refuse_alike_and_name_every_problem() {
    let (_directory, path) = file(&GOOD.replace("'lo'", "'nosuch0'").replace(".199'", ".999'"));
    let check = xdhcpd(&["check", "--config", &path]);
    assert_eq!((check.code, &*check.out), (1, ""));
    let lines: Vec<_> = check.err.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!(
        "{path}:2:8: interface[0].name = 'nosuch0': this host has no such interface; it has: "
    )));
    assert!(lines[1].starts_with(&format!(
        "{path}:9:10: subnet[0].pools[0] = '10.0.0.100-10.0.0.999': not an address range"
    )));
    let run = xdhcpd(&["run", "--config", &path]);
    assert_eq!((run.code, run.err), (1, check.err));

    let json = xdhcpd(&["check", "--json", "--config", &path]);
    assert_eq!((json.code, &*json.err), (1, ""));
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["ok"], false);
    assert_eq!(value["problems"][1]["line"], 9);
    assert_eq!(value["problems"][1]["field"], "subnet[0].pools[0]");
}

#[test]
fn run_hands_over_the_checked_configuration_and_reports_how_it_ended() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let (_directory, path) = file(GOOD);
    let good = xdhcpd_running(
        |path, config| {
            assert!(path.is_absolute());
            SEEN.lock().unwrap().push(config.networks[0].name.clone());
            Ok(())
        },
        &["run", "--config", &path],
    );
    assert_eq!((good.code, &*good.err), (0, ""));
    assert_eq!(*SEEN.lock().unwrap(), ["lan"]);
    let bad = xdhcpd_running(
        |_, _| Err(anyhow::anyhow!("no CAP_BPF").context("cannot load the program")),
        &["run", "--config", &path],
    );
    assert_eq!(
        (bad.code, &*bad.err),
        (1, "xdhcpd: cannot load the program: no CAP_BPF\n")
    );
}

#[test]
fn leases_are_shown_as_a_table_that_no_host_name_can_break() {
    let server = serve();
    server.add(5, LeaseState::Bound, Nanos::FOREVER);
    server.add(6, LeaseState::Offered, Nanos::FOREVER);
    let outcome = ask(&server, &["leases", "list"]);
    assert_eq!(
        outcome.out,
        "\
ADDRESS   STATE  HARDWARE           CLIENT ID  HOST NAME      EXPIRES   REMAINING
10.0.0.5  bound  02:00:00:00:00:05  01:ab      prin\\u{1b}ter  infinite  infinite
"
    );
    let offers = ask(&server, &["offers", "list"]);
    assert_eq!(
        offers.out,
        "\
ADDRESS   STATE    HARDWARE           CLIENT ID  HOST NAME  EXPIRES   REMAINING
10.0.0.6  offered  02:00:00:00:00:06                        infinite  infinite
"
    );
    let json = ask(&server, &["leases", "list", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value.as_array().unwrap().len(), 1);
    assert_eq!(value[0]["host_name"], "prin\u{1b}ter");
    assert_eq!(value[0]["remaining_secs"], serde_json::Value::Null);
}

#[test]
fn nothing_found_is_said_and_is_no_failure() {
    let server = serve();
    for (args, expected) in [
        (&["leases", "list"][..], "no leases\n"),
        (
            &["leases", "list", "--state", "revoked"],
            "no revoked leases\n",
        ),
        (
            &["leases", "list", "--address", "10.0.0.9"],
            "no lease of 10.0.0.9\n",
        ),
        (&["offers", "list"], "no offers\n"),
        (&["offers", "list", "--json"], "[]\n"),
    ] {
        let outcome = ask(&server, args);
        assert_eq!(
            (outcome.code, &*outcome.out, &*outcome.err),
            (0, expected, "")
        );
    }
}

#[test]
fn delete_and_revoke_say_what_they_did() {
    let server = serve();
    for (args, code, out, err) in [
        (
            ["leases", "delete", "10.0.0.5"],
            0,
            "deleted the lease of 10.0.0.5; its client gets it again on request if the address is still free\n",
            "",
        ),
        (
            ["leases", "revoke", "10.0.0.5"],
            0,
            "revoked the lease of 10.0.0.5; its client gets a NAK when it renews\n",
            "",
        ),
        (
            ["leases", "delete", "10.0.0.9"],
            1,
            "",
            "xdhcpd: there is no lease of 10.0.0.9\n",
        ),
    ] {
        let outcome = ask(&server, &args);
        assert_eq!(
            (outcome.code, &*outcome.out, &*outcome.err),
            (code, out, err)
        );
    }
}

#[test]
fn stats_show_who_answered_and_why_the_kernel_did_not() {
    let server = serve();
    let outcome = ask(&server, &["stats"]);
    assert_eq!(
        outcome.out,
        "\
SERVER
version                  1.2.3
uptime                   1m 30s
templates                0
slow-path sockets        0
store                    ok
commits                  0 with 0 changes
failed, refused commits  0, 0
last, longest commit     0s, 0s

REQUESTS                  COUNT    SHARE
answered by the kernel      700  87.50 %
  acked_renewing            600  75.00 %
  offered                   100  12.50 %
passed to the controller    100  12.50 %
  unknown_client             60   7.50 %
  no_template                40   5.00 %

DROPPED  COUNT
bad_op       4
limited      3

PASSED TO THE HOST  COUNT
not_dhcp             5000

CONTROLLER  COUNT
offered        60
"
    );
    let json = ask(&server, &["stats", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["kernel_share"], 0.875);
    assert_eq!(value["kernel"]["acked_renewing"], 600);
    assert_eq!(value["kernel"]["bad_hlen"], 0, "all are there");
    assert_eq!(value["engine"]["acked"], 0);
}

#[test]
fn stats_of_a_server_that_nobody_has_asked_say_so() {
    let mut out = Vec::new();
    super::output::stats(&dhcp_control::Stats::default(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.ends_with("\n\nNo requests yet.\n"), "{out}");
}

#[test]
fn the_socket_is_found_through_a_configuration_that_is_otherwise_broken() {
    let server = serve();
    let text = format!(
        "subnet = 5\n[server]\ncontrol-socket = '{}'\n",
        server.path.display()
    );
    let (_directory, path) = file(&text);
    let outcome = xdhcpd(&["leases", "list", "--config", &path]);
    assert_eq!((outcome.code, &*outcome.out), (0, "no leases\n"));
}

#[test]
fn without_a_server_the_exit_code_is_three() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let outcome = xdhcpd(&["stats", "--socket", socket.to_str().unwrap()]);
    assert_eq!((outcome.code, &*outcome.out), (3, ""));
    assert_eq!(
        outcome.err,
        format!(
            "xdhcpd: no server is listening on {}; start it with `systemctl start xdhcpd` or `xdhcpd run`, or name its socket with `--socket` or its configuration with `--config`\n",
            socket.display()
        )
    );
}

#[test]
fn a_wrong_command_line_is_code_two_and_help_is_not() {
    for args in [
        &["leases"][..],
        &["leases", "delete"],
        &["leases", "delete", "10.0.0"],
        &["leases", "list", "--state", "offered"],
        &["stats", "--socket", "/a", "--config", "/b"],
    ] {
        let outcome = xdhcpd(args);
        assert_eq!((outcome.code, &*outcome.out), (2, ""), "{args:?}");
        assert!(!outcome.err.is_empty());
    }
    let help = xdhcpd(&["--help"]);
    assert_eq!((help.code, &*help.err), (0, ""));
    assert!(
        help.out
            .contains("3  no server is listening on the control socket")
    );
}

#[test]
fn a_reload_says_what_became_of_the_leases_or_why_nothing_did() {
    let server = serve();
    let refused = ask(&server, &["reload"]);
    assert_eq!(
        (refused.code, &*refused.out, &*refused.err),
        (1, "", "xdhcpd: x.toml:1:1: wrong\n")
    );
    let preview = ask(&server, &["reload", "--dry-run"]);
    assert_eq!((preview.code, &*preview.err), (0, ""));
    let (first, second) = preview.out.split_once('\n').unwrap();
    assert_eq!(
        first,
        "the configuration can be applied; unaffected: 1, kept: 2"
    );
    assert!(second.starts_with(
        "102 would end at their clients' next request or when they expire: 10.0.0.5, 10.0.0.5, "
    ));
    assert!(second.ends_with(" and 2 more\n"), "{second}");
    let json = ask(&server, &["reload", "--dry-run", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["ended"], 102);
}
