//! What an operator asks for.
//!
//! *Delete* forgets a lease. Its address is kept for its client for as long as that client may still use
//! it, that is, to the end of the lease or of what the kernel granted, and whenever the client asks
//! before that it has its lease again; after that the address is free. *Revoke* forbids it: the client is
//! told NAK, and gets another address when it starts again.

use std::net::Ipv4Addr;

use dhcp_model::RecordState;

use super::{
    Context, Effect, Engine,
    commits::{Outcome, Purpose},
    effect::{Command, CommandId, CommandOutcome},
    endings::Ending,
};
use crate::live::LeaseState;

impl Engine {
    /// Commands about one address come one after the other: one that fails goes back to what the one before
    /// it has made durable.
    pub(super) fn command(&mut self, id: CommandId, command: Command, cx: &mut Context<'_>) {
        let (Command::Delete(address) | Command::Revoke(address)) = command;
        match self.commands.get_mut(&address) {
            Some(later) => later.push_back((id, command)),
            None => self.begin(id, command, cx),
        }
    }

    fn begin(&mut self, id: CommandId, command: Command, cx: &mut Context<'_>) {
        use LeaseState as L;
        let (Command::Delete(address) | Command::Revoke(address)) = command;
        let state = self.held(address).map(|held| held.state);
        match (command, state) {
            (Command::Delete(_), Some(was @ (L::Bound | L::Revoked))) => {
                self.change(address, id, was, L::Forgotten, cx);
            }
            (Command::Revoke(_), Some(was @ (L::Bound | L::Forgotten))) => {
                self.change(address, id, was, L::Revoked, cx);
            }
            // What was taken out of service is in service again.
            (Command::Delete(_), Some(L::Quarantined)) => self.lift_quarantine(address, id, cx),
            _ => self.answer(address, id, CommandOutcome::NoLease, cx),
        }
    }

    /// The end of a command; the next one about its address begins.
    pub(super) fn answer(
        &mut self,
        address: Ipv4Addr,
        id: CommandId,
        outcome: CommandOutcome,
        cx: &mut Context<'_>,
    ) {
        cx.out.push(Effect::Answer { id, outcome });
        let mut later = self.commands.remove(&address).unwrap_or_default();
        if let Some((id, command)) = later.pop_front() {
            self.commands.insert(address, later);
            self.begin(id, command, cx);
        }
    }

    /// In force here at once; with the kernel after the fence, with the store after the commit.
    fn change(
        &mut self,
        address: Ipv4Addr,
        id: CommandId,
        was: LeaseState,
        state: LeaseState,
        cx: &mut Context<'_>,
    ) {
        self.commands.entry(address).or_default();
        let is_fencing = self.withdraw(address, cx);
        self.set_state(address, state);
        let work = self.work_mut(address);
        work.request = None;
        work.ticket = None;
        work.command = Some((id, was));
        if !is_fencing {
            self.commit_command(address, cx);
        }
    }

    /// The grant is final now: until then the client may use the address.
    pub(super) fn commit_command(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.held(address) else {
            return;
        };
        let state = match held.state {
            LeaseState::Forgotten => RecordState::Forgotten,
            LeaseState::Revoked => RecordState::Revoked,
            _ => return,
        };
        let Some((id, was)) = self.work_mut(address).command.take() else {
            // An entry of an earlier run, or one that was closed: nothing has changed but the map.
            return self.publish(address, cx);
        };
        let horizon = held.expires;
        let purpose = Purpose::Command { id, was, horizon };
        self.commit_put(address, state, held.expires, held.expires, purpose, cx);
    }

    fn lift_quarantine(&mut self, address: Ipv4Addr, id: CommandId, cx: &mut Context<'_>) {
        self.commands.entry(address).or_default();
        self.work_mut(address).command = Some((id, LeaseState::Quarantined));
        self.end(address, Ending::Removed, cx);
    }

    pub(super) fn command_committed(
        &mut self,
        id: CommandId,
        was: LeaseState,
        address: Ipv4Addr,
        outcome: Outcome,
        is_current: bool,
        cx: &mut Context<'_>,
    ) {
        let is_done = outcome == Outcome::Done;
        if is_current {
            if !is_done {
                self.set_state(address, was);
            }
            self.arm(address);
            self.publish(address, cx);
        }
        let outcome = if is_done {
            CommandOutcome::Done
        } else {
            CommandOutcome::StoreFailed
        };
        self.answer(address, id, outcome, cx);
    }

    /// No fence of a command is under way any more, but its client has asked again meanwhile, and the lease was
    /// forgotten and is a new one now; or it has declined the address.
    pub(super) fn answer_superseded(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let state = self.held(address).map(|held| held.state);
        if !matches!(
            state,
            Some(LeaseState::Committing | LeaseState::Bound | LeaseState::Quarantined)
        ) {
            return;
        }
        let command = self
            .work
            .get_mut(&address)
            .and_then(|work| work.command.take());
        if let Some((id, _)) = command {
            self.answer(address, id, CommandOutcome::Done, cx);
        }
    }
}
