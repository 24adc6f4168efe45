//! One AF_XDP socket: the frames of one receive queue, and the replies to them.
//!
//! The socket shares a piece of memory with the kernel, cut into frames. Each frame is at any time in
//! one place: in the kernel to be filled (fill ring), on its way to us (rx ring), with us, on its way
//! out (tx ring), or returned after that (completion ring). The rings for receiving are as large as
//! there are frames to receive into, and likewise for sending, so that a frame that comes back
//! always has a place: none is lost, and none is handed over twice.

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
/// Replies that may be on their way out.
const TX_FRAMES: u32 = abi::SLOW_TX_FRAMES;

/// In copy mode the kernel sends at most so many frames a call (TX_BATCH_SIZE in net/xdp/xsk.c).
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

/// What was lost, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Received, but larger than a frame, or malformed to the kernel.
    pub rx_dropped: u64,
    /// Received, but as many as there is room for were waiting for the controller already.
    pub rx_full: u64,
    /// Replies for which no frame was free.
    pub tx_full: u64,
    /// Replies that the kernel refused.
    pub tx_invalid: u64,
}

/// Why a reply was not sent.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError<E> {
    /// All frames are on their way out. Counted in [`Losses::tx_full`].
    Full,
    /// The reply was not built.
    Build(E),
}

/// A bound socket. To be registered in `SLOW`, and watched for readability.
pub struct XskSocket {
    rx: RingRx,
    tx: RingTx,
    device: DeviceQueue,
    user: User,
    /// What may arrive before the controller has looked.
    rx_frames: u32,
    /// Frames of `TX_FRAMES` that are with us.
    free: Vec<u64>,
    /// Frames that were received and not yet given back; empty between calls.
    used: Vec<u64>,
    tx_full: u64,
    /// Last, for the rings above refer to it.
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
    /// Binds a socket to a receive queue, of which up to `rx_frames`, a power of two, may wait.
    ///
    /// The kernel copies nothing where the driver can do so and `copy` is not set; an interface with
    /// the program in generic mode needs it set.
    ///
    /// # Errors
    /// Says at which step, and what to do where that is known.
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
        // SAFETY: a mapping is page aligned, is as long as it says, and lives in the socket, where it
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
    /// The runtime's poller did not take it.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the socket owns its descriptor and does not close or exchange it.
        let watched = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        Ok(watched?)
    }

    /// Hands up to `max` received frames to `each`, and gives them back to the kernel. Fewer than
    /// `max` were there if fewer are counted.
    pub fn receive(&mut self, max: u32, mut each: impl FnMut(&[u8])) -> u32 {
        let mut received = 0;
        let mut ring = self.rx.receive(max.min(self.rx_frames));
        while let Some(frame) = ring.read() {
            // SAFETY: the kernel has put the descriptor into the rx ring and so given the frame to us;
            // it does not touch it before it is in the fill ring again, below. No other reference to
            // it exists, for `each` cannot keep its argument.
            if let Some(octets) = unsafe { frame_octets(&self.memory, frame) } {
                each(octets);
            }
            // Frames lie at multiples of their length; the kernel's headroom is above that.
            self.used.push(frame.addr & !(FRAME_LEN as u64 - 1));
            received += 1;
        }
        ring.release();
        drop(ring);
        self.refill();
        received
    }

    /// Has `build` write a reply into a free frame and say how long it is, and puts it into the ring.
    /// It leaves with the next [`XskSocket::flush`].
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
        // As many places as frames: never expected.
        self.free.push(addr);
        self.tx_full += 1;
        Err(SendError::Full)
    }

    /// Has the kernel send what is in the ring, and takes back frames that have left. Says how many
    /// replies are left in the ring: the device is busy, and this is to be called again.
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

    /// What was lost since the socket was bound.
    ///
    /// # Errors
    /// The kernel does not say.
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

    /// Gives used frames back to be received into.
    fn refill(&mut self) {
        let mut ring = self.device.fill(self.used.len() as u32);
        let filled = ring.insert(self.used.iter().copied());
        ring.commit();
        drop(ring);
        // All of them: there are as many places as frames.
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
    // Without XDP_BIND_COPY the kernel tries zero-copy and falls back by itself.
    let mode = if copy { SocketConfig::XDP_BIND_COPY } else { 0 };
    SocketConfig {
        rx_size: NonZeroU32::new(rx_frames),
        tx_size: NonZeroU32::new(TX_FRAMES),
        bind_flags: SocketConfig::XDP_BIND_NEED_WAKEUP | mode,
    }
}

/// Where a frame begins.
const fn address(index: u32) -> u64 {
    index as u64 * FRAME_LEN as u64
}

fn os_error(errno: &Errno) -> io::Error {
    // xdpilone negates those that it makes up itself.
    io::Error::from_raw_os_error(errno.get_raw().abs())
}

/// The octets that a descriptor stands for; `None` if they are not all in one of our frames.
///
/// # Safety
/// Nobody may write to the frame while the result lives.
unsafe fn frame_octets(memory: &MmapRaw, frame: XdpDesc) -> Option<&[u8]> {
    let start = usize::try_from(frame.addr).ok()?;
    let len = frame.len as usize;
    let within = start % FRAME_LEN;
    if start >= memory.len() || len > FRAME_LEN - within {
        return None;
    }
    // SAFETY: checked to be in one frame, which is in the mapping; the rest is the caller's promise.
    Some(unsafe { slice::from_raw_parts(memory.as_ptr().add(start), len) })
}
