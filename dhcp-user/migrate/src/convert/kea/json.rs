//! Kea's JSON: with comments of three kinds, trailing commas and includes, as a tree that knows its lines.

use std::net::Ipv4Addr;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{ObjectProp, Value},
    common::Ranged as _,
    parse_to_ast,
};

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    value: &'a Value<'a>,
    lines: &'a [usize],
}

/// Hands the root of a file to `read`. What `<?include "…"?>` names is not read: `included` is told its line.
///
/// # Errors
/// Line, and what is wrong there.
pub fn read<T>(
    text: &str,
    mut included: impl FnMut(usize, &str),
    read: impl FnOnce(Node<'_>) -> T,
) -> Result<T, (usize, String)> {
    let starts = text.match_indices('\n').map(|(index, _)| index + 1);
    let lines: Vec<_> = std::iter::once(0).chain(starts).collect();
    let plain = plain(text, |at, file| included(line(&lines, at), file));
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: true,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(&plain, &CollectOptions::default(), &options)
        .map_err(|error| (error.line_display(), error.kind().to_string()))?;
    let value = parsed.value.ok_or((1, "nothing but comments".to_owned()))?;
    Ok(read(Node {
        value: &value,
        lines: &lines,
    }))
}

fn line(starts: &[usize], at: usize) -> usize {
    starts.partition_point(|start| *start <= at)
}

/// The text with blanks for its comments, and for each include a member or a value without meaning, so that all
/// places stay what they were.
fn plain(text: &str, mut included: impl FnMut(usize, &str)) -> String {
    const INCLUDE: &str = "<?include";
    let mut plain = String::with_capacity(text.len());
    // Whether it is an object that is open, for each that is.
    let mut open = Vec::new();
    let mut last = ' ';
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        let (taken, is_blank) = if first == '"' {
            (string_len(rest), false)
        } else if first == '#' || rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), true)
        } else if rest.starts_with(INCLUDE) {
            (rest.find("?>").map_or(rest.len(), |end| end + 2), true)
        } else {
            (first.len_utf8(), false)
        };
        let (part, left) = rest.split_at(taken);
        rest = left;
        if !is_blank {
            match first {
                '{' | '[' => open.push(first == '{'),
                '}' | ']' => drop(open.pop()),
                _ => {}
            }
            if !first.is_whitespace() {
                last = first;
            }
            plain.push_str(part);
            continue;
        }
        let start = plain.len();
        if let Some(file) = part.strip_prefix(INCLUDE) {
            included(at, file.trim_end_matches("?>").trim().trim_matches('"'));
            let is_member = last != ':' && open.last() == Some(&true);
            plain.push_str(if is_member { "\"\":null" } else { "null" });
        }
        // An octet for each octet, and lines where they were.
        let blank = part.bytes().skip(plain.len() - start);
        plain.extend(blank.map(|octet| if octet == b'\n' { '\n' } else { ' ' }));
    }
    plain
}

/// Octets of the string that a text begins with, quotation marks included.
fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

impl<'a> Node<'a> {
    pub fn line(self) -> usize {
        line(self.lines, self.value.start())
    }

    /// Name and value of each member of an object, and the line of the name.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Self, usize)> {
        let members: &[ObjectProp<'a>] = match self.value {
            Value::Object(object) => &object.properties,
            _ => &[],
        };
        members.iter().map(move |member| {
            let node = Self {
                value: &member.value,
                ..self
            };
            (
                member.name.as_str(),
                node,
                line(self.lines, member.range.start),
            )
        })
    }

    pub fn get(self, name: &str) -> Option<Self> {
        // The last of two counts, as for Kea.
        let found = self.members().filter(|(member, ..)| *member == name);
        found.last().map(|(_, node, _)| node)
    }

    /// The elements of a list.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let elements: &[Value<'a>] = match self.value {
            Value::Array(array) => &array.elements,
            _ => &[],
        };
        elements.iter().map(move |value| Self { value, ..self })
    }

    pub fn string(self) -> Option<&'a str> {
        match self.value {
            Value::StringLit(string) => Some(&string.value),
            _ => None,
        }
    }

    pub fn boolean(self) -> Option<bool> {
        match self.value {
            Value::BooleanLit(boolean) => Some(boolean.value),
            _ => None,
        }
    }

    pub fn number(self) -> Option<u32> {
        match self.value {
            Value::NumberLit(number) => number.value.parse().ok(),
            _ => None,
        }
    }

    pub fn address(self) -> Option<Ipv4Addr> {
        self.string()?.trim().parse().ok()
    }

    pub fn is_null(self) -> bool {
        matches!(self.value, Value::NullKeyword(_))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        match self.value {
            Value::StringLit(string) => string.value.is_empty(),
            Value::Object(object) => object.properties.is_empty(),
            Value::Array(array) => array.elements.is_empty(),
            Value::NullKeyword(_) => true,
            Value::NumberLit(_) | Value::BooleanLit(_) => false,
        }
    }
}
