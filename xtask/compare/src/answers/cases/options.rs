//! Options of clients and relay agents.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::{
    message_type::{DISCOVER, OFFER},
    option, relay_suboption,
};
use xtask_lab::wire::Path;

use super::case::{Case, tell};
use crate::answers::{
    answer::Answer,
    plan::{BEHIND, LONG_OPTIONS, SELECTED, Setting},
    player::{Player, choose},
    request::{DOMAIN_NAME, DOMAIN_NAME_SERVER, Request},
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "DISCOVER with a client identifier (61)",
        rfc: "RFC 6842 §3",
        setting: Setting::Plain,
        play: client_id,
        reason: Some("The client identifier is returned (RFC 6842 §3: MUST)."),
    },
    Case {
        asks: "DISCOVER with option 82, and no relay agent",
        rfc: "RFC 3046 §2.1",
        setting: Setting::Plain,
        play: relay_info_without_relay,
        reason: None,
    },
    Case {
        asks: "DISCOVER through a relay agent that selects another link (82.5)",
        rfc: "RFC 3046 §2.2; RFC 3527 §3",
        setting: Setting::Plain,
        play: link_selection,
        reason: None,
    },
    Case {
        asks: "DISCOVER through a relay agent that replaces the server identifier (82.11)",
        rfc: "RFC 5107 §4",
        setting: Setting::Plain,
        play: server_id_override,
        reason: Some(
            "The relay agent wants renewals to pass through it, so option 54 contains its \
             address (RFC 5107 §4).",
        ),
    },
    Case {
        asks: "DISCOVER of a client that selects another subnet (118)",
        rfc: "RFC 3011 §6",
        setting: Setting::Plain,
        play: subnet_selection,
        reason: Some(
            "Any client could choose its network: 118 counts only where `subnet-selection` \
             allows it (RFC 3011 §6).",
        ),
    },
    Case {
        asks: "DISCOVER that accepts 300 octets (57) and requests more than fits into 576",
        rfc: "RFC 2131 §2, §4.1; RFC 2132 §9.10",
        setting: Setting::Plain,
        play: too_much,
        reason: None,
    },
    Case {
        asks: "DISCOVER that lists 6 15 3 1 (55)",
        rfc: "RFC 2132 §3.3, §9.8",
        setting: Setting::Plain,
        play: order,
        reason: Some(
            "Options are in the client's order (RFC 2132 §9.8: MUST try), except that the mask \
             precedes the router (RFC 2132 §3.3: MUST).",
        ),
    },
    Case {
        asks: "DISCOVER that lists 1 3 121",
        rfc: "RFC 3442",
        setting: Setting::Plain,
        play: routes,
        reason: Some(
            "Where 121 is requested and sent, 3 is omitted (RFC 3442, responsibilities of \
             administrators: SHOULD NOT).",
        ),
    },
    Case {
        asks: "REQUEST with the client's name (81)",
        rfc: "RFC 4702 §3, §4",
        setting: Setting::Plain,
        play: fqdn,
        reason: None,
    },
    Case {
        asks: "DISCOVER with rapid commit (80), where a server can be configured for it",
        rfc: "RFC 4039 §3",
        setting: Setting::Plain,
        play: rapid_commit,
        reason: Some(
            "Rapid commit is configured, and the client asks for it (RFC 4039 §3.1); the servers \
             that send an OFFER do not support the option.",
        ),
    },
];

/// Circuit-id of a client's port, before further sub-options.
const CIRCUIT_ID: [u8; 6] = [1, 4, b'p', b'o', b'r', b't'];

fn discover(
    player: &mut Player,
    change: impl Fn(Request) -> Request,
    more: impl Fn(&Answer) -> Vec<String>,
) -> Result<String> {
    let request = change(Request::new(player.client(), DISCOVER));
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), more))
}

fn client_id(player: &mut Player) -> Result<String> {
    discover(
        player,
        |request| request.with(option::CLIENT_ID, b"\0opaque"),
        |answer| vec![answer.echo(option::CLIENT_ID)],
    )
}

