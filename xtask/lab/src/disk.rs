//! A small disk that can be full.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, command};

/// Written at once: what is left when not even one fits is less than a page.
const PAGE: [u8; 4096] = [0; 4096];

/// A file system in memory; it goes with its lab.
#[derive(Debug)]
pub struct Disk {
    dir: PathBuf,
    kib: u32,
}

impl Disk {
    pub(super) fn mount(dir: &Path, kib: u32) -> Result<Self> {
        fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut mount = command("mount", ["-t", "tmpfs", "-o"]);
        mount.arg(format!("size={kib}k")).arg("xdhcpd-lab").arg(dir);
        command::read(&mut mount)?;
        let dir = dir.to_owned();
        Ok(Self { dir, kib })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Leaves no page free.
    ///
    /// # Errors
    /// It could not be written to, or it does not get full.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filler())?;
        for _ in 0..=self.kib {
            match file.write_all(&PAGE) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
        bail!("{} takes more than {} KiB", self.dir.display(), self.kib)
    }

    /// As it was before [`Disk::fill`].
    ///
    /// # Errors
    /// It was not filled.
    pub fn make_room(&self) -> Result<()> {
        fs::remove_file(self.filler()).context("cannot make room on the disk")
    }

    fn filler(&self) -> PathBuf {
        self.path("filler")
    }
}
