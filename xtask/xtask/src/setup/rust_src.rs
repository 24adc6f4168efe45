//! The sources of `core`, of which there is no prebuilt one for the BPF target.
//!
//! They are fetched through rustup. Where rustup cannot fetch, or does not manage the toolchain,
//! they come from the Debian package of exactly the same version. Its apt runs with separate
//! sources, lists and cache; those of the system remain unchanged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use xtask_lab::{
    command::{self, Line, command, is_installed},
    workspace,
};

use super::progress::{missing, there};

/// The suite with new versions of Rust.
const SUITE: &str = "trixie-backports";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Returns a description of what [`ensure`] will install.
pub(super) fn to_install() -> Result<Option<String>> {
    let is_there = library().is_ok_and(|library| library.join("Cargo.lock").is_file());
    let what = "the sources of Rust's `core`, through rustup or as Debian's package: some MB to fetch, 50 MB unpacked";
    Ok((!is_there).then(|| what.to_owned()))
}

pub(super) fn ensure(version: &str) -> Result<()> {
    let what = format!("core sources of Rust {version}");
    let library = library()?;
    if library.join("Cargo.lock").is_file() {
        there(&what);
        return Ok(());
    }
    if is_installed("rustup") {
        missing(&what, "fetching them through rustup");
        match command::run(&mut command("rustup", ["component", "add", "rust-src"])) {
            Ok(()) if library.join("Cargo.lock").is_file() => return Ok(()),
            Ok(()) => println!("setup: {what}: rustup installed them elsewhere"),
            Err(error) => println!("setup: {what}: {error:#}"),
        }
    }
    missing(&what, "fetching the Debian package of the same version");
    from_debian(version, &library).with_context(|| {
        format!(
            "cannot fetch the sources of `core`; install those of Rust {version} at {}",
            library.display()
        )
    })
}

/// Returns where `-Z build-std` looks for the sources.
fn library() -> Result<PathBuf> {
    let mut rustc = command("rustc", ["--print", "sysroot"]);
    let sysroot = command::read(rustc.current_dir(workspace::root()))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library"))
}

fn from_debian(version: &str, library: &Path) -> Result<()> {
    if !is_installed("apt-get") || !Path::new(KEYRING).is_file() {
        bail!("this requires apt and {KEYRING} (Debian package debian-archive-keyring)");
    }
    let parent = library.parent().unwrap_or(library);
    fs::create_dir_all(parent)
        .with_context(|| format!("cannot create {}, is it owned by you?", parent.display()))?;
    // Next to its final place, so that an incomplete copy is never taken for a complete one.
    let work = tempfile::Builder::new()
        .prefix(".setup-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    let apt = Apt::new(&work.path().join("apt"))?;
    let package = apt.download(version)?;

    let unpacked = work.path().join("library");
    fs::create_dir(&unpacked)?;
    unpack(&package, version, &unpacked)?;
    if !unpacked.join("core/src/lib.rs").is_file() || !unpacked.join("Cargo.lock").is_file() {
        bail!("{} contains no library/core", package.display());
    }
    if library.exists() {
        let aside = work.path().join("former");
        fs::rename(library, &aside)?;
    }
    fs::rename(&unpacked, library)
        .with_context(|| format!("cannot install the sources at {}", library.display()))?;
    println!("setup: core sources installed at {}", library.display());
    Ok(())
}

fn unpack(package: &Path, version: &str, into: &Path) -> Result<()> {
    let mut open = command("dpkg-deb", ["--fsys-tarfile"]);
    open.arg(package).stdout(Stdio::piped());
    let mut tar = command("tar", ["-x", "--strip-components=5", "-C"]);
    tar.arg(into)
        .arg(format!("./usr/src/rustc-{version}/library"));
    println!("$ {} | {}", Line(&open), Line(&tar));

    let mut opening = open.spawn().context("cannot start dpkg-deb")?;
    let Some(archive) = opening.stdout.take() else {
        bail!("dpkg-deb has no output");
    };
    let unpacked = tar.stdin(archive).status().context("cannot start tar");
    let opened = opening.wait()?;
    if !unpacked?.success() || !opened.success() {
        bail!("cannot unpack {}", package.display());
    }
    Ok(())
}

/// apt with its own state.
struct Apt {
    dir: PathBuf,
    options: Vec<String>,
}

impl Apt {
    fn new(dir: &Path) -> Result<Self> {
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        let sources = dir.join("sources.list");
        let mirror = mirror(dir)?;
        let line = format!("deb [signed-by={KEYRING}] {mirror} {SUITE} main\n");
        print!("setup: apt source: {line}");
        fs::write(&sources, line)?;
        let options = [
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("Dir::State::lists={}/lists", dir.display()),
            format!("Dir::Cache={}/cache", dir.display()),
            // The folder is accessible to this user only, so apt's own user could not write to it.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ];
        Ok(Self {
            dir: dir.to_owned(),
            options: options
                .into_iter()
                .flat_map(|option| ["-o".to_owned(), option])
                .collect(),
        })
    }

    fn command(&self, program: &str, arguments: &[&str]) -> std::process::Command {
        let mut apt = command(program, &self.options);
        apt.args(arguments).current_dir(&self.dir);
        apt
    }

    /// Downloads the package of this version of Rust, with any Debian revision.
    fn download(&self, version: &str) -> Result<PathBuf> {
        command::run(&mut self.command("apt-get", &["update"]))?;
        let mut madison = self.command("apt-cache", &["madison", "rust-src"]);
        println!("$ {}", Line(&madison));
        let listed = command::read(&mut madison)?;
        let Some(revision) = revision_of(&listed, version) else {
            bail!("{SUITE} has no rust-src {version}, only:\n{listed}");
        };
        let package = format!("rust-src={revision}");
        command::run(&mut self.command("apt-get", &["download", &package]))?;
        fs::read_dir(&self.dir)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .context("apt-get downloaded no package")
    }
}

/// Finds Debian's full version of an upstream version in the output of `apt-cache madison`.
fn revision_of<'a>(madison: &'a str, version: &str) -> Option<&'a str> {
    madison
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim)
        .find(|revision| {
            revision
                .strip_prefix(version)
                .is_some_and(|rest| rest.starts_with(['+', '-', '~']))
        })
}

