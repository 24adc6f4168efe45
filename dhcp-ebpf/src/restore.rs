//! For benchmarks only: puts a request into the frame and runs another program over it.
//!
//! BPF_PROG_TEST_RUN with a repeat count hands a program the frame as the last run left it. One that
//! answers would see its own reply from the second run on, and what is measured would be a miss. This
//! program stands before the one that is measured and restores the frame each time, from a set of
//! requests that it takes in turn; what it costs itself is measured with a program that only passes
//! behind it. `fixtures/speed.rs` is the other side.
//!
//! It uses nothing of the library, so that its object has none of the fast path's maps.
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

use sample::{SAMPLE_LEN, Sample, TARGET_INDEX};

#[path = "fixtures/sample.rs"]
mod sample;

/// As many as the benchmark loads it with.
#[map]
static SAMPLES: Array<Sample> = Array::with_max_entries(1, 0);
/// Which sample is next.
#[map]
static NEXT: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);
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
    let next = NEXT.get_ptr_mut(0)?;
    // SAFETY: each CPU has an element of its own, and elements of an array stay.
    let index = unsafe { *next };
    let (sample, following) = match SAMPLES.get(index) {
        Some(sample) => (sample, index + 1),
        None => (SAMPLES.get(0)?, 1),
    };
    // SAFETY: as above.
    unsafe { *next = following };

    let len = sample.len;
    if len == 0 || len > SAMPLE_LEN as u32 {
        return None;
    }
    let grown = len as i32 - (ctx.data_end() - ctx.data()) as i32;
    // SAFETY: no pointer into the frame is kept over this call.
    if grown != 0 && unsafe { bpf_xdp_adjust_tail(ctx.ctx, grown) } != 0 {
        return None;
    }
    let octets = ptr::from_ref(&sample.octets).cast_mut().cast();
    // SAFETY: `len` octets of the sample are there, as compared above.
    let stored = unsafe { bpf_xdp_store_bytes(ctx.ctx, 0, octets, len) };
    (stored == 0).then_some(())
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
