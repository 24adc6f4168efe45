//! Options of Kea.

use super::{definitions::Form, identifiers::octets, json::Node, reader::Reader};
use crate::convert::{draft::Settings, options};

impl Reader<'_> {
    pub(super) fn option(&mut self, settings: &mut Settings, node: Node<'_>) {
        let name = node.get("name").and_then(Node::string);
        let number = node
            .get("code")
            .and_then(Node::number)
            .and_then(|code| u8::try_from(code).ok());
        let what = match (name, number) {
            (Some(name), _) => format!("option {name}"),
            (None, Some(code)) => format!("option {code}"),
            (None, None) => "option".to_owned(),
        };
        let own = name.and_then(|name| self.definitions.by_name.get(name));
        let code = number
            .or_else(|| own.map(|(code, _)| *code))
            .or_else(|| options::code(name?));
        let space = node.get("space").and_then(Node::string).unwrap_or("dhcp4");
        let Some(code) = code.filter(|_| space == "dhcp4") else {
            let why = if space == "dhcp4" {
                "unknown option"
            } else {
                "options in option spaces are not converted; set the encapsulating option by number, as octets"
            };
            self.notes.left(node.line(), what, why);
            return;
        };
        if node
            .get("client-classes")
            .is_some_and(|classes| !classes.is_empty())
        {
            self.notes.left(
                node.line(),
                what,
                "it applies to certain classes; set it in the class",
            );
            return;
        }
        let data = node.get("data").and_then(Node::string).unwrap_or_default();
        let is_text = node.get("csv-format").and_then(Node::boolean);
        let done = self
            .octets(code, data, is_text)
            .and_then(|octets| options::put(settings, code, octets));
        if let Err(why) = done {
            self.notes
                .left(node.line(), format_args!("{what} = {data:?}"), why);
            return;
        }
        // What is never sent need not always be sent (Kea: "never-send" takes precedence).
        let is_on = |key| node.get(key).and_then(Node::boolean) == Some(true);
        let choice = match (is_on("always-send"), is_on("never-send")) {
            (_, true) => false,
            (true, false) => true,
            (false, false) => return,
        };
        if !options::choose(settings, code, choice) {
            self.notes.changed(
                node.line(),
                format_args!("always-send or never-send of {what}"),
                "the server decides where this option is sent",
            );
        }
    }

    fn octets(&self, code: u8, data: &str, is_text: Option<bool>) -> Result<Vec<u8>, String> {
        let form = self.definitions.by_code.get(&code);
        // Kea reads unknown options without a definition as octets.
        let is_text = is_text.unwrap_or(form.is_some() || options::is_known(code));
        if !is_text {
            return octets(data);
        }
        let items = items(data);
        match form {
            Some(form) => by_form(form, &items),
            None => options::encode(code, &items),
        }
    }
}

/// Splits values at commas; `\,` is a comma within a value.
fn items(data: &str) -> Vec<String> {
    let escaped = data.replace("\\,", "\0");
    let items = escaped
        .split(',')
        .map(|item| item.trim().replace('\0', ","));
    items.filter(|item| !item.is_empty()).collect()
}

fn by_form(form: &Form, items: &[String]) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    if form.types == ["string"] {
        return Ok(items.join(",").into_bytes());
    }
    for (index, item) in items.iter().enumerate() {
        let kind = match form.types.get(index) {
            Some(kind) => kind,
            // An array, or a record that ends with one.
            None if form.is_array => form.types.last().ok_or("the definition has no type")?,
            None => {
                return Err(format!(
                    "{} values, but the definition has {}",
                    items.len(),
                    form.types.len()
                ));
            }
        };
        data.extend(of_type(kind, item)?);
    }
    Ok(data)
}

fn of_type(kind: &str, item: &str) -> Result<Vec<u8>, String> {
    let one = std::slice::from_ref(&item)
        .iter()
        .map(|item| (*item).to_owned())
        .collect::<Vec<_>>();
    let number = || -> Result<i64, String> {
        let digits = item.strip_prefix("0x");
        let number = digits.map_or_else(|| item.parse(), |digits| i64::from_str_radix(digits, 16));
        number.map_err(|_| format!("{item:?} is not a number"))
    };
    let range = || format!("{item} is out of range");
    match kind {
        // Encoded as options 16, 19 and 137: an address, a boolean and a name.
        "ipv4-address" => options::encode(16, &one),
        "boolean" => options::encode(19, &one),
        "fqdn" => options::encode(137, &one),
        "uint8" => Ok(u8::try_from(number()?)
            .map_err(|_| range())?
            .to_be_bytes()
            .to_vec()),
        "uint16" => Ok(u16::try_from(number()?)
            .map_err(|_| range())?
            .to_be_bytes()
            .to_vec()),
        "uint32" => Ok(u32::try_from(number()?)
            .map_err(|_| range())?
            .to_be_bytes()
            .to_vec()),
        "int8" => Ok(i8::try_from(number()?)
            .map_err(|_| range())?
            .to_be_bytes()
            .to_vec()),
        "int16" => Ok(i16::try_from(number()?)
            .map_err(|_| range())?
            .to_be_bytes()
            .to_vec()),
        "int32" => Ok(i32::try_from(number()?)
            .map_err(|_| range())?
            .to_be_bytes()
            .to_vec()),
        "string" => Ok(item.as_bytes().to_vec()),
        "tuple" => {
            let len = u8::try_from(item.len()).map_err(|_| range())?;
            Ok([&[len], item.as_bytes()].concat())
        }
        "binary" => octets(item),
        "empty" => Ok(Vec::new()),
        other => Err(format!("values of type {other:?} are not supported")),
    }
}
