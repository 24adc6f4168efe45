//! Options that a file defines.

use std::collections::HashMap;

use crate::statements::{Statement, Word};

/// The definitions `option NAME code NUMBER = TYPE;` of a file.
#[derive(Debug, Default)]
pub struct Definitions {
    pub(super) by_name: HashMap<String, (u8, Form)>,
}

/// The format of a value.
#[derive(Clone, Debug)]
pub struct Form {
    pub types: Vec<Type>,
    pub is_array: bool,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Address,
    Boolean,
    /// A number of this many octets.
    Integer(usize),
    Text,
    /// Text, or octets in hexadecimal.
    Octets,
    Domains,
}

impl Definitions {
    /// Adds all definitions of a file.
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

/// Returns whether a statement defines an option.
pub fn is_definition(statement: &Statement) -> bool {
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
