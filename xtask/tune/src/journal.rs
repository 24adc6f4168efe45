//! The journal of previous values, written before anything is set, so that it can always be
//! restored.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::knob::Knob;

/// Folder of journals, unless another file is given.
const FOLDER: &str = "/var/lib/xdhcpd";

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    contents: Contents,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    interface: String,
    ifindex: u32,
    boot_id: String,
    /// Entries in the order in which they were set.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    #[serde(flatten)]
    pub knob: Knob,
    /// Value before it was first set.
    pub from: String,
    /// Value to which it was last set.
    pub to: String,
}

/// Whom the settings belong to.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub interface: &'a str,
    pub ifindex: u32,
    /// The present boot, after which all settings have their defaults again.
    pub boot_id: &'a str,
}

pub fn default_path(interface: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("tune-{interface}.json"))
}

impl Journal {
    /// Reads a journal, without what is no longer in effect.
    ///
    /// # Errors
    /// The file is not a journal.
    pub fn open(path: &Path, owner: Owner<'_>) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the journal {}", path.display()))?;
        let mut contents: Contents = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a journal of `tune`", path.display()))?;
        anyhow::ensure!(
            contents.interface == owner.interface,
            "{} is the journal of {}, not of {}",
            path.display(),
            contents.interface,
            owner.interface
        );
        if contents.boot_id != owner.boot_id {
            contents.entries.clear();
        } else if contents.ifindex != owner.ifindex {
            // Another interface with the same name has none of these settings.
            contents
                .entries
                .retain(|entry| !entry.knob.is_of_interface());
        }
        contents.boot_id = owner.boot_id.to_owned();
        contents.ifindex = owner.ifindex;
        Ok(Some(Self {
            path: path.to_owned(),
            contents,
        }))
    }

    pub fn new(path: &Path, owner: Owner<'_>) -> Self {
        Self {
            path: path.to_owned(),
            contents: Contents {
                interface: owner.interface.to_owned(),
                ifindex: owner.ifindex,
                boot_id: owner.boot_id.to_owned(),
                entries: Vec::new(),
            },
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.contents.entries
    }

    /// Records a setting before it is set. If it is recorded already, its original value is kept.
    ///
    /// # Errors
    /// The journal cannot be written, and nothing must be set.
    pub fn note(&mut self, entry: Entry) -> Result<()> {
        let entries = &mut self.contents.entries;
        match entries.iter_mut().find(|one| one.knob == entry.knob) {
            Some(there) => there.to = entry.to,
            None => entries.push(entry),
        }
        self.write()
    }

    /// Removes a setting that has its original value again.
    ///
    /// # Errors
    /// The journal cannot be written, or removed when it is empty.
    pub fn forget(&mut self, knob: &Knob) -> Result<()> {
        self.contents.entries.retain(|entry| entry.knob != *knob);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let path = self.path.display();
        if self.contents.entries.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("cannot remove the journal {path}"))
                }
                _ => Ok(()),
            };
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let write = || -> Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, &self.contents)?;
            writeln!(file)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write the journal {path}; nothing was set"))
    }

    /// Writes or removes the journal.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn close(self) -> Result<()> {
        self.write()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner {
        interface: "eth1",
        ifindex: 7,
        boot_id: "b",
    };

    fn entry(knob: Knob, from: &str, to: &str) -> Entry {
        Entry {
            name: String::new(),
            knob,
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    fn sysctl() -> Knob {
        Knob::Sysctl("net.core.busy_poll".to_owned())
    }

    fn written(dir: &Path) -> PathBuf {
        let path = dir.join("deep").join("tune.json");
        let mut journal = Journal::new(&path, OWNER);
        journal.note(entry(Knob::RxRing, "256", "512")).unwrap();
        journal.note(entry(sysctl(), "50", "0")).unwrap();
        journal.note(entry(Knob::RxRing, "512", "1024")).unwrap();
        path
    }

    #[test]
    fn what_was_there_at_first_stays_when_it_is_set_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let journal = Journal::open(&path, OWNER).unwrap().unwrap();
        let expected = [
            entry(Knob::RxRing, "256", "1024"),
            entry(sysctl(), "50", "0"),
        ];
        assert_eq!(journal.entries(), expected);
    }

    #[test]
    fn it_goes_with_its_last_entry() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let mut journal = Journal::open(&path, OWNER).unwrap().unwrap();
        journal.forget(&Knob::RxRing).unwrap();
        assert!(path.exists());
        journal.forget(&sysctl()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_longer_in_force_is_not_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let another = Owner {
            ifindex: 8,
            ..OWNER
        };
        let journal = Journal::open(&path, another).unwrap().unwrap();
        assert_eq!(journal.entries(), [entry(sysctl(), "50", "0")]);
        let restarted = Owner {
            boot_id: "c",
            ..OWNER
        };
        let journal = Journal::open(&path, restarted).unwrap().unwrap();
        assert_eq!(journal.entries(), []);
        let other = Owner {
            interface: "eth2",
            ..OWNER
        };
        let error = Journal::open(&path, other).unwrap_err().to_string();
        assert!(
            error.contains("the journal of eth1, not of eth2"),
            "{error}"
        );
    }
}
