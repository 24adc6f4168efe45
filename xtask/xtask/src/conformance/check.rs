//! The numbers of checks.

use std::fmt;

/// The number of a check: `c` and three digits, or `m` and two digits for minor ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Main(u8),
    Minor(u8),
}

impl Check {
    const MAIN: u8 = 120;
    const MINOR: u8 = 30;

    /// Returns all checks, in the order of the page.
    pub fn all() -> impl Iterator<Item = Self> {
        let main = (1..=Self::MAIN).map(Self::Main);
        main.chain((1..=Self::MINOR).map(Self::Minor))
    }

    /// Parses a number. Returns `None` if it has another form or is out of range.
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().find(|check| check.to_string() == text)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main(number) => write!(f, "c{number:03}"),
            Self::Minor(number) => write!(f, "m{number:02}"),
        }
    }
}
