//! A transport over a packet socket, which sends and receives batches of whole frames.
//!
//! It receives frames that every XDP program on the interface has passed on, and does not affect
//! such programs. One core handles some hundred thousand exchanges a second.

use std::{
    io::IoSliceMut,
    mem,
    os::fd::{AsRawFd as _, OwnedFd},
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use dhcp_common::wire::{CLIENT_PORT, SERVER_PORT};
use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, setsockopt, socket,
        sockopt::{RcvBufForce, SndBufForce},
    },
};
use xtask_lab::wire;
use xtask_load_abi::FRAME_LEN;

use super::{answer::Frame, run::Transport};

/// Frames in one call.
const BATCH: usize = 64;
/// Octets received of a frame; answers are shorter.
const RECEIVED_LEN: usize = 2048;
/// Holds the answers to a storm.
const RECEIVE_BUFFER: usize = 256 << 20;
const SEND_BUFFER: usize = 16 << 20;
/// How long to wait for a full queue of the interface.
const SEND_PATIENCE: Duration = Duration::from_millis(20);

pub struct PacketSocket {
    socket: OwnedFd,
    mac: [u8; 6],
    start: Instant,
    received: Box<[[u8; RECEIVED_LEN]; BATCH]>,
    controls: Box<[Control; BATCH]>,
    outgoing: Box<[[u8; FRAME_LEN]; BATCH]>,
    lens: [usize; BATCH],
    waiting: usize,
}

/// Room for one `tpacket_auxdata`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

impl std::fmt::Debug for PacketSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketSocket")
            .field("socket", &self.socket)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

/// Returns a filter for the frames that user space needs: ARP, UDP to a DHCP port, and tagged
/// frames, which may be either. In C: `ether[12:2]`, then the ports of UDP over an IP header
/// without options; servers send no longer headers.
fn filter() -> [libc::sock_filter; 13] {
    const LOAD_HALF: u16 = 0x28;
    const LOAD_OCTET: u16 = 0x30;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let statement = |code, k| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    let jump = |k, jt, jf| libc::sock_filter {
        code: JUMP_EQUAL,
        jt,
        jf,
        k,
    };
    [
        statement(LOAD_HALF, 12),
        jump(0x0806, 9, 0),
        jump(0x8100, 8, 0),
        jump(0x88a8, 7, 0),
        jump(0x0800, 0, 7),
        statement(LOAD_OCTET, 23),
        jump(17, 0, 5),
        statement(LOAD_HALF, 36),
        jump(u32::from(CLIENT_PORT), 2, 0),
        jump(u32::from(SERVER_PORT), 1, 0),
        statement(RETURN, 0),
        statement(RETURN, RECEIVED_LEN as u32),
        statement(RETURN, 0),
    ]
}

impl PacketSocket {
    /// Opens an interface of the thread's namespace.
    ///
    /// # Errors
    /// There is no such interface, or permission is missing.
    pub fn open(interface: &str) -> Result<Self> {
        let link: LinkAddr = getifaddrs()?
            .filter(|address| address.interface_name == interface)
            .find_map(|address| address.address?.as_link_addr().copied())
            .with_context(|| format!("--iface {interface}: there is no such interface"))?;
        let mac = link
            .addr()
            .filter(|mac| *mac != [0; 6])
            .with_context(|| format!("--iface {interface} is not an Ethernet interface"))?;
        // Receives nothing before it is bound.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )
        .context("cannot open a packet socket: this requires root or CAP_NET_RAW")?;
        setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER)?;
        setsockopt(&socket, SndBufForce, &SEND_BUFFER)?;
        let this = Self {
            socket,
            mac,
            start: Instant::now(),
            received: Box::new([[0; RECEIVED_LEN]; BATCH]),
            controls: Box::new([Control([0; 64]); BATCH]),
            outgoing: Box::new([[0; FRAME_LEN]; BATCH]),
            lens: [0; BATCH],
            waiting: 0,
        };
        let mut filter = filter();
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len())?,
            filter: filter.as_mut_ptr(),
        };
        this.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
        let on: libc::c_int = 1;
        for option in [
            libc::PACKET_AUXDATA,
            libc::PACKET_IGNORE_OUTGOING,
            libc::PACKET_QDISC_BYPASS,
        ] {
            this.set(libc::SOL_PACKET, option, &on)?;
        }
        // Clients have hardware addresses that the interface does not know.
        let membership = libc::packet_mreq {
            mr_ifindex: i32::try_from(link.ifindex())?,
            mr_type: u16::try_from(libc::PACKET_MR_PROMISC)?,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        this.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
        let everything = u16::try_from(SockProtocol::EthAll as i32 & 0xffff)?;
        let at = libc::sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET)?,
            sll_protocol: everything,
            sll_ifindex: i32::try_from(link.ifindex())?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        this.bind(&at)
            .with_context(|| format!("cannot bind to --iface {interface}"))?;
        Ok(this)
    }

    fn bind(&self, at: &libc::sockaddr_ll) -> Result<()> {
        let len = libc::socklen_t::try_from(size_of_val(at))?;
        // SAFETY: the kernel reads `len` octets, which is the size of `at`.
        let result = unsafe { libc::bind(self.socket.as_raw_fd(), ptr::from_ref(at).cast(), len) };
        Errno::result(result)?;
        Ok(())
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> Result<()> {
        let len = libc::socklen_t::try_from(size_of_val(value))?;
        // SAFETY: the kernel reads `len` octets, which is the size of `value`.
        let result = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                option,
                ptr::from_ref(value).cast(),
                len,
            )
        };
        Errno::result(result)
            .with_context(|| format!("cannot set option {option} of a packet socket"))?;
        Ok(())
    }

    fn poll(&self, events: libc::c_short, most: Duration) -> Result<()> {
        let mut poll = libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events,
            revents: 0,
        };
        let time = libc::timespec {
            tv_sec: most.as_secs().try_into()?,
            tv_nsec: most.subsec_nanos().into(),
        };
        // SAFETY: both are locals; a null mask of signals changes none.
        let result = unsafe { libc::ppoll(&raw mut poll, 1, &raw const time, ptr::null()) };
        match Errno::result(result) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for a packet socket"),
        }
    }
}

