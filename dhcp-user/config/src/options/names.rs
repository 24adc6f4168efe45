//! Named options: code, type, and the RFC that defines each.

use dhcp_common::wire::option;

use super::kind::Kind;

/// An option of the registry (<https://www.iana.org/assignments/bootp-dhcp-parameters>).
pub(super) struct NamedOption {
    pub name: &'static str,
    pub code: u8,
    pub kind: Kind,
    pub rfc: &'static str,
}

const fn named(name: &'static str, code: u8, kind: Kind, rfc: &'static str) -> NamedOption {
    NamedOption {
        name,
        code,
        kind,
        rfc,
    }
}

/// All named options, in the order of their codes.
pub(super) const NAMED: &[NamedOption] = &[
    named("time-offset", 2, Kind::I32, "RFC 2132 §3.4"),
    named("routers", option::ROUTER, Kind::Addresses, "RFC 2132 §3.5"),
    named("time-servers", 4, Kind::Addresses, "RFC 2132 §3.6"),
    named("name-servers", 5, Kind::Addresses, "RFC 2132 §3.7"),
    named("domain-name-servers", 6, Kind::Addresses, "RFC 2132 §3.8"),
    named("log-servers", 7, Kind::Addresses, "RFC 2132 §3.9"),
    named("cookie-servers", 8, Kind::Addresses, "RFC 2132 §3.10"),
    named("lpr-servers", 9, Kind::Addresses, "RFC 2132 §3.11"),
    named("impress-servers", 10, Kind::Addresses, "RFC 2132 §3.12"),
    named(
        "resource-location-servers",
        11,
        Kind::Addresses,
        "RFC 2132 §3.13",
    ),
    named("boot-size", 13, Kind::U16(0), "RFC 2132 §3.15"),
    named("merit-dump", 14, Kind::Text, "RFC 2132 §3.16"),
    named("domain-name", 15, Kind::Text, "RFC 2132 §3.17"),
    named("swap-server", 16, Kind::Address, "RFC 2132 §3.18"),
    named("root-path", 17, Kind::Text, "RFC 2132 §3.19"),
    named("extensions-path", 18, Kind::Text, "RFC 2132 §3.20"),
    named("ip-forwarding", 19, Kind::Boolean, "RFC 2132 §4.1"),
    named(
        "non-local-source-routing",
        20,
        Kind::Boolean,
        "RFC 2132 §4.2",
    ),
    named("policy-filters", 21, Kind::Prefixes, "RFC 2132 §4.3"),
    named(
        "max-datagram-reassembly",
        22,
        Kind::U16(576),
        "RFC 2132 §4.4",
    ),
    named("default-ttl", 23, Kind::U8(1), "RFC 2132 §4.5"),
    named("path-mtu-aging-timeout", 24, Kind::U32, "RFC 2132 §4.6"),
    named(
        "path-mtu-plateau-table",
        25,
        Kind::U16s(68),
        "RFC 2132 §4.7",
    ),
    named("mtu", 26, Kind::U16(68), "RFC 2132 §5.1"),
    named("all-subnets-local", 27, Kind::Boolean, "RFC 2132 §5.2"),
    named("broadcast-address", 28, Kind::Address, "RFC 2132 §5.3"),
    named("mask-discovery", 29, Kind::Boolean, "RFC 2132 §5.4"),
    named("mask-supplier", 30, Kind::Boolean, "RFC 2132 §5.5"),
    named("router-discovery", 31, Kind::Boolean, "RFC 2132 §5.6"),
    named(
        "router-solicitation-address",
        32,
        Kind::Address,
        "RFC 2132 §5.7",
    ),
    named("static-routes", 33, Kind::HostRoutes, "RFC 2132 §5.8"),
    named("trailer-encapsulation", 34, Kind::Boolean, "RFC 2132 §6.1"),
    named("arp-timeout", 35, Kind::U32, "RFC 2132 §6.2"),
    named(
        "ieee802-3-encapsulation",
        36,
        Kind::Boolean,
        "RFC 2132 §6.3",
    ),
    named("default-tcp-ttl", 37, Kind::U8(1), "RFC 2132 §7.1"),
    named("tcp-keepalive-interval", 38, Kind::U32, "RFC 2132 §7.2"),
    named("tcp-keepalive-garbage", 39, Kind::Boolean, "RFC 2132 §7.3"),
    named("nis-domain", 40, Kind::Text, "RFC 2132 §8.1"),
    named("nis-servers", 41, Kind::Addresses, "RFC 2132 §8.2"),
    named("ntp-servers", 42, Kind::Addresses, "RFC 2132 §8.3"),
    named(
        "vendor-encapsulated-options",
        43,
        Kind::Encapsulated,
        "RFC 2132 §8.4",
    ),
    named("netbios-name-servers", 44, Kind::Addresses, "RFC 2132 §8.5"),
    named("netbios-dd-servers", 45, Kind::Addresses, "RFC 2132 §8.6"),
    named("netbios-node-type", 46, Kind::NodeType, "RFC 2132 §8.7"),
    named("netbios-scope", 47, Kind::Text, "RFC 2132 §8.8"),
    named("font-servers", 48, Kind::Addresses, "RFC 2132 §8.9"),
    named("x-display-managers", 49, Kind::Addresses, "RFC 2132 §8.10"),
    named("vendor-class", 60, Kind::Text, "RFC 2132 §9.13"),
    named("nwip-domain", 62, Kind::Text, "RFC 2242"),
    named("nisplus-domain", 64, Kind::Text, "RFC 2132 §8.11"),
    named("nisplus-servers", 65, Kind::Addresses, "RFC 2132 §8.12"),
    named("tftp-server-name", 66, Kind::Text, "RFC 2132 §9.4"),
    named("bootfile-name", 67, Kind::Text, "RFC 2132 §9.5"),
    named(
        "mobile-ip-home-agents",
        68,
        Kind::Addresses,
        "RFC 2132 §8.13",
    ),
    named("smtp-servers", 69, Kind::Addresses, "RFC 2132 §8.14"),
    named("pop3-servers", 70, Kind::Addresses, "RFC 2132 §8.15"),
    named("nntp-servers", 71, Kind::Addresses, "RFC 2132 §8.16"),
    named("www-servers", 72, Kind::Addresses, "RFC 2132 §8.17"),
    named("finger-servers", 73, Kind::Addresses, "RFC 2132 §8.18"),
    named("irc-servers", 74, Kind::Addresses, "RFC 2132 §8.19"),
    named("streettalk-servers", 75, Kind::Addresses, "RFC 2132 §8.20"),
    named("stda-servers", 76, Kind::Addresses, "RFC 2132 §8.21"),
    named("nds-servers", 85, Kind::Addresses, "RFC 2241"),
    named("nds-tree-name", 86, Kind::Text, "RFC 2241"),
    named("nds-context", 87, Kind::Text, "RFC 2241"),
    named("bcmcs-domains", 88, Kind::Domains, "RFC 4280"),
    named("bcmcs-servers", 89, Kind::Addresses, "RFC 4280"),
    named("uap-servers", 98, Kind::Text, "RFC 2485"),
    named("posix-timezone", 100, Kind::Text, "RFC 4833"),
    named("tzdb-timezone", 101, Kind::Text, "RFC 4833"),
    named(
        "v6-only-preferred",
        option::V6_ONLY_PREFERRED,
        Kind::U32,
        "RFC 8925 §3.1",
    ),
    named("captive-portal", 114, Kind::Text, "RFC 8910"),
    named("name-service-search", 117, Kind::U16s(0), "RFC 2937"),
    named("domain-search", 119, Kind::SearchList, "RFC 3397"),
    named("sip-servers", 120, Kind::Sip, "RFC 3361"),
    named("classless-static-routes", 121, Kind::Routes, "RFC 3442"),
    named(
        "vi-vendor-class",
        option::VI_VENDOR_CLASS,
        Kind::EnterpriseData,
        "RFC 3925 §3",
    ),
    named(
        "vi-vendor-options",
        125,
        Kind::EnterpriseOptions,
        "RFC 3925 §4",
    ),
    named("pana-agents", 136, Kind::Addresses, "RFC 5192"),
    named("lost-server", 137, Kind::Domain, "RFC 5223"),
    named("capwap-controllers", 138, Kind::Addresses, "RFC 5417"),
    named("sip-ua-domains", 141, Kind::Domains, "RFC 6011"),
    named("tftp-server-addresses", 150, Kind::Addresses, "RFC 5859"),
    named("pxelinux-config-file", 209, Kind::Text, "RFC 5071"),
    named("pxelinux-path-prefix", 210, Kind::Text, "RFC 5071"),
    named("pxelinux-reboot-time", 211, Kind::U32, "RFC 5071"),
    named("access-network-domain", 213, Kind::Domain, "RFC 5986"),
    // The same value as option 121, for clients that support only this code.
    named(
        "ms-classless-static-routes",
        249,
        Kind::Routes,
        "MS-DHCPE §2.2.8",
    ),
    // Browsers implement draft-ietf-wrec-wpad-01 §4.4.1, which never became an RFC.
    named(
        "wpad-url",
        252,
        Kind::Text,
        "draft-ietf-wrec-wpad-01 §4.4.1",
    ),
];

