//! How tables hold addresses, states and clients: the encoding that files of every version share.

use std::net::{Ipv4Addr, Ipv6Addr};

use dhcp_common::abi::ClientKey;
use dhcp_model::{Address, ClientOrigin, Hardware, Nanos, Record, RecordState, StoreFault};
use ipnet::Ipv6Net;
use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ValueRef},
};

use crate::{interface::WallRecord, utc::Utc};

/// The schema of a file with IPv4 leases. Tables for other addresses are made from it.
pub(crate) const SCHEMA: &str = include_str!("schema.sql");

/// States in which the client may use the address.
pub(crate) const HELD: [RecordState; 3] = [
    RecordState::Bound,
    RecordState::Deleted,
    RecordState::Revoked,
];

/// An address that a file can hold.
///
/// IPv4 addresses are numbers, as in every file so far; other addresses are BLOBs in the order of
/// the addresses. Each kind has its own tables.
pub trait StoredAddress: Address {
    const TABLES: Tables;
    type Column: ToSql;

    /// Returns the value of the column `address`.
    fn column(self) -> Self::Column;

    /// Reads the column `address`.
    ///
    /// # Errors
    /// The value is of another type or length.
    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

impl StoredAddress for Ipv4Addr {
    const TABLES: Tables = Tables {
        lease: "lease",
        past: "past",
    };
    type Column = u32;

    fn column(self) -> u32 {
        self.to_bits()
    }

    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u32::column_result(value).map(Self::from_bits)
    }
}

/// 16 octets, in network order.
impl StoredAddress for Ipv6Addr {
    const TABLES: Tables = Tables {
        lease: "lease_ipv6",
        past: "past_ipv6",
    };
    type Column = [u8; 16];

    fn column(self) -> [u8; 16] {
        self.octets()
    }

    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(Self::from)
    }
}

/// The 16 octets of the prefix in network order, and its length.
impl StoredAddress for Ipv6Net {
    const TABLES: Tables = Tables {
        lease: "lease_ipv6_prefix",
        past: "past_ipv6_prefix",
    };
    type Column = [u8; 17];

    fn column(self) -> [u8; 17] {
        let mut column = [self.prefix_len(); 17];
        column[..16].copy_from_slice(&self.network().octets());
        column
    }

    fn from_column(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let [prefix @ .., len] = <[u8; 17]>::column_result(value)?;
        Self::new(prefix.into(), len).map_err(FromSqlError::other)
    }
}

/// Reads the column `address` of a row.
pub(crate) fn address<A: StoredAddress>(row: &Row<'_>) -> rusqlite::Result<A> {
    struct Column<A>(A);
    impl<A: StoredAddress> FromSql for Column<A> {
        fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
            A::from_column(value).map(Self)
        }
    }
    row.get(0).map(|Column(address)| address)
}

/// Names of the tables for one kind of address.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// Current records.
    lease: &'static str,
    /// The history.
    past: &'static str,
}

impl Tables {
    /// Returns the name of the table with the current records.
    pub const fn lease(&self) -> &'static str {
        self.lease
    }

    /// Returns the name of the table with the history.
    pub const fn past(&self) -> &'static str {
        self.past
    }

    /// Returns a statement for these tables, from one that names them `{lease}` and `{past}`.
    pub(crate) fn fill(&self, statement: &str) -> String {
        statement
            .replace("{lease}", self.lease)
            .replace("{past}", self.past)
    }

    /// Returns the statements that make these tables where they are missing; `None` for those of
    /// IPv4, which are in every file.
    pub(crate) fn definition(&self) -> Option<String> {
        if self.lease == Ipv4Addr::TABLES.lease {
            return None;
        }
        let definitions = [
            "CREATE TABLE lease (",
            "CREATE TABLE past (",
            "CREATE INDEX past_of_address ",
        ];
        let definitions = definitions.map(|begin| {
            let (_, rest) = SCHEMA.split_once(begin).unwrap_or_default();
            let (rest, _) = rest.split_once(';').unwrap_or_default();
            format!("{begin}{rest};\n")
        });
        let [lease, past, index] = definitions;
        let Self {
            lease: lease_name,
            past: past_name,
        } = self;
        let column = "address   INTEGER";
        let blob = "address   BLOB NOT NULL";
        Some(format!(
            "{}{}{}",
            lease
                .replace("TABLE lease", &format!("TABLE IF NOT EXISTS {lease_name}"))
                .replace(column, blob)
                .replace(" -- as a number, in host order", ""),
            past.replace("TABLE past", &format!("TABLE IF NOT EXISTS {past_name}"))
                .replace(&format!("{column} NOT NULL"), blob),
            index
                .replace("INDEX past", &format!("INDEX IF NOT EXISTS {past_name}"))
                .replace("ON past", &format!("ON {past_name}")),
        ))
    }
}

