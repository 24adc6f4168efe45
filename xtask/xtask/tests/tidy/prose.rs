//! Lines of prose: documents and comments wrap at 100 columns.

/// The longest line of prose, in characters.
const COLUMNS: usize = 100;
/// Marks in a document around a command's output, which is not wrapped.
const WRITTEN: [&str; 2] = ["<!-- written by ", "<!-- end of what is written"];

/// Returns a problem for each line of prose that is too long.
pub fn long_lines(name: &str, text: &str) -> Vec<String> {
    let is_document = name.ends_with(".md");
    let mark = if name.ends_with(".rs") { "//" } else { "#" };
    let mut problems = Vec::new();
    let (mut is_code, mut is_written) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if is_document {
            is_written |= line.starts_with(WRITTEN[0]);
            is_written &= !line.starts_with(WRITTEN[1]);
            is_code ^= trimmed.starts_with("```");
        }
        let is_prose = match is_document {
            true => !is_code && !is_written && !trimmed.starts_with('|') && !is_link(trimmed),
            false => trimmed.starts_with(mark) && !is_table(trimmed),
        };
        let length = line.chars().count();
        // A single word that is too long cannot be wrapped, and a URL is not wrapped.
        let can_wrap = !line.contains("://");
        if is_prose && can_wrap && length > COLUMNS {
            problems.push(format!("{name}:{}: {length} columns", index + 1));
        }
    }
    problems
}

fn is_link(line: &str) -> bool {
    line.starts_with('[') && line.contains("]: ")
}

/// Returns whether a comment is a row of a table.
fn is_table(line: &str) -> bool {
    let comment = line.trim_start_matches(['/', '!', '#']).trim_start();
    comment.starts_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_of_prose_is_found() {
        let long = "words ".repeat(17);
        let found = |name: &str, text: String| long_lines(name, &text).len();
        assert_eq!(found("a.md", format!("Short.\n{long}\n")), 1);
        assert_eq!(found("a.rs", format!("    /// {long}\n")), 1);
        assert_eq!(found("a.toml", format!("# {long}\n")), 1);
        assert_eq!(found("a.rs", format!("let text = \"{long}\";\n")), 0);
        assert_eq!(found("a.md", format!("| {long} |\n```\n{long}\n```\n")), 0);
        assert_eq!(found("a.rs", format!("//! | {long} |\n")), 0);
        assert_eq!(found("a.md", format!("[a]: {long}\n")), 0);
        let written = format!("<!-- written by `x` -->\n{long}\n<!-- end of what is written -->\n");
        assert_eq!(found("a.md", written.clone()), 0);
        assert_eq!(found("a.md", format!("{written}{long}\n")), 1);
    }
}
