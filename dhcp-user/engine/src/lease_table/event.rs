//! Events of a lease and the actions that follow, the rows and columns of [`super::life`].

use dhcp_model::{Nanos, RecordState};

use super::{
    holder::Holder,
    state::{EndReason, LeaseState},
};

/// A lease that begins: an offer, or a record that the start reads.
#[derive(Clone, Debug)]
pub struct NewLease {
    pub holder: Holder,
    pub since: Nanos,
    pub expires: Nanos,
    pub durable_until: Nanos,
    /// Whether the address is the one that its client is found at.
    pub is_current: bool,
}

/// A binding that a REQUEST asks for, and that the store has to commit first.
#[derive(Clone, Debug)]
pub struct RequestedBinding {
    pub holder: Holder,
    /// When the client asked, which is when it got the address unless it had it before.
    pub at: Nanos,
    pub expires: Nanos,
    pub horizon: Nanos,
}

/// An event in the life of a lease.
#[derive(Clone, Debug)]
pub enum Event {
    /// The start reads a record from the store.
    Recorded(RecordState, NewLease),
    /// A client is to be offered the address (§3.1(2)).
    Offer(NewLease),
    /// As [`Event::Offer`], once it is known that no host has the address (§2.2).
    Probe(NewLease),
    /// No host has answered the probe, or the client itself did.
    NoAnswer,
    /// The offer has not been taken in time, or the client has chosen another server (§3.1(4)).
    Lapse,
    /// Another host has the address: a DECLINE (§4.3.3), or an answer to a probe.
    InUse { until: Nanos },
    /// The store has the address for another client.
    Conflict { until: Nanos },
    /// A REQUEST is granted (§4.3.2), and goes to the store first.
    Request(RequestedBinding),
    /// A REQUEST is granted for no longer than is durable already.
    Renew { expires: Nanos },
    /// The store has committed the binding of [`Event::Request`]; the kernel has granted this much
    /// meanwhile.
    Committed { granted: Nanos },
    /// The store has not committed it.
    NotCommitted,
    /// It is not known whether the store has committed it.
    MaybeCommitted,
    /// The lease has expired.
    End(EndReason),
    /// The client is offered the address again while the address is on its way to the pool.
    OfferAgain,
    /// The client of [`Event::OfferAgain`] has chosen another server.
    OfferDeclined,
    /// No run of the kernel's program uses the withdrawn entry any more; it has granted this much.
    Fenced { granted: Nanos },
    /// No fence and no other commit delays the end any more.
    Settle { now: Nanos },
    /// The store has committed the end.
    Freed,
    /// The store has not committed the end, or that is not known.
    NotFreed,
    /// The store has committed the quarantine.
    SetAside,
    /// The store has not committed the quarantine, or that is not known.
    NotSetAside,
    /// The store has committed a later horizon; the kernel has granted this much.
    Extended { horizon: Nanos, granted: Nanos },
    /// The store has not committed it, or that is not known.
    NotExtended,
    /// An operator deletes the lease.
    Delete,
    /// An operator revokes the lease.
    Revoke,
    /// The store has committed the operator's command.
    Ordered,
    /// The store has not committed it; the lease was in this state before.
    NotOrdered(LeaseState),
    /// It is not known whether the store has committed it.
    MaybeOrdered,
}

/// An action that must follow an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop the probe of the address.
    CancelProbe,
    /// Forget that no host answered a probe of the address.
    ForgetProbe,
    /// Take the entry out of the kernel's map; a fence follows.
    Withdraw,
    /// Forget the REQUEST and the commit that are in progress: their results no longer count.
    DropPending,
    /// Remove the deadline.
    Disarm,
    /// Set the deadline to the end of the lease.
    Arm,
    /// Publish the lease as it now is.
    Publish,
    /// Hold the offer from now on, and publish it.
    HoldOffer,
    /// Have the store extend the horizon.
    ExtendHorizon,
    /// Commit the requested binding.
    CommitBinding,
    /// Commit the quarantine.
    CommitQuarantine,
    /// Commit the operator's command.
    CommitCommand,
    /// Commit the end of the lease.
    CommitEnd,
    /// End the lease if no fence and no commit delays it; the end of either leads to this action
    /// again.
    Settle,
    /// Try the commit again when the store works.
    PutOff,
    /// Give the address back to its pool.
    GiveBack,
}

/// The facts beside the state that decide between two rows of `life`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The state that the lease had before its binding went to the store.
    pub before: Option<LeaseState>,
    /// Whether the lease ends because its time is over, and the kernel has granted more meanwhile.
    pub has_time_left: bool,
    /// Whether the client has been offered the address again while the lease was ending.
    pub is_offered_again: bool,
}

/// The result of an event: the state after it, `None` for free, and the actions that must follow.
pub type Step = (Option<LeaseState>, &'static [Action]);

/// Why an event cannot happen in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// A free address has no client, no commit and no entry in the kernel's map.
    IsFree,
    /// Only a free address is offered, or read from the store.
    IsTaken,
    /// Only an address that is being probed gets or misses an answer.
    IsNotProbed,
    /// Only a mere offer lapses: everything else is durable or about to be, and ends by a commit.
    IsNoOffer,
    /// An offer lapses, and does not end: nothing of it is durable.
    IsOffer,
    /// No client uses a quarantined or revoked address, so none declines it.
    IsOutOfService,
    /// Such an address is not granted to any client.
    IsNotGranted,
    /// A second REQUEST waits for the commit of the first.
    IsCommitting,
    /// Only an active lease is renewed or extended without a change of state.
    IsNotBound,
    /// No commit of this kind is in progress in this state, or its result no longer counts.
    IsNotAwaited,
    /// Only a lease that is ending can be freed, or offered again before it is.
    IsNotEnding,
    /// A lease that is ending keeps its first reason, unless its client releases it.
    IsEnding,
    /// An operator's command affects leases only.
    IsNoLease,
}
