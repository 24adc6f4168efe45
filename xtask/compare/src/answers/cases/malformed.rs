//! Malformed requests.

use anyhow::Result;
use dhcp_common::wire::message_type::DISCOVER;
use xtask_lab::wire::Path;

use super::case::{Case, tell_only};
use crate::answers::{
    plan::Setting,
    player::Player,
    request::{Request, in_two_fragments, with_wrong_checksum},
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
        play: no_end,
        reason: Some(
            "The last option must be END (RFC 2131 §4.1): without it a receiver cannot tell what \
             is missing.",
        ),
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

fn no_end(player: &mut Player) -> Result<String> {
    let mut request = Request::new(player.client(), DISCOVER);
    request.has_end = false;
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}
