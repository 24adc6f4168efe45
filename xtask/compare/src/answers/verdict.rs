//! Comparison of xdhcpd's answers with those of most other servers.

use std::collections::BTreeMap;

use super::{cases, column::Column, contender::Contender};

/// How xdhcpd's answer to a request relates to the other answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    /// Most other servers give the same answer.
    WithMost,
    /// Most other servers agree on another answer.
    AgainstMost,
    /// The other servers have no majority.
    NoMajority,
}

/// Compares the answers of a row, by server.
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

/// Returns the cases in which xdhcpd differs from most other servers without a reason, or has a
/// reason without differing.
pub fn objections(columns: &[Column]) -> Vec<String> {
    let mut objections = Vec::new();
    for (index, case) in cases::all().enumerate() {
        let number = index + 1;
        match (agreement(&row(columns, index)), case.reason) {
            (Agreement::AgainstMost, None) => objections.push(format!(
                "{number}, {}: xdhcpd differs from most others; state the reason in the case, \
                 with its section",
                case.asks
            )),
            (Agreement::WithMost | Agreement::NoMajority, Some(reason)) => {
                objections.push(format!(
                    "{number}, {}: xdhcpd does not differ from most others, but there is a reason: \
                 {reason}",
                    case.asks
                ))
            }
            (Agreement::AgainstMost, Some(_))
            | (Agreement::WithMost | Agreement::NoMajority, None) => {}
        }
    }
    objections
}

/// Returns the cells of a case.
fn row(columns: &[Column], index: usize) -> Vec<(Contender, &str)> {
    columns
        .iter()
        .map(|column| {
            let cell = column.cells.get(index).map_or("", String::as_str);
            (column.contender, cell)
        })
        .collect()
}
