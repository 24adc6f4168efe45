//! REQUEST in the shapes that clients send: any of options 54 and 50 and `ciaddr`.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::{
    message_type::{DISCOVER, OFFER, REQUEST},
    option,
};
use xtask_lab::{topology::SERVER, wire::Path};

use super::case::{Case, tell, tell_only};
use crate::answers::{
    answer::Answer,
    plan::{BEHIND, OTHER_SERVER, Setting},
    player::Player,
    request::Request,
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "REQUEST of the address offered: 54, 50 and `ciaddr` (NetworkManager, VPCS, Contiki)",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: selecting_with_ciaddr,
        reason: None,
    },
    Case {
        asks: "The same through a relay agent",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: selecting_with_ciaddr_relayed,
        reason: None,
    },
    Case {
        asks: "REQUEST of the address offered: 54 and `ciaddr`, without 50",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: selecting_by_ciaddr,
        reason: None,
    },
    Case {
        asks: "REQUEST after an offer that names this server and no address",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: selecting_nothing,
        reason: None,
    },
    Case {
        asks: "REQUEST without 54, 50 and `ciaddr`, by a client with a lease",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: |player| own(player, Way::Broadcast, |request, _| request),
        reason: None,
    },
    Case {
        asks: "RENEWING with 54 and 50 (forks of d2g/dhcp4client)",
        rfc: "RFC 2131 §4.3.2, table 5",
        setting: Setting::Plain,
        play: |player| {
            own(player, Way::Unicast, |request, address| {
                having(asking(request, address), address).to_server(SERVER)
            })
        },
        reason: None,
    },
    Case {
        asks: "RENEWING with 50",
        rfc: "RFC 2131 §4.3.2, table 5",
        setting: Setting::Plain,
        play: |player| {
            own(player, Way::Unicast, |request, address| {
                having(asking(request, address), address)
            })
        },
        reason: None,
    },
    Case {
        asks: "REBINDING with 54",
        rfc: "RFC 2131 §4.3.2, table 5",
        setting: Setting::Plain,
        play: |player| {
            own(player, Way::Broadcast, |request, address| {
                having(request, address).to_server(SERVER)
            })
        },
        reason: None,
    },
    Case {
        asks: "REBINDING with 54 and 50",
        rfc: "RFC 2131 §4.3.2, table 5",
        setting: Setting::Plain,
        play: |player| {
            own(player, Way::Broadcast, |request, address| {
                having(asking(request, address), address).to_server(SERVER)
            })
        },
        reason: None,
    },
    Case {
        asks: "REBINDING with 50",
        rfc: "RFC 2131 §4.3.2, table 5",
        setting: Setting::Plain,
        play: |player| {
            own(player, Way::Broadcast, |request, address| {
                having(asking(request, address), address)
            })
        },
        reason: None,
    },
    Case {
        asks: "RENEWING that names another server (54)",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: |player| {
            own(player, Way::Unicast, |request, address| {
                having(request, address).to_server(OTHER_SERVER)
            })
        },
        reason: Some(
            "Whoever names another server has chosen that one (RFC 2131 §3.1 (4), §4.3.2): an ACK \
             would extend a lease that the other server may end.",
        ),
    },
    Case {
        asks: "RENEWING of the address of another client, with 54",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Authoritative,
        play: anothers,
        reason: None,
    },
];

/// How a client that has an address sends a REQUEST.
#[derive(Clone, Copy)]
enum Way {
    Unicast,
    Broadcast,
}

fn asking(request: Request, address: Ipv4Addr) -> Request {
    request.asking(address, "that address")
}

fn having(request: Request, address: Ipv4Addr) -> Request {
    request.having(address, "`ciaddr`")
}

/// Describes the answer to a REQUEST of a client with a lease, about that lease.
fn own(
    player: &mut Player,
    way: Way,
    shape: impl Fn(Request, Ipv4Addr) -> Request,
) -> Result<String> {
    let mac = player.client();
    let address = player.lease(mac, Ipv4Addr::UNSPECIFIED)?;
    let mut request = shape(Request::new(mac, REQUEST), address);
    request.names.insert(0, (address, "that address"));
    let path = match way {
        Way::Unicast => player.to_server(address),
        Way::Broadcast if request.ciaddr.is_unspecified() => Path::BROADCAST,
        Way::Broadcast => Path::broadcast_from(address),
    };
    let answer = player.ask(&request, path)?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.zero_ciaddr()]))
}

/// Describes the answer to the REQUEST of a client that has an offer, about that offer.
fn offered(
    player: &mut Player,
    giaddr: Ipv4Addr,
    shape: impl Fn(Request, &Answer) -> Request,
) -> Result<String> {
    let mac = player.client();
    let discover = Request::new(mac, DISCOVER).through(giaddr);
    let offer = player.expect(&discover, Path::BROADCAST, OFFER)?;
    let mut request = shape(Request::new(mac, REQUEST), &offer).through(giaddr);
    request
        .names
        .insert(0, (offer.yiaddr(), "the address offered"));
    let server = offer.option(option::SERVER_ID).unwrap_or_default();
    let answer = player.ask(&request.with(option::SERVER_ID, &server), Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn selecting_with_ciaddr(player: &mut Player) -> Result<String> {
    offered(player, Ipv4Addr::UNSPECIFIED, |request, offer| {
        having(asking(request, offer.yiaddr()), offer.yiaddr())
    })
}

fn selecting_with_ciaddr_relayed(player: &mut Player) -> Result<String> {
    offered(player, BEHIND.router(), |request, offer| {
        having(asking(request, offer.yiaddr()), offer.yiaddr())
    })
}

fn selecting_by_ciaddr(player: &mut Player) -> Result<String> {
    offered(player, Ipv4Addr::UNSPECIFIED, |request, offer| {
        having(request, offer.yiaddr())
    })
}

fn selecting_nothing(player: &mut Player) -> Result<String> {
    offered(player, Ipv4Addr::UNSPECIFIED, |request, _| request)
}

fn anothers(player: &mut Player) -> Result<String> {
    let holder = player.client();
    let address = player.lease(holder, Ipv4Addr::UNSPECIFIED)?;
    let request = having(Request::new(player.client(), REQUEST), address).to_server(SERVER);
    let answer = player.ask(&request, player.to_server(address))?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.zero_ciaddr()]))
}
