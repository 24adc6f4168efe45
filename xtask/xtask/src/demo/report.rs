//! Progress of the steps, and the table of results.

use std::{fmt, time::Instant};

use anyhow::{Context as _, Result};
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use xtask_lab::server::Counted;

#[derive(Debug, Default)]
pub(super) struct Report {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    title: &'static str,
    /// `None` for the step that failed.
    counted: Option<Counted>,
    millis: u128,
}

impl Step {
    fn counted(&self) -> String {
        self.counted
            .as_ref()
            .map_or_else(String::new, Counted::to_string)
    }

    const fn result(&self) -> &'static str {
        if self.counted.is_some() {
            "ok"
        } else {
            "FAILED"
        }
    }
}

impl Report {
    /// Runs a step, which returns what the kernel counted during it.
    pub fn step(
        &mut self,
        title: &'static str,
        play: impl FnOnce() -> Result<Counted>,
    ) -> Result<()> {
        println!("\n{}. {title}", self.steps.len() + 1);
        let start = Instant::now();
        let played = play().with_context(|| format!("step failed: {title}"));
        let (counted, result) = match played {
            Ok(counted) => (Some(counted), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let step = Step {
            title,
            counted,
            millis: start.elapsed().as_millis(),
        };
        println!("   {} after {} ms", step.result(), step.millis);
        if result.is_ok() {
            println!("   the kernel counted: {}", step.counted());
        }
        self.steps.push(step);
        result
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(["", "step", "the kernel counted", "ms", ""]);
        for (number, step) in self.steps.iter().enumerate() {
            table.add_row([
                (number + 1).to_string(),
                step.title.to_owned(),
                step.counted(),
                step.millis.to_string(),
                step.result().to_owned(),
            ]);
        }
        table.fmt(f)
    }
}
