//! Invalid files and the problems that are reported.

use std::{net::Ipv4Addr, path::Path};

use proptest::prelude::*;

use super::{GOOD, parse, subnet};
use crate::{Config, Host, file};

/// Returns all problems as they are printed, one a line.
pub(super) fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).expect_err(text);
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn each_problem_names_place_field_value_and_remedy() {
    let whole_files: &[(&str, &str)] = &[
        (
            "",
            "x.toml:1:1: no interface configured; add `[[interface]]` with `name = \"eth1\"`\nx.toml:1:1: no subnet configured; add `[[subnet]]` with `prefix = \"10.0.0.0/24\"`",
        ),
        (
            "[server]\nmax-lease = 5\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:1: server.max-lease: unknown field; did you mean `max-leases`?",
        ),
        (
            "[server]\nhistory = 'long'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:11: server.history = 'long': not a duration (expected number at 0); give one such as \"30d\"",
        ),
        (
            "[server]\nhistory = '11years'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:11: server.history = '11years': out of range; give whole seconds from \"1s\" to \"10years\"",
        ),
        (
            "[server]\nmax-leases = '5'\nstore = 'leases.db'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:14: server.max-leases = '5': wrong type (string); give a number from 1 to 16777216\nx.toml:3:9: server.store = 'leases.db': not an absolute path; give one that begins with `/`",
        ),
        (
            "[server]\nleasequery = ['10.9.0.1/16', '10.9.0.0/33', 'relay', '0.0.0.0', '10.9.0.1', '10.9.0.1/32', 7]\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:15: server.leasequery[0] = '10.9.0.1/16': host bits are set; give \"10.9.0.0/16\"\nx.toml:2:30: server.leasequery[1] = '10.9.0.0/33': not a prefix; give one such as \"10.8.0.0/16\"\nx.toml:2:45: server.leasequery[2] = 'relay': not an IPv4 address; give one such as \"10.0.0.1\"\nx.toml:2:54: server.leasequery[3] = '0.0.0.0': not a host address; give a unicast address such as \"10.0.0.1\"\nx.toml:2:77: server.leasequery[5] = '10.9.0.1/32': duplicate of line 2; remove one\nx.toml:2:92: server.leasequery[6] = 7: wrong type (integer); give a string such as \"10.9.0.1\"",
        ),
        (
            "[server]\nleasequery = '10.9.0.1'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:14: server.leasequery = '10.9.0.1': wrong type (string); give a list of addresses and prefixes",
        ),
        (
            "[[interface]]\nname = 'e'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:4:8: interface[1].name = 'e': already configured in line 2; configure each interface once",
        ),
        (
            "[[interface]]\nname = 'a/b'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:8: interface[0].name = 'a/b': not an interface name; give 1 to 15 characters without `/`, `:` and spaces",
        ),
        (
            "[[interface]]\nname = 'e'\n[[interface.vlan]]\nid = 4095\naddresses = []\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:3:1: interface[0].vlan[0]: the addresses of a VLAN are not read from the host; give at least one in `addresses`\nx.toml:4:6: interface[0].vlan[0].id = 4095: out of range; give a number from 1 to 4094",
        ),
        (
            "[[interface]]\nname = 'e'\nvlan = [{ id = 7, addresses = ['10.0.0.1'] }, { id = 7, addresses = ['10.0.1.1'] }]\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:3:47: interface[0].vlan[1]: already configured in line 3; configure each VLAN once",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/16'\n[[subnet]]\nprefix = '10.0.9.0/24'\n[[subnet]]\nprefix = '10.0.10.0/24'",
            "x.toml:6:10: subnet[1].prefix = '10.0.9.0/24': overlaps subnet[0].prefix (line 4); each address may be in only one of them\nx.toml:8:10: subnet[2].prefix = '10.0.10.0/24': overlaps subnet[0].prefix (line 4); each address may be in only one of them",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\nname = 'a'\n[[subnet]]\nprefix = '10.0.1.0/24'\nname = 'a'",
            "x.toml:6:1: subnet[1]: the subnet in line 3 has the same name; choose another `name` than \"a\"",
        ),
        (
            "[[interface]]\nname = 'e'\n[[network]]\nname = 'a'\n[[subnet]]\nprefix = '10.0.1.0/24'\nnetwork = 'a'\nmatch-client-id = true\n[[subnet]]\nprefix = '10.0.2.0/24'\nmatch-client-id = false\nreservation = [{ client-id = '0102', address = '10.0.2.9' }]",
            "x.toml:8:19: subnet[0].match-client-id = true: applies to the whole network; set it in `[[network]]`\nx.toml:12:30: subnet[1].reservation[0].client-id = '0102': client identifiers are ignored with `match-client-id = false`; give a `hardware-address`",
        ),
        (
            "[[interface]]\nname = 'e'\n[[network]]\nname = 'campus'\n[[subnet]]\nprefix = '10.0.1.0/24'\nnetwork = 'campsu'",
            "x.toml:3:1: network[0]: no subnet belongs to it; set `network = \"campus\"` in its subnets\nx.toml:7:11: subnet[0].network = 'campsu': unknown network; did you mean \"campus\"?",
        ),
        (
            "[[interface]]\nname = 'e'\n[[network]]\nname = 'a'\n[[subnet]]\nprefix = '10.0.1.0/24'\nnetwork = 'a'\nname = 'b'\n[[subnet]]\nprefix = '10.0.2.0/24'\nname = 'a'\n[[subnet]]\nprefix = '10.0.3.0/24'\nnetwork = '10.0.2.0/24'",
            "x.toml:8:8: subnet[0].name = 'b': a subnet of a `network` has no name of its own; remove `name` or `network`\nx.toml:9:1: subnet[1]: the network in line 3 has the same name; choose another `name` than \"a\"\nx.toml:14:11: subnet[2].network = '10.0.2.0/24': unknown network; add `[[network]]` with `name = \"10.0.2.0/24\"`",
        ),
        (
            "[[interface]]\nname = 'e'\n[[network]]\nname = 'a'\nlease-time = '1h'\nrenewal-time = '2h'\nrebinding-time = '50m'\n[[subnet]]\nprefix = '10.0.1.0/24'\nnetwork = 'a'\nreservation = [{ client-id = '0102', address = '10.0.1.9' }]\n[[subnet]]\nprefix = '10.0.2.0/24'\nnetwork = 'a'\nreservation = [{ client-id = '0102', address = '10.0.2.9' }]",
            "x.toml:6:16: network[0].renewal-time = '2h': renewal after 2h is not before rebinding after 50m; give renewal-time < rebinding-time < lease-time, or set only lease-time, to at least \"3s\"\nx.toml:15:30: subnet[1].reservation[0].client-id = '0102': this client already has a reservation on this network in line 11; reserve one address for each client",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\npools = [{ range = '10.0.0.9-10.0.0.12', classes = 'phone' }]\n[[class]]\nname = 'phones'\nwhen = { vendor-clas = 'a' }",
            "x.toml:5:52: subnet[0].pools[0].classes = 'phone': unknown class; did you mean \"phones\"?\nx.toml:8:10: class[0].when.vendor-clas: unknown field; did you mean `vendor-class`?",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\n[[class]]\nname = 'a'\nwhen = { hardware-address = ['*', '02:00:5e:00:00:01:*'], circuit-id = 'hex:' }",
            "x.toml:7:30: class[0].when.hardware-address[0] = '*': not a hardware address; give up to 16 octets such as \"02:00:00:00:00:01\", or a prefix such as \"02:00:00:*\"\nx.toml:7:72: class[0].when.circuit-id = 'hex:': not a pattern; give text such as \"MSFT 5.0\", a prefix such as \"PXEClient*\", or octets such as \"hex:0102\"",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\n[[class]]\nname = 'a'\nwhen = { class = 'b', architecture = 70000, vendor-class = '*', user-class = 5 }\nrenewal-time = '1h'\n[[class]]\nname = 'b'\nwhen = {}\n[[class]]\nname = 'b'\nwhen.vendor-class = 'hex:0'\n[[class]]\nname = 'd'\nwhen.vi-vendor-class = { 04491 = 'a', 9 = '*' }\n[[class]]\nname = 'e'\nwhen.vi-vendor-class = {}",
            "x.toml:7:18: class[0].when.class = 'b': unknown class; add `[[class]]` with `name = \"b\"` before its first use\nx.toml:7:38: class[0].when.architecture = 70000: out of range; give a number from 0 to 65535\nx.toml:7:60: class[0].when.vendor-class = '*': not a pattern; give text such as \"MSFT 5.0\", a prefix such as \"PXEClient*\", or octets such as \"hex:0102\"\nx.toml:7:78: class[0].when.user-class = 5: wrong type (integer); give a string such as \"PXEClient*\"\nx.toml:8:16: class[0].renewal-time = '1h': depends on the lease time; add `lease-time = \"1h\"`\nx.toml:11:8: class[1].when: empty condition; give one such as { vendor-class = \"PXEClient*\" }\nx.toml:13:8: class[2].name = 'b': duplicate class name; give each class its own name\nx.toml:14:21: class[2].when.vendor-class = 'hex:0': not a pattern; give text such as \"MSFT 5.0\", a prefix such as \"PXEClient*\", or octets such as \"hex:0102\"\nx.toml:17:34: class[3].when.vi-vendor-class.04491 = 'a': not an enterprise number; give one from IANA's registry, such as 4491\nx.toml:17:43: class[3].when.vi-vendor-class.9 = '*': not a pattern; give text such as \"MSFT 5.0\", a prefix such as \"PXEClient*\", or octets such as \"hex:0102\"\nx.toml:20:24: class[4].when.vi-vendor-class: empty table; give an enterprise such as { 4491 = \"docsis3*\" }",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\nmin-lease-time = '2h'\nmax-lease-time = '30m'",
            "x.toml:5:18: subnet[0].min-lease-time = '2h': the lower bound is longer than the lease time of 1h; give min-lease-time ≤ lease-time ≤ max-lease-time\nx.toml:6:18: subnet[0].max-lease-time = '30m': the upper bound is shorter than the lease time of 1h; give min-lease-time ≤ lease-time ≤ max-lease-time",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.9/24'\npools = ['5']",
            "x.toml:4:10: subnet[0].prefix = '10.0.0.9/24': host bits are set; give \"10.0.0.0/24\"\nx.toml:5:10: subnet[0].pools[0] = '5': not an address range; give \"10.0.0.100-10.0.0.200\" or a prefix such as \"10.0.0.128/25\"",
        ),
        (
            "[[interface]]\nname = 'e'\naddresses = ['10.0.0.1']\n[[subnet]]\nprefix = '10.0.0.0/24'\npools = ['10.0.0.1-10.0.0.9']",
            "x.toml:6:10: subnet[0].pools[0] = '10.0.0.1-10.0.0.9': contains 10.0.0.1, this server's own address on e; exclude it",
        ),
        (
            "a = \nb = 1\nc = = 2",
            "x.toml:1:5: string values must be quoted, expected literal string\nx.toml:3:5: extra `=`, expected nothing\nx.toml:3:7: unexpected key or value, expected newline, `#`",
        ),
        (
            "[[interface]]\nname = 'e'\n[defaults]\nlease-time = '1h'\nrenewal-time = '2h'\n[[subnet]]\nprefix = '10.0.0.0/24'\n[[subnet]]\nprefix = '10.0.1.0/24'",
            "x.toml:5:16: defaults.renewal-time = '2h': renewal after 2h is not before rebinding after 52m 30s; give renewal-time < rebinding-time < lease-time, or set only lease-time, to at least \"3s\"",
        ),
    ];
    for (text, expected) in whole_files {
        assert_eq!(problems(text).join("\n"), *expected, "in\n{text}");
    }
    let subnets: &[(&str, &str)] = &[
        (
            "server-id = '10.0.0.2'\npools = ['10.0.0.2-10.0.0.9']\n[[subnet.reservation]]\nclient-id = '0102'\naddress = '10.0.0.2'",
            "x.toml:6:10: subnet[0].pools[0] = '10.0.0.2-10.0.0.9': contains 10.0.0.2, the server-id of this subnet; exclude it\nx.toml:9:11: subnet[0].reservation[0].address = '10.0.0.2': conflicts with 10.0.0.2, the server-id of this subnet; give another address",
        ),
        (
            "pools = ['10.0.0.5-10.0.0.9', '10.0.1.5-10.0.1.9']",
            "x.toml:5:31: subnet[0].pools[1] = '10.0.1.5-10.0.1.9': outside the subnet 10.0.0.0/24; give addresses between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "pools = ['10.0.0.0/25']",
            "x.toml:5:10: subnet[0].pools[0] = '10.0.0.0/25': contains the network or broadcast address of 10.0.0.0/24; give addresses between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "pools = ['10.0.0.9-10.0.0.5']",
            "x.toml:5:10: subnet[0].pools[0] = '10.0.0.9-10.0.0.5': ends before it begins; give \"10.0.0.5-10.0.0.9\"",
        ),
        (
            "pools = ['10.0.0.5-10.0.0.90', '10.0.0.7-10.0.0.8', '10.0.0.90-10.0.0.99']",
            "x.toml:5:32: subnet[0].pools[1] = '10.0.0.7-10.0.0.8': overlaps subnet[0].pools[0] (line 5); each address may be in only one of them\nx.toml:5:53: subnet[0].pools[2] = '10.0.0.90-10.0.0.99': overlaps subnet[0].pools[0] (line 5); each address may be in only one of them",
        ),
        (
            "lease-time = '0s'",
            "x.toml:5:14: subnet[0].lease-time = '0s': out of range; give whole seconds from \"1s\" to \"10years\"",
        ),
        (
            "lease-time = 3600",
            "x.toml:5:14: subnet[0].lease-time = 3600: wrong type (integer); give a string such as \"1h\"",
        ),
        (
            "lease-time = '2s'",
            "x.toml:5:14: subnet[0].lease-time = '2s': renewal after 1s is not before rebinding after 1s; give renewal-time < rebinding-time < lease-time, or set only lease-time, to at least \"3s\"",
        ),
        (
            "lease-time = '1h'\nrebinding-time = '1h'",
            "x.toml:6:18: subnet[0].rebinding-time = '1h': rebinding after 1h is not before the end of a lease of 1h; give renewal-time < rebinding-time < lease-time",
        ),
        (
            "offer-time = '1500ms'",
            "x.toml:5:14: subnet[0].offer-time = '1500ms': out of range; give whole seconds from \"1s\" to \"1h\"",
        ),
        (
            "probe-time = '5ms'",
            "x.toml:5:14: subnet[0].probe-time = '5ms': out of range; give \"10ms\" to \"10s\", or \"0s\" to disable probing",
        ),
        (
            "probe-time = 0",
            "x.toml:5:14: subnet[0].probe-time = 0: wrong type (integer); give a string such as \"500ms\"",
        ),
        (
            "horizon-leases = 0",
            "x.toml:5:18: subnet[0].horizon-leases = 0: out of range; give a number from 1 to 8",
        ),
        (
            "server-id = '224.0.0.1'",
            "x.toml:5:13: subnet[0].server-id = '224.0.0.1': not a host address; give a unicast address such as \"10.0.0.1\"",
        ),
        (
            "options = { router = ['10.0.0.1'] }",
            "x.toml:5:22: subnet[0].options.router = ['10.0.0.1']: unknown option; did you mean `routers`?",
        ),
        (
            "options = { frobnicate = 1 }",
            "x.toml:5:26: subnet[0].options.frobnicate = 1: unknown option; give it by number, such as `\"150\" = \"hex:0a000001\"`",
        ),
        (
            "options = { '51' = 'hex:00000001' }",
            "x.toml:5:20: subnet[0].options.51 = 'hex:00000001': option 51 cannot be set: set `lease-time`",
        ),
        (
            "options = { '256' = 'hex:00' }",
            "x.toml:5:21: subnet[0].options.256 = 'hex:00': no such option; option codes range from 1 to 254",
        ),
        (
            "options = { '150' = 'hex:0a0' }",
            "x.toml:5:21: subnet[0].options.150 = 'hex:0a0': not a value of an option by number; give octets such as \"hex:0a000001\", or a table such as `{ addresses = [\"10.0.0.1\"] }`",
        ),
        (
            "options = { mtu = 67 }",
            "x.toml:5:19: subnet[0].options.mtu = 67: out of range; give a number from 68 to 65535",
        ),
        (
            "options = { routers = [] }",
            "x.toml:5:23: subnet[0].options.routers = []: empty list; give addresses, or remove the option",
        ),
        (
            "options = { routers = ['10.0.0', 5] }",
            "x.toml:5:24: subnet[0].options.routers[0] = '10.0.0': not an IPv4 address; give one such as \"10.0.0.1\"\nx.toml:5:34: subnet[0].options.routers[1] = 5: wrong type (integer); give a string such as \"10.0.0.1\"",
        ),
        (
            "options = { routers = ['10.0.0.1'], '3' = 'hex:0a000001' }",
            "x.toml:5:43: subnet[0].options.3 = 'hex:0a000001': option 3 is already set by subnet[0].options.routers (line 5); remove one",
        ),
        (
            "options = { classless-static-routes = ['10.2.3.4/16 via 10.0.0.1'] }",
            "x.toml:5:40: subnet[0].options.classless-static-routes[0] = '10.2.3.4/16 via 10.0.0.1': host bits are set; give \"10.2.0.0/16 via 10.0.0.1\"",
        ),
        (
            "[[subnet.reservation]]\nhardware-address = '02:00:00:00:00:01'\naddress = '10.0.1.5'",
            "x.toml:7:11: subnet[0].reservation[0].address = '10.0.1.5': not a host address of the subnet 10.0.0.0/24; give an address between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "[[subnet.reservation]]\nhardware-address = '02:00:00:00:01'\naddress = '10.0.0.255'",
            "x.toml:6:20: subnet[0].reservation[0].hardware-address = '02:00:00:00:01': not an Ethernet address; give six octets such as \"02:00:00:00:00:01\", or another `hardware-type`\nx.toml:7:11: subnet[0].reservation[0].address = '10.0.0.255': not a host address of the subnet 10.0.0.0/24; give an address between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "[[subnet.reservation]]\ncircuit-id = ''\nremote-id = 'hex:0'\naddress = '10.0.0.5'",
            "x.toml:6:14: subnet[0].reservation[0].circuit-id = '': not a sub-option value; give 1 to 255 octets, as text such as \"eth 0/1/7\" or as \"hex:0004002a0107\"\nx.toml:7:13: subnet[0].reservation[0].remote-id = 'hex:0': not a sub-option value; give 1 to 255 octets, as text such as \"eth 0/1/7\" or as \"hex:0004002a0107\"",
        ),
        (
            "[[subnet.reservation]]\ncircuit-id = 'a'\naddress = '10.0.0.5'\n[[subnet.reservation]]\ncircuit-id = 'hex:61'\naddress = '10.0.0.6'",
            "x.toml:9:14: subnet[0].reservation[1].circuit-id = 'hex:61': this relay agent port already has a reservation on this network in line 6; reserve one address for each relay agent port",
        ),
        (
            "[[subnet.reservation]]\nclient-id = '01'",
            "x.toml:5:1: subnet[0].reservation[0]: reserves nothing; add `address = \"10.0.0.5\"`, with your own value, or what its client gets: `host-name`, `classes`, `options` or another setting\nx.toml:6:13: subnet[0].reservation[0].client-id = '01': not a client identifier; give 2 to 255 octets such as \"01:02:00:00:00:00:01\"",
        ),
        (
            "[[subnet.reservation]]\naddress = '10.0.0.5'\nhost-name = 'a_b'",
            "x.toml:5:1: subnet[0].reservation[0]: identify the client by `hardware-address = \"02:00:00:00:00:01\"`, by `client-id = \"01:02:00:00:00:00:01\"`, by `duid = \"00:03:00:01:02:00:00:00:00:01\"`, or by its relay agent port with one or both of `circuit-id = \"eth 0/1/7\"` and `remote-id = \"hex:0200000000aa\"`\nx.toml:7:13: subnet[0].reservation[0].host-name = 'a_b': not a host name (RFC 1123 §2.1); give letters, digits and inner hyphens, such as \"printer-2\"",
        ),
        (
            "[[subnet.reservation]]\nclient-id = '0102'\naddress = '10.0.0.5'\n[[subnet.reservation]]\nclient-id = '01:02'\naddress = '10.0.0.5'",
            "x.toml:9:13: subnet[0].reservation[1].client-id = '01:02': this client already has a reservation on this network in line 6; reserve one address for each client\nx.toml:10:11: subnet[0].reservation[1].address = '10.0.0.5': already reserved in line 7; reserve each address for one client",
        ),
    ];
    for (lines, expected) in subnets {
        assert_eq!(
            problems(&subnet(lines)).join("\n"),
            *expected,
            "in\n{lines}"
        );
    }
}

