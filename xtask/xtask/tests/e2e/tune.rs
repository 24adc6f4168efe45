//! `cargo xtask tune` on a veth pair: what it sets is visible to others, and what it restores is as
//! before.

use std::{fs, path::Path, process::Output};

use anyhow::{Context as _, Result, ensure};
use dhcp_common::abi::{Limit, map};
use serde_json::Value;
use xtask_lab::{
    Lab, Namespace,
    command::{self, command},
    config,
    server::Server,
    topology::{CLIENT_INTERFACE, Direct, SERVER, SERVER_INTERFACE},
};

/// Settings of the pair alone: tests must not change those of the machine.
const OF_THE_PAIR: [&str; 10] = [
    "--only",
    "receive queues",
    "--only",
    "napi_defer_hard_irqs",
    "--only",
    "gro_flush_timeout",
    "--only",
    "threaded",
    "--only",
    "polling thread",
];

/// Runs the task on the server's interface.
fn tune(namespace: &Namespace, journal: &Path, arguments: &[&str]) -> Result<Output> {
    let mut tune = namespace.command(env!("CARGO_BIN_EXE_xtask"), ["tune"]);
    tune.args(["--iface", SERVER_INTERFACE, "--journal"]);
    command::output(tune.arg(journal).args(arguments))
}

/// Runs the task, which has to succeed and print JSON.
fn tune_json(namespace: &Namespace, journal: &Path, arguments: &[&str]) -> Result<Value> {
    let output = tune(namespace, journal, &[arguments, &["--json"]].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).context("the output is not JSON")
}

/// Runs a shell command with the `/sys` of a namespace.
fn shell(namespace: &Namespace, line: &str) -> Result<String> {
    let arguments = ["netns", "exec", namespace.name(), "sh", "-c", line];
    command::read(&mut command("ip", arguments))
}

/// Returns what sysfs shows: receive queues, and how they are polled.
fn look(namespace: &Namespace) -> Result<[String; 4]> {
    let folder = format!("/sys/class/net/{SERVER_INTERFACE}");
    let read = |line: String| Ok::<_, anyhow::Error>(shell(namespace, &line)?.trim().to_owned());
    Ok([
        read(format!("ls -d {folder}/queues/rx-* | wc -l"))?,
        read(format!("cat {folder}/napi_defer_hard_irqs"))?,
        read(format!("cat {folder}/gro_flush_timeout"))?,
        read(format!("cat {folder}/threaded"))?,
    ])
}

/// Returns a namespace with one end of a pair that is polled and differs from the recommended
/// settings.
fn untuned(lab: &Lab) -> Result<Namespace> {
    let (server, client) = (lab.namespace("srv")?, lab.namespace("cli")?);
    lab.veth((&server, SERVER_INTERFACE), (&client, CLIENT_INTERFACE))?;
    let folder = format!("/sys/class/net/{SERVER_INTERFACE}");
    shell(
        &server,
        &format!(
            "echo 2 > {folder}/napi_defer_hard_irqs
             echo 5000 > {folder}/gro_flush_timeout
             echo 0 > {folder}/threaded"
        ),
    )?;
    assert_eq!(look(&server)?, UNTUNED);
    Ok(server)
}

const UNTUNED: [&str; 4] = ["1", "2", "5000", "0"];

