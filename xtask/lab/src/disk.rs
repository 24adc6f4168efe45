//! A small disk that can be filled.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, command};

/// Size of a write. When not even one fits, less than a page is free.
const PAGE: [u8; 4096] = [0; 4096];

/// A file system in memory, removed with its lab.
#[derive(Debug)]
pub struct Disk {
    dir: PathBuf,
    kib: u32,
}

impl Disk {
    pub(super) fn mount(dir: &Path, kib: u32) -> Result<Self> {
        fs::create_dir(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let mut mount = command("mount", ["-t", "tmpfs", "-o"]);
        mount.arg(format!("size={kib}k")).arg("xdhcpd-lab").arg(dir);
        command::read(&mut mount)?;
        let dir = dir.to_owned();
        Ok(Self { dir, kib })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Fills the disk until no page is free.
    ///
    /// # Errors
    /// The disk cannot be written to, or does not become full.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filler())?;
        for _ in 0..=self.kib {
            match file.write_all(&PAGE) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
        bail!(
            "{} has room for more than {} KiB",
            self.dir.display(),
            self.kib
        )
    }

    /// Frees what [`Disk::fill`] has filled.
    ///
    /// # Errors
    /// The disk was not filled.
    pub fn make_room(&self) -> Result<()> {
        fs::remove_file(self.filler()).context("cannot free space on the disk")
    }

    fn filler(&self) -> PathBuf {
        self.path("filler")
    }
}
