//! The language of dhcpd.conf(5) and dhcpd.leases(5): words and strings, followed by `;` or by a
//! block of statements in braces. Statements are read one at a time, so that memory does not grow
//! with the file.

use std::io::{self, BufRead};

use super::lines::{BadLine, Lines};

/// The deepest nesting of blocks.
const MAX_DEPTH: usize = 32;
/// The most tokens of one statement, including its block.
const MAX_TOKENS: usize = 1 << 20;

/// A word or a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Bare(String),
    /// Octets of a string, with escapes replaced.
    Quoted(Vec<u8>),
    /// A punctuation mark, such as `,`, `=`, `(` or `{`.
    Mark(char),
}

impl Word {
    /// Returns an unquoted word.
    pub fn bare(&self) -> Option<&str> {
        match self {
            Self::Bare(word) => Some(word),
            Self::Quoted(_) | Self::Mark(_) => None,
        }
    }

    /// Returns whether it is this unquoted word, in any case.
    pub fn is(&self, word: &str) -> bool {
        self.bare()
            .is_some_and(|bare| bare.eq_ignore_ascii_case(word))
    }

    /// Returns the word, or the text of a string.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Bare(word) => Some(word.clone()),
            Self::Quoted(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
            Self::Mark(_) => None,
        }
    }

    /// Returns the octets of a string, or of hexadecimal numbers of one or two digits, separated by
    /// colons.
    pub fn octets(&self) -> Option<Vec<u8>> {
        match self {
            Self::Quoted(octets) => Some(octets.clone()),
            Self::Bare(word) => word
                .split(':')
                .map(|number| {
                    let is_number = (1..=2).contains(&number.len())
                        && number.bytes().all(|digit| digit.is_ascii_hexdigit());
                    is_number.then(|| u8::from_str_radix(number, 16).ok())?
                })
                .collect(),
            Self::Mark(_) => None,
        }
    }
}

/// A statement, with its block if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The line in which it begins.
    pub line: usize,
    pub words: Vec<Word>,
    pub block: Option<Vec<Statement>>,
}

impl Statement {
    /// Returns the unquoted word at an index.
    pub fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index)?.bare()
    }

    /// Returns the second word, as in `class "NAME" {`, or an empty string.
    pub fn name(&self) -> String {
        let name = self.words.get(1).and_then(Word::text);
        name.unwrap_or_default()
    }

    /// Returns whether it begins with these words.
    pub fn begins(&self, words: &[&str]) -> bool {
        words.len() <= self.words.len()
            && words
                .iter()
                .zip(&self.words)
                .all(|(word, found)| found.is(word))
    }
}

/// A syntax error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub line: usize,
    pub why: String,
}

/// An iterator over the statements of a file. After a syntax error it continues with the next
/// statement outside of blocks.
pub struct Statements<R> {
    lines: Lines<R>,
    number: usize,
    line: Vec<Token>,
    /// The number of tokens that the current statement may still have.
    allowance: usize,
}

/// A word, the end of a statement, or the beginning or end of a block.
#[derive(Clone, Debug)]
enum Token {
    Word(Word),
    End,
    Open,
    Close,
}

enum Failure {
    Io(io::Error),
    Unreadable(Unreadable),
}

impl<R: BufRead> Statements<R> {
    /// Reads statements from `reader`.
    pub const fn new(reader: R) -> Self {
        Self {
            lines: Lines::new(reader),
            number: 0,
            line: Vec::new(),
            allowance: MAX_TOKENS,
        }
    }

    fn unreadable(&self, why: impl ToString) -> Failure {
        Failure::Unreadable(Unreadable {
            line: self.number,
            why: why.to_string(),
        })
    }

    /// Returns the next token, or `None` at the end of the file.
    fn token(&mut self) -> Result<Option<Token>, Failure> {
        loop {
            if let Some(token) = self.line.pop() {
                let left = self.allowance.checked_sub(1);
                self.allowance = left.ok_or_else(|| self.unreadable("unterminated statement"))?;
                return Ok(Some(token));
            }
            let Some(line) = self.lines.next() else {
                return Ok(None);
            };
            self.take(line.map_err(Failure::Io)?)?;
        }
    }

    fn take(&mut self, (number, line): (usize, Result<String, BadLine>)) -> Result<(), Failure> {
        self.number = number;
        let line = line.map_err(|bad| self.unreadable(bad))?;
        self.line = tokens(&line).map_err(|why| self.unreadable(why))?;
        self.line.reverse();
        Ok(())
    }

    /// Skips to the next line that is not indented, as statements outside of blocks are.
    fn recover(&mut self) -> Result<(), Failure> {
        self.line.clear();
        for line in self.lines.by_ref() {
            let (number, line) = line.map_err(Failure::Io)?;
            let is_at_margin = |line: &String| line.starts_with(|c: char| c.is_ascii_alphabetic());
            if line.as_ref().is_ok_and(is_at_margin) {
                return self.take((number, line));
            }
        }
        Ok(())
    }

