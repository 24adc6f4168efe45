//! The bench programs, run through cargo.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xtask_lab::{
    command::{self, Line},
    workspace::{self, cargo},
};

use super::{
    criterion,
    measure::{Beside, Measure, Measures},
};

const PACKAGE: &str = "dhcp-benches";
/// The program that measures the loaded BPF program, in its own way.
const PROGRAM: &str = "program";
/// A test program that measures as well: the daemon with a million leases.
const MILLION: &str = "million";
const MILLION_PACKAGE: &str = "xdhcpd";
/// Names the file to which it appends its figures, see dhcp-user/xdhcpd/tests/million/figures.rs.
const MILLION_FILE: &str = "XDHCPD_FIGURES";
const MILLION_FIGURES: [&str; 4] = [
    "million/a known client is answered",
    "million/a new client has its address while leases end",
    "million/a new client is answered",
    "million/maps are adopted",
];
/// Those of the others that only root can run.
const PRIVILEGED: [&str; 2] = [PROGRAM, "datapath"];

/// How a bench program is run.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// Selects figures whose names contain this.
    pub filter: &'a str,
    /// Measures less precisely.
    pub is_quick: bool,
    /// The cargo profile.
    pub profile: &'a str,
    /// Reserves standard output for the report.
    pub is_quiet: bool,
}

/// A bench program with the names of its figures.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    pub figures: Vec<String>,
}

impl Target {
    /// Returns all bench programs.
    ///
    /// # Errors
    /// They do not compile.
    pub fn all(how: How<'_>) -> Result<Vec<Self>> {
        let metadata = workspace::metadata()?;
        let mut build = bench(how);
        run_bench(build.args(["--bench", "*", "--no-run"]), how)?;
        let targets = metadata
            .packages
            .into_iter()
            .filter(|package| package.name == PACKAGE)
            .flat_map(|package| package.targets)
            .filter(|target| target.kind.iter().any(|kind| kind == "bench"));
        let million = Self {
            name: MILLION.to_owned(),
            figures: MILLION_FIGURES.map(str::to_owned).into(),
        };
        targets
            .map(|target| {
                let mut target = Self {
                    name: target.name,
                    figures: Vec::new(),
                };
                let listed = command::read(target.bench(how).args(["--", "--list"]))?;
                target.figures = listed_names(&listed);
                Ok(target)
            })
            .chain([Ok(million)])
            .collect()
    }

    /// Returns the names that the filter selects.
    pub fn chosen(&self, how: How<'_>) -> impl Iterator<Item = &str> {
        let names = self.figures.iter().map(String::as_str);
        names.filter(move |name| name.contains(how.filter))
    }

    /// Measures the selected figures.
    ///
    /// # Errors
    /// The program failed, or its output is not a list of figures.
    pub fn measure(&self, how: How<'_>) -> Result<Measures> {
        let folder = workspace::metadata()?
            .target_directory
            .join("bench")
            .join(&self.name);
        // Figures of an earlier run must not be read as this run's.
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        match &*self.name {
            PROGRAM => self.measure_program(&folder, how),
            MILLION => measure_million(&folder, how),
            _ => self.measure_code(&folder, how),
        }
    }

    /// Returns the command that runs the program with the privileges that it needs.
    fn run(&self, how: How<'_>) -> Result<Command> {
        let mut run = self.bench(how);
        if PRIVILEGED.contains(&&*self.name) && !command::as_root(&mut run) {
            bail!("only root can run this: run it as root, install sudo, or filter");
        }
        Ok(run)
    }

    fn bench(&self, how: How<'_>) -> Command {
        let mut run = bench(how);
        run.args(["--quiet", "--bench", &self.name]);
        run
    }

    fn measure_code(&self, folder: &Path, how: How<'_>) -> Result<Measures> {
        let mut run = self.run(how)?;
        let times: &[&str] = if how.is_quick {
            &[
                "--warm-up-time=0.1",
                "--measurement-time=0.2",
                "--sample-size=20",
            ]
        } else {
            &["--warm-up-time=1", "--measurement-time=3"]
        };
        run.args(["--", "--noplot"])
            .args(times)
            .arg(criterion::expression(how.filter))
            .env("CRITERION_HOME", folder);
        // Benches of the store measure its code, so they use memory instead of the disk if
        // possible.
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            run.env("TMPDIR", memory);
        }
        run_bench(&mut run, how)?;
        criterion::measures(folder)
    }

    fn measure_program(&self, folder: &Path, how: How<'_>) -> Result<Measures> {
        #[derive(Deserialize)]
        struct Pair {
            ns: f64,
            beside_ns: f64,
        }
        let json: PathBuf = folder.join("program.json");
        let mut run = self.run(how)?;
        run.arg("--").arg(how.filter).arg("--json").arg(&json);
        if how.is_quick {
            run.arg("--quick");
        }
        run_bench(&mut run, how)?;
        let file = File::open(&json).with_context(|| format!("cannot read {}", json.display()))?;
        let pairs: BTreeMap<String, Pair> = serde_json::from_reader(BufReader::new(file))
            .with_context(|| format!("{} is not a list of figures", json.display()))?;
        let measure = |(name, pair): (String, Pair)| {
            let measure = Measure {
                ns: pair.ns,
                beside: Beside::Pass,
                beside_ns: pair.beside_ns,
            };
            measure.check(&name)?;
            Ok((name, measure))
        };
        pairs.into_iter().map(measure).collect()
    }
}

/// Returns all of its figures, with any filter: they come from two runs of the daemon.
fn measure_million(folder: &Path, how: How<'_>) -> Result<Measures> {
    #[derive(Deserialize)]
    struct Figure {
        name: String,
        ns: f64,
        beside_ns: f64,
    }
    let path = folder.join("figures.json");
    let mut run = cargo(["test", "--release"]);
    run.arg(format!("--package={MILLION_PACKAGE}"))
        .arg(format!("--test={MILLION}"))
        .args(["--", "--include-ignored", "--test-threads=1"])
        .env(MILLION_FILE, &path);
    if !command::as_root(&mut run) {
        bail!("only root can run this: run it as root, install sudo, or filter");
    }
    run_bench(&mut run, how)?;
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let figures = text.lines().map(|line| {
        let figure: Figure = serde_json::from_str(line)
            .with_context(|| format!("{} has a line that is no figure", path.display()))?;
        let measure = Measure {
            ns: figure.ns,
            beside: Beside::Calibration,
            beside_ns: figure.beside_ns,
        };
        measure.check(&figure.name)?;
        Ok((figure.name, measure))
    });
    figures.collect()
}

fn bench(how: How<'_>) -> Command {
    let mut bench = cargo(["bench"]);
    bench.args([
        format!("--package={PACKAGE}"),
        format!("--profile={}", how.profile),
    ]);
    bench
}

fn run_bench(command: &mut Command, how: How<'_>) -> Result<()> {
    if how.is_quiet {
        let stderr = io::stderr().as_fd().try_clone_to_owned();
        command.stdout(stderr.context("standard error is closed")?);
    } else {
        println!("$ {}", Line(command));
    }
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{}`", Line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", Line(command));
    }
    Ok(())
}

/// Returns the names in the output of `--list`.
fn listed_names(listed: &str) -> Vec<String> {
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": benchmark"));
    let figures = names.filter(|name| *name != criterion::CALIBRATION);
    figures.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_without_the_calibration() {
        let listed = "calibration: benchmark\nengine/renewal/1000: benchmark\n\n2 benchmarks\n";
        assert_eq!(listed_names(listed), ["engine/renewal/1000"]);
    }
}
