//! Commands that have not been answered yet.

use std::{
    collections::{HashMap, VecDeque},
    net::Ipv4Addr,
};

use crate::{
    effect::{Command, CommandId},
    lease_table::LeaseState,
};

/// Holds commands that have not been answered. Those about one address are carried out one after
/// the other: one that fails restores the state that the previous one has made durable.
#[derive(Debug, Default)]
pub struct Commands {
    /// Addresses with a command in progress, and the commands that wait for its end.
    queues: HashMap<Ipv4Addr, VecDeque<(CommandId, Command)>>,
    /// Commands that wait for a fence or a commit.
    waiting: HashMap<Ipv4Addr, Waiting>,
    /// Commands whose turn has come.
    ready: VecDeque<(CommandId, Command)>,
}

/// A command that waits for a fence or a commit.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub id: CommandId,
    /// The state to restore if the commit fails.
    pub was: LeaseState,
    /// Whether an earlier commit may have stored it, so that the previous state cannot be restored.
    pub is_in_doubt: bool,
}

impl Commands {
    /// Adds a command. It is ready unless another one about its address is in progress.
    pub fn add(&mut self, id: CommandId, command: Command) {
        match self.queues.get_mut(&command.address()) {
            Some(queue) => queue.push_back((id, command)),
            None => self.ready.push_back((id, command)),
        }
    }

    pub fn next_ready(&mut self) -> Option<(CommandId, Command)> {
        self.ready.pop_front()
    }

    /// Notes that a command waits for a fence or a commit; later ones about its address wait for
    /// it.
    pub fn wait(&mut self, address: Ipv4Addr, command: Waiting) {
        self.queues.entry(address).or_default();
        self.waiting.insert(address, command);
    }

    pub fn is_waiting(&self, address: Ipv4Addr) -> bool {
        self.waiting.contains_key(&address)
    }

    /// Removes and returns the command that waits.
    pub fn take(&mut self, address: Ipv4Addr) -> Option<Waiting> {
        self.waiting.remove(&address)
    }

    /// Makes the next command about an address ready.
    pub fn finish(&mut self, address: Ipv4Addr) {
        let mut later = self.queues.remove(&address).unwrap_or_default();
        if let Some(next) = later.pop_front() {
            self.queues.insert(address, later);
            self.ready.push_back(next);
        }
    }
}
