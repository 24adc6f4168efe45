//! Options by their names in other servers, and their values as octets.

use std::net::Ipv4Addr;

use dhcp_common::wire::option;
use dhcp_config::{
    Presence,
    options::{Kind, code as own_code, kind, presence_refusal, written},
};
use ipnet::Ipv4Net;

use super::draft::Settings;

/// Names by code: those of Kea and dhcpd, which mostly agree, before those of dnsmasq.
const NAMES: &[(u8, &[&str])] = &[
    (1, &["subnet-mask", "netmask"]),
    (2, &["time-offset"]),
    (3, &["routers", "router"]),
    (5, &["ien116-name-servers"]),
    (6, &["domain-name-servers", "dns-server"]),
    (7, &["log-servers", "log-server"]),
    (9, &["lpr-servers", "lpr-server"]),
    (12, &["host-name", "hostname"]),
    (13, &["boot-size", "boot-file-size"]),
    (
        18,
        &["extensions-path", "extensions-path-name", "extension-path"],
    ),
    (19, &["ip-forwarding", "ip-forward-enable"]),
    (21, &["policy-filter"]),
    (22, &["max-dgram-reassembly", "max-datagram-reassembly"]),
    (23, &["default-ip-ttl", "default-ttl"]),
    (26, &["interface-mtu", "mtu"]),
    (28, &["broadcast-address", "broadcast"]),
    (29, &["perform-mask-discovery"]),
    (32, &["router-solicitation-address", "router-solicitation"]),
    (33, &["static-routes", "static-route"]),
    (35, &["arp-cache-timeout", "arp-timeout"]),
    (36, &["ieee802-3-encapsulation", "ethernet-encap"]),
    (37, &["default-tcp-ttl", "tcp-ttl"]),
    (
        38,
        &[
            "tcp-keepalive-interval",
            "tcp-keepalive-internal",
            "tcp-keepalive",
        ],
    ),
    (41, &["nis-servers", "nis-server"]),
    (42, &["ntp-servers", "ntp-server"]),
    (43, &["vendor-encapsulated-options", "vendor-encap"]),
    (44, &["netbios-name-servers", "netbios-ns"]),
    (45, &["netbios-dd-server", "netbios-dd"]),
    (46, &["netbios-node-type", "netbios-nodetype"]),
    (48, &["font-servers", "x-windows-fs"]),
    (49, &["x-display-manager", "x-windows-dm"]),
    (50, &["dhcp-requested-address", "requested-address"]),
    (51, &["dhcp-lease-time", "lease-time"]),
    (52, &["dhcp-option-overload", "option-overload"]),
    (53, &["dhcp-message-type", "message-type"]),
    (54, &["dhcp-server-identifier", "server-identifier"]),
    (55, &["dhcp-parameter-request-list", "parameter-request"]),
    (56, &["dhcp-message", "message"]),
    (57, &["dhcp-max-message-size", "max-message-size"]),
    (58, &["dhcp-renewal-time", "t1"]),
    (59, &["dhcp-rebinding-time", "t2"]),
    (60, &["vendor-class-identifier", "vendor-class"]),
    (61, &["dhcp-client-identifier", "client-id"]),
    (62, &["nwip-domain-name", "nwip-domain"]),
    (63, &["nwip-suboptions"]),
    (64, &["nisplus-domain-name", "nis+-domain"]),
    (65, &["nisplus-servers", "nis+-server"]),
    (66, &["tftp-server-name", "tftp-server"]),
    (67, &["bootfile-name", "boot-file-name"]),
    (68, &["mobile-ip-home-agent", "mobile-ip-home"]),
    (69, &["smtp-server"]),
    (70, &["pop-server", "pop3-server"]),
    (71, &["nntp-server"]),
    (72, &["www-server"]),
    (73, &["finger-server"]),
    (74, &["irc-server"]),
    (75, &["streettalk-server"]),
    (
        76,
        &["streettalk-directory-assistance-server", "stda-server"],
    ),
    (77, &["user-class"]),
    (78, &["slp-directory-agent"]),
    (79, &["slp-service-scope"]),
    (80, &["rapid-commit"]),
    (81, &["fqdn"]),
    (82, &["dhcp-agent-options", "agent-info"]),
    (88, &["bcms-controller-names"]),
    (89, &["bcms-controller-address"]),
    (
        93,
        &[
            "client-system",
            "pxe-system-type",
            "client-arch",
            "arch",
            "architecture-type",
        ],
    ),
    (
        94,
        &["client-ndi", "pxe-interface-id", "client-interface-id"],
    ),
    (97, &["uuid-guid", "pxe-client-id", "client-machine-id"]),
    (99, &["geoconf-civic"]),
    (100, &["pcode", "posix-timezone"]),
    (101, &["tcode", "tzdb-timezone"]),
    (108, &["v6-only-preferred", "ipv6-only"]),
    (112, &["netinfo-server-address"]),
    (113, &["netinfo-server-tag"]),
    (114, &["v4-captive-portal", "default-url"]),
    (116, &["auto-config"]),
    (118, &["subnet-selection", "subnet-select"]),
    (120, &["sip-server"]),
    (
        121,
        &["classless-static-route", "rfc3442-classless-static-routes"],
    ),
    (124, &["vivco-suboptions", "vivco"]),
    (125, &["vivso-suboptions", "vivso", "vendor-id-encap"]),
    (136, &["pana-agent", "v4-pana-agents"]),
    (137, &["v4-lost"]),
    (138, &["capwap-ac-v4"]),
    (141, &["sip-ua-cs-domains"]),
    (150, &["tftp-server-address"]),
    (209, &["loader-configfile", "configfile"]),
    (210, &["loader-pathprefix", "pathprefix"]),
    (211, &["loader-reboottime", "reboottime"]),
    (213, &["v4-access-domain"]),
];

