//! For benchmarks only: puts a request into the frame and runs another program over it.
//!
//! BPF_PROG_TEST_RUN with a repeat count hands a program the frame as the last run left it. One that
//! answers would see its own reply from the second run on, and what is measured would be a miss. This
//! program stands before the one that is measured and restores the frame each time, for the same client or
//! for one drawn from many; what it costs itself is measured with a program that only passes behind it.
//! `benches/src/speed.rs` is the other side.
//!
//! It uses nothing of `dhcp-ebpf`, so its object has none of the fast path's maps.
#![no_std]
#![no_main]

use core::ptr;

use aya_ebpf::{
    bindings::xdp_action,
    helpers::{bpf_xdp_adjust_tail, bpf_xdp_store_bytes},
    macros::{map, xdp},
    maps::{Array, PerCpuArray, ProgramArray},
    programs::XdpContext,
};
use dhcp_restore_ebpf::{SAMPLE_LEN, Sample, TARGET_INDEX};

/// The one frame. It is rewritten in place: a benchmark runs on one CPU.
#[map]
static SAMPLE: Array<Sample> = Array::with_max_entries(1, 0);
/// Where the sequence of clients has got to.
#[map]
static DRAWN: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);
/// The program that is measured.
#[map]
static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);

#[xdp]
pub fn restore(ctx: XdpContext) -> u32 {
    if put_next(&ctx).is_some() {
        // SAFETY: nothing here waits to be dropped.
        unsafe { TARGET.tail_call(&ctx, TARGET_INDEX) };
    }
    // What no program that is measured returns.
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn put_next(ctx: &XdpContext) -> Option<()> {
    // SAFETY: elements of an array stay; one run at a time uses them.
    let (sample, drawn) = unsafe { (&mut *SAMPLE.get_ptr_mut(0)?, &mut *DRAWN.get_ptr_mut(0)?) };
    if sample.clients > 1 {
        sample.visit(draw(drawn, sample.clients));
    }

    let len = sample.len;
    if len == 0 || len > SAMPLE_LEN as u32 {
        return None;
    }
    let grown = len as i32 - (ctx.data_end() - ctx.data()) as i32;
    // SAFETY: no pointer into the frame is kept over this call.
    if grown != 0 && unsafe { bpf_xdp_adjust_tail(ctx.ctx, grown) } != 0 {
        return None;
    }
    let octets = ptr::from_mut(&mut sample.octets).cast();
    // SAFETY: `len` octets of the sample are there, as compared above.
    let stored = unsafe { bpf_xdp_store_bytes(ctx.ctx, 0, octets, len) };
    (stored == 0).then_some(())
}

/// The next number of a sequence without a pattern that a processor could foresee (Numerical Recipes' generator,
/// of which the high bits are good), below `clients`.
#[inline(always)]
fn draw(state: &mut u32, clients: u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((u64::from(*state) * u64::from(clients)) >> 32) as u32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