/// Returns the recommended values on this machine: a queue, and a thread, for each CPU.
fn tuned() -> Result<[String; 4]> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let cpus = cpus.lines().filter(|line| line.starts_with("processor"));
    let cpus = cpus.count();
    ensure!(cpus > 1, "with one CPU there is nothing to distribute");
    Ok([&cpus.min(64).to_string(), "0", "0", "1"].map(ToOwned::to_owned))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_applied_is_there_and_what_is_restored_is_as_before() -> Result<()> {
    Lab::run(|lab| {
        let server = untuned(lab)?;
        let journal = server.path("tune.json");
        let apply = [&["--apply"][..], &OF_THE_PAIR].concat();

        // Reporting changes nothing.
        let shown = tune_json(&server, &journal, &[])?;
        assert_eq!(shown["readings"]["interface"], SERVER_INTERFACE);
        let settings = shown["settings"].as_array().context("no settings")?;
        let queues = settings.iter().find(|one| one["name"] == "receive queues");
        let queues = queues.context("there is no setting for queues")?;
        assert_eq!(queues["state"], "change");
        assert_eq!(
            queues["undo"],
            format!("ethtool -L {SERVER_INTERFACE} rx 1")
        );
        assert_eq!(look(&server)?, UNTUNED);
        assert!(!journal.exists());

        let done = tune_json(&server, &journal, &apply)?;
        assert_eq!(look(&server)?, tuned()?, "{done:#}");
        let done = done.as_array().context("nothing was done")?;
        assert!(done.iter().all(|one| one["outcome"] == "set"), "{done:?}");
        let threads = done.iter().filter_map(|one| {
            let pid = one["name"].as_str()?.strip_prefix("polling thread ")?;
            Some((pid.to_owned(), one["to"].as_str()?.to_owned()))
        });
        let threads: Vec<_> = threads.collect();
        assert_eq!(threads.len().to_string(), look(&server)?[0]);
        for (pid, cpu) in threads {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let allowed = format!("Cpus_allowed_list:\t{cpu}\n");
            assert!(status.contains(&allowed), "{allowed}{status}");
        }
        let again = tune_json(&server, &journal, &apply)?;
        assert_eq!(again, Value::Array(vec![]), "everything is as recommended");

        // A value that another user has set meanwhile is replaced, and not recorded as the previous
        // value.
        let attribute = format!("/sys/class/net/{SERVER_INTERFACE}/napi_defer_hard_irqs");
        shell(&server, &format!("echo 7 > {attribute}"))?;
        tune_json(&server, &journal, &apply)?;
        assert_eq!(look(&server)?, tuned()?);

        let done = tune_json(&server, &journal, &["--restore"])?;
        assert_eq!(look(&server)?, UNTUNED, "{done:#}");
        let restored = done.as_array().context("nothing was restored")?;
        assert!(
            restored.iter().all(|one| one["outcome"] == "restored"),
            "{done:#}"
        );
        assert!(!journal.exists(), "the journal is removed when it is empty");
        let nothing = tune(&server, &journal, &["--restore"])?;
        assert!(!nothing.status.success());
        let said = String::from_utf8_lossy(&nothing.stderr);
        assert!(said.contains("there is nothing to restore"), "{said}");
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_refused_is_said_with_the_reason_and_the_rest_is_set() -> Result<()> {
    Lab::run(|lab| {
        let server = untuned(lab)?;
        let journal = server.path("tune.json");
        let wmem = "net.core.wmem_default";
        let only = ["--apply", "--only", wmem, "--only", "napi_defer_hard_irqs"];
        let is_shown =
            server.enter(|| Ok(Path::new("/proc/sys/net/core/wmem_default").exists()))?;
        let done = tune_json(&server, &journal, &only)?;
        let done = done.as_array().context("nothing was done")?;
        let outcome = |name: &str| {
            let mut named = done.iter().filter(|one| one["name"] == name);
            named
                .next()
                .map(|one| (one["outcome"].clone(), one["reason"].clone()))
        };
        assert_eq!(
            outcome("napi_defer_hard_irqs")
                .context("the setting is missing")?
                .0,
            "set"
        );
        // Since Linux 6.13 it is visible in other namespaces, read-only.
        let refused = is_shown.then(|| {
            let reason = Value::from("Permission denied (os error 13)");
            (Value::from("refused"), reason)
        });
        assert_eq!(outcome(wmem), refused);
        let noted = fs::read_to_string(&journal)?;
        assert!(
            !noted.contains(wmem),
            "nothing of it must be restored: {noted}"
        );
        tune_json(&server, &journal, &["--restore"])?;
        assert_eq!(look(&server)?, UNTUNED);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_interface_with_the_default_route_is_left_alone_without_a_yes() -> Result<()> {
    Lab::run(|lab| {
        let server = untuned(lab)?;
        let journal = server.path("tune.json");
        server.add_address(SERVER_INTERFACE, SERVER, 24)?;
        let bridge = "br0";
        server.ip(["link", "add", bridge, "type", "bridge"])?;
        server.ip(["link", "set", bridge, "up"])?;
        let apply = [&["--apply"][..], &OF_THE_PAIR].concat();
        let refuses = || -> Result<()> {
            let refused = tune(&server, &journal, &apply)?;
            assert!(!refused.status.success());
            let said = String::from_utf8_lossy(&refused.stderr);
            assert!(
                said.contains("carries the default route") && said.contains("--yes"),
                "{said}"
            );
            assert_eq!(look(&server)?, UNTUNED);
            Ok(())
        };
        server.ip(["route", "add", "default", "dev", SERVER_INTERFACE])?;
        refuses()?;
        // Through a device on top of it, as one of several routes.
        server.ip(["route", "del", "default"])?;
        server.ip(["link", "set", SERVER_INTERFACE, "master", bridge])?;
        server.ip([
            "route", "add", "default", "nexthop", "dev", bridge, "nexthop", "dev", bridge,
        ])?;
        refuses()?;

        tune_json(&server, &journal, &[&apply[..], &["--yes"]].concat())?;
        assert_eq!(look(&server)?, tuned()?);
        tune_json(&server, &journal, &["--restore"])?;
        assert_eq!(look(&server)?, UNTUNED);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn limits_of_a_running_server_are_taken_live_and_its_map_says_what_that_needs() -> Result<()> {
    const LEASES: &str = "server.max-leases";
    const LIMITS: &str = "client-, relay- and unknown-limit";
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let local = config::local(r#"lease-time = "1h""#);
        let with = |server: &str| format!("{server}\n{local}");
        let server = Server::start(lab, &net.server, &with("max-leases = 4096"))?;
        let file = server.config().to_str().context("a path")?;
        let journal = net.server.path("tune.json");
        let settings =
            |more: &[&str]| tune_json(&net.server, &journal, &[more, &["--config", file]].concat());
        let one = |name: &str| -> Result<Value> {
            let mut shown = settings(&["--only", name])?;
            Ok(shown["settings"][0].take())
        };
        assert_eq!(one(LEASES)?["state"], "right");
        assert_eq!(one(LIMITS)?["state"], "right");

        server.configure(&with("max-leases = 8192"))?;
        let leases = one(LEASES)?;
        assert_eq!(
            (&leases["is"], &leases["should_be"]),
            (&"4096".into(), &"8192".into())
        );
        assert_eq!(leases["set"], "systemctl restart xdhcpd");

        let limit = Limit::per_second(125, 250);
        assert!(
            !meta(&server)?
                .windows(16)
                .any(|octets| octets == octets_of(limit))
        );
        server.configure(&with(
            "max-leases = 4096\nclient-limit = { per-second = 125, burst = 250 }",
        ))?;
        let done = settings(&["--apply", "--only", LIMITS])?;
        assert_eq!(done[0]["outcome"], "set", "{done:#}");
        assert!(
            meta(&server)?
                .windows(16)
                .any(|octets| octets == octets_of(limit))
        );
        assert!(!journal.exists(), "the configuration is the record");
        assert_eq!(one(LIMITS)?["state"], "right");

        // Further readings of a running server, and of the peer.
        assert_eq!(one("program at the peer")?["is"], "yes");
        let native = one("native XDP")?;
        let is = native["is"].as_str().context("a text")?;
        assert!(is.ends_with("a program is attached in the driver"), "{is}");
        Ok(())
    })
}

/// Returns the map with the limits, as another program reads it.
fn meta(server: &Server) -> Result<Vec<u8>> {
    let mut dump = command("bpftool", ["--json", "map", "dump", "pinned"]);
    let json = command::read(dump.arg(server.pin_dir().join("current").join(map::META)))?;
    let json: Value = serde_json::from_str(&json)?;
    let octets = json[0]["value"]
        .as_array()
        .context("the map is empty")?
        .iter();
    let octets = octets.map(|octet| {
        let octet = octet.as_str().unwrap_or_default();
        u8::from_str_radix(octet.trim_start_matches("0x"), 16)
    });
    Ok(octets.collect::<Result<_, _>>()?)
}

fn octets_of(limit: Limit) -> Vec<u8> {
    [limit.interval_ns, limit.burst_ns]
        .map(u64::to_ne_bytes)
        .concat()
}
