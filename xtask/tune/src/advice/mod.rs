//! Derives settings from readings: functions of plain data, a file for each subject. docs/TUNING.md
//! gives the source of each number.

use super::readings::Readings;

mod driver;
mod interrupts;
mod kernel;
mod offloads;
mod queues;
mod server;
mod setting;
#[cfg(test)]
pub(super) mod tests;

pub use setting::{Change, Setting, State};

/// Returns all settings, in the order in which they are applied: earlier ones may determine later
/// ones.
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
