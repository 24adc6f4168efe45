//! The operations that all real clients support, and the events that they report.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;

use crate::wait;

/// An event that a client reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client has obtained this address, for the first time or again.
    Bound(Ipv4Addr),
    /// The client has extended the lease of this address.
    Renewed(Ipv4Addr),
    /// The client has lost its address: NAK, expiry or release.
    Lost,
}

/// The time after which a client is told again to renew.
const AGAIN: Duration = Duration::from_secs(20);

/// A running real client. It ends with its handle, without releasing its lease.
pub trait Client {
    /// Returns all events since the client was started, oldest first.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn events(&self) -> Result<Vec<Event>>;

    /// Makes the client extend its lease now, where it supports that; other clients renew at T1.
    ///
    /// # Errors
    /// It has ended.
    fn renew(&mut self) -> Result<()>;

    /// Makes the client release its lease.
    ///
    /// # Errors
    /// It has ended.
    fn release(&mut self) -> Result<()>;

    /// Waits until the client has an address, the first or the next after `Lost`.
    ///
    /// # Errors
    /// It has none within the limit.
    fn wait_bound(&self) -> Result<Ipv4Addr> {
        wait::until("the client to get an address", wait::PATIENCE, || {
            Ok(match self.events()?.last() {
                Some(Event::Bound(address) | Event::Renewed(address)) => {
                    self.has_recorded(*address)?.then_some(*address)
                }
                Some(Event::Lost) | None => None,
            })
        })
    }

    /// Returns whether the client would remember this address if it were killed now.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn has_recorded(&self, _: Ipv4Addr) -> Result<bool> {
        Ok(true)
    }

    /// Waits until the client has extended its lease `times` times since it was started.
    ///
    /// # Errors
    /// It has not within the limit.
    fn wait_renewals(&self, times: usize, limit: Duration) -> Result<()> {
        let what = format!("the client to have renewed {times} times");
        wait::until(&what, limit, || {
            Ok((self.renewals()? >= times).then_some(()))
        })
    }

    /// Returns how many times the client has extended its lease.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn renewals(&self) -> Result<usize> {
        let events = self.events()?;
        let renewed = |event: &&Event| matches!(event, Event::Renewed(_));
        Ok(events.iter().filter(renewed).count())
    }

    /// Returns the number of REQUESTs sent. Some clients open the socket for the answer only after
    /// sending a renewal, miss an answer that arrives before that, and ask again.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn requests(&self) -> Result<usize> {
        Ok(1 + self.renewals()?)
    }

    /// Waits until the client has lost its address `times` times since it was started.
    ///
    /// # Errors
    /// It has not within the limit.
    fn wait_lost(&self, times: usize) -> Result<()> {
        wait::until("the client to lose its address", wait::PATIENCE, || {
            let events = self.events()?;
            let lost = events.iter().filter(|event| **event == Event::Lost);
            Ok((lost.count() >= times).then_some(()))
        })
    }

    /// Makes the client renew once and waits until it has. Clients miss a signal that arrives while
    /// they are busy with the renewal before, so it is sent again after a while.
    ///
    /// # Errors
    /// It was not answered within the limit.
    fn renew_and_wait(&mut self) -> Result<()> {
        let before = self.renewals()?;
        wait::until("the client to renew", wait::PATIENCE, || {
            self.renew()?;
            Ok(self.wait_renewals(before + 1, AGAIN).ok())
        })
    }
}
