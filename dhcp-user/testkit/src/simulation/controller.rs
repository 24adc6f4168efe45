//! The controller's process around the engine, as in `dhcp-user/xdhcpd/src/run/controller/mod.rs`,
//! in small steps: it may be killed between any two of them.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_common::{abi::ClientKey, wire::message_type};
use dhcp_engine::{
    Command, CommandId, Effect, Engine, FenceId, Input, ProbeAnswer,
    lease_table::{LeaseState, Leases},
};
use dhcp_frames::frame;
use dhcp_model::{Hardware, StoreError};
use dhcp_store::wall_clock::WallClock;

use super::{
    clock::MS,
    disk::Committed,
    kernel::GrantsView,
    model::Invariant,
    wire::Message,
    world::{Event, Sabotage, World},
};
use crate::fixtures::world::IFINDEX;

/// Inputs of one kind that are taken at once.
const MAX_INPUTS: u64 = 4;
#[derive(Debug)]
pub struct Controller {
    pub life: u32,
    pub engine: Engine,
    pub leases: Arc<Leases>,
    pub grants: GrantsView,
    pub wall: WallClock,
    pub frames: VecDeque<Slow>,
    pub committed: VecDeque<Committed>,
    pub fenced: VecDeque<FenceId>,
    pub commands: VecDeque<Command>,
    pub answers: VecDeque<ProbeAnswer>,
    pub operators: BTreeMap<CommandId, Command>,
    pub last_command: u64,
    pub effects: VecDeque<Effect>,
    /// Withdrawals that the kernel refused.
    pub stuck: Vec<(FenceId, ClientKey)>,
    /// Withdrawn, and not yet submitted to the fence.
    pub withdrawn: Vec<FenceId>,
    /// When it acts next.
    pub turns_at: Option<u64>,
}

/// A frame in a socket's queue.
#[derive(Debug)]
pub struct Slow {
    pub octets: Vec<u8>,
    pub arrival: u64,
    /// The last frame that had arrived when the program finished with this one.
    pub last: u64,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Frames,
    Committed,
    Fenced,
    Events,
    Commands,
    Answers,
    Stuck,
}

impl Controller {
    /// Returns whether an address is offered to a client and not leased.
    pub fn offers_to(&self, client: ClientKey) -> bool {
        let mut leases = self.leases.iter();
        leases.any(|lease| lease.holder.client() == client && lease.state == LeaseState::Offered)
    }

    /// Returns whether the kernel knows what the controller has decided about a client.
    pub fn has_told(&self, client: ClientKey) -> bool {
        self.effects.is_empty() && self.stuck.iter().all(|(_, key)| *key != client)
    }

    /// Returns whether an address is held until no host is known to have it.
    pub fn is_probing(&self, address: Ipv4Addr) -> bool {
        let lease = self.leases.get(&address);
        lease.is_some_and(|lease| lease.state == LeaseState::Probing)
    }

    /// Returns the hardware address of the client of an address.
    pub fn hardware_of(&self, address: Ipv4Addr) -> Option<Hardware> {
        Some(self.leases.get(&address)?.holder.hardware())
    }

    fn revoked_from(&self, client: ClientKey) -> Vec<Ipv4Addr> {
        let leases = self.leases.iter();
        leases
            .filter(|lease| lease.holder.client() == client && lease.state == LeaseState::Revoked)
            .map(|lease| *lease.key())
            .collect()
    }

    pub fn is_revoking(&self, address: Ipv4Addr) -> bool {
        let mut commands = self.operators.values();
        commands.any(|command| *command == Command::Revoke(address))
    }

    fn is_idle(&self) -> bool {
        self.effects.is_empty()
            && self.frames.is_empty()
            && self.committed.is_empty()
            && self.fenced.is_empty()
            && self.commands.is_empty()
            && self.answers.is_empty()
    }

    /// Returns the commands that have not been answered.
    pub const fn unanswered(&self) -> &BTreeMap<CommandId, Command> {
        &self.operators
    }

    /// Returns whether no work is in progress and no deadline has been reached.
    pub fn is_at_rest(&self) -> bool {
        self.is_idle() && self.stuck.is_empty() && self.engine.next_deadline().is_none()
    }
}

impl World {
    /// Does one step, unless the process is killed first.
    pub fn turn(&mut self, life: u32) {
        let now = self.clock.now;
        let is_due = |c: &Controller| c.life == life && c.turns_at == Some(now);
        if !self.controller.as_ref().is_some_and(is_due) {
            return;
        }
        if self.dice.chance(self.faults.kill) {
            self.crash();
            return;
        }
        let Some(mut controller) = self.controller.take() else {
            return;
        };
        controller.turns_at = None;
        if let Some(effect) = controller.effects.pop_front() {
            self.carry_out(&mut controller, effect);
        } else {
            self.take_in(&mut controller);
        }
        if controller.effects.is_empty() && !controller.withdrawn.is_empty() {
            self.fence(&mut controller);
        }
        let is_idle = controller.is_idle() && self.kernel.events.borrow().is_empty();
        let deadline = controller.engine.next_deadline();
        let deadline = deadline.map(|deadline| self.clock.of_boottime(deadline).max(now));
        let retry = (!controller.stuck.is_empty()).then_some(now + 10 * MS);
        self.controller = Some(controller);
        if is_idle {
            if let Some(at) = deadline.into_iter().chain(retry).min() {
                let late = self.faults.step_time(&mut self.dice);
                self.turn_at(at + late);
            }
        } else {
            self.poke();
        }
    }

