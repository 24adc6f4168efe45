//! From the file's values to checked types: the server, its interfaces, and the file as a whole.
//!
//! Every reader notes what is wrong and goes on with something harmless, so that all problems come
//! out at once; [`Document::read`] lets nothing through that had any. Subnets are read in
//! [`super::subnet`], options in [`super::options`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_common::{
    abi::{self, Limit},
    defaults, wire,
};
use dhcp_model::defaults::DEFAULT_HISTORY;
use ipnet::Ipv4Net;

use super::{
    Config, Host, Interface, Link, Problem, Problems, Server, class, ipv6,
    raw::{Document, Node, Section},
    requesters, subnet, times,
};

/// A name as `SO_BINDTODEVICE` and the rest of the kernel take it: IFNAMSIZ less the final zero.
const MAX_INTERFACE_NAME: usize = 15;
/// `sun_path` has 108 octets (unix(7)); the socket is made under a longer name first.
const MAX_SOCKET_PATH: usize = 90;
/// What the kernel can allocate for maps on a machine that is not a supercomputer.
const MAX_LEASES: i64 = 1 << 24;
const MAX_PER_SECOND: i64 = 10_000_000;
/// Ten years, as long as the longest lease.
const MAX_HISTORY: Duration = Duration::from_secs(315_576_000);

/// Reads a file, and checks it against a host where one is given.
///
/// # Errors
/// Every problem found.
pub fn load(path: &Path, host: Option<&Host>) -> Result<Config, Problems> {
    parse(path, &text(path)?, host)
}

/// What a file says of the server itself. Looks at nothing else, so that a file which is being edited
/// does not lock its operator out.
///
/// # Errors
/// The file is not TOML, or says nothing sensible of the server.
pub fn server_of(path: &Path) -> Result<Server, Problems> {
    let text = text(path)?;
    Document::new(path, &text).read(|root| server(root.get("server")))
}

fn text(path: &Path) -> Result<String, Problems> {
    fs::read_to_string(path).map_err(|error| {
        Problems(vec![Problem {
            file: path.into(),
            place: None,
            field: String::new(),
            value: None,
            message: format!("cannot be read: {error}; name a TOML file with `--config`"),
        }])
    })
}

/// Checks the text of a file.
///
/// # Errors
/// Every problem found.
pub fn parse(file: &Path, text: &str, host: Option<&Host>) -> Result<Config, Problems> {
    Document::new(file, text).read(|root| {
        root.refuse_unknown(&[
            "server",
            "defaults",
            "interface",
            "class",
            "network",
            "subnet",
        ]);
        let interfaces = interfaces(&root, host);
        let ours = addresses(&interfaces, host);
        let named = class::Named::read(&root);
        ipv6::refuse_unsent(&root);
        Config {
            server: server(root.get("server")),
            networks: subnet::networks(&root, &ours, &named),
            classes: named.classes,
            interfaces,
        }
    })
}

fn server(node: Option<Node<'_>>) -> Server {
    let mut server = Server {
        store: defaults::STORE.into(),
        control_socket: defaults::CONTROL_SOCKET.into(),
        pin_dir: defaults::PIN_DIR.into(),
        max_leases: abi::DEFAULT_LEASES,
        generic_xdp: false,
        fast_path: true,
        client_limit: defaults::CLIENT_LIMIT,
        relay_limit: defaults::RELAY_LIMIT,
        unknown_limit: defaults::UNKNOWN_LIMIT,
        leasequery: Vec::new(),
        history: DEFAULT_HISTORY,
    };
    let known = [
        "store",
        "control-socket",
        "pin-dir",
        "max-leases",
        "generic-xdp",
        "fast-path",
        "client-limit",
        "relay-limit",
        "unknown-limit",
        "leasequery",
        "history",
    ];
    let Some(section) = node.and_then(|node| node.section(&known)) else {
        return server;
    };
    for (key, field) in [
        ("store", &mut server.store),
        ("control-socket", &mut server.control_socket),
        ("pin-dir", &mut server.pin_dir),
    ] {
        replace(field, section.get(key), absolute_path);
    }
    if server.control_socket.as_os_str().len() > MAX_SOCKET_PATH
        && let Some(node) = section.get("control-socket")
    {
        node.refuse(format_args!(
            "too long for a Unix socket; give at most {MAX_SOCKET_PATH} octets"
        ));
    }
    for (key, field) in [
        ("generic-xdp", &mut server.generic_xdp),
        ("fast-path", &mut server.fast_path),
    ] {
        replace(field, section.get(key), Node::boolean);
    }
    for (key, field) in [
        ("client-limit", &mut server.client_limit),
        ("relay-limit", &mut server.relay_limit),
        ("unknown-limit", &mut server.unknown_limit),
    ] {
        replace(field, section.get(key), limit);
    }
    replace(&mut server.history, section.get("history"), history);
    replace(&mut server.max_leases, section.get("max-leases"), |node| {
        node.integer(1..=MAX_LEASES)
    });
    replace(
        &mut server.leasequery,
        section.get("leasequery"),
        requesters::read,
    );
    server
}

