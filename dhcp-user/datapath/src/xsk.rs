//! One AF_XDP socket: the frames of one receive queue, and the replies to them.
//!
//! The socket shares memory with the kernel, divided into frames. Each frame is in one place at any
//! time: in the fill ring, for the kernel to fill; in the rx ring, for the controller to read; in
//! the controller; in the tx ring, to be sent; or in the completion ring, to be taken back. The
//! rings for receiving have as many places as there are frames to receive into, and likewise those
//! for sending, so that a returned frame always has a place: none is lost, and none is passed on
//! twice.

use std::{
    io,
    num::NonZeroU32,
    os::fd::{AsRawFd, RawFd},
    ptr::NonNull,
    slice,
};

use dhcp_common::abi;
use memmap2::{MmapMut, MmapRaw};
use tokio::io::{Interest, unix::AsyncFd};
use xdpilone::{
    DeviceQueue, Errno, IfInfo, RingRx, RingTx, Socket, SocketConfig, Umem, UmemConfig, User,
    xdp::XdpDesc,
};

/// Octets of a frame. The kernel keeps 256 of them for itself when it receives; the rest holds any
/// frame at the usual MTU of 1500.
pub const FRAME_LEN: usize = abi::SLOW_FRAME_LEN as usize;
/// Replies that may be waiting to leave.
const TX_FRAMES: u32 = abi::SLOW_TX_FRAMES;

/// Frames that the kernel sends per call in copy mode (TX_BATCH_SIZE in net/xdp/xsk.c).
const KERNEL_TX_BATCH: u32 = 32;
const MAX_KICKS: u32 = TX_FRAMES / KERNEL_TX_BATCH;

const _: () = assert!(TX_FRAMES.is_power_of_two());
const _: () = assert!(
    FRAME_LEN.is_power_of_two(),
    "the kernel takes 2048 and the page size"
);

#[derive(Debug, thiserror::Error)]
#[error("AF_XDP socket of interface {ifindex}, queue {queue}: {step}{}", hint(.source))]
pub struct XskError {
    ifindex: u32,
    queue: u32,
    step: &'static str,
    #[source]
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOBUFS) => {
            " (more locked memory is needed: LimitMEMLOCK=infinity in the systemd unit, or CAP_IPC_LOCK)"
        }
        Some(libc::EBUSY) => " (another program has a socket on this queue)",
        Some(libc::EAFNOSUPPORT) => " (the kernel is built without CONFIG_XDP_SOCKETS)",
        _ => "",
    }
}

/// Counts lost frames by where they were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Received, but larger than a frame, or malformed to the kernel.
    pub rx_dropped: u64,
    /// Received while no room was left for frames that wait for the controller.
    pub rx_full: u64,
    /// Replies for which no frame was free.
    pub tx_full: u64,
    /// Replies that the kernel refused.
    pub tx_invalid: u64,
}

/// Why a reply was not sent.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError<E> {
    /// All frames are waiting to leave. Counted in [`Losses::tx_full`].
    Full,
    /// The reply was not built.
    Build(E),
}

/// A bound socket. Register it in `SLOW` and watch it for readability.
pub struct XskSocket {
    rx: RingRx,
    tx: RingTx,
    device: DeviceQueue,
    user: User,
    /// Frames that may arrive before the controller reads them.
    rx_frames: u32,
    /// Frames for sending that are in no ring.
    free: Vec<u64>,
    /// Frames that were received and not yet given back; empty between calls.
    used: Vec<u64>,
    tx_full: u64,
    /// Dropped last, because the rings above refer to it.
    memory: MmapRaw,
}

impl std::fmt::Debug for XskSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("XskSocket")
            .field("fd", &self.as_raw_fd())
            .field("free", &self.free.len())
            .field("tx_full", &self.tx_full)
            .finish_non_exhaustive()
    }
}

impl AsRawFd for XskSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.rx.as_raw_fd()
    }
}

