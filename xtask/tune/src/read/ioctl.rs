//! What `ethtool` reads and sets only by ioctl: the driver's name, and on kernels before 6.17 what
//! determines a packet's receive queue.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

// include/uapi/linux/ethtool.h and sockios.h.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GRXFH: u32 = 0x29;
const ETHTOOL_SRXFH: u32 = 0x2a;
const ETHTOOL_GRXFHINDIR: u32 = 0x38;
const ETHTOOL_SRXFHINDIR: u32 = 0x39;
const UDP_V4_FLOW: u32 = 0x02;

/// More entries than any driver's table has.
const MAX_TABLE: u32 = 1 << 16;

/// `RXH_*`, with the letters of `ethtool -N`.
const HASH_LETTERS: [(u64, char); 8] = [
    (1 << 1, 'm'),
    (1 << 2, 'v'),
    (1 << 3, 't'),
    (1 << 4, 's'),
    (1 << 5, 'd'),
    (1 << 6, 'f'),
    (1 << 7, 'n'),
    (1 << 31, 'r'),
];

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// `struct ethtool_rxnfc`, of which only the first three fields are used.
#[repr(C)]
struct ReceiveFlow {
    command: u32,
    flow_type: u32,
    data: u64,
    rest: [u64; 22],
}

const _: () = assert!(size_of::<DriverInfo>() == 196 && size_of::<ReceiveFlow>() == 192);

/// An interface, by its name.
pub struct Ioctl {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Ioctl {
    /// Opens a socket.
    ///
    /// # Errors
    /// No socket can be opened.
    pub fn new(interface: &str) -> io::Result<Self> {
        let mut name = [0; libc::IFNAMSIZ];
        // The last octet stays zero; the kernel has no longer names.
        for (to, from) in name[..libc::IFNAMSIZ - 1].iter_mut().zip(interface.bytes()) {
            *to = from.cast_signed();
        }
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        Ok(Self { socket, name })
    }

    pub fn driver(&self) -> Option<String> {
        let mut info = DriverInfo {
            command: ETHTOOL_GDRVINFO,
            driver: [0; 32],
            rest: [0; 160],
        };
        // SAFETY: the command reads and writes a `struct ethtool_drvinfo`.
        unsafe { self.ask(&mut info) }.ok()?;
        let name = info.driver.split(|octet| *octet == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty())
    }

    /// Returns the fields of an IPv4 packet with UDP that are hashed, or `None` where the driver
    /// does not support it.
    pub fn udp_hash(&self) -> Option<String> {
        let mut flow = receive_flow(ETHTOOL_GRXFH, 0);
        // SAFETY: the command reads and writes a `struct ethtool_rxnfc`.
        unsafe { self.ask(&mut flow) }.ok()?;
        let letters = HASH_LETTERS.iter();
        let set = letters.filter(|(bit, _)| flow.data & bit != 0);
        Some(set.map(|(_, letter)| letter).collect())
    }

    /// Sets the fields that are hashed.
    ///
    /// # Errors
    /// The driver refused.
    pub fn set_udp_hash(&self, letters: &str) -> io::Result<()> {
        let wanted = HASH_LETTERS.iter();
        let wanted = wanted.filter(|(_, letter)| letters.contains(*letter));
        let data = wanted.fold(0, |data, (bit, _)| data | bit);
        // SAFETY: the command reads a `struct ethtool_rxnfc`.
        unsafe { self.ask(&mut receive_flow(ETHTOOL_SRXFH, data)) }
    }

    /// Returns the receive queues by the low bits of the hash, or `None` where the driver has no
    /// table.
    pub fn rss_table(&self) -> Option<Vec<u32>> {
        // Command, number of entries, entries. A request without room for entries returns their
        // number.
        let mut head = [ETHTOOL_GRXFHINDIR, 0];
        // SAFETY: the command reads and writes a `struct ethtool_rxfh_indir` of no entries.
        unsafe { self.ask(&mut head) }.ok()?;
        let [_, entries] = head;
        if entries == 0 || entries > MAX_TABLE {
            return None;
        }
        let mut table = vec![0; 2 + entries as usize];
        table[..2].copy_from_slice(&[ETHTOOL_GRXFHINDIR, entries]);
        // SAFETY: the command writes as many entries as the second word says, and there is room for
        // them.
        unsafe { self.ask_at(table.as_mut_ptr().cast()) }.ok()?;
        Some(table.split_off(2))
    }

    /// Sets the receive queues by the low bits of the hash.
    ///
    /// # Errors
    /// The driver refused.
    pub fn set_rss_table(&self, queues: &[u32]) -> io::Result<()> {
        let entries = u32::try_from(queues.len()).map_err(io::Error::other)?;
        let mut table = vec![ETHTOOL_SRXFHINDIR, entries];
        table.extend(queues);
        // SAFETY: the command reads as many entries as the second word says, and they exist.
        unsafe { self.ask_at(table.as_mut_ptr().cast()) }
    }

    /// Performs an ioctl.
    ///
    /// # Safety
    /// `request` must have the type of its command, the first word.
    unsafe fn ask<R>(&self, request: &mut R) -> io::Result<()> {
        // SAFETY: guaranteed by the caller.
        unsafe { self.ask_at(std::ptr::from_mut(request).cast()) }
    }

    /// Performs an ioctl.
    ///
    /// # Safety
    /// `request` must point to what its command, the first word, requires.
    unsafe fn ask_at(&self, request: *mut libc::c_char) -> io::Result<()> {
        // SAFETY: integers and pointers, for which zero is valid.
        let mut ifreq: libc::ifreq = unsafe { mem::zeroed() };
        ifreq.ifr_name = self.name;
        ifreq.ifr_ifru.ifru_data = request;
        // SAFETY: the request outlives the call and has the type of its command.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL, &mut ifreq) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

fn receive_flow(command: u32, data: u64) -> ReceiveFlow {
    ReceiveFlow {
        command,
        flow_type: UDP_V4_FLOW,
        data,
        rest: [0; 22],
    }
}
