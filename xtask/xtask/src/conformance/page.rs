//! The page: a table with a row for each check, whose last column lists the tests that cover it.

use std::collections::{BTreeMap, BTreeSet};

use super::{check::Check, evidence::Evidence};

/// The page, relative to the workspace.
pub const PAGE: &str = "docs/CONFORMANCE.md";

const LEVELS: [&str; 6] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "POLICY"];
const PATHS: [&str; 3] = ["F", "S", "B"];
const LEFT_OUT: &str = "left out: ";
const NOT_YET: &str = "not yet: ";
/// Follows the tests of a check that do not cover all of it.
const REST: &str = "<br>not yet: ";

/// The status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Covered,
    Partly,
    NotYet,
    LeftOut,
}

/// The page, checked against the tests.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The page as it should be, as far as the tests determine it.
    pub page: String,
    /// Differences that writing the page resolves.
    pub stale: Vec<String>,
    /// Errors that a person must correct.
    pub wrong: Vec<String>,
    pub statuses: Vec<Status>,
}

/// Checks a page against the tests.
pub fn hold(page: &str, evidence: &[Evidence]) -> Verdict {
    let mut by_check: BTreeMap<Check, Vec<&Evidence>> = BTreeMap::new();
    let mut verdict = Verdict::default();
    for found in evidence {
        match Check::parse(&found.number) {
            Some(check) => by_check.entry(check).or_default().push(found),
            None => verdict.wrong.push(format!(
                "{}: the test `{}` carries {}, which is not a check; checks are c001 to c120 and \
                 m01 to m30",
                found.file, found.name, found.number
            )),
        }
    }
    let labels = Labels::new(evidence);
    let mut rows = BTreeSet::new();
    let mut lines: Vec<String> = Vec::new();
    for (index, line) in page.lines().enumerate() {
        if is_link(line) {
            continue;
        }
        let place = format!("{PAGE}:{}", index + 1);
        match row(line) {
            Some(cells) => match verdict.row(&place, &cells, &by_check, &labels) {
                Some((check, line)) => {
                    if !rows.insert(check) {
                        verdict
                            .wrong
                            .push(format!("{place}: {check} has a row above"));
                    }
                    if rows.last() != Some(&check) {
                        verdict
                            .wrong
                            .push(format!("{place}: {check} comes after a later check"));
                    }
                    lines.push(line);
                }
                None => lines.push(line.to_owned()),
            },
            None => lines.push(line.to_owned()),
        }
    }
    for check in Check::all().filter(|check| !rows.contains(check)) {
        verdict
            .wrong
            .push(format!("{PAGE}: {check} has no row; add one"));
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.push(String::new());
    let files: BTreeSet<_> = by_check.values().flatten().map(|e| &*e.file).collect();
    let link = |file| format!("[{}]: ../{file}", labels.0[file]);
    lines.extend(files.into_iter().map(link));
    verdict.page = lines.join("\n") + "\n";
    if verdict.stale.is_empty() && verdict.page != page {
        verdict.stale.push(format!(
            "{PAGE}: the links at its end are not those of the table"
        ));
    }
    verdict
}

impl Verdict {
    /// Returns a row as it should be, or `None` if it is not the row of a check.
    fn row(
        &mut self,
        place: &str,
        cells: &[&str],
        by_check: &BTreeMap<Check, Vec<&Evidence>>,
        labels: &Labels<'_>,
    ) -> Option<(Check, String)> {
        let &[number, level, path, what, covered] = cells else {
            let found = cells.len();
            self.wrong
                .push(format!("{place}: a row has five cells, this one {found}"));
            return None;
        };
        let Some(check) = Check::parse(number) else {
            self.wrong.push(format!(
                "{place}: {number} is not a check; checks are c001 to c120 and m01 to m30"
            ));
            return None;
        };
        if !LEVELS.contains(&level) || !PATHS.contains(&path) || what.is_empty() {
            self.wrong.push(format!(
                "{place}: {check} needs a level of {LEVELS:?}, a path of {PATHS:?} and what must hold"
            ));
        }
        let reason = [(LEFT_OUT, Status::LeftOut), (NOT_YET, Status::NotYet)]
            .into_iter()
            .find(|(start, _)| covered.len() > start.len() && covered.starts_with(start));
        // The tests do not cover all of the check.
        let rest = covered
            .split_once(REST)
            .map(|(_, rest)| rest)
            .filter(|rest| !rest.is_empty());
        let right = by_check.get(&check).map(|found| {
            let tests = cell(found, labels);
            rest.map_or(tests.clone(), |rest| tests + REST + rest)
        });
        match (&right, reason) {
            (Some(right), Some(_)) => self.stale.push(format!(
                "{place}: {check} says \"{covered}\", but tests carry its number: {right}"
            )),
            (Some(right), None) if right != covered => self.stale.push(format!(
                "{place}: {check} says \"{covered}\", but the tests that carry its number are: {right}"
            )),
            (None, None) => self.wrong.push(format!(
                "{place}: no test carries {check}; write one, or say \"{NOT_YET}...\" with what is missing \
                 or \"{LEFT_OUT}...\" with the reason"
            )),
            _ => {}
        }
        self.statuses.extend(match (&right, rest, reason) {
            (Some(_), None, _) => Some(Status::Covered),
            (Some(_), Some(_), _) => Some(Status::Partly),
            (None, _, reason) => reason.map(|(_, status)| status),
        });
        let covered = right.as_deref().unwrap_or(covered);
        Some((
            check,
            format!("| {number} | {level} | {path} | {what} | {covered} |"),
        ))
    }
}

/// Returns the cells of a line that is, or was meant to be, the row of a check.
fn row(line: &str) -> Option<Vec<&str>> {
    let cells = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<_> = cells.split('|').map(str::trim).collect();
    let digits = cells.first()?.strip_prefix(['c', 'm'])?;
    digits
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(cells)
}

/// Returns whether a line is one of the links at the end.
fn is_link(line: &str) -> bool {
    line.starts_with('[') && line.contains("]: ../")
}

/// Returns the last cell of a check: the names of its tests by file.
fn cell(found: &[&Evidence], labels: &Labels<'_>) -> String {
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for evidence in found {
        let names = by_file.entry(&evidence.file).or_default();
        if !names.contains(&&*evidence.name) {
            names.push(&evidence.name);
        }
    }
    let files: Vec<_> = by_file
        .into_iter()
        .map(|(file, names)| format!("[{}]: {}", labels.0[file], names.join("; ")))
        .collect();
    files.join("<br>")
}

/// Names of files in the table.
struct Labels<'a>(BTreeMap<&'a str, String>);

impl<'a> Labels<'a> {
    fn new(evidence: &'a [Evidence]) -> Self {
        let mut by_label: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for Evidence { file, .. } in evidence {
            by_label.entry(short(file)).or_default().insert(file);
        }
        let mut labels = BTreeMap::new();
        for (label, files) in by_label {
            let is_one = files.len() == 1;
            labels.extend(files.into_iter().map(|file| {
                let label = if is_one { &label } else { file };
                (file, label.to_owned())
            }));
        }
        Self(labels)
    }
}

/// Returns a file without common parts of its path: `engine/offers` for
/// `dhcp-user/engine/tests/engine/offers.rs`.
fn short(file: &str) -> String {
    let file = file.strip_suffix(".rs").unwrap_or(file);
    let parts = file.strip_suffix("/mod").unwrap_or(file).split('/').skip(1);
    let mut parts: Vec<_> = parts
        .filter(|part| !matches!(*part, "src" | "tests" | "testkit" | "fixtures" | "xtask"))
        .collect();
    parts.dedup();
    parts.join("/")
}
