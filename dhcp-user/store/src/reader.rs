//! A store as others see it: read-only, beside a running server or without one.

use std::{fs::File, io, net::Ipv4Addr, path::Path};

use rusqlite::{Connection, OpenFlags};

use super::{
    WallRecord,
    file::{BUSY_TIMEOUT, SCHEMA_VERSION, check_header},
    history::drift_of,
    sqlite::{LOAD, OpenError, record},
    wall_clock::Utc,
};

/// Changes nothing in the file; readers never stand in a server's way.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    /// How far the wall clock is ahead of the store's time.
    pub(super) drift_ns: i64,
}

impl Reader {
    /// Opens a store that is there.
    ///
    /// # Errors
    /// It is no store of ours, or of another version.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
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
        })
    }

    /// Calls `each` with every record, or why it makes no sense.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn records(
        &self,
        mut each: impl FnMut(Ipv4Addr, Result<WallRecord, String>),
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(LOAD)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let address = row.get::<_, u32>(0)?.into();
            each(
                address,
                record(address, row).map_err(|error| error.to_string()),
            );
        }
        Ok(())
    }

    /// What SQLite finds wrong with the file, at most so many of it.
    ///
    /// # Errors
    /// It cannot even look.
    pub fn damage(&self, most: u32) -> rusqlite::Result<Vec<String>> {
        let check = format!("PRAGMA quick_check({most})");
        let mut statement = self.connection.prepare(&check)?;
        let verdicts = statement.query_map([], |row| row.get(0))?;
        let verdicts: rusqlite::Result<Vec<String>> = verdicts.collect();
        Ok(verdicts?
            .into_iter()
            .filter(|verdict| verdict != "ok")
            .collect())
    }

    /// Rows of who had which address.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn past_len(&self) -> rusqlite::Result<u64> {
        let count = "SELECT count(*) FROM past";
        let count: i64 = self.connection.query_row(count, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// A time of a lease as the wall clock has it.
    pub fn wall(&self, stored: Utc) -> Utc {
        stored.shifted(self.drift_ns)
    }
}

/// SQLite would make a WAL and its index beside a store that has none, even to read it, and leave them there. A
/// store without a WAL is in use by nobody, and is read as it stands.
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
