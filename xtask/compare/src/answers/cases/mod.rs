//! The requests that all servers get, in the order of the page, and where xdhcpd has its own answer, why.
//!
//! Each case plays clients of its own, so that none depends on what another one has left.

use anyhow::Result;

use super::{answer::Answer, plan::Setting, player::Player};

mod extending;
mod malformed;
mod offers;
mod options;
mod others;
mod rebooting;

/// A request, what it is sent after, and what is of interest in the answer.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub asks: &'static str,
    pub rfc: &'static str,
    pub setting: Setting,
    /// Returns what came back, in the words of the table.
    pub play: fn(&mut Player) -> Result<String>,
    /// Why xdhcpd answers otherwise than most of the others do, with the section that says so.
    pub reason: Option<&'static str>,
}

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

const SILENCE: &str = "silence";

/// Type, address and destination of an answer, and what else is of interest.
fn tell(answer: Option<&Answer>, more: impl Fn(&Answer) -> Vec<String>) -> String {
    answer.map_or_else(
        || SILENCE.to_owned(),
        |answer| {
            let mut words = vec![answer.head()];
            words.extend(more(answer));
            words.join(", ")
        },
    )
}

/// The same where that is all.
fn tell_only(answer: Option<&Answer>) -> String {
    tell(answer, |_| Vec::new())
}
