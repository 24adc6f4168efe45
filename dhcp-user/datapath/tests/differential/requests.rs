//! Every cell of the table of REQUESTs, and the page that shows it.

use dhcp_testkit::agreement::requests::{cells, gaps, page};

use crate::program;

#[test]
fn every_shape_stands_in_the_table_once_and_the_page_shows_the_table() {
    assert_eq!(gaps(), [""; 0]);
    let shown = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/REQUESTS.md"
    ));
    let table = page();
    assert!(
        shown.contains(&table),
        "docs/REQUESTS.md must show\n{table}"
    );
}

#[test]
fn c034_c035_c036_c039_c043_c053_c080_c086_m11_a_request_of_every_shape_in_every_state() {
    for cell in cells() {
        cell.play(None);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c034_c035_c036_c080_c086_m11_the_kernel_on_a_request_of_every_shape_in_every_state() {
    let mut program = program(1024);
    for cell in cells() {
        cell.play(Some(&mut program));
    }
}
