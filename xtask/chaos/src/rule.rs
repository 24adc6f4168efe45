//! What must always hold, and what did not.

use std::fmt;

use super::conditions::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// No address is acknowledged to two clients at overlapping times.
    OneClientAnAddress,
    /// No address is offered that another client holds.
    OffersAreFree,
    /// Each answer is to a request, and to no more than were sent.
    AnswersAreAsked,
    /// An ACK is about the address that was asked for, and says for how long.
    AnswersFit,
    /// A client that asks for the lease that it has is answered, by the kernel alone if need be.
    LeasesAreRenewed,
    /// Nobody is refused the lease that he has.
    LeasesAreNotRefused,
    /// After all faults everybody gets a lease.
    EveryoneIsServed,
    /// After all leases every address of the pools can be leased again, and no other.
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
