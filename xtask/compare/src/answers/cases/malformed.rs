//! Malformed requests.

use anyhow::Result;
use dhcp_common::wire::{message_type::DISCOVER, option};
use xtask_lab::wire::Path;

use super::case::{Case, tell_only};
use crate::answers::{
    plan::{LAN, Setting},
    player::Player,
    request::{End, Request, in_two_fragments, with_octets_behind, with_wrong_checksum},
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "DISCOVER with a wrong UDP checksum",
        rfc: "RFC 1122 §4.1.3.4",
        setting: Setting::Plain,
        play: wrong_checksum,
        reason: None,
    },
    Case {
        asks: "DISCOVER in two fragments",
        rfc: "RFC 791 §3.2; RFC 2131 §2",
        setting: Setting::Plain,
        play: fragments,
        reason: None,
    },
    Case {
        asks: "DISCOVER without END",
        rfc: "RFC 2131 §4.1",
        setting: Setting::Plain,
        play: |player| {
            discover(player, |request| Request {
                end: End::Padding,
                ..request
            })
        },
        reason: None,
    },
    Case {
        asks: "DISCOVER whose last option is longer than the message",
        rfc: "RFC 2132 §2",
        setting: Setting::Plain,
        play: |player| {
            discover(player, |request| Request {
                end: End::Overrun,
                ..request
            })
        },
        reason: None,
    },
    Case {
        asks: "DISCOVER in an IP packet that is longer than its UDP datagram",
        rfc: "RFC 768",
        setting: Setting::Plain,
        play: octets_behind,
        reason: None,
    },
    Case {
        asks: "DISCOVER with option 53 twice",
        rfc: "RFC 3396 §5",
        setting: Setting::Plain,
        play: |player| {
            discover(player, |request| {
                request.with_another(option::MESSAGE_TYPE, &[DISCOVER])
            })
        },
        reason: None,
    },
    Case {
        asks: "DISCOVER with option 50 twice, the same value",
        rfc: "RFC 3396 §5",
        setting: Setting::Plain,
        play: |player| {
            let address = player.free_address(LAN)?;
            discover(player, |request| {
                request
                    .asking(address, "that address")
                    .with_another(option::REQUESTED_ADDRESS, &address.octets())
            })
        },
        reason: None,
    },
    Case {
        asks: "DISCOVER with an empty option 50",
        rfc: "RFC 2132 §9.1",
        setting: Setting::Plain,
        play: |player| {
            discover(player, |request| {
                request.with(option::REQUESTED_ADDRESS, &[])
            })
        },
        reason: None,
    },
    Case {
        asks: "DISCOVER with an empty option 54",
        rfc: "RFC 2132 §9.7",
        setting: Setting::Plain,
        play: |player| discover(player, |request| request.with(option::SERVER_ID, &[])),
        reason: None,
    },
    Case {
        asks: "DISCOVER with a client identifier (61) of one octet",
        rfc: "RFC 2132 §9.14",
        setting: Setting::Plain,
        play: |player| discover(player, |request| request.with(option::CLIENT_ID, &[1])),
        reason: None,
    },
];

fn wrong_checksum(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), DISCOVER);
    let frame = with_wrong_checksum(player.frame(&request, Path::BROADCAST)?);
    let answer = player.ask_with(&request, &[frame])?;
    Ok(tell_only(answer.as_ref()))
}

fn fragments(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), DISCOVER);
    let fragments = in_two_fragments(&player.frame(&request, Path::BROADCAST)?)?;
    let answer = player.ask_with(&request, &fragments)?;
    Ok(tell_only(answer.as_ref()))
}

/// Describes the answer to a DISCOVER that is changed in one thing.
fn discover(player: &mut Player, change: impl Fn(Request) -> Request) -> Result<String> {
    let request = change(Request::new(player.client(), DISCOVER));
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn octets_behind(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), DISCOVER);
    let frame = with_octets_behind(&player.frame(&request, Path::BROADCAST)?)?;
    let answer = player.ask_with(&request, &[frame])?;
    Ok(tell_only(answer.as_ref()))
}