/// Returns the Debian mirror that the system uses. If apt has no lists yet, they are fetched to
/// `dir`.
fn mirror(dir: &Path) -> Result<String> {
    let targets = |options: &[String]| {
        let mut ask = command("apt-get", options);
        ask.args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"]);
        command::read(&mut ask)
    };
    if let Some(mirror) = mirror_of(&targets(&[])?) {
        return Ok(mirror.to_owned());
    }
    let lists = dir.join("system-lists");
    fs::create_dir_all(lists.join("partial"))?;
    let options = [
        "-o".to_owned(),
        format!("Dir::State::lists={}", lists.display()),
        "-o".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
    ];
    command::run(command("apt-get", &options).arg("update"))?;
    mirror_of(&targets(&options)?).map(str::to_owned).context(
        "apt's sources contain no mirror of the Debian archive; add one, see sources.list(5)",
    )
}

/// Finds the Debian archive, whose label differs from that of its security updates.
fn mirror_of(targets: &str) -> Option<&str> {
    targets
        .lines()
        .find_map(|line| line.strip_prefix("Debian Debian "))
        .map(|uri| uri.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_exact_version_and_no_other() {
        let madison = "\
            rust-src | 1.95.01+dfsg1-1 | http://mirror trixie-backports/main amd64 Packages\n\
            rust-src | 1.95.0+dfsg1-1~bpo13+1 | http://mirror trixie-backports/main amd64 Packages\n\
            rust-src | 1.85.0+dfsg3-1 | http://mirror trixie/main amd64 Packages\n";
        assert_eq!(
            revision_of(madison, "1.95.0"),
            Some("1.95.0+dfsg1-1~bpo13+1")
        );
        assert_eq!(revision_of(madison, "1.9"), None);
        assert_eq!(revision_of("", "1.95.0"), None);
    }

    #[test]
    fn asks_the_mirror_of_the_archive_not_that_of_security_updates() {
        let targets = "\
            Debian Debian-Security http://mirror.example/debian-security/\n\
            Debian Debian http://mirror.example/debian/\n";
        assert_eq!(mirror_of(targets), Some("http://mirror.example/debian"));
        assert_eq!(
            mirror_of("Ubuntu Ubuntu http://mirror.example/ubuntu/\n"),
            None
        );
    }
}
