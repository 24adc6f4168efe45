//! Option 43 as PXE firmware reads it (PXE 2.1 §2.2, table 2-1): boot servers, menu and prompt.

use std::collections::{HashMap, HashSet};

use dhcp_common::wire::pxe_suboption;

use super::{
    elements::{addresses, all},
    numbered::{encapsulated, encapsulated_in, key},
};
use crate::raw::{Node, Section};

/// The field of `vendor-encapsulated-options` with the sub-options of PXE by name.
const PXE: &str = "pxe";
/// The type of the menu item that ends network boot, and continues with the local disk.
const LOCAL: u16 = 0;
/// The longest value of a sub-option, whose length is one octet.
const MAX_LEN: usize = 255;
/// The value of a prompt's timeout for which firmware waits until a key is pressed.
const FOREVER: u8 = 255;

/// The bits of sub-option 6, by name.
const CONTROLS: [(&str, u8); 4] = [
    ("no-broadcast", NO_BROADCAST),
    ("no-multicast", NO_MULTICAST),
    ("listed-servers-only", LISTED_ONLY),
    ("boot-file", BOOT_FILE),
];
const NO_BROADCAST: u8 = 1;
const NO_MULTICAST: u8 = 2;
const LISTED_ONLY: u8 = 4;
const BOOT_FILE: u8 = 8;

/// Reads a table with sub-options by number, and those of PXE under `pxe`.
pub(super) fn vendor_options(node: &Node<'_>) -> Option<Vec<u8>> {
    let section = node.free_section()?;
    let fields = section.fields();
    if fields.is_empty() {
        // This notes the empty table.
        return encapsulated(node);
    }
    let (named, numbered): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|(name, _)| *name == PXE);
    let others = encapsulated_in(&numbered);
    let Some((_, node)) = named.first() else {
        return others;
    };
    let own = pxe(node);
    let (own, others) = (own?, others?);
    let codes: HashSet<u8> = own.iter().map(|(code, _)| *code).collect();
    for (name, node) in &numbered {
        if key::<u8>(name).is_some_and(|code| codes.contains(&code)) {
            node.refuse(format_args!(
                "sub-option {name} is already set by name under `pxe`; remove one"
            ));
        }
    }
    let mut octets = Vec::new();
    for (code, data) in own {
        // `limited` has checked the length.
        octets.extend([code, data.len() as u8]);
        octets.extend(data);
    }
    octets.extend(others);
    // PXE 2.1 table 2-1 requires it here, unlike RFC 2132 §8.4.
    octets.push(pxe_suboption::END);
    Some(octets)
}

/// Returns the sub-options with their codes, in ascending order.
fn pxe(node: &Node<'_>) -> Option<Vec<(u8, Vec<u8>)>> {
    let section = node.section(&["discovery-control", "servers", "menu", "prompt"])?;
    let fields = section.fields();
    if fields.is_empty() {
        section
            .refuse("empty table; give at least `discovery-control = \"boot-file\"`, or a `menu`");
        return None;
    }
    let control = section.get("discovery-control");
    let servers = section.get("servers");
    let menu = section.get("menu");
    let prompt = section.get("prompt");
    let read_control = control.as_ref().map(discovery_control);
    let read_servers = servers.as_ref().map(boot_servers);
    let read_menu = menu.as_ref().map(boot_menu);
    let read_prompt = prompt
        .as_ref()
        .map(|node| limited(node, menu_prompt(node)?));
    if let (Some(prompt), None) = (&prompt, &menu) {
        prompt
            .refuse("a prompt without a menu; add `menu = [{ type = 32768, text = \"Install\" }]`");
    }
    let control_bits = match read_control {
        Some(control) => control?,
        None => 0,
    };
    if let (Some(Some(menu)), known) = (&read_menu, &read_servers)
        && known.as_ref().is_none_or(Option::is_some)
    {
        let known = known.iter().flatten();
        let known: HashSet<u16> = known
            .flat_map(|servers| servers.types.iter().copied())
            .collect();
        refuse_unreachable(&section, menu, &known, control_bits);
    }
    let mut options = Vec::new();
    if control.is_some() {
        options.push((pxe_suboption::DISCOVERY_CONTROL, vec![control_bits]));
    }
    if let (Some(node), Some(servers)) = (&servers, read_servers) {
        options.push((pxe_suboption::BOOT_SERVERS, limited(node, servers?.octets)?));
    }
    if let (Some(node), Some(menu)) = (&menu, read_menu) {
        options.push((pxe_suboption::BOOT_MENU, limited(node, menu?.octets)?));
    }
    if let Some(prompt) = read_prompt {
        options.push((pxe_suboption::MENU_PROMPT, prompt?));
    }
    Some(options)
}

/// Octets, and the types of boot items in them.
struct Typed {
    octets: Vec<u8>,
    types: Vec<u16>,
}

fn limited(node: &Node<'_>, octets: Vec<u8>) -> Option<Vec<u8>> {
    if octets.len() > MAX_LEN {
        node.refuse(format_args!(
            "{} octets; a sub-option has at most {MAX_LEN}, so give fewer or shorter values",
            octets.len()
        ));
        return None;
    }
    Some(octets)
}

