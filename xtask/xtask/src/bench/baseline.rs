//! The baseline: figures measured earlier, with the machine they belong to, in a file beside the
//! benches.

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::measure::Measures;

/// The file, relative to the workspace.
pub const KEPT: &str = "benches/baseline.json";

/// The machine of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
}

impl Machine {
    /// Describes this machine.
    ///
    /// # Errors
    /// /proc does not contain it.
    pub fn here() -> Result<Self> {
        let path = "/proc/cpuinfo";
        let cpuinfo = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let path = "/proc/sys/kernel/osrelease";
        let kernel = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        Ok(Self {
            cpu: model(&cpuinfo).context("/proc/cpuinfo names no processor")?,
            kernel: kernel.trim().to_owned(),
        })
    }

    /// Ratios between two processors say nothing about the code. Those between two kernels are
    /// shown with both releases.
    pub fn is_comparable(&self, other: &Self) -> bool {
        self.cpu == other.cpu
    }
}

/// Some virtual machines use the same name for all processors, so family, model and stepping are
/// included.
fn model(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(key, _)| key.trim() == name);
        values.next().map(|(_, value)| value.trim())
    };
    let numbers = ["cpu family", "model", "stepping"].map(|name| field(name).unwrap_or("-"));
    Some(format!("{} ({})", field("model name")?, numbers.join("/")))
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    pub machine: Machine,
    pub benches: Measures,
}

impl Baseline {
    /// Reads the file. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// It cannot be read, or is not a baseline.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let parsed = Self::parse(&text);
        let parsed = parsed.with_context(|| format!("{} is not a baseline", path.display()))?;
        Ok(Some(parsed))
    }

    fn parse(text: &str) -> Result<Self> {
        let baseline: Self = serde_json::from_str(text)?;
        for (name, measure) in &baseline.benches {
            measure.check(name)?;
        }
        Ok(baseline)
    }

    /// Replaces the figures that were measured, and keeps the others.
    ///
    /// # Errors
    /// The others belong to another machine.
    pub fn taking_in(stored: Option<Self>, machine: Machine, now: Measures) -> Result<Self> {
        let mut benches = stored
            .as_ref()
            .map_or_else(Measures::new, |stored| stored.benches.clone());
        benches.retain(|name, _| !now.contains_key(name));
        if let Some(stored) = stored
            && !stored.machine.is_comparable(&machine)
            && !benches.is_empty()
        {
            bail!(
                "the baseline belongs to another machine ({}): save all figures, or none",
                stored.machine.cpu
            );
        }
        benches.extend(now);
        Ok(Self { machine, benches })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::measure::{Beside, Measure},
        *,
    };

    const MEASURE: Measure = Measure {
        ns: 210.0,
        beside: Beside::Pass,
        beside_ns: 83.0,
    };

    fn machine(cpu: &str) -> Machine {
        Machine {
            cpu: cpu.to_owned(),
            kernel: "6.18.0".to_owned(),
        }
    }

    fn baseline(names: &[&str]) -> Baseline {
        Baseline {
            machine: machine("a"),
            benches: names
                .iter()
                .map(|name| ((*name).to_owned(), MEASURE))
                .collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_not_there_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("baseline.json");
        assert_eq!(
            Baseline::read(&path).expect("a missing file is not an error"),
            None
        );
        let written = baseline(&["x", "y"]);
        written.write(&path).expect("room for a file");
        assert_eq!(Baseline::read(&path).expect("a baseline"), Some(written));
    }

    #[test]
    fn a_broken_file_is_refused_with_its_name_and_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("baseline.json");
        for (text, says) in [
            ("{\"machine\":", "line 1 column"),
            (
                r#"{"machine":{"cpu":"a","kernel":"b"}}"#,
                "missing field `benches`",
            ),
            (
                r#"{"machine":{"cpu":"a","kernel":"b"},"benches":{"x":{"ns":-1,"beside":"pass","beside_ns":1}}}"#,
                "x: ns is -1",
            ),
            (
                r#"{"machine":{"cpu":"a","kernel":"b"},"benches":{"x":{"ns":1,"beside":"nothing","beside_ns":1}}}"#,
                "unknown variant `nothing`",
            ),
        ] {
            fs::write(&path, text).expect("room for a file");
            let error = format!("{:#}", Baseline::read(&path).expect_err(text));
            assert!(error.contains("baseline.json is not a baseline"), "{error}");
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn saving_some_figures_keeps_the_others_of_the_same_machine_alone() {
        let some = baseline(&["x"]).benches;
        let taken = Baseline::taking_in(Some(baseline(&["x", "y"])), machine("a"), some.clone());
        assert_eq!(taken.expect("one machine"), baseline(&["x", "y"]));

        let mixed = Baseline::taking_in(Some(baseline(&["x", "y"])), machine("b"), some.clone());
        assert!(mixed.is_err(), "figures of two machines in one file");
        let all = Baseline::taking_in(Some(baseline(&["x"])), machine("b"), some.clone());
        assert_eq!(
            all.expect("no earlier figure remains").machine,
            machine("b")
        );
        let first = Baseline::taking_in(None, machine("a"), some);
        assert_eq!(first.expect("there was no baseline"), baseline(&["x"]));
    }

    #[test]
    fn a_processor_is_known_by_more_than_its_name() {
        let cpuinfo = "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 167\nmodel name\t: Some CPU\nstepping\t: 1\n\nprocessor\t: 1\n";
        assert_eq!(model(cpuinfo).as_deref(), Some("Some CPU (6/167/1)"));
        assert_eq!(model(""), None);
    }
}
