//! The faults that are reported to the accounts, with the begin and end of each.

use std::time::Duration;

/// A time since the Unix epoch, as in the kernel's timestamps of frames.
pub type Moment = Duration;

/// How long clients must have been served after a reload until the kernel can be expected to have
/// answers for all shapes of requests: each answer is rendered for the first client that asks.
const SETTLING: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Frames are lost in both directions.
    LinkDown,
    /// Only the program in the kernel runs.
    ControllerGone,
    /// Commits may fail.
    DiskFull,
    /// The published answers are being replaced.
    Reload,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    trouble: Trouble,
    from: Moment,
    /// `None` while it lasts.
    to: Option<Moment>,
}

impl Span {
    fn overlaps(&self, from: Moment, to: Moment) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }
}

/// Faults in the order in which they began. Two of the same kind do not overlap.
#[derive(Debug, Default)]
pub struct Conditions {
    spans: Vec<Span>,
}

impl Conditions {
    /// Records the beginning of a fault, before it is caused.
    pub fn begin(&mut self, trouble: Trouble, at: Moment) {
        self.spans.push(Span {
            trouble,
            from: at,
            to: None,
        });
    }

    /// Records the end of a fault, after it is repaired.
    pub fn end(&mut self, trouble: Trouble, at: Moment) {
        let open = self.spans.iter_mut().rev();
        let open = open.filter(|span| span.trouble == trouble && span.to.is_none());
        for span in open {
            span.to = Some(at);
        }
    }

    /// Returns whether there was such a fault between two times, both inclusive.
    pub fn is_in(&self, trouble: Trouble, from: Moment, to: Moment) -> bool {
        let mut spans = self.spans.iter().rev();
        spans.any(|span| span.trouble == trouble && span.overlaps(from, to))
    }

    /// Returns whether there was no fault but a reload between two times: frames passed, the
    /// controller ran, and its commits succeeded.
    pub fn is_whole(&self, from: Moment, to: Moment) -> bool {
        let mut spans = self.spans.iter().rev();
        !spans.any(|span| span.trouble != Trouble::Reload && span.overlaps(from, to))
    }

    /// Returns whether, at a time, clients had been served long enough since the last reload before
    /// it.
    pub fn has_settled(&self, at: Moment) -> bool {
        let before = self.spans.iter().filter(|span| span.from < at);
        let reload = before.clone().rfind(|span| span.trouble == Trouble::Reload);
        let mut clear_from = match reload.map(|span| span.to) {
            None => return true,
            Some(None) => return false,
            Some(Some(end)) => end,
        };
        for span in before.filter(|span| span.trouble != Trouble::Reload) {
            if span.from >= clear_from + SETTLING {
                return true;
            }
            clear_from = clear_from.max(span.to.unwrap_or(at));
        }
        at >= clear_from + SETTLING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Moment {
        Duration::from_secs(secs)
    }

    fn span(conditions: &mut Conditions, trouble: Trouble, from: u64, to: u64) {
        conditions.begin(trouble, secs(from));
        conditions.end(trouble, secs(to));
    }

    #[test]
    fn a_time_is_whole_outside_of_all_trouble() {
        let mut conditions = Conditions::default();
        span(&mut conditions, Trouble::LinkDown, 10, 12);
        conditions.begin(Trouble::ControllerGone, secs(20));
        assert!(conditions.is_whole(secs(1), secs(9)));
        assert!(!conditions.is_whole(secs(1), secs(10)));
        assert!(!conditions.is_whole(secs(11), secs(11)));
        assert!(conditions.is_whole(secs(13), secs(19)));
        assert!(!conditions.is_whole(secs(30), secs(31)));
        assert!(conditions.is_in(Trouble::LinkDown, secs(12), secs(13)));
        assert!(!conditions.is_in(Trouble::LinkDown, secs(13), secs(40)));
    }

    #[test]
    fn a_reload_has_settled_after_two_seconds_in_which_clients_were_served() {
        let mut conditions = Conditions::default();
        assert!(conditions.has_settled(secs(0)));
        conditions.begin(Trouble::Reload, secs(10));
        assert!(!conditions.has_settled(secs(15)));
        conditions.end(Trouble::Reload, secs(20));
        span(&mut conditions, Trouble::DiskFull, 21, 25);
        assert!(!conditions.has_settled(secs(26)));
        assert!(conditions.has_settled(secs(27)));
        span(&mut conditions, Trouble::ControllerGone, 28, 29);
        assert!(conditions.has_settled(secs(29)));
    }
}
