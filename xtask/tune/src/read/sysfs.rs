//! The interface's folder in `/sys`, which shows the network namespace in which it was mounted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};
use tempfile::TempDir;

use super::link;

/// A sysfs of the namespace of this process.
#[derive(Debug)]
pub struct Sysfs {
    /// `None` where `/sys` belongs to another namespace, and mounting one is not permitted.
    root: Option<PathBuf>,
    /// Where a sysfs was mounted for this process alone.
    mounted: Option<TempDir>,
}

impl Sysfs {
    /// Opens `/sys`, or mounts another sysfs, visible to this process only, if that belongs to
    /// another namespace.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn open(interface: &str, ifindex: u32) -> Result<Self> {
        let usual = Self {
            root: Some("/sys".into()),
            mounted: None,
        };
        let shown = (
            usual.read(interface, "ifindex"),
            usual.read(interface, "address"),
        );
        // Names and indices are often the same in two namespaces, hardware addresses are not.
        if shown == (Some(ifindex.to_string()), link::address(ifindex)) {
            return Ok(usual);
        }
        if !geteuid().is_root() {
            return Ok(Self {
                root: None,
                mounted: None,
            });
        }
        let dir = tempfile::tempdir()?;
        mount_at(dir.path()).context("cannot mount a sysfs of this network namespace")?;
        Ok(Self {
            root: Some(dir.path().to_owned()),
            mounted: Some(dir),
        })
    }

    fn path(&self, interface: &str, file: &str) -> Option<PathBuf> {
        let folder = self.root.as_ref()?.join("class/net").join(interface);
        Some(folder.join(file))
    }

    /// Reads a file of the interface, without the line end.
    pub fn read(&self, interface: &str, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(interface, file)?).ok()?;
        Some(text.trim_end().to_owned())
    }

    /// Writes a file of the interface.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn write(&self, interface: &str, file: &str, value: &str) -> io::Result<()> {
        let path = self.path(interface, file);
        fs::write(path.ok_or(io::ErrorKind::PermissionDenied)?, value)
    }

    /// Returns the device's name on its bus, such as `virtio2` or `0000:81:00.0`.
    pub fn device(&self, interface: &str) -> Option<String> {
        let device = fs::canonicalize(self.path(interface, "device")?).ok()?;
        Some(device.file_name()?.to_string_lossy().into_owned())
    }
}

impl Drop for Sysfs {
    fn drop(&mut self) {
        if let Some(dir) = &self.mounted {
            // If this fails, an empty folder remains after the process and its mounts have gone.
            let _ = umount2(dir.path(), MntFlags::MNT_DETACH);
        }
    }
}

fn mount_at(dir: &Path) -> nix::Result<()> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    // Nothing that is mounted here may be visible to others.
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(Some("sysfs"), dir, Some("sysfs"), MsFlags::empty(), NONE)
}
