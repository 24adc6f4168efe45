//! Names that the code once had, and that must not come back: each meant several things, or a thing
//! that now has its RFC's name.

/// The old name, and the one to use. Matched as a whole word.
const OLD: [(&str, &str); 9] = [
    ("Whence", "ClientOrigin"),
    ("former_port", "ClientOrigin"),
    ("Marks", "ClientOrigin"),
    ("Live", "LeaseTable"),
    ("Party", "Requester"),
    ("Standing", "AddressStatus"),
    ("Naked", "NakSent"),
    ("Forgotten", "Deleted"),
    ("Tap", "ProbeSocket"),
];

/// Returns a problem for each old name that a line has as a word.
pub fn old(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words {
            if let Some((old, new)) = OLD.iter().find(|(old, _)| *old == word) {
                problems.push(format!("{name}:{}: {old} is called {new} now", index + 1));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_name_is_found_as_a_word_only() {
        assert_eq!(
            old("a.rs", "let a = Whence::Link;\nlet b = WhenceEver;\n"),
            ["a.rs:1: Whence is called ClientOrigin now"]
        );
    }
}
