//! Parses files of `/proc`.

/// Returns the first word after a label at the beginning of a line.
pub fn field<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_whitespace().next()
}