    /// Schedules the next step, because there is something to do.
    pub fn poke(&mut self) {
        let at = self.clock.now + self.faults.step_time(&mut self.dice);
        self.turn_at(at);
    }

    fn turn_at(&mut self, at: u64) {
        if let Some(controller) = &mut self.controller
            && controller.turns_at.is_none_or(|earlier| earlier > at)
        {
            controller.turns_at = Some(at);
            let life = controller.life;
            self.at(at, Event::Turn(life));
        }
    }

    fn take_in(&mut self, c: &mut Controller) {
        use Source as S;
        let ready = [
            (S::Frames, !c.frames.is_empty()),
            (S::Committed, !c.committed.is_empty()),
            (S::Fenced, !c.fenced.is_empty()),
            (S::Events, !self.kernel.events.borrow().is_empty()),
            (S::Commands, !c.commands.is_empty()),
            (S::Answers, !c.answers.is_empty()),
            (S::Stuck, !c.stuck.is_empty()),
        ];
        let ready: Vec<_> = ready
            .into_iter()
            .filter_map(|(source, is_ready)| is_ready.then_some(source))
            .collect();
        if !ready.is_empty() {
            let source = *self.dice.pick(&ready);
            for _ in 0..self.dice.between(1, MAX_INPUTS) {
                self.take_one(c, source);
            }
        }
        let now = self.clock.boottime();
        if c.engine
            .next_deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.note(|_| "controller: timeout".to_owned());
            let mut out = Vec::new();
            c.engine.handle_timeout(now, &c.grants, &mut out);
            c.effects.extend(out);
        }
    }

    fn take_one(&mut self, c: &mut Controller, source: Source) {
        match source {
            Source::Frames => {
                if let Some(slow) = c.frames.pop_front() {
                    self.message(c, &slow);
                }
            }
            Source::Committed => {
                if let Some((ticket, result)) = c.committed.pop_front() {
                    let result = match result {
                        Err(StoreError::Unknown(why))
                            if self.sabotage == Some(Sabotage::DoubtIsFailure) =>
                        {
                            Err(StoreError::NotApplied(why))
                        }
                        result => result,
                    };
                    self.input(c, Input::Committed { ticket, result });
                }
            }
            Source::Fenced => {
                if let Some(fence) = c.fenced.pop_front() {
                    self.input(c, Input::Fenced(fence));
                }
            }
            Source::Events => {
                let event = self.kernel.events.borrow_mut().pop_front();
                if let Some(event) = event {
                    let (slot, epoch) = (event.slot, event.epoch as u16);
                    self.input(c, Input::HorizonLow { slot, epoch });
                }
            }
            Source::Commands => {
                if let Some(command) = c.commands.pop_front() {
                    self.command(c, command);
                }
            }
            Source::Answers => {
                if let Some(answer) = c.answers.pop_front() {
                    self.note_answer(c, &answer);
                    if self.sabotage != Some(Sabotage::OfferInUse) {
                        self.input(c, Input::ProbeAnswered(answer));
                    }
                }
            }
            Source::Stuck => {
                for (fence, key) in std::mem::take(&mut c.stuck) {
                    self.withdraw(c, fence, key);
                }
            }
        }
    }

    fn input(&mut self, c: &mut Controller, input: Input<'_>) {
        self.note(|_| match &input {
            Input::Message { .. } => "controller: takes in a message".to_owned(),
            input => format!("controller: takes in {input:?}"),
        });
        let mut out = Vec::new();
        let now = self.clock.boottime();
        c.engine.handle(input, now, &c.grants, &mut out);
        c.effects.extend(out);
    }

    fn message(&mut self, c: &mut Controller, slow: &Slow) {
        let Ok((ingress, payload)) = frame::parse(&slow.octets, IFINDEX) else {
            return;
        };
        let message = Message::read(&slow.octets);
        if let Some(message) = &message {
            self.note(|_| {
                format!(
                    "controller: frame {} is {}",
                    slow.arrival,
                    message.summary()
                )
            });
            self.model
                .handled(message, self.clock.now, slow.arrival, slow.last);
            if message.kind == message_type::DISCOVER
                && let Some(client) = message.client()
            {
                // It starts again, because it was told that it must not use its address.
                for address in c.revoked_from(client) {
                    self.model.give_up(address, client, slow.last);
                }
            }
        }
        let payload = slow.octets.get(payload).unwrap_or_default();
        self.input(
            c,
            Input::Message {
                ingress: &ingress,
                payload,
            },
        );
        let Some(message) = message else {
            return;
        };
        if message.selects_other()
            && let Some(client) = message.client()
            && c.offers_to(client)
        {
            self.model.violate(Invariant::DeclinedOffersAreFree, || {
                format!("{client:?} has chosen another server, and is still offered an address")
            });
        }
    }

    fn command(&mut self, c: &mut Controller, command: Command) {
        c.last_command += 1;
        let id = CommandId(c.last_command);
        c.operators.insert(id, command);
        if let Command::Delete(address) = command {
            self.model.not_revoked(address);
        }
        self.input(c, Input::Command { id, command });
    }
}