impl XskSocket {
    /// Binds a socket to a receive queue; up to `rx_frames` frames, a power of two, may wait.
    ///
    /// Unless `copy` is set, the kernel copies nothing if the driver supports that. Set it on an
    /// interface with the program in generic mode.
    ///
    /// # Errors
    /// Names the step, and what to do if that is known.
    pub fn bind(ifindex: u32, queue: u32, rx_frames: u32, copy: bool) -> Result<Self, XskError> {
        let at = |step| {
            move |source: io::Error| XskError {
                ifindex,
                queue,
                step,
                source,
            }
        };
        let failed = |step| move |errno: Errno| at(step)(os_error(&errno));

        let len = address(rx_frames + TX_FRAMES) as usize;
        let memory = MmapMut::map_anon(len).map_err(at("allocating frames"))?;
        let memory = MmapRaw::from(memory);
        let area = NonNull::new(memory.as_mut_ptr())
            .map(|start| NonNull::slice_from_raw_parts(start, len))
            .ok_or_else(|| at("allocating frames")(io::ErrorKind::OutOfMemory.into()))?;
        let config = UmemConfig {
            fill_size: rx_frames,
            complete_size: TX_FRAMES,
            frame_size: FRAME_LEN as u32,
            headroom: 0,
            flags: 0,
        };
        // SAFETY: the mapping is page aligned, has this length, and lives in the socket, where it
        // is dropped after everything that refers to it.
        let umem = unsafe { Umem::new(config, area) }.map_err(failed("registering frames"))?;
        let mut info = IfInfo::invalid();
        info.from_ifindex(ifindex)
            .map_err(failed("looking up the interface"))?;
        info.set_queue(queue);
        let socket = Socket::with_shared(&info, &umem).map_err(failed("opening"))?;
        let device = umem
            .fq_cq(&socket)
            .map_err(failed("making the fill and completion rings"))?;
        let user = umem
            .rx_tx(&socket, &config_for(rx_frames, copy))
            .map_err(failed("making the rx and tx rings"))?;
        let rx = user.map_rx().map_err(failed("mapping the rx ring"))?;
        let tx = user.map_tx().map_err(failed("mapping the tx ring"))?;
        let mut this = Self {
            rx,
            tx,
            device,
            user,
            rx_frames,
            free: (rx_frames..rx_frames + TX_FRAMES).map(address).collect(),
            used: (0..rx_frames).map(address).collect(),
            tx_full: 0,
            memory,
        };
        this.refill();
        umem.bind(&this.user).map_err(failed("binding"))?;
        Ok(this)
    }

