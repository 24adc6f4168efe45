//! The statistics that libFuzzer prints at its end.

use std::fmt;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    executions: u64,
    /// Inputs with new coverage.
    new_inputs: u64,
    pub findings: usize,
}

impl Statistics {
    /// Parses a line of the output.
    pub fn line(&mut self, line: &str) {
        let number = |name: &str| -> Option<u64> {
            let rest = line.strip_prefix("stat::")?.strip_prefix(name)?;
            rest.strip_prefix(':')?.trim().parse().ok()
        };
        if let Some(executions) = number("number_of_executed_units") {
            self.executions = executions;
        }
        if let Some(added) = number("new_units_added") {
            self.new_inputs = added;
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "executions: {}, new corpus entries: {}, findings: {}",
            self.executions, self.new_inputs, self.findings
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libfuzzer_prints_at_its_end() {
        let mut statistics = Statistics::default();
        for line in [
            "#524288\tpulse  cov: 9 ft: 10 corp: 8/11b exec/s: 174762 rss: 460Mb",
            "Done 716823 runs in 4 second(s)",
            "stat::number_of_executed_units: 716823",
            "stat::average_exec_per_sec:     143364",
            "stat::new_units_added:          31",
        ] {
            statistics.line(line);
        }
        statistics.findings = 1;
        assert_eq!(
            statistics.to_string(),
            "executions: 716823, new corpus entries: 31, findings: 1"
        );
    }
}
