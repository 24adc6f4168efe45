//! Whether xdhcpd answers as most of the others do.

use std::collections::BTreeMap;

use super::{cases, column::Column, contender::Contender};

/// What xdhcpd's answer to a request is among all answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    /// That of most others.
    WithMost,
    /// Most others agree on another one.
    AgainstMost,
    /// No answer is that of most others.
    NoMajority,
}

/// `row`: the answers by server.
fn agreement(row: &[(Contender, &str)]) -> Agreement {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ours = None;
    let mut others = 0;
    for (contender, cell) in row {
        if *contender == Contender::Xdhcpd {
            ours = Some(*cell);
        } else {
            others += 1;
            *votes.entry(cell).or_default() += 1;
        }
    }
    let most = votes.iter().find(|(_, votes)| **votes * 2 > others);
    match most {
        None => Agreement::NoMajority,
        Some((cell, _)) if Some(*cell) == ours => Agreement::WithMost,
        Some(_) => Agreement::AgainstMost,
    }
}

/// Where xdhcpd differs from most others and no reason is given, or a reason is given and it does not differ.
pub fn objections(columns: &[Column]) -> Vec<String> {
    let mut objections = Vec::new();
    for (index, case) in cases::all().enumerate() {
        let number = index + 1;
        match (agreement(&row(columns, index)), case.reason) {
            (Agreement::AgainstMost, None) => objections.push(format!(
                "{number}, {}: xdhcpd differs from most others; give the reason beside the case, with its section",
                case.asks
            )),
            (Agreement::WithMost | Agreement::NoMajority, Some(reason)) => objections.push(format!(
                "{number}, {}: xdhcpd does not differ from most others, but a reason says: {reason}",
                case.asks
            )),
            (Agreement::AgainstMost, Some(_)) | (Agreement::WithMost | Agreement::NoMajority, None) => {}
        }
    }
    objections
}

/// The cells of a case.
fn row(columns: &[Column], index: usize) -> Vec<(Contender, &str)> {
    columns
        .iter()
        .map(|column| {
            let cell = column.cells.get(index).map_or("", String::as_str);
            (column.contender, cell)
        })
        .collect()
}
