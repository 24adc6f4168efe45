//! Deadlines of many clients in a timer wheel. Setting one costs a push, and an outdated one is
//! never searched for: its owner recognizes it when it is due.

/// Spokes of a lap. The longest delay of RFC 2131 §4.1 is 65 s.
const SPOKES: usize = 8192;
/// Length of a lap.
pub const LAP_NS: u64 = 66_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Entry {
    due_ns: u64,
    index: u32,
}

#[derive(Debug)]
pub struct Wheel {
    spokes: Vec<Vec<Entry>>,
    spoke_ns: u64,
    /// The next spoke to be emptied, counted from time zero.
    next: u64,
    entries: usize,
}

impl Wheel {
    /// Returns a wheel for delays of up to `lap_ns`, with a resolution of one 8192th of that.
    pub fn new(lap_ns: u64, now_ns: u64) -> Self {
        let spoke_ns = (lap_ns / SPOKES as u64).max(1);
        Self {
            spokes: vec![Vec::new(); SPOKES],
            spoke_ns,
            next: now_ns / spoke_ns,
            entries: 0,
        }
    }

    fn spoke(&mut self, number: u64) -> Option<&mut Vec<Entry>> {
        self.spokes.get_mut((number % SPOKES as u64) as usize)
    }

    pub fn set(&mut self, index: u32, due_ns: u64) {
        // Due at the end of its spoke, never early.
        let number = (due_ns / self.spoke_ns).saturating_add(1).max(self.next);
        if let Some(spoke) = self.spoke(number) {
            spoke.push(Entry { due_ns, index });
            self.entries += 1;
        }
    }

    /// Passes all deadlines that are due to `each`, and keeps those of later laps.
    pub fn advance(&mut self, now_ns: u64, mut each: impl FnMut(u32, u64)) {
        let until = now_ns / self.spoke_ns;
        if self.entries == 0 {
            self.next = self.next.max(until);
            return;
        }
        while self.next <= until {
            let Some(spoke) = self.spoke(self.next) else {
                return;
            };
            let mut seen = 0;
            spoke.retain(|entry| {
                let is_later = entry.due_ns > now_ns;
                if !is_later {
                    each(entry.index, entry.due_ns);
                    seen += 1;
                }
                is_later
            });
            self.entries = self.entries.saturating_sub(seen);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deadline_comes_once_and_never_early() {
        let mut wheel = Wheel::new(LAP_NS, 0);
        let dues: Vec<u64> = (0..1000).map(|n| n * n * 64_000).collect();
        for (index, due) in (0..).zip(&dues) {
            wheel.set(index, *due);
        }
        let mut came = vec![0; dues.len()];
        let mut now = 0;
        while now < 80_000_000_000 {
            now += 3_700_000;
            wheel.advance(now, |index, due| {
                assert!(due <= now && now - due < 20_000_000, "{due} at {now}");
                assert_eq!(due, dues[index as usize]);
                came[index as usize] += 1;
            });
        }
        assert!(came.iter().all(|times| *times == 1));
    }
}
