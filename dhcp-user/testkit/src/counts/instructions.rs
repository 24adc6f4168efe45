//! Counts the instructions of a thread, by single-stepping.
//!
//! A step costs some microseconds, so this suits work of up to some hundred thousand instructions.
//! It needs no performance counters of the processor, which virtual machines rarely have.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Instructions of the thread that holds the turn; no other thread steps.
static STEPS: AtomicU64 = AtomicU64::new(0);
static TURN: Mutex<()> = Mutex::new(());

extern "C" fn step(_signal: libc::c_int) {
    STEPS.fetch_add(1, Relaxed);
}

/// Returns how many instructions `work` executes outside the kernel, and its result.
pub fn instructions<R>(work: impl FnOnce() -> R) -> (u64, R) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let action = SigAction::new(SigHandler::Handler(step), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only adds to an atomic number.
    let former = unsafe { sigaction(Signal::SIGTRAP, &action) }.unwrap();
    let before = STEPS.load(Relaxed);
    let stepping = Stepping::start();
    let result = work();
    drop(stepping);
    let steps = STEPS.load(Relaxed) - before;
    // SAFETY: restores the previous handler.
    unsafe { sigaction(Signal::SIGTRAP, &former) }.unwrap();
    (steps, result)
}

/// Guard for single-stepping: while it exists, the processor raises an exception after each
/// instruction of this thread, which the kernel turns into SIGTRAP. Dropping it ends that, also
/// when the work panics.
struct Stepping;

impl Stepping {
    #[cfg(target_arch = "x86_64")]
    fn start() -> Self {
        // SAFETY: sets the trap flag (bit 8 of RFLAGS), whose signal has a handler; the stack is as
        // before.
        unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
        Self
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn start() -> Self {
        panic!("instructions are counted on x86-64 alone");
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: clears the trap flag; the stack is as before.
        unsafe {
            std::arch::asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq")
        };
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn a_loop_of_ten_times_as_many_rounds_takes_ten_times_as_many_instructions() {
        let rounds = |rounds: u32| {
            let work = || (0..rounds).map(black_box).sum::<u32>();
            instructions(work).0
        };
        let none = rounds(0);
        assert!(none < 200, "{none}");
        let (few, many) = (rounds(100) - none, rounds(1000) - none);
        assert!((900..1100).contains(&(many * 100 / few)), "{few} {many}");
    }
}