/// Returns the code of an option by its name.
pub fn code(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    let named = NAMES.iter().find(|(_, names)| names.contains(&&*name));
    named.map(|(code, _)| *code).or_else(|| own_code(&name))
}

/// Returns whether the type of an option is known.
pub fn is_known(code: u8) -> bool {
    kind(code).is_some() || matches!(code, 1 | 51 | 54 | 58 | 59)
}

/// Encodes the items of a value in the type of the option.
///
/// # Errors
/// The reason why the value is invalid.
pub fn encode(code: u8, items: &[String]) -> Result<Vec<u8>, String> {
    let Some(kind) = kind(code) else {
        return match code {
            1 | 54 => addresses(items),
            51 | 58 | 59 => Ok(number::<u32>(items)?.to_be_bytes().to_vec()),
            12 => Ok(items.join(",").into_bytes()),
            _ => Err("its format is unknown; set it by number, as octets".to_owned()),
        };
    };
    match kind {
        Kind::Address | Kind::Addresses => addresses(items),
        Kind::Boolean => match &*one(items)?.to_ascii_lowercase() {
            "true" | "on" | "1" | "yes" => Ok(vec![1]),
            "false" | "off" | "0" | "no" => Ok(vec![0]),
            other => Err(format!("{other:?} is neither true nor false")),
        },
        Kind::U8(_) => Ok(vec![number(items)?]),
        Kind::NodeType => Ok(vec![match &*one(items)? {
            "b-node" => 1,
            "p-node" => 2,
            "m-node" => 4,
            "h-node" => 8,
            _ => number(items)?,
        }]),
        Kind::U16(_) => Ok(number::<u16>(items)?.to_be_bytes().to_vec()),
        Kind::U16s(_) => {
            let numbers = items.iter().map(|item| parse::<u16>(item));
            let numbers: Vec<_> = numbers.collect::<Result<_, _>>()?;
            Ok(numbers.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        Kind::U32 => Ok(number::<u32>(items)?.to_be_bytes().to_vec()),
        Kind::I32 => Ok(number::<i32>(items)?.to_be_bytes().to_vec()),
        Kind::Text => Ok(items.join(",").into_bytes()),
        Kind::Domain | Kind::Domains | Kind::SearchList => names(items),
        Kind::Sip => {
            let are_addresses = items.iter().all(|item| item.parse::<Ipv4Addr>().is_ok());
            let (kind, servers) = if are_addresses {
                (1, addresses(items)?)
            } else {
                (0, names(items)?)
            };
            Ok([vec![kind], servers].concat())
        }
        Kind::HostRoutes | Kind::Prefixes => {
            let words = items.iter().flat_map(|item| item.split_whitespace());
            let words: Vec<_> = words.map(str::to_owned).collect();
            addresses(&words)
        }
        Kind::Routes => routes(items),
        Kind::Encapsulated | Kind::EnterpriseData | Kind::EnterpriseOptions => {
            Err("its sub-options are not converted; set it by number, as octets".to_owned())
        }
    }
}

/// Adds an option to settings. Options of lease times become the corresponding settings.
///
/// # Errors
/// The reason why the option cannot be set.
pub fn put(settings: &mut Settings, code: u8, data: Vec<u8>) -> Result<(), String> {
    let seconds = || {
        let octets = <[u8; 4]>::try_from(&*data);
        octets
            .map(|octets| Some(u32::from_be_bytes(octets)))
            .map_err(|_| "not four octets".to_owned())
    };
    match code {
        option::LEASE_TIME => settings.lease_secs = seconds()?,
        option::RENEWAL_TIME => settings.renewal_secs = seconds()?,
        option::REBINDING_TIME => settings.rebinding_secs = seconds()?,
        _ => {
            written(code, &data)?;
            settings.options.insert(code, data);
        }
    }
    Ok(())
}

/// Sends an option whatever a client lists, or to no client. Returns whether this can be chosen.
pub fn choose(settings: &mut Settings, code: u8, is_sent: bool) -> bool {
    if presence_refusal(code).is_some() {
        return false;
    }
    let Presence { always, never } = &mut settings.presence;
    if is_sent { always } else { never }.insert(code);
    true
}

fn one(items: &[String]) -> Result<String, String> {
    match items {
        [item] => Ok(item.clone()),
        _ => Err(format!("{} values instead of one", items.len())),
    }
}

fn number<T: TryFrom<i64>>(items: &[String]) -> Result<T, String> {
    parse(&one(items)?)
}

fn parse<T: TryFrom<i64>>(text: &str) -> Result<T, String> {
    let number: i64 = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
    .ok_or_else(|| format!("{text:?} is not a number"))?;
    T::try_from(number).map_err(|_| format!("{text} is out of range"))
}

fn addresses(items: &[String]) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    for item in items {
        let address: Ipv4Addr = item
            .parse()
            .map_err(|_| format!("{item:?} is not an IPv4 address; host names are not resolved"))?;
        octets.extend(address.octets());
    }
    Ok(octets)
}

/// Encodes uncompressed domain names (RFC 1035 §3.1).
fn names(items: &[String]) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    for item in items {
        for label in item.trim_end_matches('.').split('.') {
            let len = u8::try_from(label.len())
                .ok()
                .filter(|len| (1..=63).contains(len));
            octets.push(len.ok_or_else(|| format!("{item:?} is not a domain name"))?);
            octets.extend_from_slice(label.as_bytes());
        }
        octets.push(0);
    }
    Ok(octets)
}

/// Encodes classless routes (RFC 3442), given as prefixes and routers, or as the numbers of their
/// octets.
fn routes(items: &[String]) -> Result<Vec<u8>, String> {
    if items.iter().all(|item| item.parse::<u8>().is_ok()) {
        return Ok(items.iter().filter_map(|item| item.parse().ok()).collect());
    }
    let words = items.iter().flat_map(|item| item.split([' ', '-']));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let (pairs, []) = words.as_chunks::<2>() else {
        return Err("a route without a router".to_owned());
    };
    let mut octets = Vec::new();
    for [prefix, router] in pairs {
        let prefix: Ipv4Net = prefix
            .parse()
            .map_err(|_| format!("{prefix:?} is not a prefix"))?;
        let router: Ipv4Addr = router
            .parse()
            .map_err(|_| format!("{router:?} is not an address"))?;
        let len = prefix.prefix_len();
        octets.push(len);
        let significant = usize::from(len.div_ceil(8));
        octets.extend(prefix.network().octets().into_iter().take(significant));
        octets.extend(router.octets());
    }
    Ok(octets)
}
