//! Conditions on any option of a request, by name or by number.

use dhcp_common::wire::option;

use super::{
    condition::patterns,
    options::{self, Kind, key},
    raw::{Node, each, nearest},
    types::{Condition, OptionTest, Pattern},
};

/// The most octets of an option that a condition looks at. No frame holds a longer one.
const MAX_OCTETS: usize = 1024;

/// Options that only clients and relay agents send, and that are therefore not among those to set.
const SENT: [(&str, u8, Option<Kind>); 16] = [
    ("host-name", option::HOST_NAME, None),
    (
        "requested-address",
        option::REQUESTED_ADDRESS,
        Some(Kind::Address),
    ),
    ("lease-time", option::LEASE_TIME, Some(Kind::U32)),
    ("message-type", option::MESSAGE_TYPE, Some(Kind::U8(0))),
    ("server-id", option::SERVER_ID, Some(Kind::Address)),
    ("parameter-list", option::PARAMETER_LIST, None),
    (
        "max-message-size",
        option::MAX_MESSAGE_SIZE,
        Some(Kind::U16(0)),
    ),
    ("client-id", option::CLIENT_ID, None),
    ("user-class", option::USER_CLASS, None),
    ("rapid-commit", option::RAPID_COMMIT, None),
    ("fqdn", option::FQDN, None),
    ("relay-info", option::RELAY_INFO, None),
    ("architecture", option::ARCHITECTURE, None),
    ("network-interface", 94, None),
    ("machine-id", option::CLIENT_MACHINE_ID, None),
    (
        "subnet-selection",
        option::SUBNET_SELECTION,
        Some(Kind::Address),
    ),
];

/// Tests of options, all of which must pass.
pub(super) struct Tests<'a> {
    pub conditions: Vec<Condition>,
    /// The tests among them on the origin of a request.
    pub of_origin: Vec<Node<'a>>,
}

/// Reads a table such as `{ 43 = true, vendor-class = { contains = "AX" } }`.
pub(super) fn read<'a>(node: &Node<'a>) -> Option<Tests<'a>> {
    let fields = node.free_section()?.fields();
    if fields.is_empty() {
        node.refuse("empty table; give an option such as { 43 = true }");
        return None;
    }
    let mut codes: Vec<(u8, String)> = Vec::new();
    let mut of_origin = Vec::new();
    let conditions = each(fields, |(name, node)| {
        let code = code(name, &node)?;
        if let Some((_, other)) = codes.iter().find(|(other, _)| *other == code) {
            node.refuse(format_args!(
                "option {code} is already tested by {other}; give all values there, or use `all`"
            ));
        }
        codes.push((code, node.pointer()));
        let condition = condition(code, &node)?;
        if Condition::Option(code, OptionTest::Present).is_of_origin() {
            of_origin.push(node);
        }
        Some(condition)
    })?;
    Some(Tests {
        conditions,
        of_origin,
    })
}

fn code(name: &str, node: &Node<'_>) -> Option<u8> {
    if name.bytes().all(|octet| octet.is_ascii_digit()) {
        let code = key(name).filter(|code| !matches!(*code, option::PAD | option::END));
        if code.is_none() {
            node.refuse("no such option; option codes range from 1 to 254");
        }
        return code;
    }
    let sent = SENT.iter().find(|(sent, ..)| *sent == name);
    let code = sent.map(|(_, code, _)| *code).or(options::code(name));
    if code.is_none() {
        let known = SENT
            .iter()
            .map(|(name, ..)| *name)
            .chain(options::names_of_all());
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "give it by number, such as `43 = true`".to_owned(),
        };
        node.refuse(format_args!("unknown option; {hint}"));
    }
    code
}

/// Returns the type of an option's value if all values have the same length.
fn scalar(code: u8) -> Option<(Kind, usize)> {
    let sent = SENT.iter().find(|(_, sent, _)| *sent == code);
    let kind = match sent {
        Some((.., kind)) => (*kind)?,
        None => options::kind(code)?,
    };
    let len = match kind {
        Kind::Boolean | Kind::U8(_) | Kind::NodeType => 1,
        Kind::U16(_) => 2,
        Kind::Address | Kind::U32 | Kind::I32 => 4,
        _ => return None,
    };
    Some((kind, len))
}

