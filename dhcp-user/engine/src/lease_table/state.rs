//! States of a lease, and why one ends.

/// The state of an address that is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseState {
    /// Held for a client that is to be offered it, while a probe asks whether a host has it
    /// already.
    Probing,
    /// Offered to a client that has not requested it yet; not durable.
    Offered,
    /// The first commit is in progress; nothing has been promised.
    Committing,
    /// Leased.
    Bound,
    /// Deleted by the operator; kept for its client.
    Deleted,
    /// Revoked by the operator.
    Revoked,
    /// Declined, or found in use by a probe.
    Quarantined,
    /// On the way back to its pool, behind a fence or a commit.
    Withdrawn,
}

impl LeaseState {
    /// Returns whether the client has not requested the address yet.
    pub const fn is_offer(self) -> bool {
        matches!(self, Self::Probing | Self::Offered)
    }

    /// Returns the name used in tables and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Probing => "probing",
            Self::Offered => "offered",
            Self::Committing => "committing",
            Self::Bound => "bound",
            Self::Deleted => "deleted",
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Why a lease ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndReason {
    /// Its time is over, as far as is known before the fence.
    #[default]
    Expired,
    /// Its client gave it back.
    Released,
    /// Its client must not have it again.
    Removed,
}
