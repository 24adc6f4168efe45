//! Reads what criterion writes to its folder.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, de::DeserializeOwned};

use super::measure::{Beside, Measure, Measures};

/// The bench that every bench program contains; see `benches/src/calibration.rs`.
pub const CALIBRATION: &str = "calibration";

/// Of many short measurements a low percentile counts: other load on the machine can only add to
/// them.
const PERCENTILE: usize = 10;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// Nanoseconds of a number of iterations.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

impl Sample {
    /// Returns the nanoseconds of one iteration.
    fn low_ns(&self) -> Result<f64> {
        ensure!(
            self.iters.len() == self.times.len() && !self.iters.is_empty(),
            "{} times of {} samples",
            self.times.len(),
            self.iters.len()
        );
        let mut means: Vec<f64> = self
            .times
            .iter()
            .zip(&self.iters)
            .map(|(t, n)| t / n)
            .collect();
        means.sort_by(f64::total_cmp);
        let low = means.get(means.len() * PERCENTILE / 100);
        low.copied().context("there is no sample")
    }
}

/// Returns all figures of the run of one program, each with its calibration.
///
/// # Errors
/// A file is not in criterion's format, or there is no calibration.
pub fn measures(home: &Path) -> Result<Measures> {
    let mut found = Vec::new();
    collect(home, &mut found)?;
    let calibration = found.iter().find(|(name, _)| name == CALIBRATION);
    let Some((_, beside_ns)) = calibration else {
        bail!(
            "there is no bench `{CALIBRATION}` among {} in {}",
            found.len(),
            home.display()
        );
    };
    let measure = |(name, ns): &(String, f64)| {
        let measure = Measure {
            ns: *ns,
            beside: Beside::Calibration,
            beside_ns: *beside_ns,
        };
        measure.check(name)?;
        Ok((name.clone(), measure))
    };
    let others = found.iter().filter(|(name, _)| name != CALIBRATION);
    others.map(measure).collect()
}

/// Finds names and nanoseconds in folders named `new`, which contain the latest run.
fn collect(dir: &Path, found: &mut Vec<(String, f64)>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.ends_with("new") {
            let benchmark: Benchmark = read(&path.join("benchmark.json"))?;
            let sample: Sample = read(&path.join("sample.json"))?;
            let low = sample.low_ns();
            found.push((
                benchmark.full_id,
                low.with_context(|| format!("{} has no figure", path.display()))?,
            ));
        } else {
            collect(&path, found)?;
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_reader(BufReader::new(file))
        .with_context(|| format!("{} is not in criterion's format", path.display()))
}

/// Returns an expression by which criterion selects the calibration and each name that contains
/// `filter`.
pub fn expression(filter: &str) -> String {
    let mut escaped = String::with_capacity(filter.len() * 2);
    for character in filter.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    format!("^{CALIBRATION}$|{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(home: &Path, folder: &str, id: &str, sample: &str) {
        let dir = home.join(folder).join("new");
        fs::create_dir_all(&dir).expect("room for a folder");
        let benchmark = serde_json::json!({ "full_id": id, "group_id": "g" });
        fs::write(dir.join("benchmark.json"), benchmark.to_string()).expect("room");
        fs::write(dir.join("sample.json"), sample).expect("room");
    }

    #[test]
    fn samples_are_read_with_the_calibration_beside_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path();
        put(
            home,
            "calibration",
            CALIBRATION,
            r#"{"iters":[10],"times":[1000]}"#,
        );
        let sample = r#"{"sampling_mode":"Linear","iters":[1,2,3],"times":[90.5,60,300]}"#;
        put(
            home,
            "engine/new client/1000",
            "engine/new client/1000",
            sample,
        );
        let measures = measures(home).expect("two benches");
        let expected = Measure {
            ns: 30.0,
            beside: Beside::Calibration,
            beside_ns: 100.0,
        };
        assert_eq!(
            measures,
            [("engine/new client/1000".to_owned(), expected)].into()
        );
    }

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path();
        put(home, "a", "a", r#"{"iters":[1],"times":[1]}"#);
        let error = format!("{:#}", measures(home).expect_err("no calibration"));
        assert!(error.contains("no bench `calibration` among 1"), "{error}");

        put(home, "a", "a", r#"{"iters":[1],"times":[]}"#);
        let error = format!("{:#}", measures(home).expect_err("no time"));
        assert!(
            error.contains("a/new has no figure: 0 times of 1 samples"),
            "{error}"
        );

        put(home, "a", "a", "{");
        let error = format!("{:#}", measures(home).expect_err("half a file"));
        assert!(
            error.contains("sample.json is not in criterion's format"),
            "{error}"
        );
    }

    #[test]
    fn a_filter_is_taken_as_it_is() {
        assert_eq!(expression("50 % (taken)"), r"^calibration$|50 % \(taken\)");
    }
}