/// Notes a menu whose items firmware cannot find a server for.
fn refuse_unreachable(section: &Section<'_>, menu: &Typed, known: &HashSet<u16>, control: u8) {
    let asks_all =
        control & LISTED_ONLY == 0 && (control & NO_BROADCAST == 0 || control & NO_MULTICAST == 0);
    if asks_all || control & BOOT_FILE != 0 {
        return;
    }
    for item in &menu.types {
        if *item != LOCAL && !known.contains(item) {
            section.refuse(format_args!(
                "no server for type {item} of the menu, and `discovery-control` forbids to look for one; add `servers = [{{ type = {item}, addresses = [\"10.0.0.1\"] }}]`"
            ));
        }
    }
}

/// Reads sub-option 6: a number, the name of a bit, or a list of names.
fn discovery_control(node: &Node<'_>) -> Option<u8> {
    if !node.is_list() && node.as_string().is_none() {
        return node.integer(0..=15);
    }
    let mut bits = 0;
    for node in node.one_or_list("names such as \"boot-file\"") {
        let name = node.string("boot-file")?;
        let Some((_, bit)) = CONTROLS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = CONTROLS
                .iter()
                .map(|(name, _)| format!("{name:?}"))
                .collect();
            node.refuse(format_args!(
                "unknown name; give {}, or their sum as a number from 0 to 15",
                known.join(", ")
            ));
            return None;
        };
        bits |= bit;
    }
    Some(bits)
}

/// Reads sub-option 8: for each type a number of octets and that many addresses.
fn boot_servers(node: &Node<'_>) -> Option<Typed> {
    let mut lines = HashMap::new();
    let mut types = Vec::new();
    let each = all(
        node,
        "tables such as { type = 32768, addresses = [\"10.0.0.1\"] }",
        |node| {
            let section = node.section(&["type", "addresses"])?;
            let item = section
                .require("type", "32768")
                .map(|node| (item_type(&node), node));
            let servers = section.require("addresses", "[\"10.0.0.1\"]");
            let data = servers.as_ref().map(addresses);
            let ((item, node), servers, data) = (item?, servers?, data??);
            let item = item?;
            Some((item, node, servers, data))
        },
    )?;
    let mut octets = Vec::new();
    for (item, node, servers, data) in each {
        if item == LOCAL {
            node.refuse("type 0 is local boot, which needs no server; give the type of an item of the menu, or remove it");
        }
        if let Some(line) = lines.insert(item, node.line()) {
            node.refuse(format_args!(
                "type {item} is already set in line {line}; give all of its addresses there"
            ));
        }
        let count = data.len() / 4;
        let Ok(count) = u8::try_from(count) else {
            servers.refuse(format_args!("{count} addresses; give at most 255"));
            continue;
        };
        octets.extend(item.to_be_bytes());
        octets.push(count);
        octets.extend(data);
        types.push(item);
    }
    Some(Typed { octets, types })
}

/// Reads sub-option 9: for each item its type, the length of its text and the text.
fn boot_menu(node: &Node<'_>) -> Option<Typed> {
    let mut lines = HashMap::new();
    let items = all(
        node,
        "tables such as { type = 32768, text = \"Install\" }",
        |node| {
            let section = node.section(&["type", "text"])?;
            let item = section
                .require("type", "32768")
                .map(|node| (item_type(&node), node));
            let text = section
                .require("text", "\"Install\"")
                .map(|node| label(&node));
            let ((item, node), text) = (item?, text??);
            Some((item?, node, text))
        },
    )?;
    let (mut octets, mut types) = (Vec::new(), Vec::new());
    for (item, node, text) in items {
        if let Some(line) = lines.insert(item, node.line()) {
            node.refuse(format_args!(
                "type {item} is already in the menu in line {line}; give each item its own type"
            ));
        }
        octets.extend(item.to_be_bytes());
        // `label` has checked the length.
        octets.push(text.len() as u8);
        octets.extend(text.as_bytes());
        types.push(item);
    }
    Some(Typed { octets, types })
}

/// Reads sub-option 10: the seconds that firmware waits for a key, and the text that it shows.
fn menu_prompt(node: &Node<'_>) -> Option<Vec<u8>> {
    let section = node.section(&["text", "timeout"])?;
    let text = section
        .require("text", "\"Press F8 for a menu\"")
        .map(|node| label(&node));
    let timeout = match section.get("timeout") {
        None => Some(FOREVER),
        Some(node) if node.as_string() == Some("forever") => Some(FOREVER),
        Some(node) if node.as_string().is_some() => {
            node.refuse("give seconds from 0 to 254, or \"forever\"");
            None
        }
        Some(node) => node.integer(0..=i64::from(FOREVER) - 1),
    };
    let (text, timeout) = (text??, timeout?);
    Some([&[timeout], text.as_bytes()].concat())
}

/// Reads the type of an item: a number, or `"local"`.
fn item_type(node: &Node<'_>) -> Option<u16> {
    match node.as_string() {
        Some("local") => Some(LOCAL),
        Some(_) => {
            node.refuse("not the type of a boot item; give a number from 0 to 65535, 32768 or higher for your own items, or \"local\"");
            None
        }
        None => node.integer(0..=i64::from(u16::MAX)),
    }
}

/// Reads text that firmware shows.
fn label(node: &Node<'_>) -> Option<String> {
    let text = node.string("Install")?;
    if !(1..MAX_LEN - 2).contains(&text.len()) || text.contains(char::is_control) {
        node.refuse(format_args!(
            "invalid text; give 1 to {} printable octets",
            MAX_LEN - 3
        ));
        return None;
    }
    Some(text.to_owned())
}
