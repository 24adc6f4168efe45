//! Options of dhcpd, and those that a file defines itself.

use std::collections::HashMap;

use super::{Inside, Reader, shown};
use crate::{
    convert::{draft::Settings, options},
    statements::{Statement, Word},
};

/// `option NAME code NUMBER = TYPE;`
#[derive(Debug, Default)]
pub struct Definitions {
    by_name: HashMap<String, (u8, Form)>,
}

/// Of what a value is made.
#[derive(Clone, Debug)]
struct Form {
    types: Vec<Type>,
    is_array: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Address,
    Boolean,
    /// A number of so many octets.
    Integer(usize),
    Text,
    /// Text, or octets in hexadecimal.
    Octets,
    Domains,
}

impl Definitions {
    /// Takes in all definitions of a file.
    pub fn read(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.take(statement);
            self.read(statement.block.as_deref().unwrap_or_default());
        }
    }

    fn take(&mut self, statement: &Statement) -> Option<()> {
        if !is_definition(statement) {
            return None;
        }
        let name = statement.word(1)?.to_ascii_lowercase();
        let code = statement.word(3)?.parse().ok()?;
        let form = form(statement.words.get(5..)?)?;
        self.by_name.insert(name, (code, form));
        Some(())
    }
}

fn is_definition(statement: &Statement) -> bool {
    statement.begins(&["option"])
        && statement.words.get(2).is_some_and(|word| word.is("code"))
        && statement.words.get(4) == Some(&Word::Mark('='))
}

fn form(words: &[Word]) -> Option<Form> {
    let mut types = Vec::new();
    let mut is_array = false;
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(word) = word.bare() else {
            continue;
        };
        let mut width = || {
            let bits: usize = words.next()?.bare()?.parse().ok()?;
            matches!(bits, 8 | 16 | 32).then_some(bits / 8)
        };
        match &*word.to_ascii_lowercase() {
            "array" => is_array = true,
            "of" | "unsigned" | "signed" | "compressed" => {}
            "integer" => types.push(Type::Integer(width()?)),
            "ip-address" => types.push(Type::Address),
            "boolean" | "flag" => types.push(Type::Boolean),
            "text" => types.push(Type::Text),
            "string" => types.push(Type::Octets),
            "domain-list" | "domain-name" => types.push(Type::Domains),
            _ => return None,
        }
    }
    (!types.is_empty()).then_some(Form { types, is_array })
}

impl Reader<'_> {
    /// `option NAME VALUE, …;`
    pub(super) fn option(
        &mut self,
        statement: &Statement,
        settings: &mut Settings,
        inside: &Inside,
    ) {
        if is_definition(statement) || statement.begins(&["option", "space"]) {
            return;
        }
        let name = statement.word(1).unwrap_or_default().to_ascii_lowercase();
        // `option pxelinux.configfile`: some of the loader's have codes of their own.
        let plain = name.strip_prefix("pxelinux.").unwrap_or(&name);
        let defined = self.definitions.by_name.get(&name);
        let code = defined
            .map(|(code, _)| *code)
            .or_else(|| options::code(plain))
            .or_else(|| unknown(&name));
        let values = statement.words.get(2..).unwrap_or_default();
        if code == Some(1) && self.is_own_mask(values, inside) {
            return;
        }
        let octets = match (code, defined) {
            (None, _) => Err("no option of this name is known; options in option spaces are not built, give the outer one by number, as octets".to_owned()),
            (Some(_), Some((_, form))) => of_form(form, values),
            (Some(code), None) => of_code(code, values),
        };
        let done =
            octets.and_then(|octets| options::put(settings, code.unwrap_or_default(), octets));
        if let Err(why) = done {
            self.notes.left(statement.line, shown(statement), why);
        }
    }

    /// Whether a subnet says its own netmask once more.
    fn is_own_mask(&self, values: &[Word], inside: &Inside) -> bool {
        let subnet = inside
            .subnet
            .and_then(|index| self.draft.subnets.get(index));
        let mask = subnet.map(|subnet| subnet.prefix.netmask().to_string());
        mask.is_some() && values.first().and_then(Word::bare) == mask.as_deref()
    }
}

/// `option unknown-224`
fn unknown(name: &str) -> Option<u8> {
    name.strip_prefix("unknown-")
        .or_else(|| name.strip_prefix("option-"))?
        .parse()
        .ok()
}

/// Values between commas, each of its words.
fn items(values: &[Word]) -> Vec<String> {
    let items = values.split(|word| *word == Word::Mark(','));
    let items = items.map(|words| {
        let words: Vec<_> = words.iter().filter_map(Word::text).collect();
        words.join(" ")
    });
    items.filter(|item| !item.is_empty()).collect()
}

fn of_code(code: u8, values: &[Word]) -> Result<Vec<u8>, String> {
    let encoded = options::encode(code, &items(values));
    match (encoded, values) {
        (Ok(octets), _) => Ok(octets),
        // What it cannot be otherwise is octets.
        (Err(why), [Word::Bare(word)]) if word.contains(':') => {
            Word::Bare(word.clone()).octets().ok_or(why)
        }
        (Err(_), [Word::Quoted(octets)]) if !options::is_known(code) || code == 43 => {
            Ok(octets.clone())
        }
        (Err(why), _) => Err(why),
    }
}

fn of_form(form: &Form, values: &[Word]) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let values = values
        .iter()
        .filter(|word| !matches!(word, Word::Mark(',')));
    for (index, word) in values.enumerate() {
        let kind = form.types.get(index);
        let again = || {
            form.types
                .get(index.checked_rem(form.types.len())?)
                .filter(|_| form.is_array)
        };
        let kind = kind
            .or_else(again)
            .ok_or("more values than the option's definition has")?;
        octets.extend(of_type(*kind, word)?);
    }
    Ok(octets)
}

fn of_type(kind: Type, word: &Word) -> Result<Vec<u8>, String> {
    let text = word.text().unwrap_or_default();
    let one = [text.clone()];
    match kind {
        // As options 16, 19 and 119, which are an address, a switch and names.
        Type::Address => options::encode(16, &one),
        Type::Boolean => options::encode(19, &one),
        Type::Domains => options::encode(119, &one),
        Type::Text => Ok(text.into_bytes()),
        Type::Octets => word
            .octets()
            .ok_or_else(|| format!("{text:?} is no text and no octets")),
        Type::Integer(width) => {
            let number: i64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
            let octets = number.to_be_bytes();
            let octets = octets
                .get(octets.len().saturating_sub(width)..)
                .unwrap_or_default();
            let most = 1_i64 << (8 * width);
            let is_in_range = (-most / 2..most).contains(&number);
            is_in_range
                .then(|| octets.to_vec())
                .ok_or_else(|| format!("{number} is out of range"))
        }
    }
}