/// Columns in the order of [`record`].
pub(crate) const LOAD: &str = "\
SELECT address, client, state, htype, chaddr, client_id, host_name, since, expires, horizon, relay_info FROM {lease}";

/// Returns the number of a state in the files; the views name them.
pub(crate) const fn state_number(state: RecordState) -> u8 {
    match state {
        RecordState::Bound => 1,
        RecordState::Deleted => 2,
        RecordState::Revoked => 3,
        RecordState::Quarantined => 4,
        RecordState::Former => 5,
    }
}

fn state_of(number: u8) -> Option<RecordState> {
    [
        RecordState::Bound,
        RecordState::Deleted,
        RecordState::Revoked,
        RecordState::Quarantined,
        RecordState::Former,
    ]
    .into_iter()
    .find(|state| state_number(*state) == number)
}

/// Returns whether the client may use an address in this state.
pub(crate) fn is_held(state: RecordState) -> bool {
    HELD.contains(&state)
}

/// Reads a row of [`LOAD`].
pub(crate) fn record<A>(address: A, row: &Row<'_>) -> Result<WallRecord<A>, StoreFault> {
    let client: [u8; size_of::<ClientKey>()] = row.get(1)?;
    let state = row.get(2)?;
    let origin = origin(row, [3, 4, 5, 6, 10])?;
    Ok(WallRecord {
        record: Record {
            address,
            client: ClientKey::from_octets(&client).ok_or("a client key of no known kind")?,
            state: state_of(state).ok_or_else(|| format!("a state {state} that is not known"))?,
            origin,
            since: Nanos::default(),
            expires: Nanos::default(),
            horizon: Nanos::default(),
        },
        since: Utc(row.get(7)?),
        expires: Utc(row.get(8)?),
        horizon: Utc(row.get(9)?),
    })
}

/// Reads a client from these columns: `htype`, `chaddr`, `client_id`, `host_name`, `relay_info`.
pub(crate) fn origin(
    row: &Row<'_>,
    [htype, chaddr, client_id, host_name, relay_info]: [usize; 5],
) -> Result<ClientOrigin, StoreFault> {
    let chaddr = row.get_ref(chaddr)?.as_blob()?;
    let mut hardware = Hardware {
        htype: row.get(htype)?,
        len: u8::try_from(chaddr.len())?,
        ..Hardware::default()
    };
    let octets = hardware.chaddr.get_mut(..chaddr.len());
    octets
        .ok_or("a hardware address longer than 16 octets")?
        .copy_from_slice(chaddr);
    let client_id: Option<Vec<u8>> = row.get(client_id)?;
    let host_name: Option<String> = row.get(host_name)?;
    let relay_info: Option<Vec<u8>> = row.get(relay_info)?;
    Ok(ClientOrigin {
        hardware,
        client_id: client_id.map(Vec::into_boxed_slice),
        host_name: host_name.map(String::into_boxed_str),
        relay_info: relay_info.map(Vec::into_boxed_slice),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_other_addresses_differ_from_those_of_ipv4_in_name_and_type_only() {
        let definition = Ipv6Addr::TABLES.definition().expect("their own tables");
        assert_eq!(definition.matches("BLOB NOT NULL").count(), 2);
        let in_ipv4 = definition
            .replace("IF NOT EXISTS ", "")
            .replace("_ipv6", "")
            .replace(
                "address   BLOB NOT NULL PRIMARY KEY,",
                "address   INTEGER PRIMARY KEY, -- as a number, in host order",
            )
            .replace("address   BLOB NOT NULL", "address   INTEGER NOT NULL");
        for statement in in_ipv4.split_terminator(";\n") {
            assert!(SCHEMA.contains(statement), "{statement}");
        }
        assert!(Ipv4Addr::TABLES.definition().is_none());
    }
}
