//! Who had which address, and when: what [`super::history`] has written, and the leases that go on.

use std::{cmp::Reverse, net::Ipv4Addr};

use dhcp_model::ClientOrigin;
use rusqlite::{Row, ToSql, named_params};

use super::{
    history::HELD,
    reader::Reader,
    sqlite::{origin, state_number},
    wall_clock::Utc,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Columns in the order of [`interval`]. Those that a lease has are the wall clock's by then.
const PAST: &str = "\
SELECT address, htype, chaddr, client_id, host_name, relay_info, since, until
FROM past
WHERE (:client IS NULL OR chaddr = :client OR client_id = :client)
    AND (:at IS NULL OR (since <= :at AND :at < until))";
const PRESENT: &str = "\
SELECT address, htype, chaddr, client_id, host_name, relay_info, max(since + :drift, coalesce(
    (SELECT max(until) FROM past WHERE past.address = lease.address), since + :drift)), horizon
FROM lease
WHERE state IN (:bound, :forgotten, :revoked) AND (:client IS NULL OR chaddr = :client OR client_id = :client)";
/// Without it all addresses; spelled out, for only so the index is used.
const OF_ADDRESS: &str = " AND address = :address";

/// A time for which an address was a client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    pub address: Ipv4Addr,
    pub origin: ClientOrigin,
    pub since: Utc,
    /// `None` while it goes on.
    pub until: Option<Utc>,
}

/// Which intervals are meant; `None` leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub address: Option<Ipv4Addr>,
    /// In whose time this lies.
    pub at: Option<Utc>,
    /// The octets of a hardware address or a client identifier.
    pub client: Option<Vec<u8>>,
}

impl Reader {
    /// What is known, by address, the latest first. `now` is the wall clock's.
    ///
    /// # Errors
    /// The store cannot be read, or a row makes no sense.
    pub fn intervals(&self, wanted: &Wanted, now: Utc) -> Result<Vec<Interval>, Error> {
        let mut found = Ok(Vec::new());
        let mut collect = |address: Ipv4Addr, interval: Result<Interval, String>| match interval {
            Ok(interval) => {
                if let Ok(found) = &mut found {
                    found.push(interval);
                }
            }
            Err(error) => found = Err(format!("the history of {address} in the store: {error}")),
        };
        self.present(wanted, now, &mut collect)?;
        self.past(wanted, &mut collect)?;
        let mut found = found?;
        found.sort_by_key(|interval| (interval.address, Reverse(interval.since)));
        Ok(found)
    }

    /// What goes on.
    fn present(
        &self,
        wanted: &Wanted,
        now: Utc,
        each: &mut dyn FnMut(Ipv4Addr, Result<Interval, String>),
    ) -> rusqlite::Result<()> {
        let [bound, forgotten, revoked] = HELD.map(state_number);
        let parameters = named_params! {
            ":client": wanted.client,
            ":drift": self.drift_ns,
            ":bound": bound,
            ":forgotten": forgotten,
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

    /// Calls `each` with what is over, or why it makes no sense.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn past(
        &self,
        wanted: &Wanted,
        each: &mut dyn FnMut(Ipv4Addr, Result<Interval, String>),
    ) -> rusqlite::Result<()> {
        let at = wanted.at.map(|at| at.0);
        let parameters = named_params! { ":client": wanted.client, ":at": at };
        self.select(PAST, wanted, parameters, each)
    }

    fn select(
        &self,
        sql: &str,
        wanted: &Wanted,
        parameters: &[(&str, &dyn ToSql)],
        each: &mut dyn FnMut(Ipv4Addr, Result<Interval, String>),
    ) -> rusqlite::Result<()> {
        let address = wanted.address.map(u32::from);
        let mut parameters = parameters.to_vec();
        let mut sql = sql.to_owned();
        if address.is_some() {
            parameters.push((":address", &address));
            sql.push_str(OF_ADDRESS);
        }
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(&*parameters)?;
        while let Some(row) = rows.next()? {
            let address = row.get::<_, u32>(0)?.into();
            each(
                address,
                interval(address, row).map_err(|error| error.to_string()),
            );
        }
        Ok(())
    }
}

fn interval(address: Ipv4Addr, row: &Row<'_>) -> Result<Interval, Error> {
    Ok(Interval {
        address,
        origin: origin(row, [1, 2, 3, 4, 5])?,
        since: Utc(row.get(6)?),
        until: Some(Utc(row.get(7)?)),
    })
}
