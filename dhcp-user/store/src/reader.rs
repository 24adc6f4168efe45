//! Read-only access to a store, beside a running server or without one.

use std::{fs::File, io, marker::PhantomData, net::Ipv4Addr, path::Path};

use dhcp_model::StoreError;
use rusqlite::{Connection, OpenFlags};

use crate::{
    file::{BUSY_TIMEOUT, OpenError, SCHEMA_VERSION, check_header},
    history::drift_of,
    interface::WallRecord,
    schema::{LOAD, StoredAddress, address, record},
    sqlite::unreadable,
    utc::Utc,
};

/// Reads a store. It changes nothing in the file and never blocks a server.
#[derive(Debug)]
pub struct Reader<A = Ipv4Addr> {
    pub(crate) connection: Connection,
    /// How far the wall clock is ahead of the store's time.
    pub(crate) drift_ns: i64,
    addresses: PhantomData<A>,
}

impl Reader {
    /// Opens a store of IPv4 leases that exists.
    ///
    /// # Errors
    /// The file is not a store of xdhcpd, or of another version.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_for_addresses(path)
    }
}

impl<A: StoredAddress> Reader<A> {
    /// Opens a store of leases of any kind of address that exists.
    ///
    /// # Errors
    /// The file is not a store of xdhcpd, or of another version.
    pub fn open_for_addresses(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Missing(path.to_owned()),
            _ => OpenError::Io {
                path: path.to_owned(),
                error,
            },
        })?;
        check_header(path, &file)?;
        drop(file);
        let damaged = |error: rusqlite::Error| OpenError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let connection = connect(path).map_err(damaged)?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        let found: i32 = version.map_err(damaged)?;
        if found != SCHEMA_VERSION {
            let path = path.to_owned();
            return Err(if found > SCHEMA_VERSION {
                OpenError::Newer { path, found }
            } else {
                OpenError::Older { path, found }
            });
        }
        let drift_ns = drift_of(&connection).map_err(damaged)?;
        Ok(Self {
            connection,
            drift_ns,
            addresses: PhantomData,
        })
    }

    /// Calls `each` with every record, or with the error in its row.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn records(
        &self,
        mut each: impl FnMut(A, Result<WallRecord<A>, String>),
    ) -> Result<(), StoreError> {
        let sql = A::TABLES.fill(LOAD);
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let address = address(row)?;
                each(
                    address,
                    record(address, row).map_err(|error| error.to_string()),
                );
            }
            Ok(())
        };
        read().map_err(unreadable)
    }

    /// Returns the problems that SQLite finds in the file, at most `most`.
    ///
    /// # Errors
    /// The file cannot be checked.
    pub fn damage(&self, most: u32) -> Result<Vec<String>, StoreError> {
        let check = format!("PRAGMA quick_check({most})");
        let verdicts = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(&check)?;
            let verdicts = statement.query_map([], |row| row.get(0))?;
            verdicts.collect()
        };
        let mut verdicts = verdicts().map_err(unreadable)?;
        verdicts.retain(|verdict| verdict != "ok");
        Ok(verdicts)
    }

    /// Returns the number of rows of the history.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn past_len(&self) -> Result<u64, StoreError> {
        let count = A::TABLES.fill("SELECT count(*) FROM {past}");
        let count = self.connection.query_row(&count, [], |row| row.get(0));
        count.map(i64::unsigned_abs).map_err(unreadable)
    }

    /// Returns a time of a lease as the wall clock has it.
    pub fn wall(&self, stored: Utc) -> Utc {
        stored.shifted(self.drift_ns)
    }
}

/// Opens the file for reading. SQLite would make a WAL and its index beside a store that has none,
/// even to read it, and leave them there. A store without a WAL is not in use, and is read as it
/// is.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if Path::new(&wal).exists() {
        Connection::open_with_flags(path, flags)?
    } else {
        let uri = format!("file:{}?immutable=1", percent_encoded(path));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// <https://sqlite.org/uri.html#the_uri_path>
fn percent_encoded(path: &Path) -> String {
    let octets = path.as_os_str().as_encoded_bytes().iter();
    octets
        .map(|octet| match octet {
            b'/' | b'.' | b'-' | b'_' => char::from(*octet).to_string(),
            octet if octet.is_ascii_alphanumeric() => char::from(*octet).to_string(),
            octet => format!("%{octet:02X}"),
        })
        .collect()
}
