//! Source files: short, introduced by a first line, and found where their modules are.

/// A file of this many lines has more than one purpose.
const LINES: usize = 650;

/// Returns a problem for each rule that a source file breaks.
pub fn problems(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if lines > LINES {
        problems.push(format!("{name}: {lines} lines, at most {LINES}"));
    }
    // `concat!`, because this file is a source file too.
    let path = concat!("#[", "path");
    let has_path = |line: &&str| line.trim_start().starts_with(path);
    if text.lines().any(|line| has_path(&line)) {
        problems.push(format!(
            "{name}: a module that is elsewhere than its name says"
        ));
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.find(|line| !line.starts_with("#!["));
    if !first.is_some_and(|line| line.starts_with("//! ")) {
        problems.push(format!("{name}: no `//!` line at its beginning"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_can_be_broken() {
        assert_eq!(
            problems("a.rs", "#![no_std]\n//! A.\n\nfn a() {}\n"),
            [""; 0]
        );
        assert_eq!(
            problems("a.rs", "fn a() {}\n"),
            ["a.rs: no `//!` line at its beginning"]
        );
        let long = "//! A.\n".repeat(651);
        assert_eq!(problems("a.rs", &long), ["a.rs: 651 lines, at most 650"]);
        let elsewhere = format!("//! A.\n{}", concat!("#[", "path = \"b.rs\"]\nmod b;\n"));
        assert_eq!(
            problems("a.rs", &elsewhere),
            ["a.rs: a module that is elsewhere than its name says"]
        );
    }
}
