//! Runs of the program, on several CPUs in parallel, and the results for their frames.

use std::net::Ipv4Addr;

use dhcp_common::{
    outcome::{Action, Outcome},
    wire::message_type,
};
use dhcp_model::RecordState;

use super::{
    clock::MS,
    controller::{Controller, Slow},
    model::{self, Acknowledged, Invariant},
    program::{Leash, Progress, Run},
    wire::Message,
    world::{Event, World},
};

/// The most runs in progress at a time: the number of CPUs.
const MAX_RUNS: usize = 4;
/// Lookups of a run, and fields of a binding.
const LOOKS: u64 = 10;
const FIELDS: u32 = 11;

impl World {
    pub fn frame(&mut self, octets: Vec<u8>) {
        self.arrivals += 1;
        let lead_ns = self.dice.below(100 * MS);
        let run = Run::new(self.arrivals, self.clock.now, octets, lead_ns);
        self.run(run);
    }

    /// Continues a run to its end or until it is interrupted.
    pub fn run(&mut self, mut run: Run) {
        let is_interrupted =
            self.runs.len() < MAX_RUNS && self.dice.chance(self.faults.interruption);
        let leash = if is_interrupted {
            let fields = self.dice.below(1 << FIELDS) as u16;
            Leash {
                looks: self.dice.below(LOOKS) as usize,
                fields: if self.dice.chance(500) { fields } else { 0 },
            }
        } else {
            Leash::NONE
        };
        let now_ns = self.clock.boottime().0;
        match self.kernel.advance(&mut run, now_ns, leash) {
            Progress::Interrupted => {
                self.note(|_| format!("kernel: frame {} is interrupted", run.arrival));
                self.count("interruptions");
                let time = self.faults.interrupted(&mut self.dice);
                if self.dice.chance(self.faults.coincidence) {
                    let soon = self.dice.below(time.min(5 * MS));
                    self.after(soon, Event::Coincidence(run.octets.clone()));
                }
                let arrival = run.arrival;
                self.runs.insert(arrival, run);
                self.after(time, Event::Resume(arrival));
            }
            Progress::Ended(outcome, octets) => {
                self.note(|_| format!("kernel: frame {} is {}", run.arrival, outcome.label()));
                self.ended(&run, outcome, octets);
                self.run_ended(run.arrival);
            }
        }
        if !self.kernel.events.borrow().is_empty() {
            self.poke();
        }
    }

    fn ended(&mut self, run: &Run, outcome: Outcome, octets: Vec<u8>) {
        if outcome == Outcome::Torn {
            self.count("torn copies");
        }
        if let Some((grant, until)) = self.kernel.forgotten(run) {
            self.model.violate(Invariant::GrantsAreNoted, || {
                format!("{grant:?} is noted, and {until} acknowledged")
            });
        }
        match outcome.action() {
            Action::Transmit => self.kernel_answers(run, octets),
            Action::Slow => {
                self.kernel.note_closed(run, self.arrivals);
                let room = self.faults.frames.unwrap_or(64);
                if let Some(controller) = &mut self.controller {
                    if controller.frames.len() < room {
                        controller.frames.push_back(Slow {
                            octets: run.octets.clone(),
                            arrival: run.arrival,
                            last: self.arrivals,
                        });
                        self.poke();
                    } else {
                        self.count("frames that found the queue full");
                    }
                }
            }
            Action::Drop | Action::Pass => {
                let client = Message::read(&run.octets).and_then(|message| message.client());
                let offers = |c: &Controller| {
                    client.is_some_and(|client| c.offers_to(client) && c.has_told(client))
                };
                if outcome == Outcome::NotSelected
                    && !run.was_interrupted()
                    && self.controller.as_ref().is_some_and(offers)
                {
                    self.model.violate(Invariant::DeclinedOffersAreFree, || {
                        format!("{client:?} has chosen another server, and the program keeps it to itself")
                    });
                }
            }
        }
    }

    fn kernel_answers(&mut self, run: &Run, octets: Vec<u8>) {
        let (Some(request), Some(reply)) = (Message::read(&run.octets), Message::read(&octets))
        else {
            return;
        };
        let Some(client) = request.client() else {
            return;
        };
        let now = self.clock.now;
        match reply.kind {
            message_type::ACK => {
                let ack = Acknowledged {
                    address: reply.yiaddr,
                    client,
                    until: model::end(run.arrived, reply.lease_secs().unwrap_or(0)),
                    arrival: run.arrival,
                };
                let record = self.durable(reply.yiaddr);
                self.model.acknowledged(ack, record.as_ref(), now);
                self.kernel
                    .note_acknowledged(run, self.clock.to_boottime(ack.until));
                self.count("acknowledged by the kernel");
            }
            message_type::NAK => {
                let about = request.about().unwrap_or(Ipv4Addr::UNSPECIFIED);
                let record = self.durable(about);
                let is_revoked = record.is_some_and(|record| {
                    record.client == client && record.state == RecordState::Revoked
                });
                // A run that was interrupted may have begun before the operator revoked the lease.
                let is_sure = !run.was_interrupted() && !self.model.unrecorded.contains(&about);
                if !is_revoked && is_sure {
                    self.model.violate(Invariant::LeasesAreRenewable, || {
                        format!(
                            "{client:?} is refused {about} by the program, committed is {record:?}"
                        )
                    });
                }
                self.count("refused by the kernel");
            }
            _ => self.count("offered by the kernel"),
        }
        if !self.kernel.answered_from_published(&client, run) {
            self.model.violate(Invariant::AnswersArePublished, || {
                format!("{client:?} is answered from what was never published: {run:?}")
            });
        }
        if reply.kind != message_type::NAK && self.kernel.answered_from_closed(run) {
            self.model.violate(Invariant::ClosedIsClosed, || {
                format!("{client:?} is answered from an entry that it has closed")
            });
        }
        if !run.was_interrupted() && self.dice.chance(100) {
            self.compare(run, &octets, &reply);
        }
        self.deliver(&reply);
    }
}
