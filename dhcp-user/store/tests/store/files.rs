//! Files that are a store, and files that are not and must not be changed.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use dhcp_model::{Applied, RecordState};
use dhcp_store::sqlite::OpenError;
use dhcp_store::{Store, WallChange, sqlite::SqliteStore};
use dhcp_testkit::stores::*;
use rusqlite::Connection;

/// Returns the message with which a file is refused, after checking that it is unchanged.
fn refusal(make: impl FnOnce(&Path)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases.db");
    make(&path);
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).expect_err("refused");
    assert!(fs::read(&path).unwrap() == before, "changed: {error}");
    error
        .to_string()
        .replace(directory.path().to_str().unwrap(), "DIR")
}

/// Makes a store of many pages at this path, and closes it.
fn make_store(path: &Path) {
    let mut store = SqliteStore::open(path).unwrap();
    let changes: Vec<_> = (0..=255)
        .map(|i| put(i, client(i), RecordState::Bound))
        .collect();
    store.commit(&changes).unwrap();
}

#[test]
fn a_missing_file_is_made_for_its_owner_only_and_kept() {
    let (directory, store) = store();
    let path = directory.path().join("leases.db");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let inode = fs::metadata(&path).unwrap().ino();
    drop(store);
    assert_eq!(
        contents(directory.path()).len(),
        1,
        "nothing is left beside it"
    );
    let mut store = SqliteStore::open(&path).unwrap();
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    drop(store);
    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!(all(&mut store).len(), 1);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn a_missing_directory_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("no").join("leases.db");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(
        matches!(error, OpenError::NoDirectory(missing) if missing == directory.path().join("no"))
    );
}

#[test]
fn a_second_controller_is_kept_out_until_the_first_ends() {
    let (directory, store) = store();
    let path = directory.path().join("leases.db");
    let error = SqliteStore::open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: another xdhcpd has this store open; stop it first, or set another `server.store`",
            path.display()
        )
    );
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let not_sqlite = "DIR/leases.db: not an SQLite file, not a store of xdhcpd; move it away, or set another `server.store`";
    assert_eq!(refusal(|path| fs::write(path, "").unwrap()), not_sqlite);
    assert_eq!(
        refusal(|path| fs::write(path, "lease 10.0.0.1 {\n".repeat(99)).unwrap()),
        not_sqlite
    );
    assert_eq!(
        refusal(|path| fs::write(path, "SQLite format 3\0").unwrap()),
        not_sqlite
    );
    let another = refusal(|path| {
        Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE mine (a)")
            .unwrap();
    });
    assert_eq!(
        another,
        "DIR/leases.db: the SQLite file of another application, not a store of xdhcpd; move it away, or set another `server.store`"
    );
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let message = refusal(|path| {
        make_store(path);
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "user_version", 4).unwrap();
    });
    assert_eq!(
        message,
        "DIR/leases.db: written by a newer xdhcpd (schema 4, this one knows 3); run that version, or put a backup from before the upgrade in its place"
    );
}

#[test]
fn a_damaged_store_is_refused_and_left_alone() {
    let advice = "; move it and its -wal file away, and put a backup in its place or start with an empty store";
    let truncated = refusal(|path| {
        make_store(path);
        let octets = fs::read(path).unwrap();
        fs::write(path, &octets[..octets.len() - 4096]).unwrap();
    });
    let overwritten = refusal(|path| {
        make_store(path);
        let mut octets = fs::read(path).unwrap();
        assert!(octets.len() > 5 * 4096, "{}", octets.len());
        octets[4 * 4096..5 * 4096].fill(0x5a);
        fs::write(path, octets).unwrap();
    });
    for message in [truncated, overwritten] {
        assert!(
            message.starts_with("DIR/leases.db: the store is damaged ("),
            "{message}"
        );
        assert!(message.ends_with(advice), "{message}");
    }
}

#[test]
fn a_damaged_store_is_not_mended_from_what_a_crash_left_beside_it() {
    let message = refusal(|path| {
        make_store(path);
        // The file and its WAL as `kill -9` leaves them: copied while the store is open.
        let mut store = SqliteStore::open(path).unwrap();
        store
            .commit(&[put(7, client(7), RecordState::Former)])
            .unwrap();
        let wal = path.with_extension("db-wal");
        let (mut octets, log) = (fs::read(path).unwrap(), fs::read(&wal).unwrap());
        drop(store);
        // The WAL has no other version of its last page.
        let last = octets.len() - 4096;
        octets[last..].fill(0x5a);
        fs::write(path, octets).unwrap();
        fs::write(wal, log).unwrap();
    });
    assert!(
        message.starts_with("DIR/leases.db: the store is damaged ("),
        "{message}"
    );
}

#[test]
fn c120_what_was_committed_before_a_kill_is_there_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases.db");
    make_store(&path);
    let mut store = SqliteStore::open(&path).unwrap();
    store
        .commit(&[put(7, client(7), RecordState::Former)])
        .unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    assert_eq!(all(&mut SqliteStore::open(&copy).unwrap()), all(&mut store));
    assert_eq!(all(&mut store)[7].record.state, RecordState::Former);
}

#[test]
fn a_store_of_an_earlier_schema_is_upgraded_in_place() {
    let second = "DROP VIEW history; DROP TABLE past; PRAGMA user_version = 2;";
    let first = "DROP VIEW leases; ALTER TABLE lease DROP COLUMN relay_info;
        CREATE VIEW leases AS SELECT address FROM lease; PRAGMA user_version = 1;";
    for undo in [second.to_owned(), [second, first].concat()] {
        is_upgraded(&undo);
    }
}

fn is_upgraded(undo: &str) {
    let (directory, mut store) = store();
    let path = directory.path().join("leases.db");
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    let before = all(&mut store);
    drop(store);
    let earlier = Connection::open(&path).unwrap();
    earlier.execute_batch(undo).unwrap();
    drop(earlier);

    let mut upgraded = SqliteStore::open(&path).unwrap();
    assert_eq!(all(&mut upgraded), before);
    let mut change = record(address(6), client(2), RecordState::Bound);
    change.record.origin.relay_info = Some([1, 1, 7].into());
    let change = WallChange::Put(Box::new(change));
    assert_eq!(upgraded.commit(&[change]).unwrap(), [Applied::Done]);
    let other = Connection::open(&path).unwrap();
    let relay_info: String = other
        .query_row(
            "SELECT relay_info FROM leases WHERE address = '10.0.0.6'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(relay_info, "010107");
    let held: u32 = other
        .query_row("SELECT count(*) FROM history", [], |row| row.get(0))
        .unwrap();
    assert_eq!(held, 2);
    let schema = |connection: &Connection| -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT name FROM sqlite_schema ORDER BY name")
            .unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    };
    let (new, _store) = dhcp_testkit::stores::store();
    let new = Connection::open(new.path().join("leases.db")).unwrap();
    assert_eq!(schema(&other), schema(&new));
}
