//! The kernel's maps, and the program's operations on them.

use std::collections::{BTreeMap, HashMap};

use dhcp_common::abi::{Binding, BindingState, ClientKey, Grant, Template};
use dhcp_engine::Grants;
use dhcp_model::Nanos;

use super::*;

/// `GRANTS` and `LEASES` in the kernel.
#[derive(Default, Debug)]
pub struct Kernel {
    pub grants: HashMap<u32, Grant>,
    pub leases: BTreeMap<ClientKey, Binding>,
    pub templates: BTreeMap<(u64, [u64; 2], u8), Template>,
}

impl Grants for Kernel {
    fn grant(&self, slot: u32) -> Grant {
        self.grants.get(&slot).copied().unwrap_or_default()
    }
}

impl Kernel {
    /// Acknowledges a renewal as the program does: for the full lease, within the horizon.
    pub fn renew(&mut self, client: &ClientKey, now: Nanos) -> Option<Nanos> {
        let binding = *self.leases.get(client)?;
        let grant = self.grants.entry(binding.slot).or_default();
        let granted = now.plus_lease(LEASE_SECS);
        let expires = grant
            .granted_for(binding.epoch)
            .unwrap_or(0)
            .max(binding.expires_ns);
        if binding.state != BindingState::Bound as u8
            || expires <= now.0
            || granted.0 > binding.durable_until_ns
            || grant.is_closed(binding.epoch)
        {
            return None;
        }
        grant.granted = Grant::pack(granted.0, binding.epoch);
        Some(granted)
    }

    /// Handles a RELEASE or DECLINE as the program does before it passes it to the controller.
    pub fn close(&mut self, client: &ClientKey) {
        if let Some(binding) = self.leases.get(client) {
            let grant = self.grants.entry(binding.slot).or_default();
            grant.asked = Grant::pack(Grant::CLOSED, binding.epoch);
        }
    }
}
