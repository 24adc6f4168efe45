//! Tests of classes in Kea and dhcpd, converted to conditions.

use dhcp_common::wire::option;
use dhcp_config::{Field, Pattern};

use super::{draft::Condition, options};
use crate::statements::Word;

/// The deepest nesting of tests, which is also that of conditions.
const MAX_DEPTH: usize = 8;

/// The operand of a test: a field, or a part of it.
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
    /// `hardware` of dhcpd: the hardware type, followed by the address.
    TypedHardware,
}

/// Converts a test to a condition.
///
/// # Errors
/// The part of the test that has no equivalent.
pub fn condition(words: &[Word]) -> Result<Condition, String> {
    let mut parser = Parser { words };
    let condition = parser.any(0)?;
    match parser.words.first() {
        None => Ok(condition),
        Some(word) => Err(format!("unexpected {}", shown(word))),
    }
}

/// Returns the condition that an operand has a value, as for subclasses of dhcpd.
///
/// # Errors
/// The part that has no equivalent.
pub fn equality(subject: &[Word], value: &Word) -> Result<Condition, String> {
    let mut parser = Parser { words: subject };
    let operand = parser.operand(0)?;
    let octets = value
        .octets()
        .ok_or_else(|| format!("{} is not a value", shown(value)))?;
    equals(&operand, octets)
}

/// Splits a test of Kea into words.
///
/// # Errors
/// The test contains an unterminated string.
pub fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let (word, left) = match first {
            '\'' => {
                let (text, left) = after.split_once('\'').ok_or("unterminated string")?;
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

/// Returns a word, or the octets of a hexadecimal number.
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
            return Err(format!("tests nested more than {MAX_DEPTH} deep"));
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
                .ok_or("`member` without a class")?;
            self.need(')')?;
            return Ok(Condition::In(vec![name]));
        }
        let operand = self.operand(depth)?;
        // `!=`
        let is_negated = self.take_mark('!') || self.take("!");
        self.need('=')
            .map_err(|_| "only tests for equality are supported".to_owned())?;
        // `==`
        self.take_mark('=');
        let value = self.next().ok_or("no value to compare with")?;
        let octets = value
            .octets()
            .ok_or_else(|| format!("{} is neither text nor octets", shown(value)))?;
        let condition = equals(&operand, octets)?;
        Ok(match is_negated {
            true => Condition::Not(Box::new(condition)),
            false => condition,
        })
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, String> {
        if depth == MAX_DEPTH {
            return Err(format!("tests nested more than {MAX_DEPTH} deep"));
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
                return Err("`substring` of `substring` is not supported".to_owned());
            }
            return Ok(Operand {
                start,
                len,
                ..whole
            });
        }
        let word = self.next().ok_or("the test is incomplete")?;
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
        let subject = subject.ok_or_else(|| format!("classes cannot test {name}"))?;
        Ok(Operand {
            subject,
            start: 0,
            len: None,
        })
    }

    fn number(&mut self) -> Result<usize, String> {
        let word = self.next().and_then(Word::bare).unwrap_or_default();
        word.parse()
            .map_err(|_| format!("{word:?} is not a number of octets"))
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

/// Returns the subject of an option in dhcpd.
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

/// Returns the subject of a field in Kea, or of `hardware` in dhcpd.
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
        return Err("the comparison is always true or always false".to_owned());
    }
    let is_prefix = len == Some(octets.len());
    match (subject, start, &*octets) {
        (Subject::Architecture, 0, &[high, low]) => Ok(Condition::Architecture(vec![
            u16::from_be_bytes([high, low]),
        ])),
        (Subject::Architecture, ..) => {
            Err("an architecture has to be compared with two octets".to_owned())
        }
        (Subject::TypedHardware, 0, [1, address @ ..]) if !address.is_empty() => {
            Ok(is(Field::HardwareAddress, address, is_prefix))
        }
        (Subject::TypedHardware, 1, address) => Ok(is(Field::HardwareAddress, address, is_prefix)),
        (Subject::Field(field), 0, octets) => Ok(is(field, octets, is_prefix)),
        _ => Err("only whole values and prefixes can be compared".to_owned()),
    }
}

fn is(field: Field, octets: &[u8], is_prefix: bool) -> Condition {
    let octets = octets.to_vec();
    Condition::Is(field, vec![Pattern { octets, is_prefix }])
}
