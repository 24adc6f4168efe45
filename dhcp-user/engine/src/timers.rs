//! Deadlines of addresses: at most one for each, in one total order.

use std::collections::BTreeSet;

use dhcp_model::{Address, Nanos};

/// Keeps deadlines in order.
///
/// Arming, cancelling and taking the earliest deadline cost O(log n). An address has one entry
/// however often it is armed again, so that memory is bounded by the addresses in use. The caller
/// keeps the deadline of each address, and passes the previous one.
#[derive(Debug)]
pub struct Timers<A> {
    /// Ties are broken by the address, so that the order does not depend on how it came about.
    order: BTreeSet<(Nanos, A)>,
}

impl<A> Default for Timers<A> {
    fn default() -> Self {
        Self {
            order: BTreeSet::new(),
        }
    }
}

impl<A: Address> Timers<A> {
    /// Moves the deadline of an address. [`Nanos::FOREVER`] means no deadline and takes no memory.
    pub fn move_to(&mut self, address: A, former: Nanos, deadline: Nanos) {
        if former == deadline {
            return;
        }
        if !former.is_forever() {
            self.order.remove(&(former, address));
        }
        if !deadline.is_forever() {
            self.order.insert((deadline, address));
        }
    }

    pub fn next_deadline(&self) -> Option<Nanos> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Removes and returns the earliest deadline that `now` has reached.
    pub fn pop_due(&mut self, now: Nanos) -> Option<A> {
        let (deadline, address) = *self.order.first()?;
        if deadline > now {
            return None;
        }
        self.order.pop_first();
        Some(address)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    const NONE: Nanos = Nanos::FOREVER;

    #[test]
    fn deadlines_come_in_order_and_ties_by_address() {
        let mut timers = Timers::default();
        for (last, deadline) in [(3, 20), (2, 10), (1, 20), (4, 30)] {
            timers.move_to(address(last), NONE, Nanos(deadline));
        }
        assert_eq!(timers.next_deadline(), Some(Nanos(10)));
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(Nanos(20))).collect();
        assert_eq!(due, [address(2), address(1), address(3)]);
        assert_eq!(timers.next_deadline(), Some(Nanos(30)));
    }

    #[test]
    fn arming_again_moves_the_one_deadline() {
        let mut timers = Timers::default();
        let mut former = NONE;
        for deadline in (1..=1000).map(Nanos) {
            timers.move_to(address(1), former, deadline);
            former = deadline;
        }
        assert_eq!(timers.len(), 1);
        assert_eq!(timers.pop_due(Nanos(999)), None);
        assert_eq!(timers.pop_due(Nanos(1000)), Some(address(1)));
        assert!(timers.is_empty());
    }

    #[test]
    fn cancelled_and_infinite_deadlines_never_come() {
        let mut timers = Timers::default();
        timers.move_to(address(1), NONE, Nanos(5));
        timers.move_to(address(1), Nanos(5), NONE);
        timers.move_to(address(2), NONE, NONE);
        assert_eq!(timers.next_deadline(), None);
        assert_eq!(timers.pop_due(Nanos(u64::MAX)), None);
    }
}
