//! What can be set: reading it, writing it, and the equivalent command. Values are text in the
//! format of that command.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use nix::{sys::signal::Signal, unistd::Pid};
use serde::{Deserialize, Serialize};

use super::{
    read::{Host, ethtool::Parameter, machine, server},
    readings::{Process, Readings},
};

/// Longest time that a reload of the server takes.
const LONGEST_RELOAD: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "knob", content = "of")]
pub enum Knob {
    CombinedChannels,
    RxChannels,
    RxRing,
    TxRing,
    AdaptiveRx,
    RxUsecs,
    /// A feature by the kernel's name.
    Feature(String),
    UdpHash,
    RssTable,
    /// A file in the interface's folder in sysfs.
    Attribute(String),
    /// The CPUs of an interrupt, by its number.
    Interrupt(u32),
    /// The CPUs of a thread, by its id.
    Thread(i32),
    Sysctl(String),
    /// The governor of a CPU.
    Governor(u32),
    /// The limit of a process.
    Memlock(i32),
    /// Limits for the controller, which the running server reads from its configuration.
    Limits,
}

impl Knob {
    /// Returns the command that sets it.
    pub fn command(&self, readings: &Readings, value: &str) -> String {
        let interface = &readings.interface;
        match self {
            Self::CombinedChannels => format!("ethtool -L {interface} combined {value}"),
            Self::RxChannels => format!("ethtool -L {interface} rx {value}"),
            Self::RxRing => format!("ethtool -G {interface} rx {value}"),
            Self::TxRing => format!("ethtool -G {interface} tx {value}"),
            Self::AdaptiveRx => format!("ethtool -C {interface} adaptive-rx {value}"),
            Self::RxUsecs => format!("ethtool -C {interface} rx-usecs {value}"),
            Self::Feature(name) => format!("ethtool -K {interface} {name} {value}"),
            Self::UdpHash => {
                // ethtool writes `r` for an empty hash.
                let letters = if value.is_empty() { "r" } else { value };
                format!("ethtool -N {interface} rx-flow-hash udp4 {letters}")
            }
            Self::RssTable => format!("ethtool -X {interface} {}", weights(value)),
            Self::Attribute(name) => {
                format!("echo {value} > /sys/class/net/{interface}/{name}")
            }
            Self::Interrupt(number) => {
                format!("echo {value} > /proc/irq/{number}/smp_affinity_list")
            }
            Self::Thread(pid) => format!("taskset -pc {value} {pid}"),
            Self::Sysctl(name) => format!("sysctl -w {name}={value}"),
            Self::Governor(cpu) => format!("cpupower -c {cpu} frequency-set -g {value}"),
            Self::Memlock(pid) => format!("prlimit --pid {pid} --memlock={value}"),
            Self::Limits => match &readings.wanted.file {
                Some(file) => format!("xdhcpd reload --config {file}"),
                None => "xdhcpd reload".to_owned(),
            },
        }
    }

    /// Reads the value. Returns `None` if it no longer exists.
    pub(super) fn read(&self, host: &Host) -> Option<String> {
        let on_off = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
        let mut ethtool = host.ethtool();
        match self {
            Self::CombinedChannels => Some(ethtool.channels()?.combined.to_string()),
            Self::RxChannels => Some(ethtool.channels()?.rx.to_string()),
            Self::RxRing => Some(ethtool.rings()?.rx.to_string()),
            Self::TxRing => Some(ethtool.rings()?.tx.to_string()),
            Self::AdaptiveRx => ethtool.coalescing()?.adaptive_rx.map(on_off),
            Self::RxUsecs => Some(ethtool.coalescing()?.rx_usecs?.to_string()),
            Self::Feature(name) => Some(on_off(ethtool.features()?.get(name)?.is_on)),
            Self::UdpHash => host.ioctl.udp_hash(),
            Self::RssTable => Some(table_text(&host.ioctl.rss_table()?)),
            Self::Attribute(name) => host.sysfs.read(&host.interface, name),
            Self::Interrupt(number) => machine::affinity(*number),
            Self::Thread(pid) => machine::thread_cpus(*pid),
            Self::Sysctl(name) => machine::sysctl(name),
            Self::Governor(cpu) => machine::governor(*cpu),
            Self::Memlock(pid) => server::memlock(*pid).map(memlock_text),
            Self::Limits => {
                let server = host.read().ok()?.server?;
                Some(server.limits.to_string())
            }
        }
    }

