//! The configuration of Kea (<https://kea.readthedocs.io/en/latest/arm/dhcp4-srv.html>).

use std::net::Ipv4Addr;

use dhcp_config::{Field, Pattern};
use ipnet::Ipv4Net;

use self::{
    definitions::Definitions, identifiers::Identifiers, json::Node, reader::Reader, reasons::reason,
};
use super::{
    draft::{Class, Condition, Draft, Interface, Network, Pool, Settings, Subnet},
    expression,
    notes::Notes,
};

mod definitions;
mod identifiers;
mod json;
mod options;
mod reader;
mod reasons;
mod reservation;
mod settings;

/// The default lease time of Kea.
const DEFAULT_LIFETIME: u32 = 7200;

/// The number of classes that are compared with each other, which is also the most that are kept.
const MAX_COMPARED: usize = 64;

/// Converts a file to a draft.
///
/// # Errors
/// The line and the reason of a syntax error.
pub fn read(text: &str, notes: &mut Notes) -> Result<Draft, (usize, String)> {
    let mut includes = Vec::new();
    let draft = json::read(
        text,
        |line, file| includes.push((line, file.to_owned())),
        |root| {
            let dhcp4 = root
                .get("Dhcp4")
                .ok_or((1, "no `Dhcp4` object".to_owned()))?;
            for (name, _, line) in root.members().filter(|(name, ..)| *name != "Dhcp4") {
                notes.left(line, name, "only `Dhcp4` is converted");
            }
            let mut reader = Reader {
                draft: Draft::default(),
                definitions: Definitions::read(dhcp4, notes),
                identifiers: Identifiers::read(dhcp4),
                notes,
            };
            reader.dhcp4(dhcp4);
            Ok(reader.draft)
        },
    )?;
    for (line, file) in includes {
        notes.left(
            line,
            format_args!("include {file:?}"),
            "includes are not followed; insert its content into the file and convert again",
        );
    }
    draft
}

