//! Tests of classes, as Kea and dhcpd write them: which of them can be conditions of ours.

use dhcp_common::wire::option;
use dhcp_config::{Field, Pattern};

use super::{draft::Condition, options};
use crate::statements::Word;

/// Tests inside tests; our conditions stand at most so deep, too.
const MAX_DEPTH: usize = 8;

/// What a test looks at, and which part of it.
#[derive(Clone, Debug)]
struct Operand {
    subject: Subject,
    start: usize,
    len: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Field(Field),
    Architecture,
    /// `hardware` of dhcpd: the type, and then the address.
    TypedHardware,
}

/// A test as a condition.
///
/// # Errors
/// What of it has no counterpart.
pub fn condition(words: &[Word]) -> Result<Condition, String> {
    let mut parser = Parser { words };
    let condition = parser.any(0)?;
    match parser.words.first() {
        None => Ok(condition),
        Some(word) => Err(format!("{} is not understood", shown(word))),
    }
}

/// The condition that a subject has a value, as in the subclasses of dhcpd.
///
/// # Errors
/// What has no counterpart.
pub fn equality(subject: &[Word], value: &Word) -> Result<Condition, String> {
    let mut parser = Parser { words: subject };
    let operand = parser.operand(0)?;
    let octets = value
        .octets()
        .ok_or_else(|| format!("{} is no value", shown(value)))?;
    equals(&operand, octets)
}

/// The words of a test of Kea's.
///
/// # Errors
/// It is not one.
pub fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let (word, left) = match first {
            '\'' => {
                let (text, left) = after.split_once('\'').ok_or("a string without end")?;
                (Word::Quoted(text.as_bytes().to_vec()), left)
            }
            '=' => (Word::Mark('='), after.strip_prefix('=').unwrap_or(after)),
            '(' | ')' | ',' | '+' => (Word::Mark(first), after),
            _ => {
                let ends = |c: char| c.is_whitespace() || "'=(),+".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                let (word, left) = rest.split_at(end);
                (kea_word(word), left)
            }
        };
        words.push(word);
        rest = left.trim_start();
    }
    Ok(words)
}

/// A word, or the octets of a hexadecimal number.
fn kea_word(word: &str) -> Word {
    let octets = word.strip_prefix("0x").and_then(dhcp_model::hex::parse_hex);
    octets.map_or_else(|| Word::Bare(word.to_owned()), Word::Quoted)
}

fn shown(word: &Word) -> String {
    match word {
        Word::Bare(word) => format!("`{word}`"),
        Word::Quoted(octets) => format!("{:?}", String::from_utf8_lossy(octets)),
        Word::Mark(mark) => format!("`{mark}`"),
    }
}

struct Parser<'a> {
    words: &'a [Word],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_it = self.words.first().is_some_and(|first| first.is(word));
        if is_it {
            self.next();
        }
        is_it
    }

    fn take_mark(&mut self, mark: char) -> bool {
        let is_it = self.words.first() == Some(&Word::Mark(mark));
        if is_it {
            self.next();
        }
        is_it
    }

    fn need(&mut self, mark: char) -> Result<(), String> {
        if self.take_mark(mark) {
            return Ok(());
        }
        Err(format!("`{mark}` is missing"))
    }

    fn any(&mut self, depth: usize) -> Result<Condition, String> {
        let mut conditions = vec![self.all(depth)?];
        while self.take("or") {
            conditions.push(self.all(depth)?);
        }
        Ok(joined(conditions, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, String> {
        let mut conditions = vec![self.primary(depth)?];
        while self.take("and") {
            conditions.push(self.primary(depth)?);
        }
        Ok(joined(conditions, Condition::All))
    }

    fn primary(&mut self, depth: usize) -> Result<Condition, String> {
        if depth == MAX_DEPTH {
            return Err(format!("tests more than {MAX_DEPTH} deep"));
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.primary(depth + 1)?)));
        }
        if self.take_mark('(') {
            let condition = self.any(depth + 1)?;
            self.need(')')?;
            return Ok(condition);
        }
        if self.take("member") {
            self.need('(')?;
            let name = self
                .next()
                .and_then(Word::text)
                .ok_or("`member` of nothing")?;
            self.need(')')?;
            return Ok(Condition::In(vec![name]));
        }
        let operand = self.operand(depth)?;
        // `!=`
        let is_negated = self.take_mark('!') || self.take("!");
        self.need('=')
            .map_err(|_| "only tests for equality are known here".to_owned())?;
        // `==` in dhcpd's marks.
        self.take_mark('=');
        let value = self.next().ok_or("nothing to compare with")?;
        let octets = value
            .octets()
            .ok_or_else(|| format!("{} is no text and no octets to compare with", shown(value)))?;
        let condition = equals(&operand, octets)?;
        Ok(match is_negated {
            true => Condition::Not(Box::new(condition)),
            false => condition,
        })
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, String> {
        if depth == MAX_DEPTH {
            return Err(format!("tests more than {MAX_DEPTH} deep"));
        }
        if self.take("substring") {
            self.need('(')?;
            let whole = self.operand(depth + 1)?;
            self.need(',')?;
            let start = self.number()?;
            self.need(',')?;
            let len = if self.take("all") {
                None
            } else {
                Some(self.number()?)
            };
            self.need(')')?;
            if whole.start != 0 || whole.len.is_some() {
                return Err("a part of a part".to_owned());
            }
            return Ok(Operand {
                start,
                len,
                ..whole
            });
        }
        let word = self.next().ok_or("the test ends too early")?;
        let name = word
            .bare()
            .ok_or_else(|| format!("{} cannot be tested", shown(word)))?;
        let (subject, name) = if name.eq_ignore_ascii_case("option") {
            let option = self
                .next()
                .and_then(Word::bare)
                .ok_or("`option` without a name")?;
            (of_option(option), format!("option {option}"))
        } else {
            (of_packet(name), name.to_owned())
        };
        let subject =
            subject.ok_or_else(|| format!("{name} is nothing that classes here look at"))?;
        Ok(Operand {
            subject,
            start: 0,
            len: None,
        })
    }

    fn number(&mut self) -> Result<usize, String> {
        let word = self.next().and_then(Word::bare).unwrap_or_default();
        word.parse()
            .map_err(|_| format!("{word:?} is no number of octets"))
    }
}