    /// Writes the value.
    ///
    /// # Errors
    /// The kernel or the driver refused; the error has the reason.
    pub(super) fn write(&self, host: &Host, value: &str) -> Result<()> {
        let number = || value.parse().context("not a number");
        let is_on = value == "on";
        let mut ethtool = host.ethtool();
        match self {
            Self::CombinedChannels => ethtool.set(Parameter::Combined, number()?),
            Self::RxChannels => ethtool.set(Parameter::RxChannels, number()?),
            Self::RxRing => ethtool.set(Parameter::RxRing, number()?),
            Self::TxRing => ethtool.set(Parameter::TxRing, number()?),
            Self::AdaptiveRx => ethtool.set(Parameter::AdaptiveRx, is_on.into()),
            Self::RxUsecs => ethtool.set(Parameter::RxUsecs, number()?),
            Self::Feature(name) => ethtool.set_feature(name, is_on),
            Self::UdpHash => Ok(host.ioctl.set_udp_hash(value)?),
            Self::RssTable => Ok(host.ioctl.set_rss_table(&table(value)?)?),
            Self::Attribute(name) => Ok(host.sysfs.write(&host.interface, name, value)?),
            Self::Interrupt(number) => Ok(machine::set_affinity(*number, value)?),
            Self::Thread(pid) => Ok(machine::set_thread_cpus(*pid, value)?),
            Self::Sysctl(name) => Ok(machine::set_sysctl(name, value)?),
            Self::Governor(cpu) => Ok(machine::set_governor(*cpu, value)?),
            Self::Memlock(pid) => Ok(server::set_memlock(*pid, memlock(value)?)?),
            Self::Limits => reload(host, value),
        }
    }

    /// Returns whether it belongs to the interface.
    pub fn is_of_interface(&self) -> bool {
        !matches!(
            self,
            Self::Sysctl(_) | Self::Governor(_) | Self::Memlock(_) | Self::Limits
        )
    }

    /// Returns whether it is identified by a number that may be reused.
    pub fn is_by_number(&self) -> bool {
        matches!(
            self,
            Self::Interrupt(_) | Self::Thread(_) | Self::Memlock(_)
        )
    }

    /// Returns whether its value can be restored from a journal. The configuration's values cannot.
    pub fn is_ours_to_restore(&self) -> bool {
        !matches!(self, Self::Limits)
    }
}

/// Makes the server reload its configuration, as `xdhcpd reload` does, and waits until it is in
/// effect.
fn reload(host: &Host, value: &str) -> Result<()> {
    let Some(Process { pid, .. }) = host.read()?.server.and_then(|server| server.process) else {
        bail!("no server answers on its control socket");
    };
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGHUP)?;
    let looks = LONGEST_RELOAD.as_millis() / BETWEEN_LOOKS.as_millis();
    for _ in 0..looks {
        if Knob::Limits.read(host).as_deref() == Some(value) {
            return Ok(());
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    bail!("the server has not reloaded its configuration: see `xdhcpd check` and its log");
}

pub fn table_text(table: &[u32]) -> String {
    let entries: Vec<_> = table.iter().map(u32::to_string).collect();
    entries.join(",")
}

fn table(text: &str) -> Result<Vec<u32>> {
    let entries = text.split(',').map(str::parse);
    entries.collect::<Result<_, _>>().context("no RSS table")
}

/// Returns the notation of a table for `ethtool -X`: the number of entries of each queue.
fn weights(table_text: &str) -> String {
    let table = table(table_text).unwrap_or_default();
    let queues = table.iter().max().map_or(0, |last| last.saturating_add(1));
    let count = |queue| table.iter().filter(|entry| **entry == queue).count();
    let counts: Vec<_> = (0..queues).map(count).collect();
    let (least, most) = (counts.iter().min(), counts.iter().max());
    if most
        .zip(least)
        .is_some_and(|(most, least)| most - least <= 1)
    {
        return format!("equal {queues}");
    }
    let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
    format!("weight {}", counts.join(" "))
}

pub fn memlock_text((soft, hard): (Option<u64>, Option<u64>)) -> String {
    let text = |limit: Option<u64>| match limit {
        Some(limit) => limit.to_string(),
        None => "unlimited".to_owned(),
    };
    format!("{}:{}", text(soft), text(hard))
}

fn memlock(text: &str) -> Result<(Option<u64>, Option<u64>)> {
    let limit = |text: &str| match text {
        "unlimited" => Ok(None),
        text => text.parse().map(Some),
    };
    let (soft, hard) = text.split_once(':').context("no limits, soft and hard")?;
    Ok((limit(soft)?, limit(hard)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_a_person_would_type() {
        let readings = Readings {
            interface: "eth1".to_owned(),
            ..Readings::default()
        };
        for (knob, value, expected) in [
            (Knob::RxRing, "512", "ethtool -G eth1 rx 512"),
            (
                Knob::Feature("rx-lro".to_owned()),
                "on",
                "ethtool -K eth1 rx-lro on",
            ),
            (Knob::RssTable, "0,1,2,0,1,2,0", "ethtool -X eth1 equal 3"),
            (Knob::RssTable, "0,0,0,2", "ethtool -X eth1 weight 3 0 1"),
            (Knob::UdpHash, "", "ethtool -N eth1 rx-flow-hash udp4 r"),
            (
                Knob::Sysctl("net.core.netdev_budget".to_owned()),
                "300",
                "sysctl -w net.core.netdev_budget=300",
            ),
            (
                Knob::Memlock(7),
                "8388608:unlimited",
                "prlimit --pid 7 --memlock=8388608:unlimited",
            ),
        ] {
            assert_eq!(knob.command(&readings, value), expected);
        }
    }

    #[test]
    fn a_limit_of_memory_is_written_as_it_was_read() {
        for limit in [(Some(8), None), (None, None), (Some(1), Some(2))] {
            assert_eq!(memlock(&memlock_text(limit)).unwrap(), limit);
        }
    }
}
