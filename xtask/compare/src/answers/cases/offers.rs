//! DISCOVER, OFFER, and the next message of the client.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::message_type::{DISCOVER, OFFER, REQUEST};
use xtask_lab::wire::Path;

use super::case::{Case, tell, tell_only};
use crate::answers::{
    plan::{ANOTHER_ONE, ONE, OTHER_SERVER, Setting, Subnet},
    player::Player,
    request::Request,
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "DISCOVER",
        rfc: "RFC 2131 §4.1, §4.3.1, table 3",
        setting: Setting::Plain,
        play: discover,
        reason: None,
    },
    Case {
        asks: "DISCOVER with every bit of `flags` set",
        rfc: "RFC 2131 §2 figure 2, table 3",
        setting: Setting::Plain,
        play: every_flag,
        reason: Some(
            "The other bits of `flags` must be zero, and servers ignore them (RFC 2131 §2): none \
             is repeated.",
        ),
    },
    Case {
        asks: "DISCOVER sent again, with the same `xid` and `secs` 4",
        rfc: "RFC 2131 §3.1, table 3",
        setting: Setting::Plain,
        play: discover_again,
        reason: Some("`secs` is 0 in what a server sends (RFC 2131 table 3)."),
    },
    Case {
        asks: "DISCOVER of another client, while the only address is on offer",
        rfc: "RFC 2131 §4.3.1",
        setting: Setting::Plain,
        play: on_offer,
        reason: Some(
            "An offered address is not offered again before its client has had time to accept it \
             (RFC 2131 §4.3.1: SHOULD NOT).",
        ),
    },
    Case {
        asks: "The same after the first client's REQUEST has named another server",
        rfc: "RFC 2131 §3.1 (4), §4.3.2",
        setting: Setting::Plain,
        play: not_taken,
        reason: None,
    },
];

fn discover(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), DISCOVER);
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| {
        vec![answer.lease_time(), answer.siaddr()]
    }))
}

fn every_flag(player: &mut Player) -> Result<String> {
    let mut request = Request::new(player.client(), DISCOVER);
    request.flags = 0xffff;
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.flags()]))
}

fn discover_again(player: &mut Player) -> Result<String> {
    let mut request = Request::new(player.client(), DISCOVER);
    let first = player.expect(&request, Path::BROADCAST, OFFER)?;
    request.secs = 4;
    request.names.push((first.yiaddr(), "the same address"));
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.secs()]))
}

/// Obtains an offer of the only address of a subnet, and returns the client and the address.
fn offer_only(player: &mut Player, subnet: Subnet) -> Result<([u8; 6], Ipv4Addr)> {
    let mac = player.client();
    let request = Request::new(mac, DISCOVER).through(subnet.router());
    let offer = player.expect(&request, Path::BROADCAST, OFFER)?;
    Ok((mac, offer.yiaddr()))
}

/// Describes the answer to another client of that subnet.
fn then_another(player: &mut Player, subnet: Subnet, only: Ipv4Addr) -> Result<String> {
    let mut request = Request::new(player.client(), DISCOVER).through(subnet.router());
    request.names.push((only, "the same address"));
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn on_offer(player: &mut Player) -> Result<String> {
    let (_, only) = offer_only(player, ONE)?;
    then_another(player, ONE, only)
}

fn not_taken(player: &mut Player) -> Result<String> {
    let (mac, only) = offer_only(player, ANOTHER_ONE)?;
    let choice = Request::new(mac, REQUEST)
        .through(ANOTHER_ONE.router())
        .asking(only, "the address offered")
        .to_server(OTHER_SERVER);
    let heard = player.ask(&choice, Path::BROADCAST)?;
    let then = then_another(player, ANOTHER_ONE, only)?;
    Ok(match heard {
        Some(_) => format!("{}; then {then}", tell_only(heard.as_ref())),
        None => then,
    })
}
