//! Queries which client had which address when: the rows of [`crate::history`], and present leases.

use std::{cmp::Reverse, net::Ipv4Addr};

use dhcp_model::{ClientOrigin, StoreError, StoreFault};
use rusqlite::{Row, ToSql, named_params};

use crate::{
    reader::Reader,
    schema::{HELD, StoredAddress, address, origin, state_number},
    sqlite::unreadable,
    utc::Utc,
};

/// Columns in the order of [`interval`]. The times of leases are converted to the wall clock's.
const PAST: &str = "\
SELECT address, htype, chaddr, client_id, host_name, relay_info, since, until
FROM {past}
WHERE (:client IS NULL OR chaddr = :client OR client_id = :client)
    AND (:at IS NULL OR (since <= :at AND :at < until))";
const PRESENT: &str = "\
SELECT address, htype, chaddr, client_id, host_name, relay_info, max(since + :drift, coalesce(
    (SELECT max(until) FROM {past} AS past WHERE past.address = lease.address), since + :drift)), horizon
FROM {lease} AS lease
WHERE state IN (:bound, :deleted, :revoked) AND (:client IS NULL OR chaddr = :client OR client_id = :client)";
/// Appended for one address. SQLite uses the index only if the condition is written like this.
const OF_ADDRESS: &str = " AND address = :address";

/// A time during which a client had an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval<A = Ipv4Addr> {
    pub address: A,
    pub origin: ClientOrigin,
    pub since: Utc,
    /// `None` if it has not ended.
    pub until: Option<Utc>,
}

/// Selects intervals; `None` selects all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<A = Ipv4Addr> {
    pub address: Option<A>,
    /// A time within the interval.
    pub at: Option<Utc>,
    /// The octets of a hardware address or a client identifier.
    pub client: Option<Vec<u8>>,
}

impl<A> Default for Wanted<A> {
    fn default() -> Self {
        Self {
            address: None,
            at: None,
            client: None,
        }
    }
}

impl<A: StoredAddress> Reader<A> {
    /// Returns the selected intervals by address, the latest first. `now` is the wall clock's.
    ///
    /// # Errors
    /// The store cannot be read, or a row makes no sense.
    pub fn intervals(&self, wanted: &Wanted<A>, now: Utc) -> Result<Vec<Interval<A>>, StoreError> {
        let mut found = Ok(Vec::new());
        let mut collect = |address: A, interval: Result<Interval<A>, String>| match interval {
            Ok(interval) => {
                if let Ok(found) = &mut found {
                    found.push(interval);
                }
            }
            Err(error) => found = Err(format!("the history of {address} in the store: {error}")),
        };
        self.present(wanted, now, &mut collect)?;
        self.past(wanted, &mut collect)?;
        let mut found = found.map_err(unreadable)?;
        found.sort_by_key(|interval| (interval.address, Reverse(interval.since)));
        Ok(found)
    }

    /// Calls `each` with the intervals that have not ended.
    fn present(
        &self,
        wanted: &Wanted<A>,
        now: Utc,
        each: &mut dyn FnMut(A, Result<Interval<A>, String>),
    ) -> Result<(), StoreError> {
        let [bound, deleted, revoked] = HELD.map(state_number);
        let parameters = named_params! {
            ":client": wanted.client,
            ":drift": self.drift_ns,
            ":bound": bound,
            ":deleted": deleted,
            ":revoked": revoked,
        };
        self.select(PRESENT, wanted, parameters, &mut |address, interval| {
            let interval = interval.map(|mut interval| {
                // The kernel may have granted up to the horizon, and no further.
                let horizon = interval.until.map(|horizon| self.wall(horizon));
                interval.until = horizon.filter(|horizon| *horizon <= now);
                let covers =
                    |at| interval.since <= at && horizon.is_none_or(|horizon| at < horizon);
                wanted.at.is_none_or(covers).then_some(interval)
            });
            if let Some(interval) = interval.transpose() {
                each(address, interval);
            }
        })
    }

    /// Calls `each` with every interval that is over, or with the error in its row.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn past(
        &self,
        wanted: &Wanted<A>,
        each: &mut dyn FnMut(A, Result<Interval<A>, String>),
    ) -> Result<(), StoreError> {
        let at = wanted.at.map(|at| at.0);
        let parameters = named_params! { ":client": wanted.client, ":at": at };
        self.select(PAST, wanted, parameters, each)
    }

    fn select(
        &self,
        sql: &str,
        wanted: &Wanted<A>,
        parameters: &[(&str, &dyn ToSql)],
        each: &mut dyn FnMut(A, Result<Interval<A>, String>),
    ) -> Result<(), StoreError> {
        let wanted_address = wanted.address.map(A::column);
        let mut parameters = parameters.to_vec();
        let mut sql = A::TABLES.fill(sql);
        if wanted_address.is_some() {
            parameters.push((":address", &wanted_address));
            sql.push_str(OF_ADDRESS);
        }
        let mut query = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query(&*parameters)?;
            while let Some(row) = rows.next()? {
                let address = address(row)?;
                each(
                    address,
                    interval(address, row).map_err(|error| error.to_string()),
                );
            }
            Ok(())
        };
        query().map_err(unreadable)
    }
}

fn interval<A>(address: A, row: &Row<'_>) -> Result<Interval<A>, StoreFault> {
    Ok(Interval {
        address,
        origin: origin(row, [1, 2, 3, 4, 5])?,
        since: Utc(row.get(6)?),
        until: Some(Utc(row.get(7)?)),
    })
}
