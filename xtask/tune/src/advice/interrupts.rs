//! The NIC's interrupts: their times and CPUs, and the threads that poll.

use std::collections::BTreeMap;

use super::setting::{Setting, on_off};
use crate::{
    cpu_list,
    knob::Knob,
    readings::{Coalescing, Readings},
};

/// The example in the commit that introduced both (Linux 5.8, 6f8b12d661d0).
const DEFER_HARD_IRQS: &str = "10";
const GRO_FLUSH_TIMEOUT_NS: &str = "20000";

/// Too short to matter to a DHCP client, and long enough for several frames in a storm.
const RX_USECS: u32 = 50;
const LONGEST_RX_USECS: u32 = 100;

pub(super) fn advise(readings: &Readings, settings: &mut Vec<Setting>) {
    coalescing(readings, settings);
    deferral(readings, settings);
    settings.extend(threaded(readings));
    let interrupts = readings.interrupts.iter();
    let interrupts: Vec<_> = interrupts
        .map(|interrupt| (Knob::Interrupt(interrupt.number), interrupt.cpus.as_str()))
        .collect();
    affinity(readings, "interrupt", &interrupts, settings);
    let threads = readings.threads.iter();
    let threads: Vec<_> = threads
        .map(|thread| (Knob::Thread(thread.pid), thread.cpus.as_str()))
        .collect();
    affinity(readings, "polling thread", &threads, settings);
    if !interrupts.is_empty() && readings.cpus.runs_irqbalance {
        settings.push(Setting {
            undo: Some("systemctl start irqbalance".to_owned()),
            ..Setting::by_hand(
                "irqbalance",
                "runs",
                "stopped",
                Some("systemctl stop irqbalance".to_owned()),
                "it moves interrupts to other CPUs every ten seconds; alternatively exclude \
                 these with --banirq",
            )
        });
    }
}

fn coalescing(readings: &Readings, settings: &mut Vec<Setting>) {
    const ADAPTIVE: &str = "few interrupts in a storm, and no delay under low load";
    let Some(Coalescing {
        adaptive_rx,
        rx_usecs,
    }) = readings.coalescing
    else {
        let why = if readings.has_interrupts() {
            "the driver does not support reading or setting it".to_owned()
        } else {
            format!("{} has no interrupts", readings.driver())
        };
        settings.push(Setting::unavailable("coalescing", "-", why));
        return;
    };
    if let Some(adaptive) = adaptive_rx {
        settings.push(Setting::of(
            readings,
            "adaptive coalescing",
            Knob::AdaptiveRx,
            (on_off(adaptive), "on"),
            ADAPTIVE,
        ));
    }
    let Some(usecs) = rx_usecs else {
        return;
    };
    let is = usecs.to_string();
    let is_adaptive = adaptive_rx == Some(true);
    let should = if is_adaptive || (1..=LONGEST_RX_USECS).contains(&usecs) {
        is.clone()
    } else {
        RX_USECS.to_string()
    };
    let why = if is_adaptive {
        "the driver sets it itself"
    } else {
        "microseconds that an interrupt is delayed for more frames: 0 causes an interrupt for \
         each frame, more than 100 make clients wait; some Intel drivers treat 1 and 3 as \
         \"adaptive\""
    };
    settings.push(Setting::of(
        readings,
        "rx-usecs",
        Knob::RxUsecs,
        (&is, &should),
        why,
    ));
}

fn deferral(readings: &Readings, settings: &mut Vec<Setting>) {
    let (defer, timeout, why) = if !readings.has_interrupts() {
        (
            "0",
            "0",
            "there are no interrupts to defer: frames would only wait for the timer",
        )
    } else {
        (
            DEFER_HARD_IRQS,
            GRO_FLUSH_TIMEOUT_NS,
            "under load the kernel polls every 20 microseconds instead of being interrupted; \
             interrupts resume after ten empty polls",
        )
    };
    for (name, should) in [
        ("napi_defer_hard_irqs", defer),
        ("gro_flush_timeout", timeout),
    ] {
        let Some(is) = readings.attributes.get(name) else {
            settings.push(Setting::unavailable(
                name,
                "-",
                "this kernel does not have it, or does not show it here",
            ));
            continue;
        };
        let knob = Knob::Attribute(name.to_owned());
        settings.push(Setting::of(readings, name, knob, (is, should), why));
    }
}

/// Advises on a polling thread for each queue.
fn threaded(readings: &Readings) -> Option<Setting> {
    const NAME: &str = "threaded";
    let is = readings.attributes.get(NAME)?;
    if !readings.is_veth() {
        const WHY: &str = "the NIC's interrupt already runs on the CPU that has the frame; threads are useful \
             only to administrators who schedule them";
        let is_nic = readings.has_interrupts();
        return is_nic.then(|| Setting::right(NAME, is, WHY));
    }
    const WHY: &str = "polls on separate threads: otherwise the program runs on the sender's CPU, inside its \
         system call";
    let is_polled = readings.link.program.is_some()
        || readings.features.get("rx-gro").is_some_and(|gro| gro.is_on);
    if !is_polled {
        return Some(Setting::unavailable(
            NAME,
            is,
            format!(
                "not before a program is attached or GRO is on, since nothing is polled; {WHY}"
            ),
        ));
    }
    let should = if readings.cpu_count() > 1 { "1" } else { is };
    let knob = Knob::Attribute(NAME.to_owned());
    Some(Setting::of(readings, NAME, knob, (is, should), WHY))
}

/// Advises on a CPU for each, so that the load is even.
fn affinity(readings: &Readings, name: &str, of: &[(Knob, &str)], settings: &mut Vec<Setting>) {
    let cpus = readings.cpus_for_queues();
    if of.is_empty() || cpus.is_empty() {
        return;
    }
    let why = "each queue on its own CPU, close to the NIC if the machine has several nodes";
    let share = of.len().div_ceil(cpus.len());
    let mut on: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, list) in of {
        if let [cpu] = cpu_list::parse(list)[..] {
            *on.entry(cpu).or_default() += 1;
        }
    }
    let pinned: usize = on.values().sum();
    if pinned == of.len() && on.values().all(|count| *count <= share) {
        let lists: Vec<_> = of.iter().map(|(_, list)| *list).collect();
        let all = format!("CPU {}", lists.join(", "));
        settings.push(Setting::right(&format!("{name}s"), all, why));
        return;
    }
    for ((knob, is), cpu) in of.iter().zip(cpus.iter().cycle()) {
        let number = match knob {
            Knob::Interrupt(number) => number.to_string(),
            Knob::Thread(pid) => pid.to_string(),
            _ => String::new(),
        };
        let values = (*is, cpu.to_string());
        settings.push(Setting::of(
            readings,
            &format!("{name} {number}"),
            knob.clone(),
            (values.0, &values.1),
            why,
        ));
    }
}
