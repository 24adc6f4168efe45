//! Figures, each with a reference measured in the same run.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Figures by name.
pub type Measures = BTreeMap<String, Measure>;

/// The resolution of the kernel's clock; the time that the program adds is never shown as less.
const LEAST_NS: f64 = 0.5;

/// A reference for the speed of the machine during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beside {
    /// A program that only passes the frame, whose time is part of the measured time.
    Pass,
    /// The fixed work of `benches/src/calibration.rs`.
    Calibration,
}

/// A figure in nanoseconds, approximately the lowest of many measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    pub ns: f64,
    pub beside: Beside,
    pub beside_ns: f64,
}

impl Measure {
    /// Returns the value to be compared: nanoseconds above a bare pass, or multiples of the
    /// calibration's work.
    pub fn value(&self) -> f64 {
        match self.beside {
            Beside::Pass => (self.ns - self.beside_ns).max(LEAST_NS),
            Beside::Calibration => self.ns / self.beside_ns,
        }
    }

    /// Checks that the figure is plausible.
    ///
    /// # Errors
    /// A clock cannot have measured it.
    pub fn check(&self, name: &str) -> Result<()> {
        for (field, ns) in [("ns", self.ns), ("beside_ns", self.beside_ns)] {
            ensure!(
                ns.is_finite() && ns > 0.0,
                "{name}: {field} is {ns}, and should be a time greater than zero"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_the_program_adds_or_a_multiple_of_the_calibration() {
        let above = Measure {
            ns: 210.0,
            beside: Beside::Pass,
            beside_ns: 83.0,
        };
        assert_eq!(above.value(), 127.0);
        let noise = Measure { ns: 82.0, ..above };
        assert_eq!(noise.value(), LEAST_NS);
        let times = Measure {
            ns: 900.0,
            beside: Beside::Calibration,
            beside_ns: 450.0,
        };
        assert_eq!(times.value(), 2.0);
    }

    #[test]
    fn what_no_clock_shows_is_refused_by_name() {
        let measure = Measure {
            ns: 0.0,
            beside: Beside::Calibration,
            beside_ns: 1.0,
        };
        let error = measure
            .check("engine/renewal")
            .expect_err("zero is not a time");
        assert!(error.to_string().starts_with("engine/renewal: ns is 0"));
        for ns in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Measure { ns, ..measure }.check("x").is_err(), "{ns}");
        }
    }
}
