//! The directory in a bpffs that holds everything which outlives the controller.
//!
//! ```text
//! <pin dir>/current -> maps-3    the maps in use
//! <pin dir>/maps-3/LEASES …      one generation of maps, by name
//! <pin dir>/link-7-native        the XDP link of the interface with index 7, and its mode
//! ```
//!
//! Maps that cannot be adopted are not changed: the next generation is made beside them, and
//! `current` is renamed onto it, atomically, when every interface runs the program that uses it.
//! Nothing is removed if the directory contains anything that xdhcpd did not make.

use std::{
    fmt,
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
};

use dhcp_common::abi::{CURRENT, map};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::{
    bpf,
    error::DatapathError,
    link_mode::LinkMode,
    map_layout::{Object, describe},
};

/// `current` before it is renamed into place.
const NEXT: &str = "next";
const GENERATION_PREFIX: &str = "maps-";
const LINK_PREFIX: &str = "link-";

/// The directory, locked by this controller while this lives.
#[derive(Debug)]
pub struct PinDir {
    path: PathBuf,
    /// The lock ends with the process, even if the process is killed.
    lock: File,
}

impl Drop for PinDir {
    /// Unlocks: closing alone would leave the lock with a child that another thread has just
    /// forked.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "unlocking the pin directory");
        }
    }
}

/// A set of maps that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{GENERATION_PREFIX}{}", self.0)
    }
}

impl Generation {
    fn parse(name: &str) -> Option<Self> {
        let number = name.strip_prefix(GENERATION_PREFIX)?.parse().ok()?;
        let generation = Self(number);
        (generation.to_string() == name).then_some(generation)
    }
}

/// The pin of a link. It names the interface by index, because names in a bpffs must not have dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPin {
    pub ifindex: u32,
    pub mode: LinkMode,
}

impl fmt::Display for LinkPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LINK_PREFIX}{}-{}", self.ifindex, self.mode.label())
    }
}

impl LinkPin {
    fn parse(name: &str) -> Option<Self> {
        let (ifindex, mode) = name.strip_prefix(LINK_PREFIX)?.split_once('-')?;
        let pin = Self {
            ifindex: ifindex.parse().ok()?,
            mode: LinkMode::from_label(mode)?,
        };
        (pin.to_string() == name).then_some(pin)
    }
}

/// The contents of the directory.
#[derive(Debug, Default)]
pub struct Contents {
    pub current: Option<Generation>,
    pub generations: Vec<Generation>,
    pub links: Vec<LinkPin>,
}

impl PinDir {
    /// Opens and locks the directory, and makes it if it does not exist.
    pub fn open(path: &Path) -> Result<Self, DatapathError> {
        check_bpffs(path)?;
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(foreign(path, "not a directory"));
            }
            _ => {}
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(at("making", path))?;
        let lock = File::open(path).map_err(at("opening", path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                lock,
            }),
            Err(TryLockError::WouldBlock) => Err(DatapathError::Locked {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(at("locking", path)(source)),
        }
    }

    /// Reads the whole directory, and refuses it if it contains anything that xdhcpd did not make.
    pub fn contents(&self) -> Result<Contents, DatapathError> {
        let mut contents = Contents::default();
        for name in names(&self.path)? {
            let path = self.path.join(&name);
            if name == CURRENT || name == NEXT {
                let target = link_target(&path)?;
                if name == CURRENT {
                    contents.current = Some(target);
                }
            } else if let Some(generation) = Generation::parse(&name) {
                check_generation(&path)?;
                contents.generations.push(generation);
            } else if let Some(pin) = LinkPin::parse(&name) {
                match object(&path)? {
                    Object::XdpLink { .. } => contents.links.push(pin),
                    other => return Err(foreign(&path, other)),
                }
            } else {
                return Err(foreign(&path, "a name that xdhcpd does not use"));
            }
        }
        let generations = &contents.generations;
        contents
            .current
            .take_if(|current| !generations.contains(current));
        Ok(contents)
    }

    /// Returns the pin of a map.
    pub fn map(&self, generation: Generation, map: &str) -> PathBuf {
        self.path.join(generation.to_string()).join(map)
    }

    /// Returns the pin of a link.
    pub fn link(&self, pin: LinkPin) -> PathBuf {
        self.path.join(pin.to_string())
    }

    /// Makes the directory of the next generation.
    pub fn create_generation(&self, contents: &Contents) -> Result<Generation, DatapathError> {
        let last = contents.generations.iter().max().map_or(0, |last| last.0);
        let generation = Generation(last.wrapping_add(1));
        let path = self.path.join(generation.to_string());
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(at("making", &path))?;
        Ok(generation)
    }

