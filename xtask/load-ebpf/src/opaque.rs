//! What is hidden from the compiler. The server's program has the same; its library would bring its maps along.

use core::arch::asm;

/// A number of which LLVM knows nothing, so that it drops no check on it that it could prove needless and
/// the verifier could not. Unlike with `black_box` it stays in a register. An instruction there must be:
/// the kernel takes no two lines of source for one.
#[inline(always)]
pub fn opaque(number: usize) -> usize {
    let same;
    // SAFETY: the instruction copies one register to another.
    unsafe {
        asm!("{1} = {0}", in(reg) number, lateout(reg) same, options(pure, nomem, nostack, preserves_flags));
    }
    same
}
