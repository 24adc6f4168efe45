//! Gives each test its own network, which the kernel removes even if the test fails.
//!
//! The test runs on a thread in unnamed network and mount namespaces: they end with the thread,
//! together with interfaces, BPF file system, pins and programs.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    panic,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        socket::{setsockopt, sockopt},
        time::{TimeVal, TimeValLike},
    },
};

/// The longest time that any one step may take, on a machine that others keep busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Lab {
    bpffs: PathBuf,
}

/// Runs `test` in a lab, or prints why it is skipped.
pub fn run(test: impl FnOnce(&Lab) + Send) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root, for network namespaces and BPF");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let outcome = thread::scope(|scope| {
        scope
            .spawn(|| {
                let bpffs = dir.path().to_owned();
                enter(&bpffs);
                test(&Lab { bpffs });
            })
            .join()
    });
    if let Err(cause) = outcome {
        panic::resume_unwind(cause);
    }
}

fn enter(bpffs: &Path) {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    // The sysfs mounted before shows the interfaces of the namespace in which it was mounted.
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).unwrap();
    mount(Some("bpf"), bpffs, Some("bpf"), MsFlags::empty(), none).unwrap();
    // No router solicitations among the frames that are counted.
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    ip("link set dev lo up");
}

impl Lab {
    pub fn pin_dir(&self) -> PathBuf {
        self.bpffs.join("xdhcpd")
    }

    /// Makes a pair of connected interfaces, both up.
    pub fn veth(&self, server: &str, client: &str) {
        ip(&format!("link add {server} type veth peer name {client}"));
        ip(&format!("link set dev {server} up"));
        ip(&format!("link set dev {client} up"));
    }
}

/// Runs `ip` and returns its output.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Polls until the condition holds.
pub fn wait_until(what: &str, mut probe: impl FnMut() -> bool) {
    let start = Instant::now();
    while !probe() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// One end of a cable, which sends and receives frames.
pub struct Cable(File);

impl Cable {
    pub fn open(ifindex: u32) -> Self {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: socket(2) takes no address, and the descriptor that it returns has no other
        // owner.
        let socket = unsafe {
            let fd = libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                i32::from(protocol),
            );
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: protocol,
            sll_ifindex: ifindex as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the address is a live `sockaddr_ll` of the length passed.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        setsockopt(
            &socket,
            sockopt::ReceiveTimeout,
            &TimeVal::seconds(PATIENCE.as_secs() as i64),
        )
        .unwrap();
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        Self(File::from(socket))
    }

    pub fn send(&mut self, frame: &[u8]) {
        assert_eq!(self.0.write(frame).unwrap(), frame.len());
    }

    /// Returns the next frame from the other end; frames that this end has sent are skipped.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut frame = vec![0; 4096];
        let len = self.0.read(&mut frame).expect("a frame within a minute");
        frame.truncate(len);
        frame
    }
}
