//! The table of requests by outcome and by answering path.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use dhcp_common::outcome::{Action, Outcome};

use super::tables::{counted, counters, numbers, table, write};

/// The outcomes with an action, the largest count first.
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
            Action::Slow => "passed to the controller",
            Action::Drop => "DROPPED",
            Action::Pass => "PASSED TO THE HOST",
        }
    }
}

/// Prints the requests, from the counters of the kernel only: those of the controller start at zero
/// when it starts.
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
        writeln!(out, "No requests yet.")?;
    } else {
        write(&requests, out)?;
    }
    for action in [Action::Drop, Action::Pass] {
        let counted = Counted::of(action, kernel);
        counters(counted.title(), &counted.rows, out)?;
    }
    Ok(())
}
