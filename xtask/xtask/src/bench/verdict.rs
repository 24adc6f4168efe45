//! Which figures are slower than the baseline.

use serde::Serialize;

use super::{
    baseline::Baseline,
    measure::{Beside, Measure, Measures},
};

/// The kernel reports whole nanoseconds: a difference above a bare pass up to this does not count,
/// for any ratio.
const RESOLUTION_NS: f64 = 4.0;

/// A figure and its baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub name: String,
    #[serde(flatten)]
    pub now: Measure,
    /// See [`Measure::value`].
    pub value: f64,
    pub baseline: Option<f64>,
    /// Ratio of both values.
    pub ratio: Option<f64>,
    /// Whether it is slower than allowed.
    pub is_beyond: bool,
}

/// Returns a row for each figure. Those that the baseline lacks, or has with another reference, are
/// not compared.
pub fn rows(now: &Measures, baseline: Option<&Baseline>, threshold: f64) -> Vec<Row> {
    let row = |(name, now): (&String, &Measure)| {
        let before = baseline
            .and_then(|baseline| baseline.benches.get(name))
            .filter(|before| before.beside == now.beside)
            .map(Measure::value);
        let value = now.value();
        let ratio = before.map(|before| value / before);
        let is_told_apart = match (now.beside, before) {
            (Beside::Pass, Some(before)) => value - before >= RESOLUTION_NS,
            _ => true,
        };
        Row {
            name: name.clone(),
            now: *now,
            value,
            baseline: before,
            ratio,
            is_beyond: is_told_apart && ratio.is_some_and(|ratio| ratio > threshold),
        }
    };
    now.iter().map(row).collect()
}

/// Takes over repeated figures that are lower than before.
pub fn keep_lower(now: &mut Measures, again: Measures) {
    for (name, again) in again {
        now.entry(name)
            .and_modify(|earlier| {
                if again.value() < earlier.value() {
                    *earlier = again;
                }
            })
            .or_insert(again);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::baseline::Machine, *};

    fn measures(figures: &[(&str, Measure)]) -> Measures {
        let named = figures
            .iter()
            .map(|(name, measure)| ((*name).to_owned(), *measure));
        named.collect()
    }

    fn above_pass(ns: f64) -> Measure {
        Measure {
            ns: 100.0 + ns,
            beside: Beside::Pass,
            beside_ns: 100.0,
        }
    }

    fn calibrated(ns: f64, beside_ns: f64) -> Measure {
        Measure {
            ns,
            beside: Beside::Calibration,
            beside_ns,
        }
    }

    fn compared(now: Measure, before: Measure) -> Row {
        let baseline = Baseline {
            machine: Machine {
                cpu: "a".to_owned(),
                kernel: "b".to_owned(),
            },
            benches: measures(&[("x", before)]),
        };
        let mut rows = rows(&measures(&[("x", now)]), Some(&baseline), 1.25);
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    #[test]
    fn only_what_is_past_the_threshold_is_beyond_it() {
        for (now, is_beyond) in [(99.0, false), (125.0, false), (126.0, true), (60.0, false)] {
            let row = compared(above_pass(now), above_pass(100.0));
            assert_eq!(row.is_beyond, is_beyond, "{now}: {row:?}");
            assert_eq!(row.ratio, Some(now / 100.0));
        }
    }

    #[test]
    fn a_slower_hour_is_not_slower_code() {
        let row = compared(calibrated(2000.0, 20.0), calibrated(1000.0, 10.0));
        assert_eq!((row.ratio, row.is_beyond), (Some(1.0), false));
        let row = compared(calibrated(1000.0, 5.0), calibrated(1000.0, 10.0));
        assert_eq!((row.ratio, row.is_beyond), (Some(2.0), true));
    }

    #[test]
    fn a_nanosecond_more_for_other_traffic_is_none() {
        assert!(!compared(above_pass(6.0), above_pass(3.0)).is_beyond);
        assert!(compared(above_pass(7.0), above_pass(3.0)).is_beyond);
        assert!(!compared(above_pass(-5.0), above_pass(-3.0)).is_beyond);
    }

    #[test]
    fn of_several_looks_the_lowest_counts() {
        let mut now = measures(&[("x", above_pass(90.0)), ("y", above_pass(50.0))]);
        let again = measures(&[("x", above_pass(70.0)), ("y", above_pass(60.0))]);
        keep_lower(&mut now, again);
        let lowest = measures(&[("x", above_pass(70.0)), ("y", above_pass(50.0))]);
        assert_eq!(now, lowest);
    }

    #[test]
    fn what_has_nothing_to_be_compared_with_is_beyond_nothing() {
        let now = measures(&[("x", above_pass(1e6))]);
        let alone = &rows(&now, None, 1.25)[0];
        assert_eq!(
            (alone.baseline, alone.ratio, alone.is_beyond),
            (None, None, false)
        );
        let otherwise = compared(above_pass(1e6), calibrated(1.0, 1.0));
        assert_eq!((otherwise.ratio, otherwise.is_beyond), (None, false));
    }
}
