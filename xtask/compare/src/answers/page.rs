//! The page: a table between two markers, which is written here; what is around it stays.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{cases, column::Column, contender::Contender};

const BEGIN: &str = "<!-- written by `cargo xtask compare` -->";
const END: &str = "<!-- end of what is written -->";
const COMMAND: &str = "cargo xtask compare";

/// The page with another table.
///
/// # Errors
/// It lacks the markers.
pub fn with_table(page: &str, table: &str) -> Result<String> {
    let (before, _, after) = split(page)?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

fn split(page: &str) -> Result<(&str, &str, &str)> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    });
    parts.with_context(|| format!("the page needs the lines `{BEGIN}` and `{END}`"))
}

/// Everything that is between the markers.
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

/// What a page says, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The requests, as the table words them.
    pub requests: Vec<String>,
    /// The column of xdhcpd.
    pub ours: Vec<String>,
    /// The reasons, with the number of their case.
    pub reasons: Vec<(usize, String)>,
}

impl Said {
    /// What the code says; the column is left to whoever plays the cases.
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
