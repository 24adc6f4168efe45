//! Withdrawing: out of the kernel's map, then a fence, then the grant is read, and only then whatever
//! the withdrawal was for.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_model::Nanos;

use super::{Context, Counter, Effect, Engine, FenceId, NO_SLOT};
use crate::live::LeaseState;

/// An entry on its way out. It keeps the slot, which may be used again only after the fence.
#[derive(Debug)]
pub(super) struct Fence {
    address: Ipv4Addr,
    /// `None` for an entry whose slot is not this engine's to use.
    slot: Option<u32>,
    epoch: u16,
}

impl Engine {
    /// Takes the entry of an address out of the map. Whether there was one, or one is on its way.
    pub(super) fn withdraw(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) -> bool {
        let Some(held) = self.held(address) else {
            return false;
        };
        if held.slot == NO_SLOT {
            return self.has_fence(address);
        }
        let granted = self.effective_expiry(&held, cx);
        self.update(address, |lease| {
            lease.slot = NO_SLOT;
            lease.expires = granted;
        });
        let id = self.fence(address, held.client, Some(held.slot), held.epoch, cx);
        self.work_mut(address).fence = Some(id);
        true
    }

    /// Takes an entry out of the map that belongs to no lease.
    pub(super) fn withdraw_stray(
        &mut self,
        client: ClientKey,
        address: Ipv4Addr,
        slot: Option<u32>,
        epoch: u16,
        cx: &mut Context<'_>,
    ) {
        self.fence(address, client, slot, epoch, cx);
    }

    fn fence(
        &mut self,
        address: Ipv4Addr,
        key: ClientKey,
        slot: Option<u32>,
        epoch: u16,
        cx: &mut Context<'_>,
    ) -> FenceId {
        self.last_fence += 1;
        let fence = FenceId(self.last_fence);
        self.fences.insert(
            fence,
            Fence {
                address,
                slot,
                epoch,
            },
        );
        cx.out.push(Effect::Withdraw { fence, key });
        self.count(Counter::Withdrawn);
        fence
    }

    pub(super) fn has_fence(&self, address: Ipv4Addr) -> bool {
        self.work
            .get(&address)
            .is_some_and(|work| work.fence.is_some())
    }

    /// No program run holds the entry any more: its grant is final, its slot free.
    pub(super) fn fenced(&mut self, id: FenceId, cx: &mut Context<'_>) {
        let Some(Fence {
            address,
            slot,
            epoch,
        }) = self.fences.remove(&id)
        else {
            return;
        };
        let granted = slot
            .and_then(|slot| cx.kernel.grant(slot).granted_for(epoch))
            .map(Nanos);
        if let Some(slot) = slot {
            self.slots.give_back(slot);
        }
        if self
            .work
            .get(&address)
            .is_none_or(|work| work.fence != Some(id))
        {
            return;
        }
        self.work_mut(address).fence = None;
        let Some(held) = self.held(address) else {
            return;
        };
        if held.state != LeaseState::Quarantined {
            let expires = held.expires.max(granted.unwrap_or_default());
            self.update(address, |lease| lease.expires = expires);
        }
        match held.state {
            // Served on the slow path meanwhile, or opened again after a RELEASE that was ignored.
            LeaseState::Bound => {
                self.arm(address);
                self.publish(address, cx);
            }
            LeaseState::Withdrawn => self.settle(address, cx),
            LeaseState::Forgotten | LeaseState::Revoked => {
                self.arm(address);
                self.commit_command(address, cx);
            }
            // Published by what follows the commit.
            LeaseState::Probing
            | LeaseState::Committing
            | LeaseState::Offered
            | LeaseState::Quarantined => {}
        }
        self.answer_superseded(address, cx);
        self.tidy(address);
    }
}
