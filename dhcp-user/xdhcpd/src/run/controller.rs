//! The controller's loop: whatever happens goes into the engine, and what the engine decides is carried
//! out in its order.

use std::{
    collections::{HashMap, VecDeque},
    future::{poll_fn, ready},
    io,
    os::fd::AsRawFd,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use dhcp_common::abi::{Binding, ClientKey, TemplateKey};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

pub use self::ports::Change;
use super::serving::Serving;
use dhcp_datapath::{
    KernelGrants, Links, Maps,
    events::{Events, KernelEvent},
    fence::{Fence, Fenced},
    probe_socket::ProbeSocket,
    xsk::{SendError, XskSocket},
};
use dhcp_engine::{
    Command, CommandId, CommandOutcome, Counters, Effect, Egress, Engine, FenceId, Input,
    ProbeAnswer,
};
use dhcp_frames::{
    frame::{self, TooLarge},
    probe::Prober,
};
use dhcp_store::{
    committer::{Committed, Committer, Work},
    wall_clock::boottime,
};

mod ports;

/// Frames of one socket that are handled before others have their turn.
const FRAMES_PER_TURN: u32 = 64;
/// Answers to probes, likewise.
const ANSWERS_PER_TURN: usize = 64;
/// Results of commits, likewise.
const RESULTS_PER_TURN: usize = 64;
/// After what the kernel refused, or a device that was busy.
const RETRY: Duration = Duration::from_millis(10);

/// What the loop holds together.
pub struct Parts {
    pub engine: Engine,
    pub grants: KernelGrants,
    pub maps: Maps,
    pub fence: Fence,
    pub fenced: Fenced,
    pub committer: Committer,
    pub committed: mpsc::UnboundedReceiver<Vec<Committed>>,
    pub events: Events,
    pub commands: mpsc::Receiver<(Command, oneshot::Sender<CommandOutcome>)>,
    pub changes: mpsc::Receiver<Change>,
    pub links: Links,
    pub serving: Arc<Serving>,
}

struct Slow {
    ifindex: u32,
    mac: [u8; 6],
    socket: AsyncFd<XskSocket>,
    /// Replies that the device has not taken yet.
    is_pending: bool,
}

/// Where answers to probes are heard.
struct Heard {
    ifindex: u32,
    tap: AsyncFd<ProbeSocket>,
}

pub struct Controller {
    parts: Parts,
    slow: Vec<Slow>,
    prober: Prober,
    heard: Vec<Heard>,
    /// Operators that wait for an answer.
    operators: HashMap<CommandId, oneshot::Sender<CommandOutcome>>,
    last_command: u64,
    /// Entries that the kernel did not let go, to be tried again.
    stuck: VecDeque<(FenceId, ClientKey)>,
    /// Withdrawn, not yet handed to the fence.
    withdrawn: Vec<FenceId>,
    /// Results that have come, and whose turn it has not been.
    results: VecDeque<Committed>,
    effects: Vec<Effect>,
    batch: Batch,
}

/// What is carried out together at the end of a turn.
#[derive(Default)]
struct Batch {
    commits: Vec<Work>,
    bindings: Vec<(ClientKey, Binding)>,
    replies: Vec<(Egress, Vec<u8>)>,
}

/// What woke the loop.
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
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            slow: Vec::new(),
            prober: Prober::new(rand::random()),
            heard: Vec::new(),
            operators: HashMap::new(),
            last_command: 0,
            stuck: VecDeque::new(),
            withdrawn: Vec::new(),
            results: VecDeque::new(),
            effects: Vec::new(),
            batch: Batch::default(),
        }
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(self.parts.engine.counters())
    }

    /// Carries out what the engine decided when it took over from an earlier run.
    pub fn start(&mut self, effects: Vec<Effect>) {
        self.effects = effects;
        self.carry_out();
    }

    /// Runs until something fails that the controller cannot do without.
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
            parts, slow, heard, ..
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
            index = readable(heard.iter().map(|heard| &heard.tap)) => Wake::Answers(index?),
            Some(results) = committed.recv(), if !has_results => Wake::Committed(results),
            Some(fences) = fenced.recv() => Wake::Fenced(fences),
            events = events.next() => Wake::Events(events?),
            Some((command, answer)) = commands.recv() => Wake::Command(command, answer),
            Some(change) = changes.recv() => Wake::Change(Box::new(change)),
            () = ready(()), if has_results => Wake::Results,
            () = sleep_until(deadline) => Wake::Time,
        })
    }

    /// When the loop has something to do even if nothing happens.
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

    /// Everything that one socket has received, up to a turn's share.
    fn frames(&mut self, index: usize) -> io::Result<()> {
        let Self {
            parts: Parts { engine, grants, .. },
            slow,
            effects,
            ..
        } = self;
        let Some(Slow {
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
                    // The program hands on only what it has looked at; other programs might not.
                    Err(outcome) => tracing::debug!(outcome = outcome.label(), "not DHCP for us"),
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

    /// What has come in at one tap, up to a turn's share.
    fn answers(&mut self, index: usize) {
        let mut answers: Vec<ProbeAnswer> = Vec::new();
        if let Some(Heard { ifindex, tap }) = self.heard.get(index) {
            for _ in 0..ANSWERS_PER_TURN {
                let received = tap.try_io(Interest::READABLE, |tap| {
                    tap.receive(|frame, vlan| {
                        answers.extend(self.prober.parse(frame, vlan, *ifindex));
                    })
                });
                match received {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // The interface may come up again.
                    Err(error) => tracing::warn!(%error, ifindex, "probes are not answered"),
                }
            }
        }
        for answer in answers {
            self.input(Input::ProbeAnswered(answer));
        }
    }

    /// Results of commits, up to a turn's share: frames that arrive meanwhile do not wait for all of them.
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

    /// What the kernel or a device did not take is tried again.
    fn retry(&mut self) {
        for _ in 0..self.stuck.len() {
            if let Some((fence, key)) = self.stuck.pop_front() {
                self.withdraw(fence, key);
            }
        }
        for slow in &mut self.slow {
            if slow.is_pending {
                slow.is_pending = slow.socket.get_mut().flush() > 0;
            }
        }
    }

    /// Carries out what the engine has decided in this turn: all commits in one go, all bindings in one call, and then all
    /// replies, so that what a client asks next finds its binding. Only what is withdrawn must not overtake a binding.
    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Commit { ticket, changes } => self.batch.commits.push((ticket, changes)),
                Effect::Publish { key, binding } => self.batch.bindings.push((key, binding)),
                Effect::Withdraw { fence, key } => {
                    self.publish();
                    self.withdraw(fence, key);
                }
                Effect::PublishTemplate { key, template } => {
                    if let Err(error) = self.parts.maps.publish_template(&key, &template) {
                        tracing::warn!(%error, "requests of this shape stay with the controller");
                    }
                }
                Effect::ForgetTemplates => {
                    if let Err(error) = self.parts.maps.retain_templates(TemplateKey::is_nak) {
                        tracing::warn!(%error, "new shapes of requests stay with the controller");
                    }
                }
                Effect::Send { egress, payload } => self.batch.replies.push((egress, payload)),
                Effect::Probe(probe) => {
                    let prober = &self.prober;
                    let build = |mac, octets: &mut _| prober.build(&probe, mac, octets);
                    transmit(&mut self.slow, probe.ifindex, build);
                }
                Effect::Answer { id, outcome } => {
                    if let Some(operator) = self.operators.remove(&id) {
                        // Nobody listens any more if the command line was interrupted.
                        let _ = operator.send(outcome);
                    }
                }
            }
        }
        // Its memory serves the next turn.
        self.effects = effects;
        let commits = std::mem::take(&mut self.batch.commits);
        self.parts.committer.submit(commits);
        self.publish();
        for (egress, payload) in self.batch.replies.drain(..) {
            let build = |mac, octets: &mut _| frame::build(&egress, mac, &payload, octets);
            transmit(&mut self.slow, egress.ifindex, build);
            self.parts.engine.recycle(payload);
        }
        for slow in &mut self.slow {
            slow.is_pending = slow.socket.get_mut().flush() > 0;
        }
        if !self.withdrawn.is_empty() {
            match self.parts.fence.submit(&self.withdrawn) {
                Ok(()) => self.withdrawn.clear(),
                Err(error) => tracing::error!(%error, "withdrawn leases are not freed yet"),
            }
        }
    }

    fn publish(&mut self) {
        let mut refused = Vec::new();
        let bindings = self.batch.bindings.drain(..);
        self.parts.maps.leases.publish(bindings, |key, error| {
            tracing::warn!(?key, %error, "the client is served by the controller alone");
            refused.push(key);
        });
        for key in refused {
            // What stands there promises less than has been decided since, and the next controller would believe it.
            self.forget(&key);
        }
    }

    /// Takes an entry out that nobody is to answer from. Nothing is freed by it, so that no fence is needed.
    fn forget(&mut self, key: &ClientKey) {
        if let Err(error) = self.parts.maps.leases.withdraw(key) {
            tracing::error!(?key, %error, "a client's former entry stays");
        }
    }

    fn withdraw(&mut self, fence: FenceId, key: ClientKey) {
        match self.parts.maps.leases.withdraw(&key) {
            Ok(()) => self.withdrawn.push(fence),
            Err(error) => {
                tracing::error!(?key, %error, "a lease is not withdrawn yet");
                self.stuck.push_back((fence, key));
            }
        }
    }
}

/// Has a frame written, from an interface's MAC address, and sent through it.
fn transmit(
    slow: &mut [Slow],
    ifindex: u32,
    build: impl FnOnce([u8; 6], &mut [u8]) -> Result<usize, TooLarge>,
) {
    let Some(slow) = slow.iter_mut().find(|slow| slow.ifindex == ifindex) else {
        return;
    };
    let mac = slow.mac;
    match slow.socket.get_mut().send(|octets| build(mac, octets)) {
        Ok(()) => {}
        // Counted by the socket; the client asks again.
        Err(SendError::Full) => {}
        Err(SendError::Build(error)) => tracing::warn!(%error, "a frame was not sent"),
    }
}

/// The first socket that has frames.
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