fn history(node: &Node<'_>) -> Option<Duration> {
    match humantime::parse_duration(node.string("30d")?) {
        Ok(Duration::ZERO) => Some(Duration::ZERO),
        _ => times::read_duration(node, "30d", MAX_HISTORY),
    }
}

/// Takes the value of a node where there is one and it is right.
pub(super) fn replace<'a, T>(
    field: &mut T,
    node: Option<Node<'a>>,
    read: impl FnOnce(&Node<'a>) -> Option<T>,
) {
    if let Some(value) = node.and_then(|node| read(&node)) {
        *field = value;
    }
}

fn absolute_path(node: &Node<'_>) -> Option<PathBuf> {
    let path = Path::new(node.string(defaults::STORE)?);
    if !path.is_absolute() || path.file_name().is_none() {
        node.refuse("not an absolute path; a service has no working directory to start from, so begin with `/`");
        return None;
    }
    Some(path.to_owned())
}

fn limit(node: &Node<'_>) -> Option<Limit> {
    let section = node.section(&["per-second", "burst"])?;
    let number = |key, such_as| -> Option<u32> {
        section.require(key, such_as)?.integer(1..=MAX_PER_SECOND)
    };
    let (per_second, burst) = (number("per-second", "20"), number("burst", "40"));
    Some(Limit::per_second(per_second?, burst?))
}

fn interfaces(root: &Section<'_>, host: Option<&Host>) -> Vec<Interface> {
    let mut lines = HashMap::new();
    let mut interfaces = Vec::new();
    let mut links = 0;
    let nodes = root.tables("interface");
    if nodes.is_empty() {
        root.refuse("no interface to serve; add `[[interface]]` with `name = \"eth1\"`");
    }
    for (index, node) in nodes.iter().enumerate() {
        let Some(section) = node.section(&[
            "name",
            "addresses",
            "trust-relay-info",
            "subnet-selection",
            "vlan",
        ]) else {
            continue;
        };
        let name = section.require("name", "\"eth1\"");
        let Some((node, name)) = name.and_then(|node| Some((node.clone(), interface_name(&node)?)))
        else {
            continue;
        };
        if let Some(line) = lines.insert(name.to_owned(), node.line()) {
            node.refuse(format_args!(
                "named already in line {line}; describe each interface once"
            ));
        }
        if index == abi::MAX_INTERFACES as usize {
            node.refuse(format_args!(
                "one interface too many; at most {index} are served"
            ));
        }
        let interface = Interface {
            name: name.to_owned(),
            links: interface_links(&section),
        };
        if let Some(host) = host {
            check_on_host(&node, &interface, host);
        }
        links += interface.links.len();
        if links > abi::MAX_LINKS as usize {
            node.refuse(format_args!(
                "{links} interfaces and VLANs so far; at most {} are served",
                abi::MAX_LINKS
            ));
        }
        interfaces.push(interface);
    }
    interfaces
}

fn interface_name<'a>(node: &Node<'a>) -> Option<&'a str> {
    let name = node.string("eth1")?;
    let is_good = (1..=MAX_INTERFACE_NAME).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace())
        && name != "."
        && name != "..";
    if !is_good {
        node.refuse(format_args!(
            "not a name that an interface can have; give 1 to {MAX_INTERFACE_NAME} characters without `/`, `:` and spaces"
        ));
        return None;
    }
    Some(name)
}

fn check_on_host(node: &Node<'_>, interface: &Interface, host: &Host) {
    let Some(addresses) = host.interfaces.get(&interface.name) else {
        let names: Vec<_> = host.interfaces.keys().map(String::as_str).collect();
        node.refuse(format_args!(
            "this host has no such interface; it has: {}",
            names.join(", ")
        ));
        return;
    };
    if addresses.is_empty() && interface.links.iter().all(|link| link.addresses.is_empty()) {
        node.refuse(
            "the interface has no IPv4 address to answer from; give it one, or say `addresses = [\"…\"]` here",
        );
    }
}

