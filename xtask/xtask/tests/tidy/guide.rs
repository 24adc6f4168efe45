//! The reading guide in ARCHITECTURE.md: a list of files, each of which names the next one.

const HEADING: &str = "## Where to start reading";

/// Returns the files of the numbered list, in its order.
fn files(text: &str) -> Vec<&str> {
    let (_, section) = text.split_once(HEADING).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let items = section
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    items.filter_map(|line| line.split('`').nth(1)).collect()
}

/// Returns the comment with which a file begins.
fn first_words(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns a problem for each file that does not exist or does not name the next one.
pub fn problems(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let files = files(text);
    let mut problems = Vec::new();
    if files.len() < 2 {
        problems.push(format!(
            "docs/ARCHITECTURE.md lists no files under {HEADING:?}"
        ));
    }
    for (index, file) in files.iter().enumerate() {
        let Some(source) = read(file) else {
            problems.push(format!(
                "the reading guide names {file}, which does not exist"
            ));
            continue;
        };
        if let Some(next) = files.get(index + 1)
            && !first_words(&source).contains(next)
        {
            problems.push(format!("{file} does not name {next} in its first lines"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        # A\n\n## Where to start reading\n\n1. `a.rs`: one,\n   and `x.rs`.\n2. `b.rs`: two\n\n## B\n\n3. `c.rs`\n";

    #[test]
    fn a_file_that_is_gone_or_ends_the_way_is_found() {
        let read = |file: &str| match file {
            "a.rs" => Some("//! One; `b.rs` is next.\n".to_owned()),
            "b.rs" => Some("//! Two.\n".to_owned()),
            _ => None,
        };
        assert_eq!(problems(TEXT, &read), [""; 0]);
        assert_eq!(
            problems(TEXT, &|file| (file == "a.rs")
                .then(|| "//! One.\n\n// b.rs\n".to_owned())),
            [
                "a.rs does not name b.rs in its first lines",
                "the reading guide names b.rs, which does not exist",
            ]
        );
        assert_eq!(problems("# A\n", &read).len(), 1);
    }
}
