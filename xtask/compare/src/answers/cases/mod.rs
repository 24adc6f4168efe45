//! The requests to all servers, in the order of the page, and the reasons where xdhcpd differs.
//!
//! Each case has its own clients, so that none depends on another.

mod case;
mod extending;
mod init_reboot;
mod malformed;
mod offers;
mod options;
mod others;
mod shapes;

pub use case::Case;

/// Returns all cases.
pub fn all() -> impl Iterator<Item = Case> {
    let groups = [
        offers::CASES,
        init_reboot::CASES,
        extending::CASES,
        shapes::CASES,
        options::CASES,
        others::CASES,
        malformed::CASES,
    ];
    groups.into_iter().flatten().copied()
}
