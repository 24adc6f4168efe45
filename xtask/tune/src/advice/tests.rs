//! Tests of the advice for machines with other NICs.

use super::*;
use crate::readings::{Limit, Process, Program, Server};

macro_rules! recorded {
    ($($name:literal),+) => {
        [$(($name, serde_json::from_str(include_str!(concat!("../recorded/", $name, ".json")))
            .expect(concat!($name, " is what `tune --json` prints")))),+]
    };
}

/// Returns the recorded readings by driver.
pub fn recorded() -> [(&'static str, Readings); 6] {
    recorded!("veth", "virtio_net", "ixgbe", "i40e", "mlx5", "e1000e")
}

fn of(driver: &str) -> Readings {
    let found = recorded().into_iter().find(|(name, _)| *name == driver);
    found.expect("a recorded driver").1
}

/// Returns name, value and advice of every setting that should be changed or is not available.
fn changes(readings: &Readings) -> Vec<String> {
    let settings = advise(readings).into_iter();
    let changed = settings.filter(|setting| setting.state == State::Change);
    changed
        .map(|setting| format!("{}: {} -> {}", setting.name, setting.is, setting.should_be))
        .collect()
}

fn setting(readings: &Readings, name: &str) -> Setting {
    let found = advise(readings)
        .into_iter()
        .find(|setting| setting.name == name);
    found.unwrap_or_else(|| panic!("nothing is said about {name}"))
}

#[test]
fn a_new_veth_gets_a_queue_for_each_cpu_and_is_told_of_its_peer() {
    let veth = of("veth");
    assert_eq!(
        changes(&veth),
        [
            "receive queues: 1 -> 2",
            "net.core.wmem_default: 212992 -> 1048576",
        ]
    );
    assert_eq!(
        setting(&veth, "receive queues").undo.as_deref(),
        Some("ethtool -L veth-srv rx 1")
    );
    assert_eq!(setting(&veth, "program at the peer").state, State::ByHand);
    for name in ["AF_XDP without copies", "rings", "coalescing", "threaded"] {
        assert_eq!(setting(&veth, name).state, State::Unavailable, "{name}");
    }
}

#[test]
fn a_veth_that_is_polled_is_polled_by_threads_each_on_its_cpu() {
    let mut veth = of("veth");
    veth.link.program = Some(Program::Native);
    assert_eq!(setting(&veth, "threaded").should_be, "1");
    veth.threads = [(7, "0-1"), (8, "0-1")].map(thread).into();
    let name = "polling thread 8";
    assert_eq!(setting(&veth, name).set.as_deref(), Some("taskset -pc 1 8"));
    veth.threads = [(7, "1"), (8, "0")].map(thread).into();
    assert_eq!(setting(&veth, "polling threads").state, State::Right);
    veth.threads = [(7, "1"), (8, "1")].map(thread).into();
    assert_eq!(setting(&veth, "polling thread 7").should_be, "0");
}

fn thread((pid, cpus): (i32, &str)) -> crate::readings::Thread {
    crate::readings::Thread {
        pid,
        cpus: cpus.to_owned(),
    }
}

#[test]
fn virtio_net_with_one_queue_is_told_what_it_cannot_have() {
    let virtio = of("virtio_net");
    assert_eq!(
        changes(&virtio),
        [
            "adaptive coalescing: off -> on",
            "rx-usecs: 0 -> 50",
            "napi_defer_hard_irqs: 0 -> 10",
            "gro_flush_timeout: 0 -> 20000",
            "interrupt 38: 0-1 -> 0",
        ]
    );
    for name in ["receive queues", "rx-gro-hw", "governor"] {
        assert_eq!(setting(&virtio, name).state, State::Unavailable, "{name}");
    }
    let gro = setting(&virtio, "rx-gro-hw");
    assert!(
        gro.why
            .starts_with("virtio_net does not support changing it"),
        "{}",
        gro.why
    );
}

#[test]
fn virtio_net_with_few_queues_is_told_that_cpus_share_them() {
    let mut virtio = of("virtio_net");
    let channels = virtio.channels.as_mut().expect("some");
    channels.combined_max = 2;
    let queues = setting(&virtio, "receive queues");
    assert_eq!(queues.set.as_deref(), Some("ethtool -L eth0 combined 2"));
    assert!(queues.why.contains("under a lock"), "{}", queues.why);
}

#[test]
fn ixgbe_gets_all_that_its_defaults_do_to_a_storm_put_right() {
    let ixgbe = of("ixgbe");
    let changes = changes(&ixgbe);
    let (cpus, rest): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| change.starts_with("interrupt") || change.starts_with("governor"));
    assert_eq!(
        rest,
        [
            "ring for receiving: 512 -> 1024",
            "rx-lro: on -> off",
            "rx-vlan-hw-parse: on -> off",
            "napi_defer_hard_irqs: 0 -> 10",
            "gro_flush_timeout: 0 -> 20000",
            "net.core.netdev_budget: 300 -> 600",
            "net.core.netdev_max_backlog: 1000 -> 4096",
        ]
    );
    assert_eq!(cpus.len(), 16 + 16);
    assert_eq!(cpus[15], "interrupt 75: 0-15 -> 15");
    assert_eq!(setting(&ixgbe, "irqbalance").state, State::ByHand);
    assert_eq!(
        setting(&ixgbe, "governor of CPU 3").undo.as_deref(),
        Some("cpupower -c 3 frequency-set -g schedutil")
    );
}