fn interface_links(section: &Section<'_>) -> Vec<Link> {
    let mut lines = HashMap::new();
    let mut links = vec![Link {
        vlans: [0, 0],
        addresses: link_addresses(section),
        trust_relay_info: is_on(section, "trust-relay-info"),
        subnet_selection: is_on(section, "subnet-selection"),
    }];
    for node in section.tables("vlan") {
        let Some(vlan) = node.section(&[
            "id",
            "ids",
            "addresses",
            "trust-relay-info",
            "subnet-selection",
        ]) else {
            continue;
        };
        let vlans = vlan_ids(&vlan);
        // The kernel's addresses of `eth1.100` belong to another device than the one that is served.
        if vlan
            .require("addresses", "[\"10.1.0.1\"]")
            .is_some_and(|node| node.list("addresses").is_empty())
        {
            vlan.refuse("a VLAN has no addresses of its own; give at least one in `addresses`");
        }
        let link = Link {
            vlans: vlans.unwrap_or_default(),
            addresses: link_addresses(&vlan),
            trust_relay_info: is_on(&vlan, "trust-relay-info"),
            subnet_selection: is_on(&vlan, "subnet-selection"),
        };
        if let Some(vlans) = vlans
            && let Some(line) = lines.insert(vlans, node.line())
        {
            node.refuse(format_args!(
                "the same VLAN as in line {line}; describe each VLAN once"
            ));
        }
        links.push(link);
    }
    links
}

/// A switch that is off unless the file turns it on.
fn is_on(section: &Section<'_>, key: &str) -> bool {
    let mut is_on = false;
    replace(&mut is_on, section.get(key), Node::boolean);
    is_on
}

fn vlan_ids(section: &Section<'_>) -> Option<[u16; 2]> {
    // 0 marks a tag that carries only a priority, 4095 is reserved (IEEE 802.1Q table 9-2).
    let range = 1..=i64::from(wire::VLAN_ID_MASK) - 1;
    match (section.get("id"), section.get("ids")) {
        (Some(id), None) => Some([id.integer(range)?, 0]),
        (None, Some(ids)) => match &*ids.list("two VLAN ids") {
            [outer, inner] => {
                let (outer, inner) = (outer.integer(range.clone()), inner.integer(range));
                Some([outer?, inner?])
            }
            _ => {
                ids.refuse("give two VLAN ids, the outer one first; one alone goes into `id`");
                None
            }
        },
        _ => {
            section.refuse("give either `id = 100` or `ids = [100, 200]`, the outer one first");
            None
        }
    }
}

fn link_addresses(section: &Section<'_>) -> Vec<Ipv4Addr> {
    let Some(node) = section.get("addresses") else {
        return Vec::new();
    };
    let mut seen = BTreeSet::new();
    let mut addresses = Vec::new();
    for node in node.list("addresses") {
        let Some(address) = host_address(&node) else {
            continue;
        };
        if !seen.insert(address) {
            node.refuse("given twice; leave one out");
        }
        addresses.push(address);
    }
    if addresses.len() > abi::MAX_LINK_ADDRESSES {
        node.refuse(format_args!(
            "{} addresses; at most {} of a link are served",
            addresses.len(),
            abi::MAX_LINK_ADDRESSES
        ));
    }
    addresses
}

/// An address that a host can have.
pub(super) fn host_address(node: &Node<'_>) -> Option<Ipv4Addr> {
    let address = address(node)?;
    if address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
    {
        node.refuse(
            "not an address that a host on a network can have; give one such as \"10.0.0.1\"",
        );
        return None;
    }
    Some(address)
}

pub(super) fn address(node: &Node<'_>) -> Option<Ipv4Addr> {
    let address = node.string("10.0.0.1")?.parse().ok();
    if address.is_none() {
        node.refuse("not an IPv4 address; give one such as \"10.0.0.1\"");
    }
    address
}

/// Notes bits behind a prefix. `rest` is what the value has after it.
pub(super) fn has_no_host_bits(node: &Node<'_>, prefix: Ipv4Net, rest: &str) -> bool {
    let right = prefix.trunc();
    if prefix != right {
        node.refuse(format_args!(
            "has bits set behind its prefix; give \"{right}{rest}\""
        ));
    }
    prefix == right
}

/// The server's own addresses as far as they are known, and which interface has them.
fn addresses(interfaces: &[Interface], host: Option<&Host>) -> BTreeMap<Ipv4Addr, String> {
    let mut ours = BTreeMap::new();
    for interface in interfaces {
        for link in &interface.links {
            let of_host = host
                .filter(|_| link.vlans == [0, 0] && link.addresses.is_empty())
                .and_then(|host| host.interfaces.get(&interface.name));
            for address in of_host.unwrap_or(&link.addresses) {
                ours.insert(*address, interface.name.clone());
            }
        }
    }
    ours
}