fn joined(mut conditions: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        last => {
            conditions.extend(last);
            join(conditions)
        }
    }
}

/// What an option of dhcpd is here.
fn of_option(name: &str) -> Option<Subject> {
    if let Some(agent) = name.strip_prefix("agent.") {
        return match agent {
            "circuit-id" => Some(Subject::Field(Field::CircuitId)),
            "remote-id" => Some(Subject::Field(Field::RemoteId)),
            "subscriber-id" => Some(Subject::Field(Field::SubscriberId)),
            _ => None,
        };
    }
    of_code(options::code(name)?)
}

fn of_code(code: u8) -> Option<Subject> {
    match code {
        option::VENDOR_CLASS => Some(Subject::Field(Field::VendorClass)),
        option::USER_CLASS => Some(Subject::Field(Field::UserClass)),
        option::ARCHITECTURE => Some(Subject::Architecture),
        _ => None,
    }
}

/// What of a packet Kea names so; `hardware` is dhcpd's.
fn of_packet(name: &str) -> Option<Subject> {
    if name == "hardware" {
        return Some(Subject::TypedHardware);
    }
    if name == "pkt4.mac" {
        return Some(Subject::Field(Field::HardwareAddress));
    }
    let name = name
        .strip_suffix(".hex")
        .or_else(|| name.strip_suffix(".text"))?;
    let index = |text: &str| text.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
    let agent = name
        .strip_prefix("relay4")
        .or_else(|| name.strip_prefix("option[82].option"));
    if let Some(suboption) = agent {
        return match &*index(suboption)? {
            "1" => Some(Subject::Field(Field::CircuitId)),
            "2" => Some(Subject::Field(Field::RemoteId)),
            "6" => Some(Subject::Field(Field::SubscriberId)),
            _ => None,
        };
    }
    let name = index(name.strip_prefix("option")?)?;
    of_code(name.parse().ok().or_else(|| options::code(&name))?)
}

fn equals(operand: &Operand, octets: Vec<u8>) -> Result<Condition, String> {
    let Operand {
        subject,
        start,
        len,
    } = *operand;
    if octets.is_empty() || len.is_some_and(|len| octets.len() > len) {
        return Err("a comparison that never holds, or always".to_owned());
    }
    let is_prefix = len == Some(octets.len());
    match (subject, start, &*octets) {
        (Subject::Architecture, 0, &[high, low]) => Ok(Condition::Architecture(vec![
            u16::from_be_bytes([high, low]),
        ])),
        (Subject::Architecture, ..) => {
            Err("an architecture is compared with a number of two octets".to_owned())
        }
        (Subject::TypedHardware, 0, [1, address @ ..]) if !address.is_empty() => {
            Ok(is(Field::HardwareAddress, address, is_prefix))
        }
        (Subject::TypedHardware, 1, address) => Ok(is(Field::HardwareAddress, address, is_prefix)),
        (Subject::Field(field), 0, octets) => Ok(is(field, octets, is_prefix)),
        _ => Err("only whole values and their beginnings can be compared".to_owned()),
    }
}

fn is(field: Field, octets: &[u8], is_prefix: bool) -> Condition {
    let octets = octets.to_vec();
    Condition::Is(field, vec![Pattern { octets, is_prefix }])
}
