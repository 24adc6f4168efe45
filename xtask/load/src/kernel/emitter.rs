//! Runs a program over live frames, which takes a thread until a signal interrupts it.

use std::io;

use anyhow::{Context as _, Result};
use aya::programs::{ProgramError, TestRun as _, TestRunAttrs, TestRunOptions, Xdp};
use nix::{
    errno::Errno,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::{Pid, getpid},
};

/// Frames passed to a veth at once; it has room for 256.
const BATCH: u32 = 64;
/// Signal that makes the emitting thread return.
const INTERRUPT: Signal = Signal::SIGUSR1;

/// Emits frames as if an interface had received them.
pub(super) struct Emitter {
    /// As long as any of the clients' frames; each run overwrites it.
    pub(super) frame: Vec<u8>,
    pub(super) ifindex: u32,
}

impl Emitter {
    /// Runs the program a number of times, or until a signal arrives.
    pub(super) fn emit(&self, emit: &Xdp, runs: u32) -> Result<()> {
        let context = XdpMd {
            data_end: u32::try_from(self.frame.len())?,
            ingress_ifindex: self.ifindex,
            ..XdpMd::default()
        };
        let result = emit.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            ctx_in: Some(bytemuck::bytes_of(&context)),
            repeat: runs,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        });
        match result {
            Ok(_) => Ok(()),
            Err(ProgramError::SyscallError(error))
                if error.io_error.kind() == io::ErrorKind::Interrupted =>
            {
                Ok(())
            }
            Err(error) => {
                Err(error).context("the kernel does not support running a program over live frames")
            }
        }
    }
}

/// `struct xdp_md` of `linux/bpf.h`.
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct XdpMd {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// Makes [`INTERRUPT`] end a system call and have no other effect.
pub(super) fn interruptible() -> Result<()> {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing, which is safe at any time.
    unsafe { sigaction(INTERRUPT, &action) }.context("cannot handle a signal")?;
    Ok(())
}

/// Sends [`INTERRUPT`] to a thread of this process.
pub(super) fn interrupt(thread: Pid) -> Result<()> {
    // SAFETY: all arguments are numbers, and a signal whose handler does nothing harms no thread.
    let result = unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            getpid().as_raw(),
            thread.as_raw(),
            INTERRUPT as libc::c_int,
        )
    };
    match Errno::result(result) {
        // The thread has returned meanwhile.
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).context("cannot interrupt the emitting thread"),
    }
}