impl Reader<'_> {
    fn dhcp4(&mut self, dhcp4: Node<'_>) {
        let mut settings = Settings {
            lease_secs: Some(DEFAULT_LIFETIME),
            ..Settings::default()
        };
        // Pools and reservations refer to classes.
        for class in dhcp4
            .get("client-classes")
            .into_iter()
            .flat_map(Node::elements)
        {
            self.class(class);
        }
        let mut global_reservations = None;
        for (name, node, line) in dhcp4.members() {
            if self.setting(&mut settings, name, node, line) {
                continue;
            }
            match name {
                "client-classes" | "option-def" | "host-reservation-identifiers" => {}
                "interfaces-config" => self.interfaces(node),
                "subnet4" => {
                    for subnet in node.elements().filter(|subnet| !subnet.is_null()) {
                        self.subnet(subnet, None);
                    }
                }
                "shared-networks" => {
                    for network in node.elements().filter(|network| !network.is_null()) {
                        self.shared_network(network);
                    }
                }
                "reservations" => global_reservations = Some(node),
                _ if node.is_empty() => {}
                _ => self.notes.left(line, name, reason(name)),
            }
        }
        self.draft.defaults = settings;
        let finder = self.draft.finder();
        for node in global_reservations.into_iter().flat_map(Node::elements) {
            self.global_reservation(node, &finder);
        }
        self.compare_precedence();
    }

    fn interfaces(&mut self, config: Node<'_>) {
        for (name, node, line) in config.members() {
            match name {
                "interfaces" => {
                    for node in node.elements() {
                        let text = node.string().unwrap_or_default();
                        // `eth0/10.0.0.1`: the address to listen on.
                        let (name, address) = text.split_once('/').unwrap_or((text, ""));
                        if name != "*" {
                            self.interface(name, address.parse().ok(), node.line());
                        }
                    }
                }
                _ if node.is_empty() => {}
                _ => self.notes.left(
                    line,
                    name,
                    "frames are received by AF_XDP, not by such sockets",
                ),
            }
        }
    }

    fn interface(&mut self, name: &str, address: Option<Ipv4Addr>, line: usize) {
        let known = &mut self.draft.interfaces;
        match known.iter_mut().find(|interface| interface.name == name) {
            Some(interface) => interface.addresses.extend(address),
            None => known.push(Interface {
                line,
                name: name.to_owned(),
                addresses: address.into_iter().collect(),
            }),
        }
    }

    fn shared_network(&mut self, network: Node<'_>) {
        let Some(name) = network.get("name").and_then(Node::string) else {
            self.notes
                .left(network.line(), "shared network", "it has no name");
            return;
        };
        let mut settings = Settings::default();
        for (key, node, line) in network.members() {
            if self.setting(&mut settings, key, node, line) {
                continue;
            }
            match key {
                "name" => {}
                "subnet4" => {
                    for subnet in node.elements().filter(|subnet| !subnet.is_null()) {
                        self.subnet(subnet, Some(name));
                    }
                }
                "interface" => self.of_interface(node),
                "relay" => self.relay(node, None),
                _ if node.is_empty() => {}
                _ => self.notes.left(
                    line,
                    format_args!("{key} of shared network {name}"),
                    reason(key),
                ),
            }
        }
        self.draft.networks.push(Network {
            line: network.line(),
            name: name.to_owned(),
            settings,
        });
    }

    fn subnet(&mut self, node: Node<'_>, network: Option<&str>) {
        let text = node
            .get("subnet")
            .and_then(Node::string)
            .unwrap_or_default();
        let Ok(prefix) = text.trim().parse::<Ipv4Net>() else {
            self.notes.left(
                node.line(),
                format_args!("subnet {text:?}"),
                "its `subnet` is not an IPv4 prefix",
            );
            return;
        };
        let mut subnet = Subnet::new(node.line(), prefix.trunc());
        subnet.network = network.map(str::to_owned);
        let mut classes = Vec::new();
        for (key, node, line) in node.members() {
            if self.setting(&mut subnet.settings, key, node, line) {
                continue;
            }
            match key {
                "subnet" | "id" => {}
                "pools" => {
                    for pool in node.elements().filter(|pool| !pool.is_null()) {
                        self.pool(pool, &mut subnet);
                    }
                }
                "reservations" => {
                    for reservation in node.elements().filter(|node| !node.is_null()) {
                        let read = self.reservation(reservation, prefix);
                        subnet.reservations.extend(read);
                    }
                }
                "client-class" | "client-classes" => classes = strings(node),
                "interface" => self.of_interface(node),
                "relay" => self.relay(node, Some(prefix)),
                _ if node.is_empty() => {}
                _ => self
                    .notes
                    .left(line, format_args!("{key} of subnet {prefix}"), reason(key)),
            }
        }
        // All pools of a subnet for certain classes are for these classes.
        for pool in &mut subnet.pools {
            match (pool.classes.is_empty(), classes.is_empty()) {
                (true, false) => pool.classes.clone_from(&classes),
                (false, false) => self.notes.changed(
                    pool.line,
                    format_args!("pool {}-{}", pool.first, pool.last),
                    "only its own classes apply, not those of its subnet",
                ),
                _ => {}
            }
        }
        self.draft.subnets.push(subnet);
    }

    fn of_interface(&mut self, node: Node<'_>) {
        if let Some(name) = node.string().filter(|name| !name.is_empty()) {
            self.notes.changed(
                node.line(),
                format_args!("interface {name} of a subnet"),
                "a link serves the subnets that contain its addresses",
            );
            self.interface(name, None, node.line());
        }
    }

    /// Notes relay agents that are outside of their subnet: the address of a relay agent selects
    /// the subnet.
    fn relay(&mut self, relay: Node<'_>, prefix: Option<Ipv4Net>) {
        let listed = relay
            .get("ip-addresses")
            .into_iter()
            .flat_map(Node::elements);
        let single = relay.get("ip-address");
        for node in listed.chain(single) {
            let Some(address) = node.address().filter(|address| !address.is_unspecified()) else {
                continue;
            };
            if !prefix.is_some_and(|prefix| prefix.contains(&address)) {
                let why = "the subnet of a relay agent is the one that contains its address or its link selection (RFC 3527)";
                self.notes
                    .left(node.line(), format_args!("relay {address}"), why);
            }
        }
    }

    fn pool(&mut self, node: Node<'_>, subnet: &mut Subnet) {
        let text = node.get("pool").and_then(Node::string).unwrap_or_default();
        let Some((first, last)) = range(text) else {
            self.notes.left(
                node.line(),
                format_args!("pool {text:?}"),
                "not a range of IPv4 addresses",
            );
            return;
        };
        let mut pool = Pool {
            line: node.line(),
            first,
            last,
            classes: Vec::new(),
            settings: Settings::default(),
        };
        for (key, node, line) in node.members() {
            if self.setting(&mut pool.settings, key, node, line) {
                continue;
            }
            match key {
                "pool" | "pool-id" => {}
                "client-class" | "client-classes" => pool.classes = strings(node),
                _ if node.is_empty() => {}
                _ => self.notes.left(
                    line,
                    format_args!("{key} of pool {first}-{last}"),
                    reason(key),
                ),
            }
        }
        subnet.pools.push(pool);
    }

    fn class(&mut self, node: Node<'_>) {
        let line = node.line();
        let name = node.get("name").and_then(Node::string).unwrap_or_default();
        let mut settings = Settings::default();
        let mut when = None;
        for (key, node, line) in node.members() {
            if self.setting(&mut settings, key, node, line) {
                continue;
            }
            match key {
                "name" => {}
                "test" => when = node.string().map(|test| (line, test)),
                // Such classes are evaluated after the subnet is selected, as all classes of xdhcpd
                // are.
                "only-if-required" | "only-in-additional-list" if node.boolean() == Some(false) => {
                }
                _ if node.is_empty() => {}
                _ => self
                    .notes
                    .left(line, format_args!("{key} of class {name}"), reason(key)),
            }
        }
        let when = match (when, name.strip_prefix("VENDOR_CLASS_")) {
            (Some((line, test)), _) => {
                let condition =
                    expression::words(test).and_then(|words| expression::condition(&words));
                condition.map_err(|why| {
                    (
                        line,
                        format!("its test {test:?} cannot be converted: {why}"),
                    )
                })
            }
            // Kea defines this class by option 60.
            (None, Some(vendor)) if !vendor.is_empty() => {
                let octets = vendor.as_bytes().to_vec();
                let pattern = Pattern {
                    octets,
                    is_prefix: false,
                };
                Ok(Condition::Is(Field::VendorClass, vec![pattern]))
            }
            (None, _) => Err((
                line,
                "it has no test: reservations, a hook or Kea itself determine its members"
                    .to_owned(),
            )),
        };
        match when {
            Ok(when) => self.draft.classes.push(Class {
                line,
                name: name.to_owned(),
                when,
                refuse: name == "DROP",
                settings,
            }),
            Err((line, why)) => self.notes.left(line, format_args!("class {name}"), why),
        }
    }

    /// Notes options that are set twice: in Kea, options of a subnet take precedence over those of
    /// a class, and earlier classes over later ones. In xdhcpd it is the other way round.
    fn compare_precedence(&mut self) {
        let subnets = self
            .draft
            .subnets
            .iter()
            .map(|subnet| (&subnet.settings, format!("subnet {}", subnet.prefix)));
        let networks = self
            .draft
            .networks
            .iter()
            .map(|network| (&network.settings, format!("network {}", network.name)));
        let around: Vec<_> = subnets.chain(networks).collect();
        for (index, class) in self.draft.classes.iter().take(MAX_COMPARED).enumerate() {
            for (code, data) in &class.settings.options {
                let what = format!("option {code} of class {}", class.name);
                let differs = |settings: &Settings| {
                    settings
                        .options
                        .get(code)
                        .is_some_and(|other| other != data)
                };
                if let Some((_, name)) = around.iter().find(|(settings, _)| differs(settings)) {
                    self.notes.changed(class.line, &what, format_args!("it takes precedence over that of {name}; in Kea the option of the subnet does"));
                }
                let earlier = self.draft.classes.iter().take(index);
                if let Some(other) = earlier.rev().find(|other| differs(&other.settings)) {
                    self.notes.changed(class.line, &what, format_args!("clients of both classes get this one; in Kea they get that of class {}, which precedes it", other.name));
                }
            }
        }
    }
}

/// Parses `a - b`, or a prefix.
fn range(text: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    match text.split_once('-') {
        Some((first, last)) => Some((first.trim().parse().ok()?, last.trim().parse().ok()?)),
        None => {
            let prefix: Ipv4Net = text.trim().parse().ok()?;
            Some((prefix.network(), prefix.broadcast()))
        }
    }
}

/// Returns the strings of a list, or a single string.
fn strings(node: Node<'_>) -> Vec<String> {
    let one = node.string();
    let all = node.elements().filter_map(Node::string).chain(one);
    all.filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}
