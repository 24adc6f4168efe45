//! The entries of a file, of which the last one for an address counts.

use std::{collections::HashMap, net::Ipv4Addr};

use super::report::{Reason, Remark, Report};
use crate::leases::{Entry, ForeignLease, Position};

/// The last entry of a file for each address.
#[derive(Debug, Default)]
pub struct Journal {
    pub(super) last: HashMap<Ipv4Addr, (Position, ForeignLease)>,
    pub(super) report: Report,
}

impl Journal {
    /// Adds the next entry, which replaces an earlier one for the same address.
    pub fn take(&mut self, entry: Entry) {
        match entry.lease {
            Ok(lease) => {
                self.last.insert(lease.address, (entry.position, lease));
            }
            Err(why) => self.report.skip(Remark {
                position: entry.position,
                address: None,
                reason: Reason::Unreadable,
                why,
            }),
        }
    }
}
