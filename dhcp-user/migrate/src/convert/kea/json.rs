//! The JSON of Kea, with three kinds of comments, trailing commas and includes, as a tree with
//! lines.

use std::net::Ipv4Addr;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{ObjectProp, Value},
    common::Ranged as _,
    parse_to_ast,
};

/// A value with its position.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    value: &'a Value<'a>,
    lines: &'a [usize],
}

/// Passes the root of a file to `read`. Includes (`<?include "…"?>`) are not followed, but passed
/// to `included` with their lines.
///
/// # Errors
/// The line and the reason of a syntax error.
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

/// Replaces comments by blanks and includes by a null member or value, so that all positions remain
/// the same.
fn plain(text: &str, mut included: impl FnMut(usize, &str)) -> String {
    const INCLUDE: &str = "<?include";
    let mut plain = String::with_capacity(text.len());
    // For each open bracket, whether it is that of an object.
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
        // Each octet is replaced by one octet, and newlines are kept.
        let blank = part.bytes().skip(plain.len() - start);
        plain.extend(blank.map(|octet| if octet == b'\n' { '\n' } else { ' ' }));
    }
    plain
}

/// Returns the length of the string at the beginning of a text, with its quotation marks.
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
    /// Returns the line of the value, from 1.
    pub fn line(self) -> usize {
        line(self.lines, self.value.start())
    }

    /// Returns name and value of each member of an object, and the line of the name.
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

    /// Returns the member of a name.
    pub fn get(self, name: &str) -> Option<Self> {
        // The last of several members counts, as in Kea.
        let found = self.members().filter(|(member, ..)| *member == name);
        found.last().map(|(_, node, _)| node)
    }

    /// Returns the elements of a list.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let elements: &[Value<'a>] = match self.value {
            Value::Array(array) => &array.elements,
            _ => &[],
        };
        elements.iter().map(move |value| Self { value, ..self })
    }

    /// Returns the string, if it is one.
    pub fn string(self) -> Option<&'a str> {
        match self.value {
            Value::StringLit(string) => Some(&string.value),
            _ => None,
        }
    }

    /// Returns the boolean, if it is one.
    pub fn boolean(self) -> Option<bool> {
        match self.value {
            Value::BooleanLit(boolean) => Some(boolean.value),
            _ => None,
        }
    }

    /// Returns the number, if it is one that fits.
    pub fn number(self) -> Option<u32> {
        match self.value {
            Value::NumberLit(number) => number.value.parse().ok(),
            _ => None,
        }
    }

    /// Returns the IPv4 address, if it is a string with one.
    pub fn address(self) -> Option<Ipv4Addr> {
        self.string()?.trim().parse().ok()
    }

    /// Returns whether the value is null.
    pub fn is_null(self) -> bool {
        matches!(self.value, Value::NullKeyword(_))
    }

    /// Returns whether the value is null, or an empty string, object or list.
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