#[test]
fn what_has_no_interrupts_puts_none_off() {
    let mut tap = of("veth");
    tap.link.kind = Some("tun".to_owned());
    tap.link.driver = Some("tun".to_owned());
    tap.link.peer = None;
    tap.attributes
        .insert("napi_defer_hard_irqs".to_owned(), "10".to_owned());
    assert_eq!(setting(&tap, "napi_defer_hard_irqs").should_be, "0");
    assert_eq!(setting(&tap, "coalescing").why, "tun has no interrupts");
}

#[test]
fn queues_are_put_next_to_the_nic_first() {
    let mut ixgbe = of("ixgbe");
    ixgbe.cpus.local = (8..16).collect();
    assert_eq!(setting(&ixgbe, "interrupt 60").should_be, "8");
    assert_eq!(setting(&ixgbe, "interrupt 68").should_be, "0");
}

#[test]
fn i40e_with_half_of_its_queues_in_the_table_gets_all() {
    let i40e = of("i40e");
    let table = setting(&i40e, "RSS table");
    assert_eq!(
        (table.is.as_str(), table.should_be.as_str()),
        ("4 of 8 queues", "all queues")
    );
    assert_eq!(table.undo.as_deref(), Some("ethtool -X ens2f0 equal 4"));
    assert_eq!(table.set.as_deref(), Some("ethtool -X ens2f0 equal 8"));
    assert_eq!(setting(&i40e, "hash of UDP").state, State::Right);
    assert_eq!(setting(&i40e, "interrupts").state, State::Right);
    assert_eq!(setting(&i40e, "rx-usecs").why, "the driver sets it itself");
}

#[test]
fn a_hash_that_knows_no_addresses_is_changed() {
    let mut i40e = of("i40e");
    i40e.udp_hash = Some(String::new());
    let hash = setting(&i40e, "hash of UDP");
    assert_eq!(
        hash.set.as_deref(),
        Some("ethtool -N ens2f0 rx-flow-hash udp4 sd")
    );
    assert_eq!(
        hash.undo.as_deref(),
        Some("ethtool -N ens2f0 rx-flow-hash udp4 r")
    );
}

#[test]
fn mlx5_with_jumbo_frames_is_told_that_no_program_may_be_attached() {
    let mlx5 = of("mlx5");
    let mtu = setting(&mlx5, "MTU");
    assert_eq!((mtu.state, mtu.should_be.as_str()), (State::ByHand, "1500"));
    assert_eq!(
        mtu.undo.as_deref(),
        Some("ip link set dev enp129s0f0np0 mtu 9000")
    );
    assert_eq!(setting(&mlx5, "receive queues").state, State::Right);
    assert_eq!(setting(&mlx5, "ring for receiving").state, State::Right);
}

#[test]
fn with_half_of_the_queues_kept_for_the_program_no_more_are_asked_for() {
    let mut ena = of("i40e");
    ena.link.driver = Some("ena".to_owned());
    assert_eq!(setting(&ena, "receive queues").should_be, "4");

    // This driver also requires as many queues for sending, and attaches no program in between.
    let mut gve = ena;
    gve.link.driver = Some("gve".to_owned());
    let queues = setting(&gve, "receive queues");
    assert_eq!(queues.state, State::ByHand);
    assert_eq!(queues.set.as_deref(), Some("ethtool -L ens2f0 rx 4 tx 4"));
}

#[test]
fn a_nic_without_native_xdp_is_told_so_and_tuned_all_the_same() {
    let mut e1000e = of("e1000e");
    let native = setting(&e1000e, "native XDP");
    assert_eq!(
        (native.state, native.is.as_str()),
        (State::Unavailable, "none in e1000e")
    );
    assert!(native.why.contains("generic-xdp = true"), "{}", native.why);
    assert_eq!(setting(&e1000e, "receive queues").state, State::Unavailable);
    assert_eq!(setting(&e1000e, "ring for receiving").should_be, "1024");
    assert_eq!(setting(&e1000e, "rx-usecs").state, State::Right);

    // The filter cannot be switched off, and the configuration serves VLANs.
    e1000e.wanted.has_vlans = true;
    assert_eq!(setting(&e1000e, "rx-vlan-filter").state, State::Unavailable);
}

#[test]
fn a_kernel_that_does_not_say_what_drivers_can_do_is_not_guessed_about() {
    let mut old = of("ixgbe");
    old.xdp = None;
    let native = setting(&old, "native XDP");
    assert_eq!(
        (native.state, native.is.as_str()),
        (State::Unavailable, "unknown, of ixgbe")
    );
}

