//! The page: a table between two markers is written here, and the rest is kept.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{cases, column::Column, contender::Contender};

const BEGIN: &str = "<!-- written by `cargo xtask compare` -->";
const END: &str = "<!-- end of what is written -->";
const COMMAND: &str = "cargo xtask compare";

/// Returns the page with another table.
///
/// # Errors
/// The page lacks the markers.
pub fn with_table(page: &str, table: &str) -> Result<String> {
    let (before, _, after) = split(page)?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

fn split(page: &str) -> Result<(&str, &str, &str)> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    });
    parts.with_context(|| format!("the page lacks the lines `{BEGIN}` and `{END}`"))
}

/// Returns everything between the markers.
pub fn table(columns: &[Column]) -> String {
    let column = |contender| columns.iter().find(|column| column.contender == contender);
    let mut table = format!("Servers, by `{COMMAND}`: ");
    let versions = Contender::ALL.map(|contender| match column(contender) {
        Some(column) => format!("{contender} {}", column.version),
        None => format!("{contender} was not installed"),
    });
    table += &versions.join(", ");
    table += ".\n\n| | request |";
    // Writing to a string cannot fail.
    for contender in Contender::ALL {
        let _ = write!(table, " {contender} |");
    }
    table += "\n|---|---|---|---|---|---|\n";
    for (index, case) in cases::all().enumerate() {
        let _ = write!(table, "| {} | {} |", index + 1, request(&case));
        for contender in Contender::ALL {
            let cell = column(contender).and_then(|column| column.cells.get(index));
            let _ = write!(table, " {} |", cell.map_or("not installed", String::as_str));
        }
        table.push('\n');
    }
    table += "\nWhere xdhcpd differs from what most of the others answer:\n\n";
    for (index, case) in cases::all().enumerate() {
        if let Some(reason) = case.reason {
            let _ = writeln!(table, "- **{}**: {reason}", index + 1);
        }
    }
    table
}

fn request(case: &cases::Case) -> String {
    let authoritative = if case.setting.is_authoritative() {
        "; authoritative server"
    } else {
        ""
    };
    format!("{} ({}{authoritative})", case.asks, case.rfc)
}

/// The contents of a page, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The requests, as worded in the table.
    pub requests: Vec<String>,
    /// The column of xdhcpd.
    pub ours: Vec<String>,
    /// The reasons, with the numbers of their cases.
    pub reasons: Vec<(usize, String)>,
}

impl Said {
    /// Returns the contents of the code, with a given column of answers.
    pub fn of_code(ours: Vec<String>) -> Self {
        let mut said = Self {
            ours,
            ..Self::default()
        };
        for (index, case) in cases::all().enumerate() {
            said.requests.push(request(&case));
            if let Some(reason) = case.reason {
                said.reasons.push((index + 1, reason.to_owned()));
            }
        }
        said
    }

    /// Parses a page.
    ///
    /// # Errors
    /// The page lacks the markers.
    pub fn of_page(page: &str) -> Result<Self> {
        let (_, table, _) = split(page)?;
        let mut said = Self::default();
        for line in table.lines() {
            if let Some(rest) = line.strip_prefix("- **")
                && let Some((number, reason)) = rest.split_once("**: ")
            {
                said.reasons.push((number.parse()?, reason.to_owned()));
            }
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            if let [_, number, request, ours, ..] = cells.as_slice()
                && number.parse::<usize>().is_ok()
            {
                said.requests.push((*request).to_owned());
                said.ours.push((*ours).to_owned());
            }
        }
        Ok(said)
    }
}
