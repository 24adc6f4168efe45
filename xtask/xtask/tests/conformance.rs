//! `docs/CONFORMANCE.md` lists the tests that cover each check, and nothing else.

use anyhow::Result;
use xtask::conformance::{Check, Evidence, Status, Verdict, hold, of_source, verdict};

#[test]
fn every_check_has_a_test_or_a_reason_and_the_page_says_which() -> Result<()> {
    let verdict = verdict()?;
    assert!(
        verdict.wrong.is_empty() && verdict.stale.is_empty(),
        "\n{}\nThe last column is written by `cargo xtask conformance`; its reasons by hand.",
        [verdict.wrong, verdict.stale].concat().join("\n")
    );
    assert_eq!(verdict.statuses.len(), Check::all().count());
    Ok(())
}

/// A file of tests, with `@` in place of the attribute, so that this file does not contain it.
const TESTS: &str = "
@
fn c002_m01_something_holds() {}

@
#[ignore = \"needs root\"]
fn c002_in_the_kernel() -> Result<()> {}

fn c003_this_is_no_test() {}
";

fn evidence() -> Vec<Evidence> {
    let text = TESTS.replace('@', "#[test]");
    of_source("dhcp-user/engine/tests/engine/some.rs", &text)
}

/// Returns a page that begins with these rows, and whose other checks have a reason.
fn page(rows: &[(&str, &str)]) -> String {
    let mut page =
        "# Conformance\n\n| check | level | path | what | covered by |\n|---|---|---|---|---|\n"
            .to_owned();
    for check in Check::all().map(|check| check.to_string()) {
        let given = rows.iter().find(|(number, _)| *number == check);
        let covered = given.map_or("not yet: all of it", |(_, covered)| covered);
        page += &format!("| {check} | MUST | B | it holds | {covered} |\n");
    }
    page
}

const C002: &str = "[engine/some]: something holds; in the kernel";
const M01: &str = "[engine/some]: something holds";
const LINK: &str = "\n[engine/some]: ../dhcp-user/engine/tests/engine/some.rs\n";

fn good() -> String {
    page(&[("c002", C002), ("m01", M01)]) + LINK
}

#[track_caller]
fn expect_wrong(verdict: &Verdict, what: &str) {
    assert!(
        verdict.wrong.iter().any(|wrong| wrong.contains(what)),
        "{what} is not in {:?}",
        verdict.wrong
    );
}

#[test]
fn a_page_that_says_what_the_tests_show_stays_as_it_is() {
    let verdict = hold(&good(), &evidence());
    assert_eq!((verdict.stale, verdict.wrong), (vec![], vec![]));
    assert_eq!(verdict.page, good());
    let covered = |status: &&Status| **status == Status::Covered;
    assert_eq!(verdict.statuses.iter().filter(covered).count(), 2);
    assert_eq!(verdict.statuses.len(), 150);
}

#[test]
fn what_tests_show_in_part_keeps_its_rest() {
    let partly = |tests: &str| {
        let covered = format!("{tests}<br>not yet: the other half");
        page(&[("c002", &covered), ("m01", M01)]) + LINK
    };
    let verdict = hold(&partly(C002), &evidence());
    assert_eq!((verdict.stale, verdict.wrong), (vec![], vec![]));
    assert!(verdict.statuses.contains(&Status::Partly));
    let verdict = hold(&partly("[engine/some]: gone"), &evidence());
    assert_eq!((verdict.stale.len(), verdict.page), (1, partly(C002)));
}

#[test]
fn what_the_tests_do_not_show_is_named_and_written_anew() {
    let gone = "[engine/some]: something holds; a test that is gone; in the kernel";
    let cases = [
        (
            page(&[("m01", M01)]) + LINK,
            "c002 says \"not yet: all of it\", but tests carry",
        ),
        (
            page(&[("c002", "left out: no use"), ("m01", M01)]),
            "c002 says \"left out: no use\"",
        ),
        (
            page(&[("c002", gone), ("m01", M01)]) + LINK,
            "a test that is gone",
        ),
        (page(&[("c002", ""), ("m01", M01)]) + LINK, "c002 says \"\""),
        (
            page(&[("c002", C002), ("m01", M01)]),
            "the links at its end",
        ),
    ];
    for (page, what) in cases {
        let verdict = hold(&page, &evidence());
        assert_eq!(verdict.stale.len(), 1, "{what}");
        assert!(
            verdict.stale[0].contains(what),
            "{what}: {:?}",
            verdict.stale
        );
        assert_eq!(verdict.wrong, [""; 0]);
        assert_eq!(verdict.page, good());
    }
}

#[test]
fn what_only_a_person_can_mend_is_named_with_its_line() {
    for covered in [
        "",
        "not yet: ",
        "left out:",
        "[engine/some]: something holds",
        "later",
    ] {
        let page = page(&[("c001", covered), ("c002", C002), ("m01", M01)]) + LINK;
        expect_wrong(
            &hold(&page, &evidence()),
            "docs/CONFORMANCE.md:5: no test carries c001",
        );
    }
    let changes = [
        (
            "| c040 | MUST | B | it holds | not yet: all of it |\n",
            "",
            "c040 has no row",
        ),
        ("| c040 |", "| c041 |", "c041 has a row above"),
        (
            "| c040 |",
            "| c121 |",
            "docs/CONFORMANCE.md:44: c121 is not a check",
        ),
        (
            "| c040 |",
            "| c40 |",
            "docs/CONFORMANCE.md:44: c40 is not a check",
        ),
        ("| c040 | MUST |", "| c040 | must |", "c040 needs a level"),
        (
            "| c040 | MUST | B |",
            "| c040 | MUST | K |",
            "c040 needs a level",
        ),
        (
            "| c040 | MUST |",
            "| c040 |",
            "a row has five cells, this one 4",
        ),
    ];
    for (from, to, what) in changes {
        let page = good().replacen(from, to, 1);
        assert_ne!(page, good());
        expect_wrong(&hold(&page, &evidence()), what);
    }
    for number in ["c121", "c000", "m31", "c40", "m001"] {
        let mut evidence = evidence();
        evidence[0].number = number.to_owned();
        expect_wrong(
            &hold(&good(), &evidence),
            &format!("carries {number}, which is not a check"),
        );
    }
}

#[test]
fn cases_are_tests_by_their_names_in_the_fixtures_alone() {
    let text = "slow(\"c010 c011 option 50 in two parts\", Outcome::SplitOption),";
    let found = of_source("dhcp-user/testkit/src/fixtures/cases/left.rs", text);
    let numbers: Vec<_> = found.iter().map(|e| (&*e.number, &*e.name)).collect();
    let name = "option 50 in two parts";
    assert_eq!(numbers, [("c010", name), ("c011", name)]);
    assert_eq!(of_source("dhcp-user/xdhcpd/src/cli.rs", text), []);
}

#[test]
fn files_of_the_same_name_are_told_apart() {
    let text = "#[test]\nfn c002_it_holds() {}";
    let found: Vec<_> = ["dhcp-user/src/pool.rs", "dhcp-user/tests/pool/mod.rs"]
        .iter()
        .flat_map(|file| of_source(file, text))
        .collect();
    let page = hold(&page(&[]), &found).page;
    assert!(page.contains(
        "| [dhcp-user/src/pool.rs]: it holds<br>[dhcp-user/tests/pool/mod.rs]: it holds |"
    ));
    let one = hold(&page, &found[1..]).page;
    assert!(one.contains("| [pool]: it holds |"));
    assert!(one.ends_with("\n\n[pool]: ../dhcp-user/tests/pool/mod.rs\n"));
}
