//! The engine: passes each input to the policy that decides about it, and carries out the decision.
//!
//! The files here call each other downwards only, in this order:
//!
//! 1. this one, the dispatch; [`startup`] and [`reload`] beside it
//! 2. `serve` (messages), `results` (commits and fences), `due` (deadlines), `command` (operators)
//! 3. `offer`, and under it `bind`: shared by several of those
//! 4. `execute`: an event of a lease, the table's actions, and their effects
//! 5. `respond`: replies and templates
//! 6. `state`: the parts, and the view of them that policy gets
//!
//! An event is carried out, commit before publication, before the handler that raised it answers,
//! so that effects leave in the order commit, publish, reply.

mod bind;
mod command;
mod commands;
mod due;
mod execute;
mod offer;
pub mod reload;
mod respond;
mod results;
mod serve;
pub mod startup;
mod state;

use dhcp_model::Nanos;

use self::state::Context;
pub use self::state::{Engine, Setup};
use crate::effect::{Effect, Grants, Input};

/// Deadlines handled in one call; [`Engine::next_deadline`] then says that there are more.
const MAX_DUE: usize = 1024;

impl Engine {
    /// Handles one input. Effects are added to `out`, and must be carried out in their order before
    /// the next call.
    pub fn handle(
        &mut self,
        input: Input<'_>,
        now: Nanos,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) {
        let cx = &mut Context { now, kernel, out };
        match input {
            Input::Message { ingress, payload } => {
                if let Err(silence) = self.message(ingress, payload, cx) {
                    self.count(silence.counter());
                }
            }
            Input::Committed { ticket, result } => self.committed(ticket, result, cx),
            Input::Fenced(fence) => self.fenced(fence, cx),
            Input::HorizonLow { slot, epoch } => self.horizon_low(slot, epoch, cx),
            Input::ProbeAnswered(answer) => self.probe_answered(&answer, cx),
            Input::Command { id, command } => self.command(id, command, cx),
        }
        self.begin_commands(cx);
    }

    /// Handles deadlines that have been reached. It is called at [`Engine::next_deadline`], after
    /// all inputs that have arrived, so that the work which they collected goes into one commit.
    pub fn handle_timeout(&mut self, now: Nanos, kernel: &impl Grants, out: &mut Vec<Effect>) {
        let cx = &mut Context { now, kernel, out };
        self.work_off(cx);
        for _ in 0..MAX_DUE {
            let Some(address) = self.table.pop_due(now) else {
                break;
            };
            self.due(address, cx);
        }
        self.begin_commands(cx);
    }

    /// Returns when [`Engine::handle_timeout`] is to be called next; a time in the past means
    /// immediately.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let backlog = self.journal.next_deadline(self.publisher.in_progress());
        let deadlines = [self.table.next_deadline(), backlog];
        deadlines.into_iter().flatten().min()
    }
}
