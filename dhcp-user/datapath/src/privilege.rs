//! Checks that the process has the capabilities which the data path needs, before anything is
//! changed.

use std::fs;

use super::error::{Capability, DatapathError};

/// The capabilities that are needed. CAP_PERFMON is one of them because the verifier lets only its
/// holders compare and store packet pointers freely.
const NEEDED: [Capability; 4] = [
    Capability {
        name: "CAP_NET_ADMIN",
        bit: 12,
        purpose: "attach the XDP program",
    },
    Capability {
        name: "CAP_NET_RAW",
        bit: 13,
        purpose: "open AF_XDP sockets",
    },
    Capability {
        name: "CAP_PERFMON",
        bit: 38,
        purpose: "have the XDP program verified",
    },
    Capability {
        name: "CAP_BPF",
        bit: 39,
        purpose: "load the XDP program and its maps",
    },
];

/// Includes CAP_BPF and CAP_PERFMON (capabilities(7)).
const CAP_SYS_ADMIN: u32 = 21;
const IMPLIED_BY_SYS_ADMIN: [u32; 2] = [38, 39];

/// Fails without the capabilities, and names the missing ones.
pub fn check() -> Result<(), DatapathError> {
    let path = "/proc/thread-self/status";
    let status = fs::read_to_string(path).map_err(|source| DatapathError::Path {
        action: "reading",
        path: path.into(),
        source,
    })?;
    let missing = missing(effective(&status));
    if missing.is_empty() {
        return Ok(());
    }
    Err(DatapathError::Privilege(missing))
}

/// Returns `CapEff` of proc_pid_status(5); no capability if it cannot be read.
fn effective(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn missing(effective: u64) -> Vec<Capability> {
    let has = |bit: u32| effective & 1 << bit != 0;
    NEEDED
        .into_iter()
        .filter(|cap| {
            let implied = IMPLIED_BY_SYS_ADMIN.contains(&cap.bit) && has(CAP_SYS_ADMIN);
            !has(cap.bit) && !implied
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_exactly_what_is_missing_and_what_for() {
        let names = |mask| {
            let caps = missing(mask).into_iter();
            caps.map(|cap| cap.name).collect::<Vec<_>>()
        };
        assert_eq!(names(u64::MAX), [""; 0]);
        assert_eq!(names(1 << 12 | 1 << 13 | 1 << 21), [""; 0]);
        assert_eq!(names(1 << 12 | 1 << 38 | 1 << 39), ["CAP_NET_RAW"]);
        assert_eq!(names(1 << 21), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        let error = DatapathError::Privilege(missing(1 << 12 | 1 << 13 | 1 << 38)).to_string();
        assert_eq!(
            error,
            "missing CAP_BPF (to load the XDP program and its maps): run as root, or give them to the \
             service (AmbientCapabilities= in its systemd unit)"
        );
    }

    #[test]
    fn reads_the_effective_set_of_the_kernels_text() {
        let status = "CapPrm:\tffff\nCapEff:\t0000000000003000\nCapBnd:\tffff\n";
        assert_eq!(effective(status), 0x3000);
        assert_eq!(effective("CapEff: nonsense\n"), 0);
        assert_eq!(effective(""), 0);
    }
}