fn relay_info_without_relay(player: &mut Player) -> Result<String> {
    discover(
        player,
        |request| request.with(option::RELAY_INFO, &CIRCUIT_ID),
        |answer| vec![answer.echo(option::RELAY_INFO)],
    )
}

/// Adds option 82 of a relay agent with a sub-option that contains an address.
fn with_suboption(request: Request, code: u8, address: Ipv4Addr) -> Request {
    let mut value = CIRCUIT_ID.to_vec();
    value.extend([code, 4]);
    value.extend(address.octets());
    request
        .with(option::RELAY_INFO, &value)
        .through(BEHIND.router())
}

fn link_selection(player: &mut Player) -> Result<String> {
    discover(
        player,
        |request| {
            let link = SELECTED.router();
            with_suboption(request, relay_suboption::LINK_SELECTION, link)
        },
        |answer| {
            vec![
                answer.echo(option::RELAY_INFO),
                answer.position(option::RELAY_INFO),
            ]
        },
    )
}

fn server_id_override(player: &mut Player) -> Result<String> {
    let relay = BEHIND.router();
    discover(
        player,
        |request| with_suboption(request, relay_suboption::SERVER_ID_OVERRIDE, relay),
        |answer| {
            let server = answer.option(option::SERVER_ID);
            let is_relay = server.is_some_and(|server| server == relay.octets());
            let whose = if is_relay { "relay agent" } else { "server" };
            vec![format!("54 is the {whose}")]
        },
    )
}

fn subnet_selection(player: &mut Player) -> Result<String> {
    let subnet = SELECTED.network().octets();
    discover(
        player,
        |request| request.with(option::SUBNET_SELECTION, &subnet),
        |answer| vec![answer.echo(option::SUBNET_SELECTION)],
    )
}

fn too_much(player: &mut Player) -> Result<String> {
    let [first, second] = LONG_OPTIONS;
    let listed = [option::SUBNET_MASK, option::ROUTER, first, second];
    discover(
        player,
        |request| {
            let request = request.with(option::MAX_MESSAGE_SIZE, &300u16.to_be_bytes());
            request.with(option::PARAMETER_LIST, &listed)
        },
        |answer| vec![answer.order(&LONG_OPTIONS), answer.size()],
    )
}

fn order(player: &mut Player) -> Result<String> {
    let listed = [
        DOMAIN_NAME_SERVER,
        DOMAIN_NAME,
        option::ROUTER,
        option::SUBNET_MASK,
    ];
    discover(
        player,
        |request| request.with(option::PARAMETER_LIST, &listed),
        |answer| vec![answer.order(&listed)],
    )
}

fn routes(player: &mut Player) -> Result<String> {
    let listed = [
        option::SUBNET_MASK,
        option::ROUTER,
        option::CLASSLESS_ROUTES,
    ];
    discover(
        player,
        |request| request.with(option::PARAMETER_LIST, &listed),
        |answer| vec![answer.order(&listed)],
    )
}

/// Describes the answer to a client in SELECTING that updates the A record of its name itself and
/// sends the name in DNS encoding.
fn fqdn(player: &mut Player) -> Result<String> {
    /// The E bit.
    const DNS_ENCODING: u8 = 4;

    let mac = player.client();
    let mut name = vec![DNS_ENCODING, 0, 0];
    name.extend(b"\x04host\x03lab\x07example\0");
    let discover = Request::new(mac, DISCOVER).with(option::FQDN, &name);
    let offer = player.expect(&discover, Path::BROADCAST, OFFER)?;
    let request = choose(mac, &offer)?.with(option::FQDN, &name);
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| {
        vec![match answer.option(option::FQDN) {
            Some(value) => format!("81 with flags {:#04x}", value.first().unwrap_or(&0)),
            None => "no 81".to_owned(),
        }]
    }))
}

fn rapid_commit(player: &mut Player) -> Result<String> {
    discover(
        player,
        |request| request.with(option::RAPID_COMMIT, &[]),
        |answer| vec![answer.order(&[option::RAPID_COMMIT])],
    )
}
