//! Cleanup that runs on every way out: return, error, panic, SIGINT, SIGTERM and SIGHUP.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

type Undo = Box<dyn FnOnce() + Send>;

/// Pending cleanups, in the order of registration.
static PENDING: Mutex<BTreeMap<u64, Undo>> = Mutex::new(BTreeMap::new());
static HANDLER: Once = Once::new();

/// Exit status of a program that SIGINT ended, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs a closure once: when dropped, or when a signal ends the program.
#[derive(Debug)]
#[must_use = "the closure runs as soon as this is dropped"]
pub struct Cleanup {
    id: u64,
}

impl Cleanup {
    pub fn new(undo: impl FnOnce() + Send + 'static) -> Self {
        HANDLER.call_once(|| {
            if let Err(error) = ctrlc::set_handler(interrupted) {
                eprintln!(
                    "xtask: cannot handle signals, which will leave resources behind: {error}"
                );
            }
        });
        let mut pending = pending();
        let id = pending.last_key_value().map_or(0, |(id, _)| id + 1);
        pending.insert(id, Box::new(undo));
        Self { id }
    }

    /// Drops the closure without running it.
    pub fn disarm(self) {
        pending().remove(&self.id);
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // Removed before the call: the closure must not run under the lock.
        let undo = pending().remove(&self.id);
        if let Some(undo) = undo {
            undo();
        }
    }
}

fn pending() -> MutexGuard<'static, BTreeMap<u64, Undo>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs all pending cleanups, latest first, and ends the program. The lock is held, so that nothing
/// is registered meanwhile.
fn interrupted() {
    eprintln!("xtask: interrupted, cleaning up");
    let mut pending = pending();
    while let Some((_, undo)) = pending.pop_last() {
        undo();
    }
    std::process::exit(EXIT_INTERRUPTED);
}
