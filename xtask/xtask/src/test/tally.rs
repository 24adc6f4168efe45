//! The summed results of test programs.

use std::fmt;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Names of failed tests and steps.
    failures: Vec<String>,
    /// Names of skipped tests, with their reasons.
    skips: Vec<String>,
}

impl Tally {
    pub fn step_failed(&mut self, what: &str) {
        self.failed += 1;
        self.failures.push(what.to_owned());
    }

    pub fn step_passed(&mut self) {
        self.passed += 1;
    }

    /// Parses a line of libtest's or criterion's output.
    pub fn line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count_before(counts, "passed");
            self.failed += count_before(counts, "failed");
            self.skipped += count_before(counts, "ignored");
        } else if let Some((name, result)) = line
            .strip_prefix("test ")
            .and_then(|test| test.rsplit_once(" ... "))
        {
            if result.starts_with("FAILED") {
                self.failures.push(name.to_owned());
            } else if result.starts_with("ignored") {
                self.skips.push(format!("{name}: {result}"));
            }
        } else if line == "Success" {
            // criterion prints this after each benchmark that it has run once.
            self.passed += 1;
        }
    }

    pub fn print_failures(&self) {
        for skip in &self.skips {
            println!("skipped: {skip}");
        }
        for failure in &self.failures {
            println!("failed: {failure}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Returns the number before a word.
fn count_before(counts: &str, word: &str) -> u64 {
    let mut previous = "";
    for token in counts
        .split([' ', ';', '.'])
        .filter(|token| !token.is_empty())
    {
        if token == word {
            return previous.parse().unwrap_or(0);
        }
        previous = token;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_test_programs_and_benchmarks() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test pool::tests::gives_back ... ok",
            "test lease ... FAILED",
            "test by_root ... ignored, needs root: cargo xtask test",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.20s",
            "Testing parse/renew",
            "Success",
        ] {
            tally.line(line);
        }
        assert_eq!(tally.to_string(), "14 passed, 1 failed, 1 skipped");
        assert_eq!(tally.failures, ["lease"]);
        assert_eq!(
            tally.skips,
            ["by_root: ignored, needs root: cargo xtask test"]
        );
    }

    #[test]
    fn a_step_that_failed_is_never_lost() {
        let mut tally = Tally::default();
        tally.step_failed("cargo fmt");
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 0 skipped");
    }
}
