//! Readings of the machine: CPUs, interrupts, kernel settings.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use super::{netdev::Poller, sysfs::Sysfs};
use crate::{
    cpu_list,
    readings::{Cpus, Interrupt, Softnet, Thread},
};

/// The settings that there is advice about.
const SYSCTLS: [&str; 10] = [
    "kernel.bpf_stats_enabled",
    "net.core.bpf_jit_enable",
    "net.core.bpf_jit_harden",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.netdev_max_backlog",
    "net.core.wmem_default",
    "net.core.wmem_max",
];

const CPUS: &str = "/sys/devices/system/cpu";

fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim_end().to_owned())
}

fn sysctl_path(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

pub fn sysctl(name: &str) -> Option<String> {
    read(sysctl_path(name))
}

/// Sets a kernel setting.
///
/// # Errors
/// The kernel refused.
pub fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    fs::write(sysctl_path(name), value)
}

/// Reads the settings that this kernel and this namespace have.
pub fn sysctls() -> BTreeMap<String, String> {
    let named = SYSCTLS.iter();
    named
        .filter_map(|name| Some(((*name).to_owned(), sysctl(name)?)))
        .collect()
}

pub fn kernel() -> String {
    read("/proc/sys/kernel/osrelease").unwrap_or_default()
}

/// Returns the random id of this boot.
pub fn boot_id() -> String {
    read("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn governor_path(cpu: u32) -> String {
    format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor")
}

pub fn governor(cpu: u32) -> Option<String> {
    read(governor_path(cpu))
}

/// Sets the governor of a CPU.
///
/// # Errors
/// The kernel refused.
pub fn set_governor(cpu: u32, governor: &str) -> io::Result<()> {
    fs::write(governor_path(cpu), governor)
}

pub fn cpus(sysfs: &Sysfs, interface: &str) -> Cpus {
    let online = cpu_list::parse(&read(format!("{CPUS}/online")).unwrap_or_default());
    let local = sysfs.read(interface, "device/local_cpulist");
    let mut local = cpu_list::parse(&local.unwrap_or_default());
    local.retain(|cpu| online.contains(cpu));
    let governors = online
        .iter()
        .filter_map(|cpu| Some((*cpu, governor(*cpu)?)));
    let available = online.first().and_then(|cpu| {
        read(format!(
            "{CPUS}/cpu{cpu}/cpufreq/scaling_available_governors"
        ))
    });
    Cpus {
        governors: governors.collect(),
        has_performance_governor: available
            .is_some_and(|all| all.split(' ').any(|one| one == "performance")),
        runs_irqbalance: is_running("irqbalance"),
        online,
        local,
    }
}

fn is_running(program: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let mut names = processes.filter_map(|entry| read(entry.ok()?.path().join("comm")));
    names.any(|name| name == program)
}

/// Reads columns of hexadecimal numbers, a line for each CPU: handled, dropped, squeezed.
pub fn softnet() -> Softnet {
    let mut softnet = Softnet::default();
    for line in read("/proc/net/softnet_stat").unwrap_or_default().lines() {
        let mut columns = line.split_whitespace().skip(1);
        let mut next = || u64::from_str_radix(columns.next()?, 16).ok();
        softnet.dropped = softnet.dropped.saturating_add(next().unwrap_or(0));
        softnet.squeezed = softnet.squeezed.saturating_add(next().unwrap_or(0));
    }
    softnet
}

fn affinity_path(interrupt: u32) -> String {
    format!("/proc/irq/{interrupt}/smp_affinity_list")
}

pub fn affinity(interrupt: u32) -> Option<String> {
    read(affinity_path(interrupt))
}

/// Sets the CPUs of an interrupt.
///
/// # Errors
/// The kernel refused: drivers may manage the interrupts themselves.
pub fn set_affinity(interrupt: u32, cpus: &str) -> io::Result<()> {
    fs::write(affinity_path(interrupt), cpus)
}

/// Returns the interrupts of receive queues, from netlink or otherwise by their names.
pub fn interrupts(pollers: &[Poller], sysfs: &Sysfs, interface: &str) -> Vec<Interrupt> {
    let mut numbers: Vec<u32> = pollers
        .iter()
        .filter_map(|poller| poller.interrupt)
        .collect();
    if numbers.is_empty() {
        let device = sysfs.device(interface).unwrap_or_default();
        let text = read("/proc/interrupts").unwrap_or_default();
        numbers = named_for(&text, interface, &device);
    }
    let with_cpus = numbers.into_iter().filter_map(|number| {
        Some(Interrupt {
            number,
            cpus: affinity(number)?,
        })
    });
    with_cpus.collect()
}

/// Returns the interrupts of an interface's receive queues in `/proc/interrupts`, in the order of
/// the queues.
fn named_for(interrupts: &str, interface: &str, device: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for line in interrupts.lines() {
        let Some((number, rest)) = line.split_once(':') else {
            continue;
        };
        let (Ok(number), Some(name)) = (number.trim().parse(), rest.split_whitespace().last())
        else {
            continue;
        };
        if let Some(queue) = receive_queue(name, interface, device) {
            found.push((queue, number));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, number)| number).collect()
}

/// Returns the queue in an interrupt's name. Drivers use names such as `eth1-TxRx-0`,
/// `i40e-eth1-TxRx-0`, `eth1-rx-0`, `virtio2-input.0` or `mlx5_comp0@pci:0000:81:00.0`.
fn receive_queue(name: &str, interface: &str, device: &str) -> Option<u32> {
    let of_device = |name: &str| {
        let rest = name.strip_prefix("mlx5_comp")?;
        let (queue, address) = rest.split_once("@pci:")?;
        (address == device).then(|| queue.parse().ok())?
    };
    if let Some(queue) = of_device(name) {
        return Some(queue);
    }
    let mut words = name.split(['-', '.', '@']);
    let is_ours = words.any(|word| word == interface || (!device.is_empty() && word == device));
    let kind = words.next()?.to_ascii_lowercase();
    if !is_ours || !matches!(kind.as_str(), "txrx" | "rx" | "input") {
        return None;
    }
    words.next()?.parse().ok()
}

pub fn threads(pollers: &[Poller]) -> Vec<Thread> {
    let pids = pollers.iter().filter_map(|poller| poller.thread);
    let threads = pids.filter_map(|pid| {
        Some(Thread {
            pid,
            cpus: thread_cpus(pid)?,
        })
    });
    threads.collect()
}

pub fn thread_cpus(pid: i32) -> Option<String> {
    let set = sched_getaffinity(Pid::from_raw(pid)).ok()?;
    let set: Vec<u32> = (0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap_or(false))
        .filter_map(|cpu| u32::try_from(cpu).ok())
        .collect();
    Some(cpu_list::format(&set))
}

/// Sets the CPUs of a thread.
///
/// # Errors
/// The kernel refused.
pub fn set_thread_cpus(pid: i32, cpus: &str) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpu_list::parse(cpus) {
        set.set(cpu as usize)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(pid), &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPTS: &str = "           CPU0       CPU1\n\
        \x20 37:          0          0 PCI-MSIX-0000:00:03.0   0-edge      virtio2-config\n\
        \x20 39:       4147          0 PCI-MSIX-0000:00:03.0   2-edge      virtio2-output.0\n\
        \x20 40:       4147          0 PCI-MSIX-0000:00:03.0   3-edge      virtio2-input.1\n\
        \x20 38:          0       5229 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0\n\
        \x20 41:          0       5229 PCI-MSIX-0000:00:04.0   1-edge      virtio21-input.0\n\
        \x20 50:          1          1 PCI-MSI   5-edge      eth1-TxRx-10\n\
        \x20 51:          1          1 PCI-MSI   5-edge      i40e-eth1-TxRx-2\n\
        \x20 52:          1          1 PCI-MSI   5-edge      eth11-TxRx-0\n\
        \x20 53:          1          1 PCI-MSI   5-edge      eth1\n\
        \x20 60:          1          1 PCI-MSI   5-edge      mlx5_comp1@pci:0000:81:00.0\n\
        \x20 61:          1          1 PCI-MSI   5-edge      mlx5_comp0@pci:0000:81:00.1\n\
        NMI:          0          0   Non-maskable interrupts\n";

    #[test]
    fn interrupts_are_told_by_the_names_that_drivers_give_them() {
        assert_eq!(named_for(INTERRUPTS, "eth0", "virtio2"), [38, 40]);
        assert_eq!(named_for(INTERRUPTS, "eth1", "0000:01:00.0"), [51, 50]);
        assert_eq!(named_for(INTERRUPTS, "ens1", "0000:81:00.0"), [60]);
        assert!(named_for(INTERRUPTS, "veth-srv", "").is_empty());
    }
}
