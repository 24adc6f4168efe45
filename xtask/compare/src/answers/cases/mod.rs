//! The requests that all servers get, in the order of the page, and where xdhcpd has its own answer, why.
//!
//! Each case plays clients of its own, so that none depends on what another one has left.

mod case;
mod extending;
mod init_reboot;
mod malformed;
mod offers;
mod options;
mod others;

pub use case::Case;

/// All of them.
pub fn all() -> impl Iterator<Item = Case> {
    let groups = [
        offers::CASES,
        init_reboot::CASES,
        extending::CASES,
        options::CASES,
        others::CASES,
        malformed::CASES,
    ];
    groups.into_iter().flatten().copied()
}
