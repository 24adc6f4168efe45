//! The TOML file as a tree of nodes that know their position.
//!
//! A derived deserializer stops at the first error, but an operator wants to see all of them. The
//! file is therefore walked as values with spans: each reader either returns a value of the right
//! type, or notes a [`Problem`] and lets the walk continue.

use std::{borrow::Borrow, cell::RefCell, fmt, ops::RangeInclusive, path::Path, sync::Arc};

use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};

/// The longest excerpt of a value that a problem shows, in characters.
const MAX_VALUE_CHARS: usize = 80;
/// The least Jaro-Winkler similarity of a name that is suggested for an unknown one.
const ALIKE: f64 = 0.8;

/// A file that is being read, with the problems found so far.
#[derive(Debug)]
pub struct Document<'a> {
    file: Arc<Path>,
    text: &'a str,
    line_starts: Vec<usize>,
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl<'a> Document<'a> {
    /// Starts to read `text`; problems name `file`.
    pub fn new(file: &Path, text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(index, _)| index + 1);
        Self {
            file: file.into(),
            text,
            line_starts: std::iter::once(0).chain(starts).collect(),
            problems: RefCell::default(),
        }
    }

    /// Passes the root table to `read` if the file is valid TOML.
    ///
    /// # Errors
    /// All syntax errors, or all problems that `read` noted.
    pub fn read<T>(self, read: impl FnOnce(Section<'_>) -> T) -> Result<T, Problems> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let start = error.span().map_or(0, |span| span.start);
            self.note(start, String::new(), None, error.message());
        }
        // Values of a file with syntax errors would only give consequential problems.
        if !self.problems.borrow().is_empty() {
            return Err(self.into_problems());
        }
        let result = read(Section {
            document: &self,
            entries: table.get_ref(),
            start: 0,
            field: String::new(),
        });
        if self.problems.borrow().is_empty() {
            return Ok(result);
        }
        Err(self.into_problems())
    }

    fn into_problems(self) -> Problems {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(start, _)| *start);
        Problems(problems.into_iter().map(|(_, problem)| problem).collect())
    }

    fn note(&self, start: usize, field: String, value: Option<String>, message: impl fmt::Display) {
        let (line, column) = self.position(start);
        let problem = Problem {
            file: Arc::clone(&self.file),
            position: Some((line, column)),
            field,
            value,
            message: message.to_string(),
        };
        self.problems.borrow_mut().push((start, problem));
    }

    fn position(&self, start: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&first| first <= start);
        let first = line.checked_sub(1).and_then(|i| self.line_starts.get(i));
        let before = first.and_then(|&first| self.text.get(first..start));
        (line, before.map_or(1, |text| text.chars().count() + 1))
    }

    fn excerpt(&self, start: usize, end: usize) -> Option<String> {
        let text = self.text.get(start..end)?;
        if text.contains('\n') {
            return None;
        }
        let mut chars = text.chars();
        let mut excerpt: String = chars.by_ref().take(MAX_VALUE_CHARS).collect();
        if chars.next().is_some() {
            excerpt.push('…');
        }
        Some(excerpt)
    }
}

/// A value of the file.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    document: &'a Document<'a>,
    value: &'a DeValue<'a>,
    start: usize,
    end: usize,
    field: String,
}

impl<'a> Node<'a> {
    /// Notes a problem with this value. The message says what is wrong and what would be valid.
    pub fn refuse(&self, message: impl fmt::Display) {
        let value = match self.value {
            DeValue::Table(_) => None,
            _ => self.document.excerpt(self.start, self.end),
        };
        self.document
            .note(self.start, self.field.clone(), value, message);
    }

    /// Returns the line of the value, from 1.
    pub fn line(&self) -> usize {
        self.document.position(self.start).0
    }

    /// Returns path and line, to refer to this value from a problem with another one.
    pub fn pointer(&self) -> String {
        format!("{} (line {})", self.field, self.line())
    }

    /// Returns the string, if it is one, and notes nothing otherwise.
    pub fn as_string(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Returns the boolean, if it is one, and notes nothing otherwise.
    pub fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// Returns the integer, if it is one that the type holds, and notes nothing otherwise.
    pub fn as_integer<T: TryFrom<i64>>(&self) -> Option<T> {
        let integer = self.value.as_integer()?;
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
        T::try_from(number).ok()
    }

    /// Returns whether the value is a list.
    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Returns the string, or notes a wrong type and gives `such_as` as an example.
    pub fn string(&self, such_as: &str) -> Option<&'a str> {
        let string = self.value.as_str();
        if string.is_none() {
            self.refuse_type(&format!("a string such as {such_as:?}"));
        }
        string
    }