fn condition(code: u8, node: &Node<'_>) -> Option<Condition> {
    if let Some(is_present) = node.as_boolean() {
        let present = Condition::Option(code, OptionTest::Present);
        return Some(match is_present {
            true => present,
            false => Condition::Not(Box::new(present)),
        });
    }
    let test = match node.is_table() {
        true => compared(code, node)?,
        false => OptionTest::Matches(0, values(code, node)?),
    };
    let (offset, shortest) = match &test {
        OptionTest::Present => (0, 0),
        OptionTest::Matches(offset, patterns) => {
            let lens = patterns.iter().map(|pattern| pattern.octets.len());
            (*offset, lens.min().unwrap_or_default())
        }
        OptionTest::Contains(offset, parts) => (
            *offset,
            parts.iter().map(Vec::len).min().unwrap_or_default(),
        ),
    };
    let least = usize::from(offset) + shortest;
    let longest = scalar(code).map_or(MAX_OCTETS, |(_, len)| len);
    if least > longest {
        node.refuse(format_args!(
            "can never hold: it looks at {least} octets, and option {code} has at most {longest}"
        ));
    }
    let is_whole = |pattern: &Pattern| pattern.is_prefix || usize::from(offset) != 0;
    if let (OptionTest::Matches(_, patterns), Some((_, len))) = (&test, scalar(code))
        && !patterns
            .iter()
            .any(|pattern| is_whole(pattern) || pattern.octets.len() == len)
        && least <= longest
    {
        node.refuse(format_args!(
            "can never hold: option {code} has {len} octets; give as many, as in \"hex:{}\"",
            "00".repeat(len)
        ));
    }
    Some(Condition::Option(code, test))
}

/// Reads values of which the option must have one: in the notation of the option's type if it is a
/// number or an address, otherwise text or octets.
fn values(code: u8, node: &Node<'_>) -> Option<Vec<Pattern>> {
    let Some((kind, _)) = scalar(code) else {
        return patterns(node);
    };
    let nodes = node.one_or_list("values");
    if nodes.is_empty() {
        node.refuse("empty list; give at least one value");
        return None;
    }
    Some(
        each(nodes, |node| {
            if node
                .as_string()
                .is_some_and(|text| text.starts_with("hex:"))
            {
                return patterns(&node);
            }
            Some(vec![Pattern {
                octets: kind.read(&node)?,
                is_prefix: false,
            }])
        })?
        .concat(),
    )
}

/// Reads a table with one comparison, and perhaps the offset at which it begins.
fn compared(code: u8, node: &Node<'_>) -> Option<OptionTest> {
    let section = node.section(&["equals", "begins-with", "contains", "offset"])?;
    let offset = match section.get("offset") {
        Some(node) => node.integer(0..=MAX_OCTETS as i64 - 1)?,
        None => 0,
    };
    let comparisons = ["equals", "begins-with", "contains"].map(|key| section.get(key));
    let octets = |node: &Node<'_>| -> Option<Vec<Vec<u8>>> {
        let nodes = node.one_or_list("text such as \"AX\", or octets such as \"hex:0102\"");
        if nodes.is_empty() {
            node.refuse("empty list; give at least one value");
            return None;
        }
        each(&nodes, |node| {
            let octets = dhcp_model::hex::text_or_hex(node.string("AX")?);
            if octets.is_none() {
                node.refuse(
                    "not a value; give text such as \"AX\", or octets such as \"hex:0102\"",
                );
            }
            octets
        })
    };
    let matches = |octets: Vec<Vec<u8>>, is_prefix| {
        let patterns = octets.into_iter();
        let patterns = patterns.map(|octets| Pattern { octets, is_prefix });
        OptionTest::Matches(offset, patterns.collect())
    };
    match comparisons {
        [Some(node), None, None] => {
            let is_typed = offset == 0 && scalar(code).is_some();
            Some(match is_typed {
                true => OptionTest::Matches(0, values(code, &node)?),
                false => matches(octets(&node)?, false),
            })
        }
        [None, Some(node), None] => Some(matches(octets(&node)?, true)),
        [None, None, Some(node)] => Some(OptionTest::Contains(offset, octets(&node)?)),
        _ => {
            section.refuse(
                "give exactly one of `equals`, `begins-with` and `contains`, such as { offset = 2, begins-with = \"hex:0102\" }; `true` and `false` say whether the option is there",
            );
            None
        }
    }
}
