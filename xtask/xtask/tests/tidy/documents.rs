//! What documents and comments name: paths, links, packages and tests.

use std::collections::BTreeSet;

use super::imports::Workspace;

/// Folders at the top of the workspace. A word that begins with one of them and a slash is a path.
const TOP: [&str; 9] = [
    "dhcp-common/",
    "dhcp-ebpf/",
    "dhcp-user/",
    "xtask/",
    "benches/",
    "docs/",
    "dist/",
    ".github/",
    ".ci/",
];

/// Returns the lines of a file in which paths and commands are meant: all of a document, and the
/// comments of code.
fn said<'a>(name: &str, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let comment = match name.rsplit_once('.') {
        Some((_, "rs")) => Some("//"),
        Some((_, "toml")) => Some("#"),
        _ => None,
    };
    let lines = text.lines().enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(move |(_, line)| comment.is_none_or(|mark| line.trim_start().starts_with(mark)))
}

/// Returns the words of a line that are written like paths below the top of the workspace.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| c.is_whitespace() || "`()[]{}\"',;|<>=".contains(c));
    words.filter_map(|word| {
        let path = word.split([':', '#']).next().unwrap_or_default();
        let path = path.trim_end_matches('.');
        let is_path = TOP.iter().any(|top| path.starts_with(top));
        // A pattern names many files, or none yet.
        let is_exact = !path.contains(['*', '…', '$']) && !path.contains("NNNN");
        (is_path && is_exact).then_some(path)
    })
}

/// Returns a problem for each path that a file names and that does not exist.
pub fn missing_paths(name: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    said(name, text)
        .flat_map(|(number, line)| paths(line).map(move |path| (number, path)))
        .filter(|(_, path)| !exists(path))
        .map(|(number, path)| format!("{name}:{number}: there is no {path}"))
        .collect()
}

/// Returns the targets of a line's links.
fn links(line: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut rest = line;
    while let Some((_, behind)) = rest.split_once("](") {
        let (target, behind) = behind.split_once(')').unwrap_or((behind, ""));
        links.push(target);
        rest = behind;
    }
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        links.push(target);
    }
    links
}

/// Returns the path that a link of a document leads to.
fn resolved(name: &str, target: &str) -> String {
    if target.is_empty() {
        return name.to_owned();
    }
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the names by which the headings of a document can be linked to.
pub fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Returns a problem for each link to a file or a heading that does not exist.
pub fn broken_links(
    name: &str,
    text: &str,
    exists: &dyn Fn(&str) -> bool,
    headings: &dyn Fn(&str) -> Option<BTreeSet<String>>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = format!("{name}:{}", index + 1);
        for target in links(line) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = resolved(name, file);
            if !exists(&path) {
                problems.push(format!("{at}: the link to {target} leads nowhere"));
            } else if !anchor.is_empty()
                && headings(&path).is_none_or(|headings| !headings.contains(anchor))
            {
                problems.push(format!("{at}: {path} has no heading #{anchor}"));
            }
        }
    }
    problems
}

/// Returns a problem for each `-p PACKAGE` and each test, bench or example of one that does not
/// exist.
pub fn unknown_targets(name: &str, text: &str, workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in said(name, text) {
        let words: Vec<&str> = line
            .split(|c: char| c.is_whitespace() || "`|=,;()".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let mut package = None;
        for pair in words.windows(2) {
            let &[flag, value] = pair else { continue };
            match flag {
                "-p" | "--package" if value.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    package = Some(value);
                    if !workspace.has_package(value) {
                        problems.push(format!("{name}:{number}: there is no package {value}"));
                    }
                }
                "--test" | "--bench" | "--example" => {
                    if let Some(package) = package
                        && workspace.has_package(package)
                        && !workspace.has_target(package, value)
                    {
                        let what = flag.trim_start_matches('-');
                        problems.push(format!("{name}:{number}: {package} has no {what} {value}"));
                    }
                }
                _ => {}
            }
        }
    }
    problems
}

/// Returns a problem for each record that the index does not list, and each number that is missing.
pub fn unlisted_decisions<'a>(index: &str, paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let records = paths.filter_map(|path| path.rsplit('/').next());
    let records: Vec<&str> = records.filter(|name| *name != "README.md").collect();
    let mut problems = Vec::new();
    for (position, record) in records.iter().enumerate() {
        if !index.contains(&format!("]({record})")) {
            problems.push(format!("docs/decisions/README.md does not list {record}"));
        }
        let number = format!("{:04}-", position + 1);
        if !record.starts_with(&number) {
            problems.push(format!("{record} should begin with {number}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(name: &str, text: &str) -> Vec<String> {
        missing_paths(name, text, &|path| path == "docs/THERE.md")
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        assert_eq!(
            missing("a.md", "See `docs/THERE.md`,\nor dhcp-user/gone.rs:12.\n"),
            ["a.md:2: there is no dhcp-user/gone.rs"]
        );
        assert_eq!(
            missing("b.rs", "//! `docs/GONE.md`\nlet path = \"docs/ANY.md\";\n"),
            ["b.rs:1: there is no docs/GONE.md"]
        );
        assert_eq!(missing("c.md", "docs/*.md, net/xdp/xsk.c"), [""; 0]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let broken = |text: &str| {
            let headings = |_: &str| Some(anchors("# One\n## Two words, `a_b`\n"));
            broken_links("docs/a.md", text, &|path| path == "README.md", &headings)
        };
        assert_eq!(broken("[a](../README.md#one), [b](../README.md)"), [""; 0]);
        assert_eq!(broken("[a](../README.md#two-words-a_b)"), [""; 0]);
        assert_eq!(broken("[a](https://example.net/x)"), [""; 0]);
        assert_eq!(
            broken("[a](README.md) and [b](../README.md#three)\n[c]: ../gone.rs"),
            [
                "docs/a.md:1: the link to README.md leads nowhere",
                "docs/a.md:1: README.md has no heading #three",
                "docs/a.md:2: the link to ../gone.rs leads nowhere",
            ]
        );
    }

    #[test]
    fn a_package_or_test_that_does_not_exist_is_found() {
        let workspace = Workspace::parse(
            r#"{"packages": [{"name": "dhcp-a", "dependencies": [], "targets": [{"name": "t"}]}]}"#,
            "",
        );
        let unknown = |text: &str| unknown_targets("a.md", text, &workspace);
        assert_eq!(unknown("`cargo test -p dhcp-a --test t`"), [""; 0]);
        assert_eq!(
            unknown("`cargo test -p dhcp-b`\ncargo test --package=dhcp-a --test gone"),
            [
                "a.md:1: there is no package dhcp-b",
                "a.md:2: dhcp-a has no test gone",
            ]
        );
    }

    #[test]
    fn a_decision_that_is_not_listed_or_misnumbered_is_found() {
        let paths = ["docs/decisions/0001-a.md", "docs/decisions/0003-b.md"];
        assert_eq!(
            unlisted_decisions("[A](0001-a.md)", paths.into_iter()),
            [
                "docs/decisions/README.md does not list 0003-b.md",
                "0003-b.md should begin with 0002-",
            ]
        );
    }
}
