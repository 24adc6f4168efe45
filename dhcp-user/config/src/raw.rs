//! The TOML file as a tree of nodes that know their place in it.
//!
//! A derived deserializer stops at the first thing it does not like; whoever edits a configuration
//! wants to hear of all of them. So the file is walked as values with spans: each reader here either
//! gives a value of the right type or notes a [`Problem`] and lets the walk go on.

use std::{borrow::Borrow, cell::RefCell, fmt, ops::RangeInclusive, path::Path, sync::Arc};

use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};

/// Characters of a value that a problem repeats.
const MAX_VALUE_CHARS: usize = 80;
/// How alike two names must be (Jaro-Winkler) for one to be suggested for the other.
const ALIKE: f64 = 0.8;

/// A file under examination, with all that was found wrong in it so far.
#[derive(Debug)]
pub struct Document<'a> {
    file: Arc<Path>,
    text: &'a str,
    line_starts: Vec<usize>,
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl<'a> Document<'a> {
    pub fn new(file: &Path, text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(index, _)| index + 1);
        Self {
            file: file.into(),
            text,
            line_starts: std::iter::once(0).chain(starts).collect(),
            problems: RefCell::default(),
        }
    }

    /// Hands the file's values to `read`, unless it is not TOML.
    ///
    /// # Errors
    /// All problems: those of the syntax, or those that `read` noted.
    pub fn read<T>(self, read: impl FnOnce(Section<'_>) -> T) -> Result<T, Problems> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let start = error.span().map_or(0, |span| span.start);
            self.note(start, String::new(), None, error.message());
        }
        // What is left of a broken file would only give problems that follow from the first ones.
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
        let (line, column) = self.place(start);
        let problem = Problem {
            file: Arc::clone(&self.file),
            place: Some((line, column)),
            field,
            value,
            message: message.to_string(),
        };
        self.problems.borrow_mut().push((start, problem));
    }

    fn place(&self, start: usize) -> (usize, usize) {
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

/// One value.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    document: &'a Document<'a>,
    value: &'a DeValue<'a>,
    start: usize,
    end: usize,
    field: String,
}

impl<'a> Node<'a> {
    /// Notes that this value is wrong: what about it, and what would be right.
    pub fn refuse(&self, message: impl fmt::Display) {
        let value = match self.value {
            DeValue::Table(_) => None,
            _ => self.document.excerpt(self.start, self.end),
        };
        self.document
            .note(self.start, self.field.clone(), value, message);
    }

    pub fn line(&self) -> usize {
        self.document.place(self.start).0
    }

    /// Path and place, to point to this value from a problem with another one.
    pub fn pointer(&self) -> String {
        format!("{} (line {})", self.field, self.line())
    }

    /// A string, if it is one; nothing is noted.
    pub fn as_string(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Likewise.
    pub fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    pub fn string(&self, such_as: &str) -> Option<&'a str> {
        let string = self.value.as_str();
        if string.is_none() {
            self.refuse_type(&format!("a string such as {such_as:?}"));
        }
        string
    }

    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub fn boolean(&self) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.refuse_type("true or false");
        }
        boolean
    }

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

    /// The values of a list.
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

    /// The values of a list, or this one.
    pub fn one_or_list(&self, of: &str) -> Vec<Node<'a>> {
        if self.value.is_array() {
            return self.list(of);
        }
        vec![self.clone()]
    }

    /// A table in which no fields but the known ones may stand.
    pub fn section(&self, known: &[&str]) -> Option<Section<'a>> {
        let section = self.free_section()?;
        section.refuse_unknown(known);
        Some(section)
    }

    /// A table whose fields are looked at one by one.
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

/// One table.
#[derive(Debug)]
pub struct Section<'a> {
    document: &'a Document<'a>,
    entries: &'a DeTable<'a>,
    start: usize,
    field: String,
}

impl<'a> Section<'a> {
    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.entries.get(key)?;
        Some(self.child(key, value))
    }

    pub fn require(&self, key: &str, such_as: &str) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            self.refuse(format_args!(
                "`{key}` is missing; add `{key} = {such_as}`, with your own value"
            ));
        }
        node
    }

    /// The tables under `[[key]]`.
    pub fn tables(&self, key: &str) -> Vec<Node<'a>> {
        self.get(key)
            .map(|node| node.list("tables"))
            .unwrap_or_default()
    }

    /// All fields, in the order of the file.
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

    /// Notes that something is wrong with the table as a whole.
    pub fn refuse(&self, message: impl fmt::Display) {
        self.document
            .note(self.start, self.field.clone(), None, message);
    }

    pub fn refuse_unknown(&self, known: &[&str]) {
        for key in self.entries.keys() {
            let name: &str = Borrow::<str>::borrow(key);
            if known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
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

/// What is made of all nodes. Each is looked at, so that each problem is noted, although one that is wrong
/// spoils the rest.
pub fn each<N, T>(
    nodes: impl IntoIterator<Item = N>,
    read: impl FnMut(N) -> Option<T>,
) -> Option<Vec<T>> {
    let values: Vec<_> = nodes.into_iter().map(read).collect();
    values.into_iter().collect()
}

/// The known name that was most likely meant.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|near| (strsim::jaro_winkler(name, near), near))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, near)| near)
}
