//! The execution of effects.

use dhcp_common::abi::{ClientKey, TemplateKey};
use dhcp_datapath::xsk::SendError;
use dhcp_engine::{Effect, FenceId};
use dhcp_frames::frame::{self, TooLarge};

use super::state::{Controller, QueueSocket};

impl Controller {
    /// Executes the effects of the start.
    pub fn start(&mut self, effects: Vec<Effect>) {
        self.effects = effects;
        self.carry_out();
    }

    /// Retries the withdrawals and replies that the kernel or a device did not accept.
    pub(super) fn retry(&mut self) {
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

    /// Executes the effects of a turn: all commits together, all bindings in one call, and then all
    /// replies, so that the next request of a client finds its binding. A withdrawal must not
    /// overtake a binding, so bindings are published before it.
    pub(super) fn carry_out(&mut self) {
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
                        tracing::warn!(%error, "cannot publish a template; the controller answers such requests");
                    }
                }
                Effect::ForgetTemplates => {
                    if let Err(error) = self.parts.maps.retain_templates(TemplateKey::is_nak) {
                        tracing::warn!(%error, "cannot remove templates; the controller answers new kinds of requests");
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
                        // The receiver is gone if the command line was interrupted.
                        let _ = operator.send(outcome);
                    }
                }
            }
        }
        // The allocation is used again in the next turn.
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
                Err(error) => {
                    tracing::error!(%error, "cannot start a fence; withdrawn leases are not freed yet")
                }
            }
        }
    }

    fn publish(&mut self) {
        let mut refused = Vec::new();
        let bindings = self.batch.bindings.drain(..);
        self.parts.maps.leases.publish(bindings, |key, error| {
            tracing::warn!(?key, %error, "cannot publish a lease; the controller answers its client");
            refused.push(key);
        });
        for key in refused {
            // The old entry promises less than was decided since, and the next controller would
            // trust it.
            self.forget(&key);
        }
    }

    /// Removes an outdated entry. No address is freed, so no fence is needed.
    fn forget(&mut self, key: &ClientKey) {
        if let Err(error) = self.parts.maps.leases.withdraw(key) {
            tracing::error!(?key, %error, "cannot remove an outdated lease from the kernel");
        }
    }

    fn withdraw(&mut self, fence: FenceId, key: ClientKey) {
        match self.parts.maps.leases.withdraw(&key) {
            Ok(()) => self.withdrawn.push(fence),
            Err(error) => {
                tracing::error!(?key, %error, "cannot withdraw a lease; retrying");
                self.stuck.push_back((fence, key));
            }
        }
    }
}

/// Builds a frame with the MAC address of an interface, and sends it there.
fn transmit(
    slow: &mut [QueueSocket],
    ifindex: u32,
    build: impl FnOnce([u8; 6], &mut [u8]) -> Result<usize, TooLarge>,
) {
    let Some(slow) = slow.iter_mut().find(|slow| slow.ifindex == ifindex) else {
        return;
    };
    let mac = slow.mac;
    match slow.socket.get_mut().send(|octets| build(mac, octets)) {
        Ok(()) => {}
        // The socket counts it; the client retransmits.
        Err(SendError::Full) => {}
        Err(SendError::Build(error)) => tracing::warn!(%error, "cannot build a frame"),
    }
}
