//! From what was read to what should be: a function of plain data, a file for each thing that it is about.
//! docs/TUNING.md says where each number comes from.

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
