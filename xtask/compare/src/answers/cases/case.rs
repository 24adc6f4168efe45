//! A case, and the description of its answer in the table.

use anyhow::Result;

use crate::answers::{answer::Answer, plan::Setting, player::Player};

/// A request, what precedes it, and the parts of the answer to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub asks: &'static str,
    pub rfc: &'static str,
    pub setting: Setting,
    /// Runs the case and describes the answer in the words of the table.
    pub play: fn(&mut Player) -> Result<String>,
    /// Why xdhcpd differs from most other servers, with the section that requires it.
    pub reason: Option<&'static str>,
}

pub(super) const SILENCE: &str = "silence";

/// Describes type, address and destination of an answer, and further parts.
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

/// Describes type, address and destination of an answer.
pub(super) fn tell_only(answer: Option<&Answer>) -> String {
    tell(answer, |_| Vec::new())
}
