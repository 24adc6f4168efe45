//! Waiting for a condition, never for a fixed time.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

const INTERVAL: Duration = Duration::from_millis(10);

/// The longest time that an immediate action may take, also on a busy machine, where it takes many
/// times longer than on an idle one. A lab that works never waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until the probe returns a value.
///
/// # Errors
/// The probe failed, or returned nothing within the limit.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            bail!("timed out after {limit:?} waiting for {what}");
        }
        thread::sleep(INTERVAL);
    }
}
