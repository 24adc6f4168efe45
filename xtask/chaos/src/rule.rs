//! The rules that must always hold, and their violations.

use std::fmt;

use super::conditions::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// No address is acknowledged to two clients at overlapping times.
    OneClientAnAddress,
    /// No address is offered while another client holds it.
    OffersAreFree,
    /// Each answer belongs to a request, and there are no more answers than requests.
    AnswersAreAsked,
    /// An ACK is for the requested address and has a lease time.
    AnswersFit,
    /// A client that asks for its own lease is answered, if necessary by the kernel alone.
    LeasesAreRenewed,
    /// No client is refused its own lease.
    LeasesAreNotRefused,
    /// After all faults every client obtains a lease.
    EveryoneIsServed,
    /// After all leases have ended, every address of the pools can be leased again, and no other.
    NothingIsLost,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub at: Moment,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}
