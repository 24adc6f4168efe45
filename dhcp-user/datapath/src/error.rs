//! Errors between the controller and the kernel.

use std::{fmt, io, path::PathBuf};

use aya::{
    EbpfError,
    maps::MapError,
    pin::PinError,
    programs::{ProgramError, links::LinkError},
};

/// A capability and what it is for, as in include/uapi/linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub(crate) name: &'static str,
    pub(crate) bit: u32,
    pub(crate) purpose: &'static str,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (to {})", self.name, self.purpose)
    }
}

/// Why the data path could not be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    #[error(
        "missing {}: run as root, or give them to the service (AmbientCapabilities= in its systemd unit)",
        names(.0)
    )]
    Privilege(Vec<Capability>),

    #[error(
        "server.pin-dir: {} is not inside a BPF file system; `mount -t bpf bpf /sys/fs/bpf` makes one; use \
         a directory in it such as /sys/fs/bpf/xdhcpd",
        path.display()
    )]
    NotBpffs { path: PathBuf },

    #[error(
        "server.pin-dir: another xdhcpd is running with {}; stop it first, or choose another directory",
        path.display()
    )]
    Locked { path: PathBuf },

    #[error(
        "server.pin-dir: {} does not belong to xdhcpd ({found}); nothing was changed; move it away, or choose another directory",
        path.display()
    )]
    Foreign { path: PathBuf, found: String },

    #[error("{action} {}", path.display())]
    Path {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    #[error(
        "the map {map} of the program's object is {found}, where the controller expects {expected}"
    )]
    MapLayout {
        map: &'static str,
        found: String,
        expected: String,
    },

    #[error("the program's object lacks {what} `{name}`")]
    Incomplete {
        what: &'static str,
        name: &'static str,
    },

    #[error("the kernel did not load the program")]
    Load(#[source] Box<EbpfError>),

    #[error("the kernel did not accept the program")]
    Verify(#[source] Box<ProgramError>),

    #[error("map {map}")]
    Map {
        map: &'static str,
        #[source]
        source: MapError,
    },

    #[error("interface {interface}: {problem}")]
    Attach {
        interface: String,
        problem: AttachProblem,
    },

    #[error("the fence against running programs")]
    Fence(#[source] io::Error),
}

/// Why the program is not attached to an interface.
#[derive(Debug, thiserror::Error)]
pub enum AttachProblem {
    #[error(
        "driver {driver} has no native XDP in its present configuration ({reason}); `generic-xdp = true` in [server] \
         lets the kernel run the program behind the driver instead, at a fraction of the speed"
    )]
    NoNative { driver: String, reason: String },

    #[error(
        "an XDP program of another application is attached; `ip link set dev <interface> xdp off` or the service \
         that owns it removes it"
    )]
    Occupied,

    #[error(
        "the program is attached in generic mode, which `generic-xdp` in [server] no longer allows; \
         set it, or run `xdhcpd detach` first"
    )]
    GenericNotAllowed,

    #[error("the kernel is too old for XDP links, which Linux has since 5.9")]
    NoLinks,

    #[error("the kernel did not attach the program: {0}")]
    Kernel(#[source] Box<ProgramError>),

    #[error("the pinned link could not be opened: {0}")]
    Reopen(#[source] LinkError),

    #[error("the link could not be pinned: {0}")]
    Pin(#[source] PinError),
}

fn names(capabilities: &[Capability]) -> String {
    let names: Vec<_> = capabilities.iter().map(|cap| cap.to_string()).collect();
    names.join(", ")
}
