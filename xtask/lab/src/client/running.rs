//! What all real clients can be made to do, and what they say has happened.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;

use crate::wait;

/// What a client says has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has got this address, be it again.
    Bound(Ipv4Addr),
    /// It has extended the lease of this address.
    Renewed(Ipv4Addr),
    /// It has no address any more: NAK, expiry or release.
    Lost,
}

/// How long a client may take for what it does at once, its random delays included.
const LONGEST: Duration = Duration::from_secs(12);

/// A real client, running. It ends with its handle, and does not release its lease by that.
pub trait Client {
    /// All that happened since it was started, oldest first.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn events(&self) -> Result<Vec<Event>>;

    /// Makes it extend its lease now, where it can be told to; others do it when T1 has come.
    ///
    /// # Errors
    /// It has ended.
    fn renew(&mut self) -> Result<()>;

    /// Makes it give its lease up.
    ///
    /// # Errors
    /// It has ended.
    fn release(&mut self) -> Result<()>;

    /// Waits until it has an address, the first or the next after `Lost`.
    ///
    /// # Errors
    /// It has none within the limit.
    fn wait_bound(&self) -> Result<Ipv4Addr> {
        wait::until("the client to get an address", LONGEST, || {
            Ok(match self.events()?.last() {
                Some(Event::Bound(address) | Event::Renewed(address)) => {
                    self.has_recorded(*address)?.then_some(*address)
                }
                Some(Event::Lost) | None => None,
            })
        })
    }

    /// Whether it would know this address again, were it killed now.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn has_recorded(&self, _: Ipv4Addr) -> Result<bool> {
        Ok(true)
    }

    /// Waits until it has extended its lease as often, since it was started.
    ///
    /// # Errors
    /// It has not within the limit.
    fn wait_renewals(&self, times: usize) -> Result<()> {
        let what = format!("the client to have renewed {times} times");
        wait::until(&what, LONGEST, || {
            Ok((self.renewals()? >= times).then_some(()))
        })
    }

    /// How often it has extended its lease.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn renewals(&self) -> Result<usize> {
        let events = self.events()?;
        let renewed = |event: &&Event| matches!(event, Event::Renewed(_));
        Ok(events.iter().filter(renewed).count())
    }

    /// REQUESTs that it has sent. Some open the socket for the answer only after they have sent a
    /// renewal, miss an answer that comes too fast for that, and ask once more.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn requests(&self) -> Result<usize> {
        Ok(1 + self.renewals()?)
    }

    /// Waits until it has lost its address as often, since it was started.
    ///
    /// # Errors
    /// It has not within the limit.
    fn wait_lost(&self, times: usize) -> Result<()> {
        wait::until("the client to lose its address", LONGEST, || {
            let events = self.events()?;
            let lost = events.iter().filter(|event| **event == Event::Lost);
            Ok((lost.count() >= times).then_some(()))
        })
    }

    /// Makes it renew once, and waits until it has.
    ///
    /// # Errors
    /// It was not answered within the limit.
    fn renew_and_wait(&mut self) -> Result<()> {
        let before = self.renewals()?;
        self.renew()?;
        self.wait_renewals(before + 1)
    }
}
