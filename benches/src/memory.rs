//! What memory takes for an access that nothing foresees, beside the figures that are cold.

use std::{hint::black_box, time::Instant};

use memmap2::{Advice, MmapMut};

const LINE: usize = 64;
const STEPS: u32 = 50_000;
/// Others use the machine as well; the least of some measurements is nearest to what memory takes.
const ROUNDS: usize = 20;

/// Nanoseconds for each step of a walk over so many octets, from one cache line to another that only it names, in
/// pages as small as those of the kernel's maps.
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

/// Makes one circle of all, in an order that no processor foresees: Sattolo's algorithm.
fn shuffle(order: &mut [u32]) {
    let mut state = 1u64;
    for last in (1..order.len()).rev() {
        // Knuth's generator, of which the high bits are good.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, ((state >> 33) % last as u64) as usize);
    }
}
