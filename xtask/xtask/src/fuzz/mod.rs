//! `cargo xtask fuzz`: looks for octets that the server does not stand.
//!
//! libFuzzer starts from the corpus that is kept beside the targets, writes what reaches more to
//! `target/fuzz/found`, and what something panics on, or takes too long for, to `regressions/`, where the
//! tests find it from then on.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use xtask_lab::{
    command::{self, Line, command},
    workspace::{self, cargo},
};

use crate::setup;

mod statistics;

use statistics::Statistics;

const PACKAGE: &str = "dhcp-fuzz";
/// From the workspace's root.
const FOLDER: &str = "dhcp-user/fuzz";
const BUILT: &str = "target/fuzz/build";
const FOUND: &str = "target/fuzz/found";
/// No input takes longer, nor more memory.
const MAX_SECS: u32 = 10;
const MAX_MIB: u32 = 1024;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only this one of the targets in dhcp-user/fuzz.
    target: Option<String>,

    /// For how long each target is run, such as `60s` or `30m`.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,

    /// Takes what was found into the corpus, of which only as much stays as makes a difference.
    #[arg(long)]
    keep: bool,
}

/// Runs the targets one after the other. A finding, or a step that failed, makes it fail at the end.
pub fn run(options: &Options) -> ExitCode {
    match targets(options).and_then(|targets| run_each(&targets, options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => {
            println!("fuzz: `cargo test -p {PACKAGE}` shows each finding until it is mended");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The names of the programs, or of the one that is asked for.
fn targets(options: &Options) -> Result<Vec<String>> {
    let metadata = workspace::metadata()?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name == PACKAGE)
        .with_context(|| format!("the workspace has no package {PACKAGE}"))?;
    let programs = package.targets.iter();
    let programs = programs.filter(|target| target.kind.iter().any(|kind| kind == "bin"));
    let mut names: Vec<_> = programs.map(|target| target.name.clone()).collect();
    if let Some(wanted) = &options.target {
        if !names.contains(wanted) {
            bail!(
                "there is no target {wanted:?}; there are: {}",
                names.join(", ")
            );
        }
        names.retain(|name| name == wanted);
    }
    Ok(names)
}

fn run_each(targets: &[String], options: &Options) -> Result<usize> {
    setup::run(&setup::Options::for_building())?;
    setup::cargo_fuzz::ensure()?;
    let mut report = Vec::new();
    for name in targets {
        let target = Target::build(name)?;
        report.push((name, target.run(options.time)?));
        if options.keep {
            target.keep()?;
        }
    }
    for (name, statistics) in &report {
        println!("fuzz: {name}: {statistics}");
    }
    Ok(report
        .iter()
        .map(|(_, statistics)| statistics.findings)
        .sum())
}

/// A fuzz target that has been built. Paths are relative to the workspace's root, so that what is printed
/// can be typed there.
struct Target {
    program: PathBuf,
    corpus: PathBuf,
    regressions: PathBuf,
    found: PathBuf,
    dictionary: PathBuf,
}

impl Target {
    fn build(name: &str) -> Result<Self> {
        let mut build = cargo(["fuzz", "build", "--fuzz-dir", FOLDER]);
        // Nothing unsafe runs in there that a sanitizer would watch, and without one it is faster.
        build
            .args(["--features=libfuzzer", "--sanitizer=none"])
            .args(["--target-dir", BUILT, name])
            // cargo-fuzz passes options that are not yet stable; the toolchain stays the pinned one.
            .env("RUSTC_BOOTSTRAP", "1");
        command::run(&mut build)?;
        let triple = command::read(&mut command("rustc", ["--print", "host-tuple"]))?;
        let folder = Path::new(FOLDER);
        let target = Self {
            program: Path::new(BUILT)
                .join(triple.trim())
                .join("release")
                .join(name),
            corpus: folder.join("corpus").join(name),
            regressions: folder.join("regressions").join(name),
            found: Path::new(FOUND).join(name),
            dictionary: folder.join("dictionaries").join(name),
        };
        for made in [&target.corpus, &target.regressions, &target.found] {
            let path = workspace::root().join(made);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(target)
    }

    fn command(&self) -> Command {
        let mut program = Command::new(Path::new(".").join(&self.program));
        program.current_dir(workspace::root());
        program
    }

    fn run(&self, time: Duration) -> Result<Statistics> {
        let before = files(&self.regressions)?;
        let mut fuzz = self.command();
        fuzz.args([&self.found, &self.corpus])
            .arg(format!("-max_total_time={}", time.as_secs().max(1)))
            .arg(format!("-timeout={MAX_SECS}"))
            .arg(format!("-rss_limit_mb={MAX_MIB}"))
            // It ends with the separator, behind which libFuzzer puts a name.
            .arg(format!("-artifact_prefix={}/", self.regressions.display()))
            .arg("-print_final_stats=1");
        if workspace::root().join(&self.dictionary).is_file() {
            fuzz.arg(format!("-dict={}", self.dictionary.display()));
        }
        println!("$ {}", Line(&fuzz));
        let mut running = fuzz
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", Line(&fuzz)))?;
        let mut statistics = Statistics::default();
        if let Some(output) = running.stderr.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = line?;
                let line = String::from_utf8_lossy(&line);
                statistics.line(&line);
                // A line for each input that reaches more, and the words learnt on the way: thousands.
                if !line.starts_with(['#', '"']) {
                    println!("{line}");
                }
            }
        }
        let status = running.wait()?;
        statistics.findings = files(&self.regressions)?.difference(&before).count();
        if !status.success() && statistics.findings == 0 {
            bail!("`{}` failed: {status}", Line(&fuzz));
        }
        Ok(statistics)
    }

    /// Writes anew what of corpus and findings is needed to reach all that they reach.
    fn keep(&self) -> Result<()> {
        let root = workspace::root();
        let least = self.found.with_extension("least");
        let path = root.join(&least);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        let mut merge = self.command();
        // What reaches each branch, not also what reaches it another number of times: that is ten times as much.
        merge.args(["-set_cover_merge=1", "-use_counters=0"]).args([
            &least,
            &self.corpus,
            &self.found,
        ]);
        command::run(&mut merge)?;
        fs::remove_dir_all(root.join(&self.corpus))?;
        fs::rename(&path, root.join(&self.corpus))?;
        Ok(())
    }
}

fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let path = workspace::root().join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