    /// Registers the socket with the current runtime, to be awaited until it is readable.
    ///
    /// # Errors
    /// The runtime's poller refused it.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the socket owns its descriptor and does not close or exchange it.
        let watched = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        Ok(watched?)
    }

    /// Calls `each` with up to `max` received frames and gives them back to the kernel. Returns
    /// their number; if it is below `max`, no more were there.
    pub fn receive(&mut self, max: u32, mut each: impl FnMut(&[u8])) -> u32 {
        let mut received = 0;
        let mut ring = self.rx.receive(max.min(self.rx_frames));
        while let Some(frame) = ring.read() {
            // SAFETY: the kernel has put the descriptor into the rx ring and does not touch the
            // frame before it is in the fill ring again, below. No other reference to it exists,
            // because `each` cannot keep its argument.
            if let Some(octets) = unsafe { frame_octets(&self.memory, frame) } {
                each(octets);
            }
            // Frames begin at multiples of their length; the kernel's headroom follows.
            self.used.push(frame.addr & !(FRAME_LEN as u64 - 1));
            received += 1;
        }
        ring.release();
        drop(ring);
        self.refill();
        received
    }

    /// Puts a reply into the ring, which `build` writes into a free frame and whose length it
    /// returns. It leaves with the next [`XskSocket::flush`].
    ///
    /// # Errors
    /// The reply is lost.
    pub fn send<E>(
        &mut self,
        build: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), SendError<E>> {
        if self.free.is_empty() {
            self.flush();
        }
        let Some(addr) = self.free.pop() else {
            self.tx_full += 1;
            return Err(SendError::Full);
        };
        // SAFETY: `addr` is one of the frames for sending, none of which the kernel writes to, and
        // being in `free` it is in no ring. `offset + FRAME_LEN` is within the mapping for each.
        let frame = unsafe {
            slice::from_raw_parts_mut(self.memory.as_mut_ptr().add(addr as usize), FRAME_LEN)
        };
        let len = match build(frame) {
            Ok(len) => len.min(FRAME_LEN) as u32,
            Err(error) => {
                self.free.push(addr);
                return Err(SendError::Build(error));
            }
        };
        let frame = XdpDesc {
            addr,
            len,
            options: 0,
        };
        let mut ring = self.tx.transmit(1);
        let sent = ring.insert_once(frame);
        ring.commit();
        drop(ring);
        if sent {
            return Ok(());
        }
        // Not expected: the ring has as many places as there are frames.
        self.free.push(addr);
        self.tx_full += 1;
        Err(SendError::Full)
    }

    /// Makes the kernel send the replies in the ring, and takes back frames that have left. Returns
    /// how many replies are left in the ring: if any, the device is busy; call this again.
    pub fn flush(&mut self) -> u32 {
        for _ in 0..MAX_KICKS {
            if self.tx.pending() == 0 {
                break;
            }
            if self.tx.needs_wakeup() {
                self.tx.wake();
            }
            self.reclaim();
        }
        self.reclaim();
        self.tx.pending()
    }

    /// Returns the losses since the socket was bound.
    ///
    /// # Errors
    /// The kernel does not report it.
    pub fn losses(&self) -> io::Result<Losses> {
        let kernel = self
            .user
            .statistics_v2()
            .map_err(|errno| os_error(&errno))?;
        Ok(Losses {
            rx_dropped: kernel.rx_dropped.saturating_add(kernel.rx_invalid_descs),
            rx_full: kernel
                .rx_ring_full
                .saturating_add(kernel.rx_fill_ring_empty_descs),
            tx_full: self.tx_full,
            tx_invalid: kernel.tx_invalid_descs,
        })
    }

    /// Gives used frames back to the kernel, to receive into.
    fn refill(&mut self) {
        let mut ring = self.device.fill(self.used.len() as u32);
        let filled = ring.insert(self.used.iter().copied());
        ring.commit();
        drop(ring);
        // This drains all of them: there are as many places as frames.
        self.used.drain(..filled as usize);
        if self.device.needs_wakeup() {
            self.device.wake();
        }
    }

    fn reclaim(&mut self) {
        let mut ring = self.device.complete(TX_FRAMES);
        while let Some(addr) = ring.read() {
            self.free.push(addr);
        }
        ring.release();
    }
}

const fn config_for(rx_frames: u32, copy: bool) -> SocketConfig {
    // Without XDP_BIND_COPY the kernel tries zero-copy and falls back to copying.
    let mode = if copy { SocketConfig::XDP_BIND_COPY } else { 0 };
    SocketConfig {
        rx_size: NonZeroU32::new(rx_frames),
        tx_size: NonZeroU32::new(TX_FRAMES),
        bind_flags: SocketConfig::XDP_BIND_NEED_WAKEUP | mode,
    }
}

/// Returns the offset of a frame.
const fn address(index: u32) -> u64 {
    index as u64 * FRAME_LEN as u64
}

fn os_error(errno: &Errno) -> io::Error {
    // xdpilone negates the error numbers that it makes itself.
    io::Error::from_raw_os_error(errno.get_raw().abs())
}

/// Returns the octets of a descriptor; `None` if they are not all within one frame.
///
/// # Safety
/// The frame must not be written to while the result lives.
unsafe fn frame_octets(memory: &MmapRaw, frame: XdpDesc) -> Option<&[u8]> {
    let start = usize::try_from(frame.addr).ok()?;
    let len = frame.len as usize;
    let within = start % FRAME_LEN;
    if start >= memory.len() || len > FRAME_LEN - within {
        return None;
    }
    // SAFETY: checked to be in one frame, which is in the mapping; the rest is the caller's
    // promise.
    Some(unsafe { slice::from_raw_parts(memory.as_ptr().add(start), len) })
}
