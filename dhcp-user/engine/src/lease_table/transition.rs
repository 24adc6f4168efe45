//! The life of a lease: RFC 2131 §3.1, §3.2, §4.3 and §4.4 as one table of states and events.
//!
//! ```text
//!           DISCOVER        REQUEST           ACK          time over, RELEASE
//!   free ──► probing ──► offered ──► committing ──► bound ──► withdrawn ──► free
//!               │           │            │         │ ▲  │        │ ▲
//!               │           │            │         │ └──┼────────┘ │  the kernel had granted more,
//!               ▼           ▼            ▼         ▼    ▼          │  or the client asked again
//!            quarantined ◄── DECLINE, or in use   deleted, revoked ┘  (an operator)
//! ```
//!
//! [`life`] is the whole table: the effect of each event on a lease in each state, and the actions
//! that must follow outside the lease table. The match is exhaustive without a wildcard over
//! states, so that a new state or event does not compile before every pair is considered. A pair
//! that cannot happen is an [`Impossible`], with the reason as its name.

use dhcp_model::RecordState;

use super::{
    event::{Action, Event, Facts, Impossible, Step},
    state::{EndReason, LeaseState},
};

/// Returns the step that an event leads to from a state; `None` is that of a free address.
pub const fn life(
    state: Option<LeaseState>,
    event: &Event,
    facts: Facts,
) -> Result<Step, Impossible> {
    use Action as A;
    use EndReason as R;
    use Event as E;
    use Impossible as I;
    use LeaseState as L;

    const fn to(state: LeaseState, actions: &'static [Action]) -> Result<Step, Impossible> {
        Ok((Some(state), actions))
    }

    let Some(state) = state else {
        return match event {
            E::Offer(_) => to(L::Offered, &[]),
            E::Probe(_) => to(L::Probing, &[]),
            E::Recorded(RecordState::Bound, _) => to(L::Bound, &[]),
            E::Recorded(RecordState::Deleted, _) => to(L::Deleted, &[]),
            E::Recorded(RecordState::Revoked, _) => to(L::Revoked, &[]),
            E::Recorded(RecordState::Quarantined, _) => to(L::Quarantined, &[]),
            E::Recorded(RecordState::Former, _) => Ok((None, &[])),
            E::NoAnswer
            | E::Lapse
            | E::InUse { .. }
            | E::Conflict { .. }
            | E::Request(_)
            | E::Renew { .. }
            | E::Committed { .. }
            | E::NotCommitted
            | E::MaybeCommitted
            | E::End(_)
            | E::OfferAgain
            | E::OfferDeclined
            | E::Fenced { .. }
            | E::Settle { .. }
            | E::Freed
            | E::NotFreed
            | E::SetAside
            | E::NotSetAside
            | E::Extended { .. }
            | E::NotExtended
            | E::Delete
            | E::Revoke
            | E::Ordered
            | E::NotOrdered(_)
            | E::MaybeOrdered => Err(I::IsFree),
        };
    };

    match event {
        E::Offer(_) | E::Probe(_) | E::Recorded(..) => Err(I::IsTaken),

        // An offer: in memory only, and free again without a commit. The kernel only repeats OFFERs
        // from its entry, so that the address need not wait for the fence as the slot does.
        E::NoAnswer => match state {
            L::Probing => to(L::Offered, &[A::CancelProbe]),
            L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Quarantined
            | L::Withdrawn => Err(I::IsNotProbed),
        },
        E::Lapse => match state {
            L::Probing | L::Offered => Ok((None, &[A::CancelProbe, A::Withdraw, A::GiveBack])),
            L::Committing | L::Bound | L::Deleted | L::Revoked | L::Quarantined | L::Withdrawn => {
                Err(I::IsNoOffer)
            }
        },

        // RFC 2131 §4.3.3: the address is out of service, and its client is not given it again.
        E::InUse { .. } => match state {
            L::Probing | L::Offered | L::Committing | L::Bound | L::Deleted | L::Withdrawn => to(
                L::Quarantined,
                &[
                    A::CancelProbe,
                    A::ForgetProbe,
                    A::Withdraw,
                    A::DropPending,
                    A::Arm,
                    A::CommitQuarantine,
                ],
            ),
            L::Revoked | L::Quarantined => Err(I::IsOutOfService),
        },
        // The quarantine is in memory only, so that the store's record is not overwritten.
        E::Conflict { .. } => match state {
            L::Committing | L::Bound => to(
                L::Quarantined,
                &[A::ForgetProbe, A::Withdraw, A::DropPending, A::Arm],
            ),
            L::Probing | L::Offered | L::Deleted | L::Revoked | L::Quarantined | L::Withdrawn => {
                Err(I::IsNotAwaited)
            }
        },

        // RFC 2131 §4.3.2. An active lease stays active while an extension is committed, and the
        // kernel continues up to the durable horizon.
        E::Request(_) => match state {
            L::Offered | L::Deleted | L::Withdrawn => {
                to(L::Committing, &[A::Disarm, A::CommitBinding])
            }
            L::Bound => to(L::Bound, &[A::Disarm, A::CommitBinding]),
            L::Committing => Err(I::IsCommitting),
            L::Probing | L::Revoked | L::Quarantined => Err(I::IsNotGranted),
        },
        E::Renew { .. } => match state {
            L::Bound => to(L::Bound, &[A::Arm, A::Publish]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Deleted
            | L::Revoked
            | L::Quarantined
            | L::Withdrawn => Err(I::IsNotBound),
        },
        // The ACK follows.
        E::Committed { .. } => match state {
            L::Committing | L::Bound => to(L::Bound, &[A::ForgetProbe, A::Arm]),
            L::Probing | L::Offered | L::Deleted | L::Revoked | L::Quarantined | L::Withdrawn => {
                Err(I::IsNotAwaited)
            }
        },
        // The client gets no answer and asks again.
        E::NotCommitted => match (state, facts.before) {
            (L::Committing, Some(L::Withdrawn)) => to(L::Withdrawn, &[A::PutOff]),
            (L::Committing, Some(L::Deleted)) => to(L::Deleted, &[A::Arm]),
            (L::Committing, _) => to(L::Offered, &[A::Arm]),
            (L::Bound, _) => to(L::Bound, &[A::ExtendHorizon, A::Arm]),
            (
                L::Probing | L::Offered | L::Deleted | L::Revoked | L::Quarantined | L::Withdrawn,
                _,
            ) => Err(I::IsNotAwaited),
        },
        // The store may have the binding, so that the address of an offer is not free without a
        // commit that frees it there too. Everything else was in the store before, and stays its
        // client's.
        E::MaybeCommitted => match (state, facts.before) {
            (L::Committing, Some(L::Deleted)) => to(L::Deleted, &[A::Arm]),
            (L::Committing, _) => to(L::Withdrawn, &[A::Withdraw, A::PutOff]),
            (L::Bound, _) => to(L::Bound, &[A::ExtendHorizon, A::Arm]),
            (
                L::Probing | L::Offered | L::Deleted | L::Revoked | L::Quarantined | L::Withdrawn,
                _,
            ) => Err(I::IsNotAwaited),
        },
        E::Extended { .. } => match state {
            L::Bound => to(L::Bound, &[A::Arm, A::Publish]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Deleted
            | L::Revoked
            | L::Quarantined
            | L::Withdrawn => Err(I::IsNotBound),
        },
        E::NotExtended => match state {
            L::Bound => to(L::Bound, &[A::ExtendHorizon, A::Arm]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Deleted
            | L::Revoked
            | L::Quarantined
            | L::Withdrawn => Err(I::IsNotBound),
        },

        // The end: withdraw, fence, read the kernel's grant, commit, free. RELEASE is RFC 2131
        // §4.3.4.
        E::End(reason) => match (state, reason) {
            (
                L::Committing | L::Bound | L::Deleted | L::Revoked | L::Quarantined,
                R::Expired | R::Released | R::Removed,
            ) => to(
                L::Withdrawn,
                &[A::Disarm, A::Withdraw, A::DropPending, A::Settle],
            ),
            (L::Withdrawn, R::Released) => to(L::Withdrawn, &[]),
            (L::Withdrawn, R::Expired | R::Removed) => Err(I::IsEnding),
            (L::Probing | L::Offered, R::Expired | R::Released | R::Removed) => Err(I::IsOffer),
        },
        E::OfferAgain | E::OfferDeclined => match state {
            L::Withdrawn => to(L::Withdrawn, &[]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Quarantined => Err(I::IsNotEnding),
        },
        E::Fenced { .. } => match state {
            // Served without the kernel meanwhile, or opened again after a RELEASE that was
            // ignored.
            L::Bound => to(L::Bound, &[A::Arm, A::Publish]),
            L::Withdrawn => to(L::Withdrawn, &[A::Settle]),
            L::Deleted | L::Revoked => to(state, &[A::Arm, A::CommitCommand]),
            // Published by the event that follows the commit, or not at all.
            L::Probing | L::Offered | L::Committing | L::Quarantined => to(state, &[]),
        },
        E::Settle { .. } => match state {
            L::Withdrawn if facts.has_time_left => to(L::Bound, &[A::Arm, A::Publish]),
            L::Withdrawn => to(L::Withdrawn, &[A::CommitEnd]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Quarantined => Err(I::IsNotEnding),
        },
        E::Freed => match state {
            L::Withdrawn if facts.is_offered_again => to(L::Offered, &[A::HoldOffer]),
            L::Withdrawn => Ok((None, &[A::GiveBack])),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Quarantined => Err(I::IsNotAwaited),
        },
        // The commit is repeated: freeing twice changes nothing.
        E::NotFreed => match state {
            L::Withdrawn => to(L::Withdrawn, &[A::PutOff]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Quarantined => Err(I::IsNotAwaited),
        },
        E::SetAside => match state {
            L::Quarantined => to(L::Quarantined, &[A::Arm]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Withdrawn => Err(I::IsNotAwaited),
        },
        E::NotSetAside => match state {
            L::Quarantined => to(L::Quarantined, &[A::PutOff]),
            L::Probing
            | L::Offered
            | L::Committing
            | L::Bound
            | L::Deleted
            | L::Revoked
            | L::Withdrawn => Err(I::IsNotAwaited),
        },

        // Commands of an operator: in force in memory at once, with the kernel after the fence,
        // with the store after the commit.
        E::Delete => match state {
            L::Bound | L::Revoked => {
                to(L::Deleted, &[A::Withdraw, A::DropPending, A::CommitCommand])
            }
            L::Probing
            | L::Offered
            | L::Committing
            | L::Deleted
            | L::Quarantined
            | L::Withdrawn => Err(I::IsNoLease),
        },
        E::Revoke => match state {
            L::Bound | L::Deleted => {
                to(L::Revoked, &[A::Withdraw, A::DropPending, A::CommitCommand])
            }
            L::Probing
            | L::Offered
            | L::Committing
            | L::Revoked
            | L::Quarantined
            | L::Withdrawn => Err(I::IsNoLease),
        },
        E::Ordered => match state {
            L::Deleted | L::Revoked => to(state, &[A::Arm, A::Publish]),
            L::Probing | L::Offered | L::Committing | L::Bound | L::Quarantined | L::Withdrawn => {
                Err(I::IsNotAwaited)
            }
        },
        E::NotOrdered(before) => match state {
            L::Deleted | L::Revoked => to(*before, &[A::Arm, A::Publish]),
            L::Probing | L::Offered | L::Committing | L::Bound | L::Quarantined | L::Withdrawn => {
                Err(I::IsNotAwaited)
            }
        },
        // The command stays in force, and its commit is repeated.
        E::MaybeOrdered => match state {
            L::Deleted | L::Revoked => to(state, &[A::PutOff]),
            L::Probing | L::Offered | L::Committing | L::Bound | L::Quarantined | L::Withdrawn => {
                Err(I::IsNotAwaited)
            }
        },
    }
}
