//! From what was read to what should be: a function of plain data, a file for each thing that it is about.
//! docs/TUNING.md says where each number comes from.

use serde::Serialize;

use super::{knob::Knob, readings::Readings};

mod driver;
mod interrupts;
mod kernel;
mod offloads;
mod queues;
mod server;
#[cfg(test)]
pub(super) mod tests;

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub name: String,
    pub is: String,
    pub should_be: String,
    pub state: State,
    pub why: String,
    /// The command that sets it, and the one that puts back what is there now.
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
    /// As it should be, or without a better value.
    Right,
    /// `--apply` sets it.
    Change,
    /// Only a person can.
    ByHand,
    /// Not with this driver, this kernel, or from this namespace.
    Unavailable,
}

/// Values are those of [`Knob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub knob: Knob,
    pub from: String,
    pub to: String,
}

/// All settings, in the order in which they are to be set: what comes first may decide on what follows.
pub fn advise(readings: &Readings) -> Vec<Setting> {
    let mut settings = Vec::new();
    driver::advise(readings, &mut settings);
    queues::advise(readings, &mut settings);
    offloads::advise(readings, &mut settings);
    interrupts::advise(readings, &mut settings);
    kernel::advise(readings, &mut settings);
    server::advise(readings, &mut settings);
    settings
}

impl Setting {
    fn new(name: &str, is: impl Into<String>, state: State, why: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            is: is.into(),
            should_be: match state {
                State::Unavailable => "not to be had".to_owned(),
                _ => "as it is".to_owned(),
            },
            state,
            why: why.into(),
            set: None,
            undo: None,
            change: None,
        }
    }

    fn right(name: &str, is: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, is, State::Right, why)
    }

    fn unavailable(name: &str, is: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, is, State::Unavailable, why)
    }

    fn by_hand(
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

    /// To be changed, if it is not as it should be.
    fn of(
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

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

impl Readings {
    fn driver(&self) -> &str {
        self.link.driver.as_deref().unwrap_or("a nameless driver")
    }

    fn is_veth(&self) -> bool {
        self.link.peer.is_some()
    }

    /// Whether it is a NIC, or is taken for one by the kernel.
    fn has_interrupts(&self) -> bool {
        self.link.kind.is_none() && self.link.driver.is_some()
    }

    fn has_zero_copy(&self) -> bool {
        self.xdp.as_ref().is_some_and(|xdp| xdp.zero_copy)
    }

    /// Receive queues, each of which has a socket of the controller's.
    fn queues(&self) -> u32 {
        self.channels
            .as_ref()
            .map_or(1, |channels| channels.queues().max(1))
    }

    /// CPUs for the queues, the nearest first.
    fn cpus_for_queues(&self) -> Vec<u32> {
        let mut cpus = self.cpus.local.clone();
        let others = self.cpus.online.iter();
        cpus.extend(others.filter(|cpu| !self.cpus.local.contains(cpu)));
        cpus
    }

    fn cpu_count(&self) -> u32 {
        u32::try_from(self.cpus.online.len())
            .unwrap_or(u32::MAX)
            .max(1)
    }
}
