//! Commands of an operator: those about one address are carried out one after the other.

use super::{Context, Engine, commands::Waiting};
use crate::{
    effect::{Command, CommandId, CommandOutcome},
    policy::commands,
};

impl Engine {
    pub(super) fn command(&mut self, id: CommandId, command: Command, cx: &mut Context<'_>) {
        self.commands.add(id, command);
        self.begin_commands(cx);
    }

    /// Begins the commands whose turn has come. It is called after each input, not where the
    /// previous command ends.
    pub(super) fn begin_commands(&mut self, cx: &mut Context<'_>) {
        while let Some((id, command)) = self.commands.next_ready() {
            let address = command.address();
            match commands::decide(self.view(cx), command, address) {
                Some((event, was)) => {
                    let waiting = Waiting {
                        id,
                        was,
                        is_in_doubt: false,
                    };
                    self.commands.wait(address, waiting);
                    self.step(address, event, cx);
                }
                None => {
                    self.answer_operator(id, CommandOutcome::NoLease, cx);
                    self.commands.finish(address);
                }
            }
        }
    }
}
