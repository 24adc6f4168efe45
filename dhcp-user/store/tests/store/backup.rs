//! Backups of a store, beside a server that commits.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use dhcp_model::RecordState;
use dhcp_store::backup::{BackupError, Copied, backup};
use dhcp_store::{Store, WallChange, sqlite::SqliteStore};
use dhcp_testkit::stores::*;

#[test]
fn a_backup_of_a_running_store_is_a_store_with_the_same_in_it() {
    let (directory, store) = store();
    let mut store = store.keeping_history(Duration::from_secs(u32::MAX.into()));
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    store
        .commit(&[put(5, client(1), RecordState::Former)])
        .unwrap();
    store
        .commit(&[put(6, client(2), RecordState::Bound)])
        .unwrap();
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("copy.db");
    let copied = backup(&directory.path().join("leases.db"), &file, false).unwrap();
    assert_eq!((copied.records, copied.past), (2, 1));
    assert_eq!(copied.octets, fs::metadata(&file).unwrap().len());
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(contents(target.path()).len(), 1, "nothing is beside it");
    assert_eq!(all(&mut SqliteStore::open(&file).unwrap()), all(&mut store));
}

#[test]
fn a_backup_without_a_server_leaves_the_store_as_it_is() {
    let (directory, mut store) = store();
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    let expected = all(&mut store);
    drop(store);
    let before = contents(directory.path());
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("copy.db");
    backup(&directory.path().join("leases.db"), &file, false).unwrap();
    assert_eq!(contents(directory.path()), before);
    assert_eq!(all(&mut SqliteStore::open(&file).unwrap()), expected);
}

#[test]
fn nothing_is_replaced_without_force_and_no_store_in_use_with_it() {
    let (directory, mut store) = store();
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    let from = directory.path().join("leases.db");
    let refusal = |to: &std::path::Path, force| {
        let before = fs::read(to).unwrap_or_default();
        let error = backup(&from, to, force).expect_err("refused");
        assert!(fs::read(to).unwrap_or_default() == before);
        error
    };
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("copy.db");
    fs::write(&file, "what was there before").unwrap();
    assert!(matches!(refusal(&file, false), BackupError::Exists(_)));
    assert!(
        matches!(refusal(target.path(), true), BackupError::Exists(_)),
        "a directory"
    );
    for force in [false, true] {
        assert!(matches!(refusal(&from, force), BackupError::Itself(_)));
    }
    let (other, _running) = dhcp_testkit::stores::store();
    let in_use = refusal(&other.path().join("leases.db"), true);
    assert!(matches!(in_use, BackupError::InUse(_)));
    let missing = target.path().join("no").join("copy.db");
    assert!(matches!(refusal(&missing, false), BackupError::Io { .. }));
    backup(&from, &file, true).unwrap();
    assert_eq!(all(&mut SqliteStore::open(&file).unwrap()), all(&mut store));
}

#[test]
fn a_store_that_is_not_whole_gives_no_backup() {
    let (directory, mut store) = store();
    let changes: Vec<_> = (0..=255)
        .map(|i| put(i, client(i), RecordState::Bound))
        .collect();
    store.commit(&changes).unwrap();
    drop(store);
    let from = directory.path().join("leases.db");
    let mut octets = fs::read(&from).unwrap();
    let pages = octets.len() / 4096;
    octets[(pages - 1) * 4096..].fill(0x5a);
    fs::write(&from, octets).unwrap();
    let target = tempfile::tempdir().unwrap();
    let error = backup(&from, &target.path().join("copy.db"), false).expect_err("damaged");
    assert!(
        matches!(error, BackupError::NotWhole(_) | BackupError::Copy(_)),
        "{error}"
    );
    assert_eq!(contents(target.path()), []);
}

/// Each commit has all addresses of the same number of clients, so that a mixture of commits is
/// seen at once.
#[test]
fn a_backup_under_load_is_of_one_moment_and_comes_to_an_end() {
    const ADDRESSES: u32 = 2000;
    /// Far more than there are while five copies are made.
    const MAX_ROUNDS: u32 = 10_000;
    let (directory, mut store) = store();
    let commit = move |store: &mut SqliteStore, round: u8| {
        let changes = (0..ADDRESSES).map(|i| {
            let key = ClientKey::client_id(1, &i.to_be_bytes()).unwrap();
            let mut record = record((0x0a00_0000 + i).into(), key, RecordState::Bound);
            record.record.origin.host_name = Some(round.to_string().into());
            WallChange::Put(Box::new(record))
        });
        store.commit(&changes.collect::<Vec<_>>()).unwrap();
    };
    commit(&mut store, 0);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut rounds = 0;
            while !stop.load(Relaxed) && rounds < MAX_ROUNDS {
                rounds += 1;
                commit(&mut store, rounds as u8);
            }
            rounds
        }
    });
    let target = tempfile::tempdir().unwrap();
    for number in 0..5 {
        let file = target.path().join(format!("{number}.db"));
        let Copied { records, .. } =
            backup(&directory.path().join("leases.db"), &file, false).unwrap();
        assert!(
            !writer.is_finished(),
            "it waited until nothing was committed"
        );
        assert_eq!(records, u64::from(ADDRESSES));
        let copied = all(&mut SqliteStore::open(&file).unwrap());
        let round = &copied[0].record.origin.host_name;
        assert!(
            copied
                .iter()
                .all(|record| record.record.origin.host_name == *round)
        );
    }
    stop.store(true, Relaxed);
    assert!(writer.join().unwrap() > 0, "it was under load");
}
