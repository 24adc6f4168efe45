//! Problems of a configuration: where each is, and how to solve it.

use std::{fmt, path::Path, sync::Arc};

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: Arc<Path>,
    /// Line and column, both counted from 1; `None` if the file cannot be read.
    pub position: Option<(usize, usize)>,
    /// The path to the field, such as `subnet[0].pools[1]`; empty for the file as a whole.
    pub field: String,
    /// The value as written in the file.
    pub value: Option<String>,
    /// What is wrong, and what would be valid.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        match (&*self.field, &self.value) {
            ("", _) => {}
            (field, None) => write!(f, " {field}:")?,
            (field, Some(value)) => write!(f, " {field} = {value}:")?,
        }
        write!(f, " {}", self.message)
    }
}

/// All problems of a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
