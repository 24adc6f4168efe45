//! Links on which another server gives the addresses, and this one only says what to boot.

use dhcp_common::wire::option;
use ipnet::Ipv4Net;

use super::{
    host::Host,
    interface,
    raw::Section,
    types::{Class, Interface, Overrides},
};

/// Notes what contradicts the links that are proxies, and returns whether there are any.
pub(super) fn check(
    root: &Section<'_>,
    interfaces: &[Interface],
    classes: &[Class],
    host: Option<&Host>,
) -> bool {
    let links = || interfaces.iter().flat_map(|interface| &interface.links);
    let proxies: Vec<_> = links().filter_map(|link| link.proxy.as_ref()).collect();
    if proxies.is_empty() {
        return false;
    }
    refuse_subnets(root, interfaces, host);
    let mut told = proxies
        .into_iter()
        .chain(classes.iter().map(|class| &class.overrides));
    if !told.any(says_what_to_boot) {
        root.refuse(
            "an interface is a `proxy`, but there is nothing to boot; set `boot-file` or the option `vendor-encapsulated-options` in `[defaults]` or in a `[[class]]`",
        );
    }
    true
}

fn says_what_to_boot(overrides: &Overrides) -> bool {
    let mut options = overrides.options.iter();
    overrides.boot.file.is_some()
        || options.any(|value| matches!(value.code, option::VENDOR_OPTIONS | option::BOOTFILE_NAME))
}

/// Notes each subnet on the link of a proxy: two servers would give its addresses.
fn refuse_subnets(root: &Section<'_>, interfaces: &[Interface], host: Option<&Host>) {
    let proxies = interface::own_addresses(interfaces, host, |link| link.proxy.is_some());
    for node in root.tables("subnet") {
        // Wrong types are noted elsewhere.
        let section = node.is_table().then(|| node.free_section()).flatten();
        let Some(node) = section.and_then(|section| section.get("prefix")) else {
            continue;
        };
        let prefix = node
            .as_string()
            .and_then(|text| text.parse::<Ipv4Net>().ok());
        let found = proxies
            .iter()
            .find(|(address, _)| prefix.is_some_and(|prefix| prefix.contains(*address)));
        if let Some((address, interface)) = found {
            node.refuse(format_args!(
                "contains {address}, an address of {interface}, which is a `proxy`: another server gives the addresses there; remove this subnet, or `proxy` from the interface"
            ));
        }
    }
}
