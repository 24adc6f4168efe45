//! Registry of labs, which distinguishes the remains of a killed lab from a lab in use.
//!
//! Each lab has a record that its owner keeps locked; the kernel releases the lock when the owner
//! ends in any way. Records lie next to network namespaces, in a file system that is empty after a
//! reboot.

use std::{
    fs::{self, File, TryLockError},
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::wait;
use crate::command::{self, command};

/// Names of the mounts in a lab's folder.
pub(super) const BPFFS: &str = "bpf";
pub(super) const DISK: &str = "disk";
const RECORDS: &str = "/run/xdhcpd-lab";
/// Lock that is held while labs are added and removed, so that no lab is removed before its owner
/// has locked its record.
const LOCK: &str = ".lock";
/// Second line of the record of a lab that is kept without an owner.
const KEPT: &str = "kept";

pub(super) fn namespace_name(id: &str, role: &str) -> String {
    format!("xdhcpd-{id}-{role}")
}

/// The locked registry.
pub(super) struct Registry {
    _lock: File,
}

impl Registry {
    pub fn lock() -> Result<Self> {
        fs::create_dir_all(RECORDS).with_context(|| format!("cannot create {RECORDS}"))?;
        let path = Path::new(RECORDS).join(LOCK);
        let lock =
            File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
        lock.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _lock: lock })
    }

    /// Adds a lab, which is owned as long as the returned record is open.
    pub fn enter(&self, id: &str, dir: &Path) -> Result<File> {
        let path = record_path(id);
        let mut record =
            File::create_new(&path).with_context(|| format!("cannot create {}", path.display()))?;
        record.lock()?;
        writeln!(record, "{}", dir.display())?;
        Ok(record)
    }

    /// Removes labs whose owner has ended.
    pub fn sweep(&self) {
        for lab in labs().filter(|lab| !lab.kept && !lab.is_owned()) {
            remove(&lab.id, &lab.dir);
        }
    }
}

/// Removes labs that were kept, and returns how many.
///
/// # Errors
/// The registry cannot be locked.
pub fn remove_kept() -> Result<usize> {
    let _registry = Registry::lock()?;
    let kept = labs().filter(|lab| lab.kept && !lab.is_owned());
    Ok(kept.map(|lab| remove(&lab.id, &lab.dir)).count())
}

pub(super) fn mark_kept(record: &mut File, dir: &Path) -> Result<()> {
    record.rewind()?;
    writeln!(record, "{}\n{KEPT}", dir.display())?;
    Ok(())
}

/// Removes everything of a lab, and prints what cannot be removed.
pub(super) fn remove(id: &str, dir: &Path) {
    for namespace in namespaces(&namespace_name(id, "")) {
        if let Err(error) = remove_namespace(&namespace) {
            eprintln!(
                "lab: cannot remove a namespace, run `ip netns delete {namespace}`: {error:#}"
            );
        }
    }
    // Pins are removed with their bpffs, and maps and links with their pins.
    for mounted in [BPFFS, DISK] {
        while umount2(&dir.join(mounted), MntFlags::MNT_DETACH).is_ok() {}
    }
    let removed = [fs::remove_dir_all(dir), fs::remove_file(record_path(id))];
    for error in removed.into_iter().filter_map(Result::err) {
        if error.kind() != std::io::ErrorKind::NotFound {
            eprintln!(
                "lab: cannot remove {}, remove it by hand: {error}",
                dir.display()
            );
        }
    }
}

fn remove_namespace(namespace: &str) -> Result<()> {
    // A namespace outlives its name while a process is in it.
    wait::until("its processes to end", wait::PATIENCE, || {
        let pids = command::read(&mut command("ip", ["netns", "pids", namespace]))?;
        for pid in pids.lines().filter_map(|pid| pid.trim().parse().ok()) {
            // A process that has just ended is not an error.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        Ok(pids.trim().is_empty().then_some(()))
    })?;
    command::read(&mut command("ip", ["netns", "delete", namespace])).map(drop)
}

fn namespaces(prefix: &str) -> Vec<String> {
    command::read(&mut command("ip", ["netns", "list"]))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

struct Entry {
    id: String,
    dir: PathBuf,
    kept: bool,
    record: File,
}

impl Entry {
    fn is_owned(&self) -> bool {
        matches!(self.record.try_lock(), Err(TryLockError::WouldBlock))
    }
}

fn labs() -> impl Iterator<Item = Entry> {
    fs::read_dir(RECORDS)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().into_string().ok()?;
            if id == LOCK {
                return None;
            }
            let text = fs::read_to_string(record_path(&id)).ok()?;
            let mut lines = text.lines();
            Some(Entry {
                dir: PathBuf::from(lines.next()?),
                kept: lines.next() == Some(KEPT),
                record: File::open(record_path(&id)).ok()?,
                id,
            })
        })
}

fn record_path(id: &str) -> PathBuf {
    Path::new(RECORDS).join(id)
}
