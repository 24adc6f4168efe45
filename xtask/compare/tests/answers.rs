//! `docs/COMPARISON.md` contains the requests of the code, and xdhcpd's answers to them.

use std::fs;

use anyhow::{Context as _, Result};
use xtask_compare::answers::{self, Column, Contender, PAGE, cases, objections, page};
use xtask_lab::workspace;

fn said_by_page() -> Result<page::Said> {
    page::Said::of_page(&fs::read_to_string(workspace::root().join(PAGE))?)
}

#[test]
fn the_page_has_the_requests_and_the_reasons_of_the_code() -> Result<()> {
    let said = said_by_page()?;
    let right = page::Said::of_code(said.ours.clone());
    assert_eq!(said, right, "`cargo xtask compare` updates the page");
    assert_eq!(said.requests.len(), 52);
    Ok(())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn xdhcpd_answers_as_the_page_says() -> Result<()> {
    let column = answers::column(Contender::Xdhcpd)?.context("xdhcpd is not built")?;
    let page = said_by_page()?.ours;
    assert_eq!(page.len(), column.cells.len());
    for ((case, page), cell) in cases::all().zip(page).zip(column.cells) {
        assert_eq!(cell, page, "{}", case.asks);
    }
    Ok(())
}

/// Returns a column with the same answer to every request.
fn column(contender: Contender, cell: &str) -> Column {
    Column {
        contender,
        version: "1.0".to_owned(),
        cells: vec![cell.to_owned(); cases::all().count()],
    }
}

fn columns(cells: [&str; 4]) -> Vec<Column> {
    let columns = Contender::ALL.into_iter().zip(cells);
    columns
        .map(|(contender, cell)| column(contender, cell))
        .collect()
}

#[test]
fn a_difference_needs_a_reason_and_a_reason_a_difference() {
    let cases = cases::all().count();
    let reasons = cases::all().filter(|case| case.reason.is_some()).count();
    // The first column is xdhcpd's.
    for (cells, expected) in [
        (["a", "a", "a", "a"], reasons),
        (["a", "a", "a", "b"], reasons),
        (["a", "b", "c", "d"], reasons),
        (["a", "b", "b", "a"], cases - reasons),
        (["a", "b", "b", "b"], cases - reasons),
    ] {
        let objections = objections(&columns(cells));
        assert_eq!(objections.len(), expected, "{cells:?}: {objections:#?}");
    }
}

#[test]
fn what_is_around_the_table_stays_and_a_missing_server_is_said_to_be_so() -> Result<()> {
    let page = fs::read_to_string(workspace::root().join(PAGE))?;
    let mut columns = columns(["silence", "NAK", "NAK", "NAK"]);
    columns.retain(|column| column.contender != Contender::Kea);
    let table = page::table(&columns);
    assert!(table.contains("xdhcpd 1.0, Kea was not installed, dnsmasq 1.0"));
    assert!(table.contains("| silence | not installed | NAK | NAK |"));

    let changed = page::with_table(&page, &table)?;
    assert!(changed.contains(&table));
    let read = page::Said::of_page(&changed)?;
    let cases = cases::all().count();
    assert_eq!(read, page::Said::of_code(vec!["silence".to_owned(); cases]));
    let (before, _) = page.split_once("<!--").context("no marker")?;
    assert!(changed.starts_with(before));
    assert!(page::with_table("no markers", &table).is_err());
    Ok(())
}
