//! Readings of the server on this machine: its configuration, its maps, and the limits of its
//! process.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya::maps::{Array, Map, MapData};
use dhcp_common::{
    abi::{self, Meta, map},
    defaults,
};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use serde::Deserialize;

use crate::{
    procfs::field,
    readings::{Limit, Limits, Process, Server, Wanted},
};

/// include/uapi/linux/capability.h.
const CAP_IPC_LOCK: u32 = 14;
/// The daemon's name in the kernel.
const DAEMON: &str = "xdhcpd";

/// The part of the configuration that is used here. `xdhcpd check` checks it as a whole.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    server: Section,
    interface: Vec<Interface>,
}

#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Section {
    control_socket: PathBuf,
    pin_dir: PathBuf,
    max_leases: u32,
    generic_xdp: bool,
    client_limit: Rate,
    relay_limit: Rate,
    unknown_limit: Rate,
}

#[derive(Debug, Deserialize)]
struct Interface {
    name: String,
    #[serde(default)]
    vlan: Vec<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rate {
    #[serde(rename_all = "kebab-case")]
    Written {
        #[serde(rename = "per-second")]
        per_second: u32,
        burst: u32,
    },
    #[serde(skip)]
    Default(abi::Limit),
}

impl Rate {
    fn limit(&self) -> Limit {
        match self {
            Self::Written { per_second, burst } => abi::Limit::per_second(*per_second, *burst),
            Self::Default(limit) => *limit,
        }
        .into()
    }
}

impl Default for Section {
    fn default() -> Self {
        Self {
            control_socket: defaults::CONTROL_SOCKET.into(),
            pin_dir: defaults::PIN_DIR.into(),
            max_leases: abi::DEFAULT_LEASES,
            generic_xdp: false,
            client_limit: Rate::Default(defaults::CLIENT_LIMIT),
            relay_limit: Rate::Default(defaults::RELAY_LIMIT),
            unknown_limit: Rate::Default(defaults::UNKNOWN_LIMIT),
        }
    }
}

/// Paths of the server in the configuration.
#[derive(Debug)]
pub struct Places {
    control_socket: PathBuf,
    pin_dir: PathBuf,
}

/// Reads the configuration. Without one the defaults apply, unless a file was given.
///
/// # Errors
/// It cannot be read, or is not TOML of this form.
pub fn wanted(config: Option<&Path>, interface: &str) -> Result<(Wanted, Places)> {
    let path = config.unwrap_or(Path::new(defaults::CONFIG));
    let is_there = config.is_some() || path.exists();
    let file: File = if is_there {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        toml::from_str(&text).with_context(|| {
            let path = path.display();
            format!("{path} is not a valid configuration; see `xdhcpd check --config {path}`")
        })?
    } else {
        File::default()
    };
    let server = file.server;
    let mut named = file.interface.iter().filter(|one| one.name == interface);
    let wanted = Wanted {
        file: is_there.then(|| path.display().to_string()),
        max_leases: server.max_leases,
        generic_xdp: server.generic_xdp,
        has_vlans: named.any(|interface| !interface.vlan.is_empty()),
        limits: Limits {
            client: server.client_limit.limit(),
            relay: server.relay_limit.limit(),
            unknown: server.unknown_limit.limit(),
        },
    };
    let places = Places {
        control_socket: server.control_socket,
        pin_dir: server.pin_dir,
    };
    Ok((wanted, places))
}

/// Returns whether permission to read the maps' folder is missing.
pub fn is_hidden(places: &Places) -> bool {
    let found = fs::symlink_metadata(places.pin_dir.join(abi::CURRENT));
    found.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Reads the server. Returns `None` where no maps are pinned: no server has run, or nothing of it
/// is left.
pub fn server(places: &Places) -> Option<Server> {
    let pins = places.pin_dir.join(abi::CURRENT);
    let meta = meta(&pins)?;
    let bytes = map::ALL
        .iter()
        .filter_map(|name| map_bytes(&pins.join(name)));
    Some(Server {
        max_leases: meta.max_leases,
        limits: Limits {
            client: meta.client_limit.into(),
            relay: meta.relay_limit.into(),
            unknown: meta.unknown_limit.into(),
        },
        map_bytes: bytes.fold(0, u64::saturating_add),
        process: process(&places.control_socket),
    })
}

/// Returns `None` also where the maps have another version.
fn meta(pins: &Path) -> Option<Meta> {
    let meta = Map::Array(MapData::from_pin(pins.join(map::META)).ok()?);
    let meta: Array<_, Meta> = meta.try_into().ok()?;
    let meta = meta.get(&abi::META_INDEX, 0).ok()?;
    (meta.abi_version == abi::ABI_VERSION).then_some(meta)
}

/// Returns the memory of a map, which the kernel reports only in the information about a
/// descriptor.
fn map_bytes(pin: &Path) -> Option<u64> {
    use std::os::fd::{AsFd as _, AsRawFd as _};
    let map = MapData::from_pin(pin).ok()?;
    let fd = map.fd().as_fd().as_raw_fd();
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    field(&text, "memlock:")?.parse().ok()
}

/// Returns the process that listens on the socket, if it is the daemon: no other process must be
/// signalled.
fn process(socket: &Path) -> Option<Process> {
    let stream = UnixStream::connect(socket).ok()?;
    let pid = getsockopt(&stream, PeerCredentials).ok()?.pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    if field(&status, "Name:") != Some(DAEMON) {
        return None;
    }
    let capabilities = u64::from_str_radix(field(&status, "CapEff:")?, 16).ok()?;
    Some(Process {
        pid,
        memlock: memlock(pid)?,
        may_lock: capabilities & 1 << CAP_IPC_LOCK != 0,
        memory_max: memory_max(pid),
    })
}

/// Returns the soft and hard limits of locked memory; `None` is unlimited.
pub fn memlock(pid: i32) -> Option<(Option<u64>, Option<u64>)> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))?;
    let mut values = line.split_whitespace().map(|value| value.parse().ok());
    Some((values.next()?, values.next()?))
}

