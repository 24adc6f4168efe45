//! `cargo xtask fuzz`: searches for inputs that crash the server or break an invariant.
//!
//! libFuzzer starts from the corpus beside the targets. It writes inputs with new coverage to
//! `target/fuzz/found`, and inputs that panic or take too long to `regressions/`, which the tests
//! replay from then on.

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
/// Relative to the workspace.
const FOLDER: &str = "dhcp-user/fuzz";
const BUILT: &str = "target/fuzz/build";
const FOUND: &str = "target/fuzz/found";
/// Limits of time and memory of an input.
const MAX_SECS: u32 = 10;
const MAX_MIB: u32 = 1024;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Runs only this target of dhcp-user/fuzz.
    target: Option<String>,

    /// How long each target runs, such as `60s` or `30m`.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,

    /// Merges new inputs into the corpus and minimizes it.
    #[arg(long)]
    keep: bool,
}

/// Runs the targets one after the other. Fails at the end if there is a finding or a step failed.
pub fn run(options: &Options) -> ExitCode {
    match targets(options).and_then(|targets| run_each(&targets, options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => {
            println!("fuzz: `cargo test -p {PACKAGE}` reproduces each finding until it is fixed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the names of all targets, or the given one.
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
                "there is no target {wanted:?}; the targets are: {}",
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

/// A fuzz target that has been built. Paths are relative to the workspace, so that printed commands
/// can be run there.
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
        // The code contains nothing unsafe that a sanitizer would detect, and is faster without
        // one.
        build
            .args(["--features=libfuzzer", "--sanitizer=none"])
            .args(["--target-dir", BUILT, name])
            // cargo-fuzz passes unstable options; the toolchain is still the pinned one.
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
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
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
            // Ends with a separator, to which libFuzzer appends a name.
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
                // libFuzzer prints thousands of lines for new inputs and dictionary words.
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

    /// Replaces the corpus by the inputs of corpus and findings that are needed for the same
    /// coverage.
    fn keep(&self) -> Result<()> {
        let root = workspace::root();
        let least = self.found.with_extension("least");
        let path = root.join(&least);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        let mut merge = self.command();
        // Covers each branch regardless of how many times it is taken, which would need ten times
        // as many inputs.
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
