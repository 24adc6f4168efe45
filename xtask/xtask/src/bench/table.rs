//! The output.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};

use super::{measure::Beside, verdict::Row};

/// Returns a table of figures and baseline: nanoseconds above a bare pass for the program,
/// multiples of the calibration's work for the rest.
pub fn figures(rows: &[Row]) -> String {
    let mut table = table(
        ["BENCH", "NS", "BESIDE NS", "NOW", "BASELINE", "RATIO", ""],
        1,
    );
    for row in rows {
        let value = |value: f64| match row.now.beside {
            Beside::Pass => format!("+{value:.0} ns"),
            Beside::Calibration => format!("x {value:.4}"),
        };
        table.add_row([
            row.name.clone(),
            format!("{:.0}", row.now.ns),
            format!("{:.0}", row.now.beside_ns),
            value(row.value),
            row.baseline.map_or_else(String::new, value),
            row.ratio
                .map_or_else(|| "new".to_owned(), |ratio| format!("{ratio:.2}")),
            if row.is_beyond { "slower" } else { "" }.to_owned(),
        ]);
    }
    table.trim_fmt()
}

/// Returns a table of what the program adds to a bare pass, by outcome, leases and cache, or `None`
/// without such figures.
pub fn program(rows: &[Row]) -> Option<String> {
    let mut lines: BTreeMap<&str, BTreeMap<(u32, &str), f64>> = BTreeMap::new();
    for row in rows {
        if let Some((case, column)) = place(&row.name) {
            lines.entry(case).or_default().insert(column, row.value);
        }
    }
    let columns: BTreeSet<(u32, &str)> = lines.values().flat_map(BTreeMap::keys).copied().collect();
    // The warm cache precedes the cold one.
    let mut columns: Vec<(u32, &str)> = columns.into_iter().collect();
    columns.sort_by_key(|(leases, cache)| (*leases, *cache != "warm"));
    if columns.is_empty() {
        return None;
    }
    let header = columns
        .iter()
        .map(|(leases, cache)| format!("{leases} {cache}"));
    let mut table = table(std::iter::once("NS ABOVE PASS".to_owned()).chain(header), 1);
    for (case, values) in &lines {
        let cells = columns.iter().map(|column| {
            let value = values.get(column);
            value.map_or_else(String::new, |value| format!("{value:.0}"))
        });
        table.add_row(std::iter::once((*case).to_owned()).chain(cells));
    }
    Some(table.trim_fmt())
}

/// Parses the name of a figure of the program into case, leases and cache: `program/ack/1000/warm`.
fn place(name: &str) -> Option<(&str, (u32, &str))> {
    let (case, cache) = name.strip_prefix("program/")?.rsplit_once('/')?;
    let (case, leases) = case.rsplit_once('/')?;
    Some((case, (leases.parse().ok()?, cache)))
}

/// The first columns contain words, the others numbers.
fn table<I: Into<comfy_table::Row>>(header: I, words: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(header);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index >= words {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{super::measure::Measure, *};

    fn row(name: &str, ns: f64) -> Row {
        Row {
            name: name.to_owned(),
            now: Measure {
                ns: ns + 80.0,
                beside: Beside::Pass,
                beside_ns: 80.0,
            },
            value: ns,
            baseline: None,
            ratio: None,
            is_beyond: false,
        }
    }

    #[test]
    fn the_program_is_shown_by_leases_and_cache_in_order() {
        let rows = [
            row("program/ack/1000000/cold", 240.0),
            row("program/ack/1000/warm", 120.0),
            row("program/ack/1000/cold", 130.0),
            row("program/pass/1000/warm", 4.0),
            row("engine/renewal/1000", 9.0),
        ];
        let text = program(&rows).expect("four figures of the program");
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .filter(|line: &Vec<&str>| line.len() > 1)
            .collect();
        assert_eq!(
            lines,
            [
                vec![
                    "NS", "ABOVE", "PASS", "1000", "warm", "1000", "cold", "1000000", "cold"
                ],
                vec!["ack", "120", "130", "240"],
                vec!["pass", "4"],
            ]
        );
        assert_eq!(program(&rows[4..]), None);
    }
}
