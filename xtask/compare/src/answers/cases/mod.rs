//! The requests that all servers get, in the order of the page, and where xdhcpd has its own answer, why.
//!
//! Each case plays clients of its own, so that none depends on what another one has left.

mod case;
mod extending;
mod malformed;
mod offers;
mod options;
mod others;
mod rebooting;

pub use case::Case;

/// All of them.
pub fn all() -> impl Iterator<Item = Case> {
    let groups = [
        offers::CASES,
        rebooting::CASES,
        extending::CASES,
        options::CASES,
        others::CASES,
        malformed::CASES,
    ];
    groups.into_iter().flatten().copied()
}
