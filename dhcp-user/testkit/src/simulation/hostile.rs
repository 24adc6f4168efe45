//! A hostile client: it replays what it has overheard, and forges other messages.

use std::collections::VecDeque;

use dhcp_common::wire::{message_type, option};

use super::{
    dice::Dice,
    scene::{self, Plan, RIVAL, SERVER},
};
use crate::fixtures::request::RequestFrame;

/// Numbers of clients that it impersonates.
const FIRST: u64 = 100;
const LAST: u64 = 104;

pub fn messages(
    dice: &mut Dice,
    overheard: &VecDeque<RequestFrame>,
    plan: &Plan,
) -> Vec<RequestFrame> {
    let count = dice.between(1, 6);
    (0..count)
        .filter_map(|_| {
            let replayed = overheard.get(dice.index(overheard.len().max(1)))?;
            Some(if dice.chance(500) {
                replayed.clone()
            } else {
                forged(dice, replayed, plan)
            })
        })
        .collect()
}

/// Forges a message about addresses of other clients.
fn forged(dice: &mut Dice, overheard: &RequestFrame, plan: &Plan) -> RequestFrame {
    let addresses: Vec<_> = plan.addresses().collect();
    let address = *dice.pick(&addresses);
    let n = dice.between(FIRST, LAST) as u8;
    let kind = *dice.pick(&[
        message_type::DISCOVER,
        message_type::REQUEST,
        message_type::REQUEST,
        message_type::DECLINE,
        message_type::RELEASE,
    ]);
    let mut message = RequestFrame::new(scene::mac(n), kind);
    message.xid = 0xff00_0000 | dice.below(1 << 24) as u32;
    message.giaddr = overheard.giaddr;
    if !message.giaddr.is_unspecified() {
        message.source = overheard.source;
        message.source_mac = overheard.source_mac;
        message.source_port = overheard.source_port;
        message.destination = overheard.destination;
        message.destination_mac = overheard.destination_mac;
    }
    if dice.chance(600) {
        message = message.address_option(option::REQUESTED_ADDRESS, address);
    } else {
        message.ciaddr = address;
    }
    if dice.chance(500) {
        message = message.address_option(option::SERVER_ID, *dice.pick(&[SERVER, RIVAL]));
    }
    if dice.chance(100) {
        // Damaged in flight, or on purpose.
        let keep = dice.index(message.options.len());
        message.options.truncate(keep);
    }
    message
}
