//! What became of the requests that came, and who answered them.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use dhcp_common::outcome::{Action, Outcome};

use super::{counted, counters, numbers, table, write};

/// Outcomes that have been counted, the largest count first.
struct Counted<'a> {
    action: Action,
    rows: Vec<(&'a str, u64)>,
}

impl<'a> Counted<'a> {
    fn of(action: Action, kernel: &'a BTreeMap<String, u64>) -> Self {
        let is_meant = |label: &str| {
            Outcome::from_label(label).is_some_and(|outcome| outcome.action() == action)
        };
        let mut rows = counted(kernel);
        rows.retain(|(label, _)| is_meant(label));
        Self { action, rows }
    }

    fn sum(&self) -> u64 {
        self.rows.iter().map(|(_, count)| count).sum()
    }

    const fn title(&self) -> &'static str {
        match self.action {
            Action::Transmit => "answered by the kernel",
            Action::Slow => "left to the controller",
            Action::Drop => "DROPPED",
            Action::Pass => "PASSED ON TO THE HOST",
        }
    }
}

/// Of the kernel's counters alone, for those of the controller begin anew when it starts.
pub fn requests(kernel: &BTreeMap<String, u64>, out: &mut dyn Write) -> io::Result<()> {
    let served = [Action::Transmit, Action::Slow].map(|action| Counted::of(action, kernel));
    let all: u64 = served.iter().map(Counted::sum).sum();
    let share = |count: u64| format!("{:.2} %", count as f64 * 100.0 / all as f64);
    let mut requests = table(&["REQUESTS", "COUNT", "SHARE"]);
    for counted in &served {
        let sum = counted.sum();
        let title = counted.title().to_owned();
        requests.add_row([title, sum.to_string(), share(sum)]);
        for (label, count) in &counted.rows {
            requests.add_row([format!("  {label}"), count.to_string(), share(*count)]);
        }
    }
    numbers(&mut requests, &[1, 2]);
    writeln!(out)?;
    if all == 0 {
        writeln!(out, "No request has come yet.")?;
    } else {
        write(&requests, out)?;
    }
    for action in [Action::Drop, Action::Pass] {
        let counted = Counted::of(action, kernel);
        counters(counted.title(), &counted.rows, out)?;
    }
    Ok(())
}
