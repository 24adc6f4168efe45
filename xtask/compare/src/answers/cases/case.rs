//! What a case is, and how its answer is told in the table.

use anyhow::Result;

use crate::answers::{answer::Answer, plan::Setting, player::Player};

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

pub(super) const SILENCE: &str = "silence";

/// Type, address and destination of an answer, and what else is of interest.
pub(super) fn tell(answer: Option<&Answer>, more: impl Fn(&Answer) -> Vec<String>) -> String {
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
pub(super) fn tell_only(answer: Option<&Answer>) -> String {
    tell(answer, |_| Vec::new())
}
