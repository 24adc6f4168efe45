//! Options of dhcpd.

use super::{
    definitions::{Form, Type, is_definition},
    reader::{Inside, Reader, shown},
};
use crate::{
    convert::{draft::Settings, options},
    statements::{Statement, Word},
};

impl Reader<'_> {
    /// Reads `option NAME VALUE, …;`.
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
        // `option pxelinux.configfile`: some options of this space have codes in the DHCP space.
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
            (None, _) => Err("unknown option; options in option spaces are not converted, set the encapsulating option by number, as octets".to_owned()),
            (Some(_), Some((_, form))) => of_form(form, values),
            (Some(code), None) => of_code(code, values),
        };
        let done =
            octets.and_then(|octets| options::put(settings, code.unwrap_or_default(), octets));
        if let Err(why) = done {
            self.notes.left(statement.line, shown(statement), why);
        }
    }

    /// Returns whether an option repeats the netmask of the subnet.
    fn is_own_mask(&self, values: &[Word], inside: &Inside) -> bool {
        let subnet = inside
            .subnet
            .and_then(|index| self.draft.subnets.get(index));
        let mask = subnet.map(|subnet| subnet.prefix.netmask().to_string());
        mask.is_some() && values.first().and_then(Word::bare) == mask.as_deref()
    }
}

/// Returns the code of `option unknown-224`.
fn unknown(name: &str) -> Option<u8> {
    name.strip_prefix("unknown-")
        .or_else(|| name.strip_prefix("option-"))?
        .parse()
        .ok()
}

/// Splits values at commas.
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
        // The value may be given in octets.
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
        // Encoded as options 16, 19 and 119: an address, a boolean and names.
        Type::Address => options::encode(16, &one),
        Type::Boolean => options::encode(19, &one),
        Type::Domains => options::encode(119, &one),
        Type::Text => Ok(text.into_bytes()),
        Type::Octets => word
            .octets()
            .ok_or_else(|| format!("{text:?} is neither text nor octets")),
        Type::Integer(width) => {
            let number: i64 = text
                .parse()
                .map_err(|_| format!("{text:?} is not a number"))?;
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
