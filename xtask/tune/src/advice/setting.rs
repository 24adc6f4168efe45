//! A setting: its present value, its recommended value, and how to change it.

use serde::Serialize;

use crate::{knob::Knob, readings::Readings};

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub name: String,
    pub is: String,
    pub should_be: String,
    pub state: State,
    pub why: String,
    /// The command that sets it, and the one that restores the present value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    #[serde(skip)]
    pub change: Option<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// At the recommended value, or without a better one.
    Right,
    /// `--apply` sets it.
    Change,
    /// Must be set by hand.
    ByHand,
    /// Not available with this driver, in this kernel, or from this namespace.
    Unavailable,
}

/// A change, with values as in [`Knob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub knob: Knob,
    pub from: String,
    pub to: String,
}

impl Setting {
    pub(super) fn new(
        name: &str,
        is: impl Into<String>,
        state: State,
        why: impl Into<String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            is: is.into(),
            should_be: match state {
                State::Unavailable => "not available".to_owned(),
                _ => "as it is".to_owned(),
            },
            state,
            why: why.into(),
            set: None,
            undo: None,
            change: None,
        }
    }

    pub(super) fn right(name: &str, is: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, is, State::Right, why)
    }

    pub(super) fn unavailable(name: &str, is: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, is, State::Unavailable, why)
    }

    pub(super) fn by_hand(
        name: &str,
        is: impl Into<String>,
        should_be: &str,
        set: Option<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            should_be: should_be.to_owned(),
            set,
            ..Self::new(name, is, State::ByHand, why)
        }
    }

    /// Returns a setting to be changed unless it has the recommended value.
    pub(super) fn of(
        readings: &Readings,
        name: &str,
        knob: Knob,
        (is, should_be): (&str, &str),
        why: impl Into<String>,
    ) -> Self {
        if is == should_be {
            return Self::right(name, is, why);
        }
        Self {
            should_be: should_be.to_owned(),
            set: Some(knob.command(readings, should_be)),
            undo: Some(knob.command(readings, is)),
            change: Some(Change {
                knob,
                from: is.to_owned(),
                to: should_be.to_owned(),
            }),
            ..Self::new(name, is, State::Change, why)
        }
    }
}

pub(super) fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}
