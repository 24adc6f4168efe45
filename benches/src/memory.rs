//! The time of an unpredictable memory access, for comparison with cold figures.

use std::{hint::black_box, time::Instant};

use memmap2::{Advice, MmapMut};

const LINE: usize = 64;
const STEPS: u32 = 50_000;
/// Measurements. Other users of the machine only add time, so the smallest is nearest to that of
/// memory.
const ROUNDS: usize = 20;

/// Returns the nanoseconds of each step of a walk over `octets`, where each cache line contains the
/// address of the next, in pages as small as those of the kernel's maps.
///
/// # Errors
/// The memory is not available.
pub fn access_ns(octets: usize) -> std::io::Result<f64> {
    let lines = octets.div_ceil(LINE).max(2);
    let mut memory = MmapMut::map_anon(lines * LINE)?;
    memory.advise(Advice::NoHugePage)?;
    let mut order: Vec<u32> = (0..lines as u32).collect();
    shuffle(&mut order);
    for (at, next) in order.iter().enumerate() {
        memory[at * LINE..][..4].copy_from_slice(&next.to_ne_bytes());
    }
    let mut at = 0;
    let mut round = || {
        let begun = Instant::now();
        for _ in 0..STEPS {
            let next = [0, 1, 2, 3].map(|octet| memory[at * LINE + octet]);
            at = u32::from_ne_bytes(next) as usize;
        }
        black_box(at);
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(STEPS)
    };
    Ok((0..ROUNDS).map(|_| round()).fold(f64::MAX, f64::min))
}

/// Arranges all elements in one cycle, in an order that no processor predicts: Sattolo's algorithm.
fn shuffle(order: &mut [u32]) {
    let mut state = 1u64;
    for last in (1..order.len()).rev() {
        // Knuth's generator, whose high bits are good.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, ((state >> 33) % last as u64) as usize);
    }
}
