//! Reports of the program: events for the engine, and log lines for people.

use std::io;

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use aya_log::EbpfLogger;
use dhcp_common::abi::{Event, EventKind};
use tokio::io::{Interest, unix::AsyncFd};
use tracing_log::LogTracer;

/// Events taken at a time, before other tasks get their turn.
const BATCH: usize = 256;

/// A valid [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelEvent {
    /// The program has granted time near the horizon of this slot.
    HorizonLow { slot: u32, epoch: u16 },
}

impl KernelEvent {
    fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != size_of::<Event>() {
            return None;
        }
        // SAFETY: the length is that of an `Event`, of which every bit pattern is a value (it is
        // `aya::Pod`), and an unaligned read needs no alignment.
        let event = unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() };
        let epoch = u16::try_from(event.epoch).ok()?;
        (event.kind == EventKind::HorizonLow as u32).then_some(Self::HorizonLow {
            slot: event.slot,
            epoch,
        })
    }
}

/// The ring `EVENTS`, not yet registered with a runtime.
pub struct EventRing(pub(super) RingBuf<MapData>);

impl std::fmt::Debug for EventRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EventRing").finish_non_exhaustive()
    }
}

impl EventRing {
    /// Registers the ring with the current runtime.
    ///
    /// # Errors
    /// The runtime's poller refused it.
    pub fn watch(self) -> io::Result<Events> {
        // SAFETY: the descriptor is the map's, which the ring owns and does not close or exchange.
        let ring = unsafe { AsyncFd::register_with_interest(self.0, Interest::READABLE) }?;
        Ok(Events { ring })
    }
}

/// The ring `EVENTS`.
pub struct Events {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// Returns at least one event, and at most [`BATCH`]. Cancelling loses none.
    ///
    /// # Errors
    /// The poller failed; there will be no more events.
    pub async fn next(&mut self) -> io::Result<Vec<KernelEvent>> {
        loop {
            let mut guard = self.ring.readable_mut().await?;
            let mut events = Vec::new();
            for _ in 0..BATCH {
                let Some(item) = guard.get_inner_mut().next() else {
                    guard.clear_ready();
                    break;
                };
                match KernelEvent::decode(&item) {
                    Some(event) => events.push(event),
                    None => tracing::warn!(bytes = ?&item[..], "an event of unknown kind"),
                }
            }
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

/// The program's log lines.
pub struct ProgramLog(EbpfLogger<LogTracer>);

impl std::fmt::Debug for ProgramLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProgramLog").finish_non_exhaustive()
    }
}

impl ProgramLog {
    pub(super) fn take(ebpf: &mut Ebpf) -> Option<Self> {
        match EbpfLogger::init_with_logger(ebpf, LogTracer::new()) {
            Ok(logger) => Some(Self(logger)),
            Err(error) => {
                tracing::debug!(%error, "the program has no log");
                None
            }
        }
    }

    /// Passes lines to the process's tracing subscriber until the poller fails.
    ///
    /// # Errors
    /// Always; it does not end otherwise.
    pub async fn forward(self) -> io::Error {
        // SAFETY: the descriptor is the map's, which the logger owns and does not close or
        // exchange.
        let logger = unsafe { AsyncFd::register_with_interest(self.0, Interest::READABLE) };
        let mut logger = match logger {
            Ok(logger) => logger,
            Err(error) => return error.into(),
        };
        loop {
            match logger.readable_mut().await {
                Ok(mut guard) => {
                    guard.get_inner_mut().flush();
                    guard.clear_ready();
                }
                Err(error) => return error,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(kind: u32, slot: u32, epoch: u32) -> Vec<u8> {
        let mut octets = Vec::new();
        for word in [kind, slot, epoch, 0] {
            octets.extend(word.to_ne_bytes());
        }
        octets.extend([0; 16]);
        octets
    }

    #[test]
    fn takes_only_valid_events() {
        let good = KernelEvent::HorizonLow {
            slot: 7,
            epoch: u16::MAX,
        };
        assert_eq!(KernelEvent::decode(&octets(1, 7, 0xffff)), Some(good));
        assert_eq!(KernelEvent::decode(&octets(1, 7, 0x1_0000)), None);
        assert_eq!(KernelEvent::decode(&octets(0, 7, 1)), None);
        assert_eq!(KernelEvent::decode(&octets(2, 7, 1)), None);
        assert_eq!(KernelEvent::decode(&octets(1, 7, 1)[1..]), None);
        assert_eq!(KernelEvent::decode(&[]), None);
    }
}
