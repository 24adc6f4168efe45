//! What could not be carried over, and what is not quite what it was.

use std::{fmt, path::Path, sync::Arc};

use serde::Serialize;

use crate::lines::printable;

/// One thing that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    #[serde(serialize_with = "shown")]
    pub file: Arc<Path>,
    pub line: usize,
    pub kind: Kind,
    /// As the file calls it.
    pub what: String,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is not in the result.
    Left,
    /// It is, with a difference.
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

/// Notes on one file.
#[derive(Debug)]
pub struct Notes {
    file: Arc<Path>,
    pub notes: Vec<Note>,
}

impl Notes {
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.into(),
            notes: Vec::new(),
        }
    }

    pub fn left(&mut self, line: usize, what: impl fmt::Display, why: impl fmt::Display) {
        self.add(Kind::Left, line, &what, &why);
    }

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