    /// Returns the next statement, or `None` at the end of the file, or of the block that was
    /// opened in line `opened`.
    fn statement(
        &mut self,
        opened: Option<usize>,
        depth: usize,
    ) -> Result<Option<Statement>, Failure> {
        let mut statement = Statement {
            line: self.number,
            words: Vec::new(),
            block: None,
        };
        // Braces of records in option definitions: `{ text, integer 8 }`.
        let mut braces = 0_usize;
        loop {
            let token = self.token()?;
            let words = &mut statement.words;
            if words.is_empty() {
                statement.line = self.number;
            }
            match token {
                Some(Token::Word(word)) => words.push(word),
                Some(Token::Open) if braces > 0 || words.last().is_some_and(begins_record) => {
                    braces += 1;
                    words.push(Word::Mark('{'));
                }
                Some(Token::Close) if braces > 0 => {
                    braces -= 1;
                    words.push(Word::Mark('}'));
                }
                Some(Token::End) if words.is_empty() => {}
                Some(Token::End) => return Ok(Some(statement)),
                Some(Token::Open) => {
                    statement.block = Some(self.block(statement.line, depth)?);
                    return Ok(Some(statement));
                }
                Some(Token::Close) if !words.is_empty() => {
                    return Err(self.unreadable("`;` is missing before `}`"));
                }
                Some(Token::Close) if opened.is_some() => return Ok(None),
                Some(Token::Close) => return Err(self.unreadable("`}` without `{`")),
                None if words.is_empty() && opened.is_none() => return Ok(None),
                None => {
                    let begun = opened.unwrap_or(statement.line);
                    return Err(self.unreadable(format!(
                        "truncated: the file ends within a statement that begins in line {begun}"
                    )));
                }
            }
        }
    }

    fn block(&mut self, line: usize, depth: usize) -> Result<Vec<Statement>, Failure> {
        if depth == MAX_DEPTH {
            return Err(self.unreadable(format!("blocks nested more than {MAX_DEPTH} deep")));
        }
        let mut block = Vec::new();
        while let Some(statement) = self.statement(Some(line), depth + 1)? {
            block.push(statement);
        }
        Ok(block)
    }
}

fn begins_record(word: &Word) -> bool {
    *word == Word::Mark('=') || word.is("of")
}

impl<R: BufRead> Iterator for Statements<R> {
    type Item = io::Result<Result<Statement, Unreadable>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.allowance = MAX_TOKENS;
        let unreadable = match self.statement(None, 0) {
            Ok(statement) => return statement.map(|statement| Ok(Ok(statement))),
            Err(Failure::Io(error)) => return Some(Err(error)),
            Err(Failure::Unreadable(unreadable)) => unreadable,
        };
        match self.recover() {
            Err(Failure::Io(error)) => Some(Err(error)),
            // A second error in a row is reported with the next statement, or not at all.
            Ok(()) | Err(Failure::Unreadable(_)) => Some(Ok(Err(unreadable))),
        }
    }
}

/// Splits a line into tokens.
fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let (token, left) = match first {
            '#' => break,
            c if c.is_whitespace() => {
                rest = after;
                continue;
            }
            ';' => (Token::End, after),
            '{' => (Token::Open, after),
            '}' => (Token::Close, after),
            '"' => {
                let (octets, left) = quoted(after).ok_or("unterminated string")?;
                (Token::Word(Word::Quoted(octets)), left)
            }
            c if is_mark(c) => (Token::Word(Word::Mark(c)), after),
            _ => {
                let ends = |c: char| c.is_whitespace() || is_mark(c) || "#;{}\"".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                let (word, left) = rest.split_at(end);
                (Token::Word(Word::Bare(word.to_owned())), left)
            }
        };
        tokens.push(token);
        rest = left;
    }
    Ok(tokens)
}

const fn is_mark(c: char) -> bool {
    matches!(c, ',' | '=' | '(' | ')' | '!' | '~' | '?')
}

/// Returns the octets of a string and the text after it. Escapes are those of dhcpd: octal and
/// hexadecimal numbers, and letters for control characters.
fn quoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut octets = Vec::new();
    let mut rest = text;
    loop {
        let first = rest.chars().next()?;
        let after = rest.get(first.len_utf8()..)?;
        match first {
            '"' => return Some((octets, after)),
            '\\' => {
                let (octet, after) = escape(after)?;
                octets.push(octet);
                rest = after;
            }
            _ => {
                octets.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
        }
    }
}

fn escape(text: &str) -> Option<(u8, &str)> {
    let numeral = |start: usize, most: usize, radix: u32| {
        let digits = text.get(start..)?;
        let len = digits
            .bytes()
            .take(most)
            .take_while(|digit| char::from(*digit).is_digit(radix))
            .count();
        let number = u8::from_str_radix(digits.get(..len)?, radix).ok()?;
        Some((number, digits.get(len..)?))
    };
    let first = text.chars().next()?;
    match first {
        '0'..='7' => numeral(0, 3, 8),
        'x' => numeral(1, 2, 16),
        _ => {
            let octet = match first {
                't' => b'\t',
                'r' => b'\r',
                'n' => b'\n',
                'b' => 8,
                other => u8::try_from(other).ok()?,
            };
            Some((octet, text.get(first.len_utf8()..)?))
        }
    }
}