#[test]
fn settings_of_the_kernel_that_slow_the_program_down_are_found() {
    let mut slow = of("i40e");
    for (name, value) in [
        ("net.core.bpf_jit_enable", "0"),
        ("net.core.bpf_jit_harden", "2"),
        ("kernel.bpf_stats_enabled", "1"),
        ("net.core.busy_poll", "50"),
    ] {
        slow.sysctls.insert(name.to_owned(), value.to_owned());
    }
    let changes = changes(&slow);
    for expected in [
        "net.core.bpf_jit_enable: 0 -> 1",
        "net.core.bpf_jit_harden: 2 -> 1",
        "kernel.bpf_stats_enabled: 1 -> 0",
        "net.core.busy_poll: 50 -> 0",
    ] {
        assert!(
            changes.iter().any(|change| change == expected),
            "{changes:?}"
        );
    }
    slow.sysctls.clear();
    assert_eq!(
        setting(&slow, "net.core.busy_poll").state,
        State::Unavailable
    );
}

fn with_server(process: Option<Process>) -> Readings {
    let mut readings = of("i40e");
    readings.wanted.file = Some("/etc/xdhcpd/xdhcpd.toml".to_owned());
    readings.server = Some(Server {
        max_leases: readings.wanted.max_leases,
        limits: readings.wanted.limits,
        map_bytes: 40 << 20,
        process,
    });
    readings
}

const PROCESS: Process = Process {
    pid: 7,
    memlock: (Some(8 << 20), Some(8 << 20)),
    may_lock: false,
    memory_max: None,
};

#[test]
fn a_server_that_may_lock_too_little_for_its_queues_may_lock_more() {
    let memlock = |process| setting(&with_server(Some(process)), "memlock of the server");
    let too_little = memlock(PROCESS);
    assert_eq!(
        too_little.undo.as_deref(),
        Some("prlimit --pid 7 --memlock=8388608:8388608")
    );
    assert_eq!(
        too_little.set.as_deref(),
        Some("prlimit --pid 7 --memlock=unlimited:unlimited")
    );
    let may_lock = true;
    assert_eq!(
        memlock(Process {
            may_lock,
            ..PROCESS
        })
        .state,
        State::Right
    );
    let enough = (Some(24 << 20), None);
    assert_eq!(
        memlock(Process {
            memlock: enough,
            ..PROCESS
        })
        .state,
        State::Right
    );
    let memory_max = Some(100 << 20);
    let bounded = with_server(Some(Process {
        memory_max,
        ..PROCESS
    }));
    assert_eq!(
        setting(&bounded, "MemoryMax of the server").should_be,
        "120 MiB or more"
    );
}

#[test]
fn what_can_be_taken_from_the_configuration_live_is_and_what_cannot_says_how() {
    let mut readings = with_server(Some(PROCESS));
    let settings = advise(&readings);
    let changed = settings
        .iter()
        .filter(|setting| setting.name.contains("limit"));
    assert!(changed.clone().count() == 1 && changed.clone().all(|one| one.state == State::Right));

    readings.wanted.max_leases = 1 << 20;
    readings.wanted.limits.client = Limit::from(dhcp_common::abi::Limit::per_second(100, 200));
    let leases = setting(&readings, "server.max-leases");
    assert_eq!(
        (leases.state, leases.set.as_deref()),
        (State::ByHand, Some("systemctl restart xdhcpd"))
    );
    assert!(leases.why.contains("no renewal is lost"), "{}", leases.why);
    let limits = setting(&readings, "client-, relay- and unknown-limit");
    assert_eq!(
        limits.is,
        "client 20/s, burst 40; relay 20000/s, burst 40000; unknown 10000/s, burst 4000"
    );
    assert_eq!(
        limits.should_be,
        "client 100/s, burst 200; relay 20000/s, burst 40000; unknown 10000/s, burst 4000"
    );
    assert_eq!(
        limits.set.as_deref(),
        Some("xdhcpd reload --config /etc/xdhcpd/xdhcpd.toml")
    );

    // The limits would not be applied.
    let mut stopped = readings.clone();
    stopped.server.as_mut().expect("one").process = None;
    assert_eq!(
        setting(&stopped, "client-, relay- and unknown-limit").state,
        State::ByHand
    );
}

#[test]
fn a_server_that_may_not_be_looked_at_is_not_taken_for_none() {
    let mut readings = of("i40e");
    assert_eq!(setting(&readings, "server").is, "none has run");
    readings.server_is_hidden = true;
    assert_eq!(setting(&readings, "server").state, State::Unavailable);
}

#[test]
fn every_setting_says_why_and_every_change_how_it_is_undone() {
    for (name, readings) in recorded() {
        for setting in advise(&readings) {
            assert!(!setting.why.is_empty(), "{name}: {setting:?}");
            let is_change = setting.state == State::Change;
            assert_eq!(setting.change.is_some(), is_change, "{name}: {setting:?}");
            if is_change {
                assert!(
                    setting.undo.is_some() && setting.set.is_some(),
                    "{name}: {setting:?}"
                );
                assert_ne!(setting.undo, setting.set, "{name}: {setting:?}");
            }
        }
    }
}