    /// Makes `generation` the one that the next controller adopts.
    pub fn set_current(&self, generation: Generation) -> Result<(), DatapathError> {
        let next = self.path.join(NEXT);
        remove_if_there(&next)?;
        symlink(generation.to_string(), &next).map_err(at("making", &next))?;
        fs::rename(&next, self.path.join(CURRENT)).map_err(at("renaming", &next))
    }

    /// Unpins the maps of a generation; those that a program still uses continue to exist.
    pub fn remove_generation(&self, generation: Generation) -> Result<(), DatapathError> {
        let path = self.path.join(generation.to_string());
        for name in map::ALL {
            remove_if_there(&path.join(name))?;
        }
        fs::remove_dir(&path).map_err(at("removing", &path))
    }

    /// Detaches a link and removes its pin. If the interface is gone, only the pin is left to
    /// remove.
    pub fn remove_link(&self, pin: LinkPin) -> Result<(), DatapathError> {
        let path = self.link(pin);
        let link = bpf::open_pin(&path).map_err(at("opening", &path))?;
        // Otherwise the kernel detaches at some time after the last reference is gone.
        match bpf::detach_link(&link) {
            Err(error) if error.raw_os_error() != Some(libc::ENOLINK) => {
                return Err(at("detaching", &path)(error));
            }
            _ => {}
        }
        remove_if_there(&path)
    }

    /// Detaches every link and removes every pin. Returns the number of links.
    pub fn remove_all(&self) -> Result<usize, DatapathError> {
        let contents = self.contents()?;
        for pin in &contents.links {
            self.remove_link(*pin)?;
        }
        remove_if_there(&self.path.join(CURRENT))?;
        remove_if_there(&self.path.join(NEXT))?;
        for generation in &contents.generations {
            self.remove_generation(*generation)?;
        }
        Ok(contents.links.len())
    }
}

/// Returns the object that is pinned at `path`.
pub fn object(path: &Path) -> Result<Object, DatapathError> {
    let fd = bpf::open_pin(path).map_err(at("opening", path))?;
    describe(&fd).map_err(at("describing", path))
}

/// Checks the nearest directory that exists; those below it are made later.
fn check_bpffs(path: &Path) -> Result<(), DatapathError> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists());
    let magic = existing.and_then(|path| statfs(path).ok());
    if magic.is_some_and(|statfs| statfs.filesystem_type() == BPF_FS_MAGIC) {
        return Ok(());
    }
    Err(DatapathError::NotBpffs {
        path: path.to_owned(),
    })
}

fn check_generation(path: &Path) -> Result<(), DatapathError> {
    let metadata = fs::symlink_metadata(path).map_err(at("reading", path))?;
    if !metadata.is_dir() {
        return Err(foreign(path, "not a directory"));
    }
    for name in names(path)? {
        let pin = path.join(&name);
        if !map::ALL.contains(&name.as_str()) {
            return Err(foreign(&pin, "a name that xdhcpd does not use"));
        }
        match object(&pin)? {
            Object::Map(_) => {}
            other => return Err(foreign(&pin, other)),
        }
    }
    Ok(())
}

fn link_target(path: &Path) -> Result<Generation, DatapathError> {
    fs::read_link(path)
        .ok()
        .and_then(|target| Generation::parse(target.to_str()?))
        .ok_or_else(|| foreign(path, "not a link to a directory with maps"))
}

fn names(directory: &Path) -> Result<Vec<String>, DatapathError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(at("reading", directory))? {
        let entry = entry.map_err(at("reading", directory))?;
        match entry.file_name().into_string() {
            Ok(name) => names.push(name),
            Err(_) => return Err(foreign(&entry.path(), "a name that xdhcpd does not use")),
        }
    }
    Ok(names)
}

fn remove_if_there(path: &Path) -> Result<(), DatapathError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("removing", path)(error)),
        _ => Ok(()),
    }
}

fn foreign(path: &Path, found: impl ToString) -> DatapathError {
    DatapathError::Foreign {
        path: path.to_owned(),
        found: found.to_string(),
    }
}

pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DatapathError {
    move |source| DatapathError::Path {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_the_names_it_gives() {
        let pin = LinkPin {
            ifindex: 7,
            mode: LinkMode::Native,
        };
        assert_eq!(LinkPin::parse("link-7-native"), Some(pin));
        assert_eq!(Generation::parse("maps-12"), Some(Generation(12)));
        for name in [
            "link-7",
            "link-07-native",
            "link-7-offload",
            "link--native",
            "link-+7-native",
            "maps-",
            "maps-01",
            "maps--1",
            "LEASES",
        ] {
            assert_eq!(LinkPin::parse(name), None, "{name}");
            assert_eq!(Generation::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_directory_elsewhere_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins");
        let error = PinDir::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("mount -t bpf bpf /sys/fs/bpf") && error.contains("server.pin-dir"),
            "{error}"
        );
        assert!(!path.exists(), "nothing was made");
    }
}
