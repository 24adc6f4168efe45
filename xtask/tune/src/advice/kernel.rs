//! CPU frequency governors and kernel settings.

use dhcp_common::abi::{SLOW_FRAME_LEN, SLOW_TX_FRAMES};

use super::setting::Setting;
use crate::{knob::Knob, readings::Readings};

/// Octets in flight when the socket sends everything that it has room for.
const WMEM: u32 = SLOW_TX_FRAMES * SLOW_FRAME_LEN;

const ELSEWHERE: &str =
    "this kernel does not have it, or shows it only in the initial network namespace";

pub(super) fn advise(readings: &Readings, settings: &mut Vec<Setting>) {
    governors(readings, settings);
    exact(readings, settings);
    budgets(readings, settings);
    settings.push(wmem(readings));
}

fn governors(readings: &Readings, settings: &mut Vec<Setting>) {
    const NAME: &str = "governor";
    const BEST: &str = "performance";
    let why = "a CPU whose clock has to rise first answers the beginning of a storm late";
    let governors = &readings.cpus.governors;
    if governors.is_empty() {
        let why = "the CPU frequency is controlled by the hypervisor or the firmware";
        settings.push(Setting::unavailable(NAME, "-", why));
        return;
    }
    let others: Vec<_> = governors.iter().filter(|(_, is)| *is != BEST).collect();
    if others.is_empty() {
        settings.push(Setting::right(NAME, format!("{BEST}, of all CPUs"), why));
    }
    for (cpu, is) in others {
        let name = format!("{NAME} of CPU {cpu}");
        settings.push(if readings.cpus.has_performance_governor {
            Setting::of(readings, &name, Knob::Governor(*cpu), (is, BEST), why)
        } else {
            Setting::unavailable(&name, is, "the kernel has no governor `performance`")
        });
    }
}

/// Settings with one right value, or several.
fn exact(readings: &Readings, settings: &mut Vec<Setting>) {
    let busy = "otherwise every program that waits for sockets spins meanwhile; the controller does not \
         profit from it, and the program needs the CPU";
    for (name, right, why) in [
        (
            "net.core.bpf_jit_enable",
            &["1"][..],
            "compiles the program to machine code instead of interpreting it",
        ),
        (
            "net.core.bpf_jit_harden",
            &["1", "0"],
            "2 blinds constants in root's programs too, which makes them slower",
        ),
        (
            "kernel.bpf_stats_enabled",
            &["0"],
            "1 reads the clock twice in each run of each program",
        ),
        ("net.core.busy_poll", &["0"], busy),
        ("net.core.busy_read", &["0"], busy),
    ] {
        settings.push(sysctl(readings, name, why, |is| {
            let is_right = right.contains(&is);
            if is_right { is } else { right[0] }.to_owned()
        }));
    }
}

fn sysctl(
    readings: &Readings,
    name: &str,
    why: &str,
    should: impl FnOnce(&str) -> String,
) -> Setting {
    match readings.sysctls.get(name) {
        Some(is) => {
            let knob = Knob::Sysctl(name.to_owned());
            Setting::of(readings, name, knob, (is, &should(is)), why)
        }
        None => Setting::unavailable(name, "-", ELSEWHERE),
    }
}

/// Settings that are raised only if they were too low since the machine was started.
fn budgets(readings: &Readings, settings: &mut Vec<Setting>) {
    let softnet = &readings.softnet;
    let enough = |count: u64, times: &str| format!("{count} times since the start {times}");
    let squeezed = enough(
        softnet.squeezed,
        "the kernel stopped polling with frames left",
    );
    let dropped = enough(softnet.dropped, "a frame found the queue of a CPU full");
    for (name, least, count, why) in [
        ("net.core.netdev_budget", 600, softnet.squeezed, &squeezed),
        (
            "net.core.netdev_budget_usecs",
            4000,
            softnet.squeezed,
            &squeezed,
        ),
        (
            "net.core.netdev_max_backlog",
            4096,
            softnet.dropped,
            &dropped,
        ),
    ] {
        settings.push(sysctl(readings, name, why, |is| {
            if count == 0 {
                is.to_owned()
            } else {
                at_least(is, least)
            }
        }));
    }
}

fn wmem(readings: &Readings) -> Setting {
    const NAME: &str = "net.core.wmem_default";
    if readings.has_zero_copy() {
        let is = readings.sysctls.get(NAME).map_or("-", String::as_str);
        return Setting::right(NAME, is, "irrelevant for sockets that send without copies");
    }
    let why = "octets that a socket may have in flight: where replies are copied, all that the \
         controller may send at once; it applies when sockets are opened, so restart xdhcpd";
    sysctl(readings, NAME, why, |is| at_least(is, WMEM))
}

/// Values that are not numbers are left alone.
fn at_least(is: &str, least: u32) -> String {
    match is.parse::<u64>() {
        Ok(number) => number.max(least.into()).to_string(),
        Err(_) => is.to_owned(),
    }
}