/// Sets the limits of locked memory.
///
/// # Errors
/// The kernel refused.
pub fn set_memlock(pid: i32, limit: (Option<u64>, Option<u64>)) -> std::io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: limit.0.unwrap_or(libc::RLIM_INFINITY),
        rlim_max: limit.1.unwrap_or(libc::RLIM_INFINITY),
    };
    // SAFETY: the new limit is read during the call only, and the old one is not requested.
    let result = unsafe { libc::prlimit(pid, libc::RLIMIT_MEMLOCK, &limit, std::ptr::null_mut()) };
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

/// Returns the lowest memory limit of the process's control group and those above it, or `None`
/// without a limit.
fn memory_max(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = Path::new("/sys/fs/cgroup").join(path);
    let groups = own
        .ancestors()
        .take_while(|path| path.starts_with("/sys/fs/cgroup"));
    let limits = groups.filter_map(|group| {
        let text = fs::read_to_string(group.join("memory.max")).ok()?;
        text.trim_end().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, interface: &str) -> Wanted {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xdhcpd.toml");
        fs::write(&path, text).unwrap();
        let (wanted, _) = super::wanted(Some(&path), interface).unwrap();
        Wanted {
            file: None,
            ..wanted
        }
    }

    #[test]
    fn of_a_configuration_what_matters_is_read_and_the_rest_left_to_the_server() {
        let text = "[server]\nmax-leases = 5\ngeneric-xdp = true\nhistory = \"1d\"\n\
                    client-limit = { per-second = 2, burst = 4 }\nunknown-limit = { per-second = 3, burst = 6 }\n\
                    [[interface]]\nname = \"eth1\"\n[[interface.vlan]]\nid = 5\n\
                    [[interface]]\nname = \"eth2\"\n[[subnet]]\nprefix = \"10.0.0.0/24\"\n";
        let expected = Wanted {
            max_leases: 5,
            generic_xdp: true,
            limits: Limits {
                client: abi::Limit::per_second(2, 4).into(),
                unknown: abi::Limit::per_second(3, 6).into(),
                ..Wanted::default().limits
            },
            ..Wanted::default()
        };
        assert_eq!(read(text, "eth2"), expected);
        let has_vlans = true;
        assert_eq!(
            read(text, "eth1"),
            Wanted {
                has_vlans,
                ..expected
            }
        );
        assert_eq!(read("", "eth1"), Wanted::default());
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_named() {
        let missing = Path::new("/nonexistent/xdhcpd.toml");
        let error = super::wanted(Some(missing), "eth1")
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nonexistent/xdhcpd.toml"), "{error}");
    }

    #[test]
    fn the_limit_of_another_process_is_set_and_read() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let (_, hard) = memlock(pid).unwrap();
        let set = set_memlock(pid, (Some(65536), hard));
        let read = memlock(pid);
        child.kill().unwrap();
        child.wait().unwrap();
        set.unwrap();
        assert_eq!(read, Some((Some(65536), hard)));
    }
}