/// Returns why an option cannot be set in the file.
pub(super) fn refusal(code: u8) -> Option<&'static str> {
    Some(match code {
        option::PAD | option::END => "it is a delimiter, not an option",
        option::SUBNET_MASK => "the server derives it from the subnet's `prefix`",
        option::HOST_NAME => "the server sends the `host-name` of a reservation",
        option::LEASE_TIME => "set `lease-time`",
        option::RENEWAL_TIME => "set `renewal-time`",
        option::REBINDING_TIME => "set `rebinding-time`",
        option::SERVER_ID => "set `server-id`",
        option::OVERLOAD => "the server decides how options are placed in a message",
        option::MESSAGE_TYPE | option::MESSAGE => "the server sets it in every reply that needs it",
        option::REQUESTED_ADDRESS | option::PARAMETER_LIST | option::MAX_MESSAGE_SIZE => {
            "only clients send it (RFC 2131 table 3)"
        }
        option::CLIENT_ID | option::RELAY_INFO | option::CLIENT_MACHINE_ID => {
            "the server returns what the client or relay agent sent"
        }
        77 | 93 | 94 => "only clients send it (RFC 3004, RFC 4578)",
        option::RAPID_COMMIT => "set `rapid-commit`",
        option::FQDN => "the server derives it from what the client sent (RFC 4702)",
        90 => "authentication is not supported (RFC 3118)",
        option::CLIENT_LAST_TRANSACTION_TIME | option::ASSOCIATED_IP => {
            "it belongs to LEASEQUERY (RFC 4388)"
        }
        116 => "the server answers address auto-configuration itself (RFC 2563)",
        option::SUBNET_SELECTION => "only relay agents and clients send it (RFC 3011)",
        _ => return None,
    })
}
