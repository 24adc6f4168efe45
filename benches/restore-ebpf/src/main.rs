//! For benchmarks only: writes a request into the frame and runs another program over it.
//!
//! BPF_PROG_TEST_RUN with a repeat count gives a program the frame as the last run left it. A
//! program that answers would receive its own reply from the second run on. This program restores
//! the frame before each run, for the same client or for one drawn from many, and then calls the
//! measured program. Its own cost is measured with a program that only passes.
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

/// The frame. It is rewritten in place, because a benchmark runs on one CPU.
#[map]
static SAMPLE: Array<Sample> = Array::with_max_entries(1, 0);
/// State of the sequence of clients.
#[map]
static DRAWN: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);
/// The measured program.
#[map]
static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Restores the frame and calls the measured program.
#[xdp]
pub fn restore(ctx: XdpContext) -> u32 {
    if put_next(&ctx).is_some() {
        // SAFETY: nothing here needs to be dropped.
        unsafe { TARGET.tail_call(&ctx, TARGET_INDEX) };
    }
    // No measured program returns this.
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

/// Returns the next number below `clients` of a sequence that a processor cannot predict: Numerical
/// Recipes' generator, whose high bits are good.
#[inline(always)]
fn draw(state: &mut u32, clients: u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((u64::from(*state) * u64::from(clients)) >> 32) as u32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