    /// Returns whether the value is a table.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Returns the boolean, or notes a wrong type.
    pub fn boolean(&self) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.refuse_type("true or false");
        }
        boolean
    }

    /// Returns the integer, or notes a wrong type or a value outside of `range`.
    pub fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        let Some(integer) = self.value.as_integer() else {
            self.refuse_type(&wanted);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            self.refuse(format_args!("out of range; give {wanted}"));
        }
        number
    }

    /// Returns the items of a list, or notes a wrong type.
    pub fn list(&self, of: &str) -> Vec<Node<'a>> {
        let Some(array) = self.value.as_array() else {
            self.refuse_type(&format!("a list of {of}"));
            return Vec::new();
        };
        let items = array.iter().enumerate();
        items
            .map(|(index, item)| Node {
                document: self.document,
                value: item.get_ref(),
                start: item.span().start,
                end: item.span().end,
                field: format!("{}[{index}]", self.field),
            })
            .collect()
    }

    /// Returns the items of a list, or this value alone if it is no list.
    pub fn one_or_list(&self, of: &str) -> Vec<Node<'a>> {
        if self.value.is_array() {
            return self.list(of);
        }
        vec![self.clone()]
    }

    /// Returns the table, and notes each field that is not among `known`.
    pub fn section(&self, known: &[&str]) -> Option<Section<'a>> {
        let section = self.free_section()?;
        section.refuse_unknown(known);
        Some(section)
    }

    /// Returns the table, with any fields.
    pub fn free_section(&self) -> Option<Section<'a>> {
        let Some(entries) = self.value.as_table() else {
            self.refuse_type("a table");
            return None;
        };
        Some(Section {
            document: self.document,
            entries,
            start: self.start,
            field: self.field.clone(),
        })
    }

    fn refuse_type(&self, wanted: &str) {
        let found = match self.value.type_str() {
            "array" => "list",
            found => found,
        };
        self.refuse(format_args!("wrong type ({found}); give {wanted}"));
    }
}

/// A table of the file.
#[derive(Debug)]
pub struct Section<'a> {
    document: &'a Document<'a>,
    entries: &'a DeTable<'a>,
    start: usize,
    field: String,
}

impl<'a> Section<'a> {
    /// Returns the value of a field.
    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.entries.get(key)?;
        Some(self.child(key, value))
    }

    /// Returns the value of a field, or notes that it is missing and gives `such_as` as an example.
    pub fn require(&self, key: &str, such_as: &str) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            self.refuse(format_args!(
                "`{key}` is missing; add `{key} = {such_as}`, with your own value"
            ));
        }
        node
    }

    /// Returns the tables under `[[key]]`.
    pub fn tables(&self, key: &str) -> Vec<Node<'a>> {
        self.get(key)
            .map(|node| node.list("tables"))
            .unwrap_or_default()
    }

    /// Returns all fields, in the order of the file.
    pub fn fields(&self) -> Vec<(&'a str, Node<'a>)> {
        let mut fields: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| {
                let name: &str = Borrow::<str>::borrow(key);
                (key.span().start, name, self.child(name, value))
            })
            .collect();
        fields.sort_by_key(|(start, _, _)| *start);
        let in_order = fields.into_iter();
        in_order.map(|(_, name, node)| (name, node)).collect()
    }

    /// Notes a problem with the table as a whole.
    pub fn refuse(&self, message: impl fmt::Display) {
        self.document
            .note(self.start, self.field.clone(), None, message);
    }

    /// Notes each field that is not among `known`, with the nearest known name.
    pub fn refuse_unknown(&self, known: &[&str]) {
        for key in self.entries.keys() {
            let name: &str = Borrow::<str>::borrow(key);
            if known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known fields: {}", known.join(", ")),
            };
            self.document.note(
                key.span().start,
                self.path(name),
                None,
                format_args!("unknown field; {hint}"),
            );
        }
    }

    fn child(&self, key: &str, value: &'a toml::Spanned<DeValue<'a>>) -> Node<'a> {
        Node {
            document: self.document,
            value: value.get_ref(),
            start: value.span().start,
            end: value.span().end,
            field: self.path(key),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.field.is_empty() {
            return key.to_owned();
        }
        format!("{}.{key}", self.field)
    }
}

/// Reads all nodes. Continues after a failure, so that every problem is noted, and then returns
/// `None`.
pub fn each<N, T>(
    nodes: impl IntoIterator<Item = N>,
    read: impl FnMut(N) -> Option<T>,
) -> Option<Vec<T>> {
    let values: Vec<_> = nodes.into_iter().map(read).collect();
    values.into_iter().collect()
}

/// Returns the known name that is most similar to `name`, if one is similar enough.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|near| (strsim::jaro_winkler(name, near), near))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, near)| near)
}
