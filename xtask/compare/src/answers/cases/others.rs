//! INFORM, and DECLINE of another client's address.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use dhcp_common::wire::{
    MAC_BROADCAST, SERVER_PORT,
    message_type::{DECLINE, DISCOVER, INFORM, REQUEST},
};
use xtask_lab::{
    topology::{RELAY, SERVER},
    wire::Path,
};

use super::case::{Case, tell, tell_only};
use crate::answers::{
    plan::{BEHIND, LAN, Setting},
    player::Player,
    request::Request,
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "INFORM through a relay agent",
        rfc: "RFC 2131 §4.3.5",
        setting: Setting::Plain,
        play: inform,
        reason: None,
    },
    Case {
        asks: "INFORM through a relay agent, without `ciaddr`",
        rfc: "RFC 2131 §4.1, §4.3.5",
        setting: Setting::Plain,
        play: inform_without_ciaddr,
        reason: Some(
            "The client has an address and wants to know more; what comes through a relay agent is \
             answered to it (RFC 2131 §4.1).",
        ),
    },
    Case {
        asks: "DISCOVER through a relay agent, to the directed broadcast address of the server's link",
        rfc: "RFC 1122 §3.3.6",
        setting: Setting::Plain,
        play: directed_broadcast,
        reason: None,
    },
    Case {
        asks: "DISCOVER, after DECLINE of the client's own address without 54 (lwIP)",
        rfc: "RFC 2131 §4.3.3, table 5",
        setting: Setting::Plain,
        play: own_decline,
        reason: None,
    },
    Case {
        asks: "RENEWING, after another client has sent DECLINE of that address",
        rfc: "RFC 2131 §4.3.3, table 5",
        setting: Setting::Authoritative,
        play: decline,
        reason: None,
    },
];

fn inform(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), INFORM)
        .having(BEHIND.host(20), "`ciaddr`")
        .through(BEHIND.router());
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.lease_time()]))
}

fn inform_without_ciaddr(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), INFORM).through(BEHIND.router());
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn directed_broadcast(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), DISCOVER).through(BEHIND.router());
    let path = Path {
        destination_mac: MAC_BROADCAST,
        destination: LAN.host(255),
        ..player.to_server(RELAY)
    };
    let path = Path {
        source_port: SERVER_PORT,
        ..path
    };
    let frame = request.frame(player.client(), path)?;
    let answer = player.ask_with(&request, &[frame])?;
    Ok(tell_only(answer.as_ref()))
}

fn own_decline(player: &mut Player) -> Result<String> {
    let mac = player.client();
    let address = player.lease(mac, Ipv4Addr::UNSPECIFIED)?;
    let decline = Request::new(mac, DECLINE).asking(address, "the same address");
    let heard = player.ask(&decline, Path::BROADCAST)?;
    ensure!(heard.is_none(), "a DECLINE was answered: {heard:?}");
    let mut again = Request::new(mac, DISCOVER);
    again.names.push((address, "the same address"));
    let answer = player.ask(&again, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn decline(player: &mut Player) -> Result<String> {
    let holder = player.client();
    let address = player.lease(holder, Ipv4Addr::UNSPECIFIED)?;
    let meddling = Request::new(player.client(), DECLINE)
        .asking(address, "that address")
        .to_server(SERVER);
    let heard = player.ask(&meddling, Path::BROADCAST)?;
    ensure!(heard.is_none(), "a DECLINE was answered: {heard:?}");
    let renewal = Request::new(holder, REQUEST).having(address, "that address");
    let answer = player.ask(&renewal, player.to_server(address))?;
    Ok(tell_only(answer.as_ref()))
}
