//! Control over the verifier: loops that it verifies once, and numbers hidden from it.
//!
//! On the host, where tests run, there is no verifier, and these are the plain operations.

#[cfg(target_arch = "bpf")]
pub use self::kernel::{forgotten, opaque, repeat};

/// The body of a bounded loop. The kernel verifies it once, not for each round.
pub trait Rounds {
    /// Runs one round and returns whether to continue.
    fn round(&mut self) -> bool;
}

/// Runs up to `limit` rounds.
#[cfg(not(target_arch = "bpf"))]
pub fn repeat<R: Rounds>(limit: u32, rounds: &mut R) {
    for _ in 0..limit {
        if !rounds.round() {
            break;
        }
    }
}

/// Returns the number, which the kernel's version hides from the verifier.
#[cfg(not(target_arch = "bpf"))]
pub const fn forgotten(_slot: &mut usize, number: usize) -> usize {
    number
}

/// Returns the number, which the kernel's version hides from the compiler.
#[cfg(not(target_arch = "bpf"))]
pub const fn opaque(number: usize) -> usize {
    number
}

#[cfg(target_arch = "bpf")]
mod kernel {
    use core::{arch::asm, ffi::c_void, ptr};

    use aya_ebpf::helpers::bpf_loop;

    use super::Rounds;

    /// Runs up to `limit` rounds.
    #[inline(always)]
    pub fn repeat<R: Rounds>(limit: u32, rounds: &mut R) {
        unsafe extern "C" fn body<R: Rounds>(_round: u64, rounds: *mut c_void) -> i64 {
            // SAFETY: `bpf_loop` passes on the pointer that it was given below.
            let rounds = unsafe { &mut *rounds.cast::<R>() };
            i64::from(!rounds.round())
        }
        // SAFETY: `rounds` outlives the call, and `body` is its only user meanwhile.
        unsafe {
            bpf_loop(
                limit,
                body::<R> as *mut c_void,
                ptr::from_mut(rounds).cast(),
                0,
            )
        };
    }

    /// Returns a number of which the verifier knows nothing, so it verifies what follows once, not
    /// for each value that the number may have. The slot must be in a map.
    #[inline(always)]
    pub fn forgotten(slot: &mut usize, number: usize) -> usize {
        let slot = ptr::from_mut(slot);
        // // SAFETY: both for a reference. Volatile: the number goes through memory, whose contents
        // the verifier does not track.
        unsafe {
            slot.write_volatile(number);
            slot.read_volatile()
        }
    }

    /// Returns a number of which LLVM knows nothing, so it drops no check of it that it could prove
    /// needless and the verifier could not. Unlike with `black_box` the number stays in a register.
    /// There must be an instruction: the kernel does not accept two lines of source for one.
    #[inline(always)]
    pub fn opaque(number: usize) -> usize {
        let same;
        // SAFETY: the instruction copies one register to another.
        unsafe {
            asm!(
                "{1} = {0}",
                in(reg) number,
                lateout(reg) same,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        same
    }
}
