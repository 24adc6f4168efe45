//! The loop of the controller: every event is an input of the engine, and its effects are executed
//! in their order.
//!
//! [`state`] has the state that the loop owns, [`effects`] executes effects, and [`interfaces`]
//! attaches interfaces and applies configurations.

use std::{
    future::{poll_fn, ready},
    io,
    os::fd::AsRawFd,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use dhcp_datapath::events::KernelEvent;
use dhcp_engine::{Command, CommandId, CommandOutcome, Counters, FenceId, Input, ProbeAnswer};
use dhcp_frames::frame;
use dhcp_store::{committer::Committed, wall_clock::boottime};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
    time::{Instant, sleep_until},
};

pub use self::state::{Change, Controller, Parts};
use self::state::{ProbeListener, QueueSocket, RETRY};
mod effects;
mod interfaces;
mod state;

/// The most frames of one socket in a turn of the loop.
const FRAMES_PER_TURN: u32 = 64;
/// The most answers to probes in a turn.
const ANSWERS_PER_TURN: usize = 64;
/// The most results of commits in a turn.
const RESULTS_PER_TURN: usize = 64;
/// The event that wakes the loop.
enum Wake {
    Frames(usize),
    Answers(usize),
    Committed(Vec<Committed>),
    Fenced(Vec<FenceId>),
    Events(Vec<KernelEvent>),
    Command(Command, oneshot::Sender<CommandOutcome>),
    Change(Box<Change>),
    Results,
    Time,
}

impl Controller {
    /// Returns the counters of the engine.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(self.parts.engine.counters())
    }

    /// Runs until an error that the controller cannot recover from.
    pub async fn run(&mut self) -> anyhow::Result<()> {
        loop {
            match self.wake().await? {
                Wake::Frames(index) => self.frames(index)?,
                Wake::Answers(index) => self.answers(index),
                Wake::Committed(results) => self.results.extend(results),
                Wake::Fenced(fences) => {
                    for fence in fences {
                        self.input(Input::Fenced(fence));
                    }
                }
                Wake::Events(events) => {
                    for KernelEvent::HorizonLow { slot, epoch } in events {
                        self.input(Input::HorizonLow { slot, epoch });
                    }
                }
                Wake::Command(command, answer) => self.command(command, answer),
                Wake::Change(change) => self.change(*change),
                Wake::Results => {}
                Wake::Time => self.retry(),
            }
            self.committed();
            let now = boottime();
            if self
                .parts
                .engine
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                let Parts { engine, grants, .. } = &mut self.parts;
                engine.handle_timeout(now, grants, &mut self.effects);
            }
            self.carry_out();
        }
    }

    async fn wake(&mut self) -> anyhow::Result<Wake> {
        let deadline = self.deadline();
        let has_results = !self.results.is_empty();
        let Self {
            parts,
            slow,
            probe_listeners,
            ..
        } = self;
        let Parts {
            fenced,
            committed,
            events,
            commands,
            changes,
            ..
        } = parts;
        Ok(tokio::select! {
            index = readable(slow.iter().map(|slow| &slow.socket)) => Wake::Frames(index?),
            index = readable(probe_listeners.iter().map(|listener| &listener.socket)) => Wake::Answers(index?),
            Some(results) = committed.recv(), if !has_results => Wake::Committed(results),
            Some(fences) = fenced.recv() => Wake::Fenced(fences),
            events = events.next() => Wake::Events(events?),
            Some((command, answer)) = commands.recv() => Wake::Command(command, answer),
            Some(change) = changes.recv() => Wake::Change(Box::new(change)),
            () = ready(()), if has_results => Wake::Results,
            () = sleep_until(deadline) => Wake::Time,
        })
    }

    /// Returns the time of the next timeout or retry.
    fn deadline(&self) -> Instant {
        const IDLE: Duration = Duration::from_secs(3600);
        let now = boottime();
        let engine = self.parts.engine.next_deadline();
        let mut wait = engine.map_or(IDLE, |deadline| deadline.since(now));
        let is_busy = self.slow.iter().any(|slow| slow.is_pending);
        if is_busy || !self.stuck.is_empty() || !self.withdrawn.is_empty() {
            wait = wait.min(RETRY);
        }
        Instant::now() + wait.min(IDLE)
    }

    fn input(&mut self, input: Input<'_>) {
        let Parts { engine, grants, .. } = &mut self.parts;
        engine.handle(input, boottime(), grants, &mut self.effects);
    }

    /// Handles the frames of one socket.
    fn frames(&mut self, index: usize) -> io::Result<()> {
        let Self {
            parts: Parts { engine, grants, .. },
            slow,
            effects,
            ..
        } = self;
        let Some(QueueSocket {
            ifindex, socket, ..
        }) = slow.get_mut(index)
        else {
            return Ok(());
        };
        let now = boottime();
        let drained = socket.try_io_mut(Interest::READABLE, |socket| {
            let received = socket.receive(FRAMES_PER_TURN, |octets| {
                match frame::parse(octets, *ifindex) {
                    Ok((ingress, payload)) => {
                        let input = Input::Message {
                            ingress: &ingress,
                            payload: octets.get(payload).unwrap_or_default(),
                        };
                        engine.handle(input, now, grants, effects);
                    }
                    // The program passes only frames that it has checked; other programs may not.
                    Err(outcome) => tracing::debug!(outcome = outcome.label(), "ignored a frame"),
                }
            });
            if received < FRAMES_PER_TURN {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        });
        match drained {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Handles the answers to probes of one interface.
    fn answers(&mut self, index: usize) {
        let mut answers: Vec<ProbeAnswer> = Vec::new();
        if let Some(ProbeListener { ifindex, socket }) = self.probe_listeners.get(index) {
            for _ in 0..ANSWERS_PER_TURN {
                let received = socket.try_io(Interest::READABLE, |socket| {
                    socket.receive(|frame, vlan| {
                        answers.extend(self.prober.parse(frame, vlan, *ifindex));
                    })
                });
                match received {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // The interface may come up again.
                    Err(error) => {
                        tracing::warn!(%error, ifindex, "cannot receive answers to probes")
                    }
                }
            }
        }
        for answer in answers {
            self.input(Input::ProbeAnswered(answer));
        }
    }

    /// Handles results of commits, a limited number in each turn, so that frames do not wait for
    /// all of them.
    fn committed(&mut self) {
        let Self {
            parts: Parts { engine, grants, .. },
            results,
            effects,
            ..
        } = self;
        let now = boottime();
        for (ticket, result) in results.drain(..results.len().min(RESULTS_PER_TURN)) {
            engine.handle(Input::Committed { ticket, result }, now, grants, effects);
        }
    }

    fn command(&mut self, command: Command, answer: oneshot::Sender<CommandOutcome>) {
        self.last_command += 1;
        let id = CommandId(self.last_command);
        self.operators.insert(id, answer);
        self.input(Input::Command { id, command });
    }
}

/// Returns the index of the first readable socket.
async fn readable<'a, T: AsRawFd + 'a>(
    sockets: impl Iterator<Item = &'a AsyncFd<T>> + Clone,
) -> io::Result<usize> {
    poll_fn(|cx| {
        for (index, socket) in sockets.clone().enumerate() {
            if let Poll::Ready(ready) = socket.poll_read_ready(cx) {
                return Poll::Ready(ready.map(|_| index));
            }
        }
        Poll::Pending
    })
    .await
}
