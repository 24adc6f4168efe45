//! Tables.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use comfy_table::{CellAlignment, Table, presets};

/// Returns an empty table.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Prints a table.
pub fn write(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", table.trim_fmt())
}

/// Returns the counters that are not zero, the largest first.
pub fn counted(counters: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let counted = counters.iter().filter(|(_, count)| **count > 0);
    let counted = counted.map(|(label, count)| (label.as_str(), *count));
    let mut counted: Vec<_> = counted.collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted
}

/// Prints a table of counters, unless there are none.
pub fn counters(title: &str, counted: &[(&str, u64)], out: &mut dyn Write) -> io::Result<()> {
    if counted.is_empty() {
        return Ok(());
    }
    let mut table = table(&[title, "COUNT"]);
    for (label, count) in counted {
        table.add_row([(*label).to_owned(), count.to_string()]);
    }
    numbers(&mut table, &[1]);
    writeln!(out)?;
    write(&table, out)
}

/// Aligns columns of numbers to the right.
pub fn numbers(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
