//! Notes on the differences between a file and the result of its conversion.

use std::{fmt, path::Path, sync::Arc};

use serde::Serialize;

use crate::lines::printable;

/// A difference between the file and the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    #[serde(serialize_with = "shown")]
    pub file: Arc<Path>,
    /// The line in the file, from 1.
    pub line: usize,
    pub kind: Kind,
    /// The element, in the notation of the file.
    pub what: String,
    /// The reason, and what to do.
    pub why: String,
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The element is not in the result.
    Left,
    /// The element is in the result, but differs.
    Changed,
}

fn shown<S: serde::Serializer>(file: &Arc<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&file.display())
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, line, kind, ..
        } = self;
        let kind = match kind {
            Kind::Left => "left out",
            Kind::Changed => "changed",
        };
        let (what, why) = (printable(&self.what), printable(&self.why));
        write!(f, "{}:{line}: {kind}: {what}: {why}", file.display())
    }
}

/// All notes on one file.
#[derive(Debug)]
pub struct Notes {
    file: Arc<Path>,
    pub notes: Vec<Note>,
}

impl Notes {
    /// Returns an empty list for a file.
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.into(),
            notes: Vec::new(),
        }
    }

    /// Notes an element that is left out.
    pub fn left(&mut self, line: usize, what: impl fmt::Display, why: impl fmt::Display) {
        self.add(Kind::Left, line, &what, &why);
    }

    /// Notes an element that differs.
    pub fn changed(&mut self, line: usize, what: impl fmt::Display, why: impl fmt::Display) {
        self.add(Kind::Changed, line, &what, &why);
    }

    fn add(&mut self, kind: Kind, line: usize, what: &dyn fmt::Display, why: &dyn fmt::Display) {
        self.notes.push(Note {
            file: Arc::clone(&self.file),
            line,
            kind,
            what: what.to_string(),
            why: why.to_string(),
        });
    }
}