#[test]
fn options_that_only_the_server_decides_are_refused() {
    for code in [
        0, 1, 12, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82, 97, 255,
    ] {
        let found = problems(&subnet(&format!("options = {{ '{code}' = 'hex:00' }}")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("cannot be set: "), "{found:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Config::load(Path::new("/nonexistent/x.toml")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/nonexistent/x.toml: cannot be read: No such file or directory (os error 2); name a TOML file with `--config`"
    );
}

#[test]
fn what_the_host_lacks_is_refused() {
    let host = Host {
        interfaces: [
            ("bare".to_owned(), vec![]),
            ("eth1".to_owned(), vec![Ipv4Addr::new(10, 0, 0, 1)]),
        ]
        .into(),
        ..Host::default()
    };
    let parse = |text: &str| match file::parse(Path::new("x.toml"), text, Some(&host)) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    };
    assert_eq!(parse(GOOD), "");
    assert_eq!(
        parse(&GOOD.replace("eth1", "eth7")),
        "x.toml:2:8: interface[0].name = 'eth7': this host has no such interface; it has: bare, eth1"
    );
    assert_eq!(
        parse(&GOOD.replace("eth1", "bare")),
        "x.toml:2:8: interface[0].name = 'bare': the interface has no IPv4 address to answer from; assign one to it, or set `addresses = [\"…\"]` here"
    );
    assert_eq!(
        parse(&subnet("pools = ['10.0.0.1/32']")),
        "x.toml:5:10: subnet[0].pools[0] = '10.0.0.1/32': contains 10.0.0.1, this server's own address on eth1; exclude it"
    );
}

#[test]
fn an_option_for_ipv6_mostly_networks_is_refused_where_there_is_none() {
    let unsent = "never sent, because none of these clients is on an IPv6-mostly network; add `ipv6-mostly = true` beside `options`, or remove it";
    let option = "options = { v6-only-preferred = 1800 }";
    let mostly = "ipv6-mostly = true";
    let other = "[[subnet]]\nprefix = '10.1.0.0/24'\n";
    let network = "[[network]]\nname = 'n'\n";
    let class = "[[class]]\nname = 'c'\nwhen = { vendor-class = 'v' }\n";
    let at = |place: &str, field: &str| {
        format!("x.toml:{place}: {field}.options.v6-only-preferred = 1800: {unsent}")
    };
    let cases = [
        (subnet(option), vec![at("5:33", "subnet[0]")]),
        (subnet(&format!("{option}\n{mostly}")), vec![]),
        (
            subnet("options = { '108' = 'hex:00000708' }"),
            vec![format!(
                "x.toml:5:21: subnet[0].options.108 = 'hex:00000708': {unsent}"
            )],
        ),
        (
            subnet(&format!("{option}\n{other}{mostly}")),
            vec![at("5:33", "subnet[0]")],
        ),
        (
            subnet(&format!(
                "{option}\npools = [{{ range = '10.0.0.8/32', {mostly} }}]"
            )),
            vec![],
        ),
        (
            subnet(&format!("pools = [{{ range = '10.0.0.8/32', {option} }}]")),
            vec![at("5:67", "subnet[0].pools[0]")],
        ),
        (
            subnet(&format!("{other}{mostly}\n[defaults]\n{option}")),
            vec![],
        ),
        (
            subnet(&format!("[defaults]\n{option}")),
            vec![at("6:33", "defaults")],
        ),
        (
            subnet(&format!(
                "network = 'n'\n{other}{mostly}\n{network}{option}"
            )),
            vec![at("11:33", "network[0]")],
        ),
        (
            subnet(&format!("network = 'n'\n{option}\n{network}{mostly}")),
            vec![],
        ),
        (
            subnet(&format!("{class}{option}")),
            vec![at("8:33", "class[0]")],
        ),
        (subnet(&format!("{option}\n{class}{mostly}")), vec![]),
    ];
    for (text, expected) in cases {
        let found = match parse(&text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found, expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_upsets_the_checker(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_value_in_any_field_upsets_the_checker(
        field in proptest::sample::select(vec![
            "prefix", "name", "pools", "server-id", "lease-time", "renewal-time", "offer-time",
            "probe-time", "decline-time", "horizon-leases", "authoritative", "rapid-commit", "bootp", "ipv6-mostly", "match-client-id", "options", "reservation",
        ]),
        value in proptest::sample::select(vec![
            "''", "'-'", "'0.0.0.0-255.255.255.255'", "'0.0.0.0/0'", "'255.255.255.255/32'", "'é'",
            "-1", "9223372036854775807", "99999999999999999999", "1.5", "1979-05-27", "true", "[]",
            "[[]]", "[{}]", "{}", "{ '1' = {} }", "'infinite'", "'99999999999years'", "\"\\u0000\"",
        ]),
    ) {
        let _ = parse(&format!("[[interface]]\nname='e'\n[[subnet]]\nprefix='10.0.0.0/24'\n[[subnet]]\n{field} = {value}"));
    }
}

#[test]
fn as_many_conditions_on_the_origin_as_are_told_apart() {
    let text = |count: usize| {
        let conditions: Vec<_> = (0..count)
            .map(|n| format!("{{ circuit-id = '{n}' }}"))
            .collect();
        let conditions = conditions.join(", ");
        format!(
            "{}[[class]]\nname = 'a'\nwhen.any = [{conditions}]\n",
            subnet("")
        )
    };
    super::good(&text(64));
    let problems = parse(&text(65)).expect_err("one too many");
    let expected = "class[0].when.any[64].circuit-id = '64': too many conditions on hardware addresses, client identifiers, reservations and option 82; all classes together have at most 64, each with any number of values";
    assert!(problems.to_string().contains(expected), "{problems}");
}