impl Transport for PacketSocket {
    fn receive(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> Result<usize> {
        let mut slices = self.received.each_mut().map(|frame| IoSliceMut::new(frame));
        // SAFETY: integers and null pointers, for which all zeros are valid.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for ((header, slice), control) in headers
            .iter_mut()
            .zip(&mut slices)
            .zip(self.controls.iter_mut())
        {
            // `IoSliceMut` is documented to have the layout of `iovec`.
            header.msg_hdr.msg_iov = ptr::from_mut(slice).cast();
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>();
        }
        // SAFETY: each header refers to its own buffer and control buffer, of the given lengths,
        // which outlive the call.
        let result = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                0,
                ptr::null_mut(),
            )
        };
        let received = match Errno::result(result) {
            Ok(received) => usize::try_from(received)?,
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Err(error) => return Err(error).context("cannot receive frames"),
        };
        let received_ns = self.now_ns();
        for (header, frame) in headers.iter().zip(self.received.iter()).take(received) {
            let len = usize::try_from(header.msg_len)?;
            each(Frame {
                octets: frame.get(..len).unwrap_or(frame),
                has_checksums: has_checksums(&header.msg_hdr),
                received_ns,
            });
        }
        Ok(received)
    }

    fn send(&mut self, write: &mut dyn FnMut(&mut [u8]) -> Option<usize>) -> Result<bool> {
        if self.waiting == BATCH {
            self.flush()?;
        }
        let Some(frame) = self.outgoing.get_mut(self.waiting) else {
            return Ok(false);
        };
        let Some(len) = write(frame) else {
            return Ok(false);
        };
        if let Some(place) = self.lens.get_mut(self.waiting) {
            *place = len.min(FRAME_LEN);
            self.waiting += 1;
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<()> {
        let mut slices = self.outgoing.each_mut().map(|frame| libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: 0,
        });
        // SAFETY: integers and null pointers, for which all zeros are valid.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for ((header, slice), len) in headers.iter_mut().zip(&mut slices).zip(&self.lens) {
            slice.iov_len = *len;
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
        }
        let mut sent = 0;
        let mut full_since = None;
        while sent < self.waiting {
            let Some(left) = headers.get_mut(sent..self.waiting) else {
                break;
            };
            // SAFETY: each header refers to its own buffer of the given length, which outlives the
            // call.
            let result = unsafe {
                libc::sendmmsg(
                    self.socket.as_raw_fd(),
                    left.as_mut_ptr(),
                    left.len() as libc::c_uint,
                    0,
                )
            };
            match Errno::result(result) {
                Ok(more) => {
                    sent += usize::try_from(more)?;
                    full_since = None;
                }
                // The interface has no room because the receiver is slower. Waiting here makes
                // losses the server's, not the generator's.
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EINTR) => {
                    let since = *full_since.get_or_insert_with(Instant::now);
                    ensure!(
                        since.elapsed() < SEND_PATIENCE * 50,
                        "the interface has accepted no frame for {:?}",
                        since.elapsed()
                    );
                    self.poll(libc::POLLOUT, SEND_PATIENCE / 200)?;
                }
                Err(error) => return Err(error).context("cannot send frames"),
            }
        }
        self.waiting = 0;
        Ok(())
    }

    fn wait(&mut self, most: Duration) -> Result<()> {
        self.poll(libc::POLLIN, most)
    }

    fn now_ns(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn missed(&mut self) -> Result<u64> {
        Ok(wire::missed(&self.socket)?.into())
    }
}

/// Returns the kernel's report about a frame's checksums.
fn has_checksums(header: &libc::msghdr) -> bool {
    // SAFETY: the kernel has filled the control buffer, and its length, of this header.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: not null, so a header within the buffer.
        let message = unsafe { &*control };
        if (message.cmsg_level, message.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
            // SAFETY: this message has a `tpacket_auxdata` behind its header; it may be unaligned.
            let data: libc::tpacket_auxdata =
                unsafe { ptr::read_unaligned(libc::CMSG_DATA(control).cast()) };
            return data.tp_status & libc::TP_STATUS_CSUMNOTREADY == 0;
        }
        // SAFETY: both come from this header.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    true
}
