//! Lines of a file, with a bound on the memory of each.

use std::io::{self, BufRead};

/// The longest line that is read, in octets. The servers write at most some two thousand.
pub const MAX_LINE: usize = 64 * 1024;

/// The reason why a line cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("line longer than {MAX_LINE} octets")]
    TooLong,
    #[error("truncated: the file ends within this line")]
    CutOff,
    #[error("contains a zero octet")]
    NotText,
}

/// Escapes control characters in text from clients and files, so that it can be printed to a
/// terminal.
pub fn printable(text: &str) -> String {
    let escaped = |c: char| -> Box<dyn Iterator<Item = char>> {
        match c {
            '"' | '\'' | '\\' => Box::new(std::iter::once(c)),
            other => Box::new(other.escape_debug()),
        }
    };
    text.chars().flat_map(escaped).collect()
}

/// An iterator over lines without their line ends, numbered from 1.
pub struct Lines<R> {
    reader: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines from `reader`.
    pub const fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// Reads to the end of the line, and keeps at most [`MAX_LINE`] octets of it. Returns `None` at
    /// the end of the file.
    fn read(&mut self) -> io::Result<Option<Result<String, BadLine>>> {
        let mut line = Vec::new();
        let mut is_too_long = false;
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                let is_end = line.is_empty() && !is_too_long;
                return Ok((!is_end).then_some(Err(BadLine::CutOff)));
            }
            let end = chunk.iter().position(|octet| *octet == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            is_too_long |= line.len() + part.len() > MAX_LINE;
            if !is_too_long {
                line.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(if is_too_long {
            Err(BadLine::TooLong)
        } else if line.contains(&0) {
            Err(BadLine::NotText)
        } else {
            // Names come from clients and have any encoding; everything else is ASCII.
            Ok(String::from_utf8_lossy(&line).into_owned())
        }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<(usize, Result<String, BadLine>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.read().transpose()?;
        self.number += 1;
        Some(line.map(|line| (self.number, line)))
    }
}
