//! Kea's configuration (<https://kea.readthedocs.io/en/latest/arm/dhcp4-srv.html>).

use std::net::Ipv4Addr;

use dhcp_config::{Field, Pattern};
use ipnet::Ipv4Net;

use self::json::Node;
use super::{
    draft::{Class, Condition, Draft, Interface, Network, Pool, Settings, Subnet},
    expression,
    notes::Notes,
};

mod json;
mod options;
mod reasons;
mod reservation;
mod settings;

use options::Definitions;
use reasons::reason;
use reservation::Identifiers;

/// What Kea leases last of which the file does not say how long.
const DEFAULT_LIFETIME: u32 = 7200;

/// Classes that are compared with each other; no more are kept.
const MAX_COMPARED: usize = 64;

/// # Errors
/// Line, and what is wrong there.
pub fn read(text: &str, notes: &mut Notes) -> Result<Draft, (usize, String)> {
    let mut includes = Vec::new();
    let draft = json::read(
        text,
        |line, file| includes.push((line, file.to_owned())),
        |root| {
            let dhcp4 = root
                .get("Dhcp4")
                .ok_or((1, "no `Dhcp4` in it".to_owned()))?;
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
            "put what is in it into the file, and convert that",
        );
    }
    draft
}

struct Reader<'n> {
    draft: Draft,
    definitions: Definitions,
    identifiers: Identifiers,
    notes: &'n mut Notes,
}

impl Reader<'_> {
    fn dhcp4(&mut self, dhcp4: Node<'_>) {
        let mut settings = Settings {
            lease_secs: Some(DEFAULT_LIFETIME),
            ..Settings::default()
        };
        // Classes first: pools and reservations refer to them.
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
                    "frames are taken from the interface itself, not from sockets",
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
                "its `subnet` is no IPv4 prefix",
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
        // A subnet for certain classes has no other pools.
        for pool in &mut subnet.pools {
            match (pool.classes.is_empty(), classes.is_empty()) {
                (true, false) => pool.classes.clone_from(&classes),
                (false, false) => self.notes.changed(
                    pool.line,
                    format_args!("pool {}-{}", pool.first, pool.last),
                    "it is for its own classes, whether or not a client is of those of its subnet",
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
                "a link serves the subnet that an address of it lies in",
            );
            self.interface(name, None, node.line());
        }
    }

    /// A relay agent is known by the subnet that its address lies in.
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
                let why = "a relay agent is served from the subnet that its address, or its link selection (RFC 3527), lies in";
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
                "it is no range of IPv4 addresses",
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
                // It is looked at after the subnet has been chosen, as all classes are here.
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
                let condition = expression::words(test).and_then(|words| expression::condition(&words));
                condition.map_err(|why| (line, format!("its test {test:?} cannot be told here: {why}")))
            }
            // Kea's own class of those who send this in option 60.
            (None, Some(vendor)) if !vendor.is_empty() => {
                let octets = vendor.as_bytes().to_vec();
                let pattern = Pattern { octets, is_prefix: false };
                Ok(Condition::Is(Field::VendorClass, vec![pattern]))
            }
            (None, _) => Err((line, "it has no test; clients become members of it by their reservations, by a hook, or by Kea itself".to_owned())),
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

    /// With Kea the options of a subnet go before those of a class, and the first class before the next; here it is the
    /// other way round. Where both give the same, it is told.
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
                    self.notes.changed(class.line, &what, format_args!("it goes before that of {name} here; with Kea the subnet's goes before the class's"));
                }
                let earlier = self.draft.classes.iter().take(index);
                if let Some(other) = earlier.rev().find(|other| differs(&other.settings)) {
                    self.notes.changed(class.line, &what, format_args!("a client of both gets this one; with Kea that of class {}, which comes first", other.name));
                }
            }
        }
    }
}

/// `a - b`, or a prefix.
fn range(text: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    match text.split_once('-') {
        Some((first, last)) => Some((first.trim().parse().ok()?, last.trim().parse().ok()?)),
        None => {
            let prefix: Ipv4Net = text.trim().parse().ok()?;
            Some((prefix.network(), prefix.broadcast()))
        }
    }
}

/// The strings of a list, or one.
fn strings(node: Node<'_>) -> Vec<String> {
    let one = node.string();
    let all = node.elements().filter_map(Node::string).chain(one);
    all.filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}
