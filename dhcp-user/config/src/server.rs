//! The table `[server]`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_common::{
    abi::{self, Limit},
    defaults,
};
use dhcp_model::defaults::DEFAULT_HISTORY;

use super::{raw::Node, requesters, settings, types::Server, value::replace};

/// `sun_path` has 108 octets (unix(7)); the socket is first created under a longer name.
const MAX_SOCKET_PATH: usize = 90;
/// 16 million leases take 2.4 GiB in the map of leases, of 152 octets each.
const MAX_LEASES: i64 = 1 << 24;
const MAX_PER_SECOND: i64 = 10_000_000;
/// Ten years, which is also the longest lease.
const MAX_HISTORY: Duration = Duration::from_secs(315_576_000);

/// Reads the table, with defaults for what is unset.
pub(super) fn read(node: Option<Node<'_>>) -> Server {
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
        _ => settings::read_duration(node, "30d", MAX_HISTORY),
    }
}

fn absolute_path(node: &Node<'_>) -> Option<PathBuf> {
    let path = Path::new(node.string(defaults::STORE)?);
    if !path.is_absolute() || path.file_name().is_none() {
        node.refuse("not an absolute path; give one that begins with `/`");
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
