//! Fuzzes the fast path: requests, damaged requests, or any octets as a frame.

use std::{cell::LazyCell, net::Ipv4Addr};

use dhcp_common::{
    abi::NS_PER_SEC,
    outcome::{Action, Outcome},
    wire::{BOOTP_FIXED_LEN, BOOTP_MIN_LEN, BOOTREPLY, MAGIC_COOKIE, message_type, option},
};
use dhcp_model::Nanos;
use dhcp_testkit::agreement::{agree, cast::World, informed, networks::IFINDEX};
use dhcp_testkit::fixtures::{
    host::{HostFrame, HostTables},
    request::RequestFrame,
    strategies::{
        Change,
        damage::{Damage, damage, mend},
        drastic, harmless, plain,
        wear::{Wear, wear},
    },
    world::{SERVER_MAC, mac},
};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use crate::draw::draw;

/// The time of all runs.
const NOW: Nanos = Nanos(10_000 * NS_PER_SEC);

/// Changes of a request, of its frame, and of the tables that it meets.
#[derive(Clone, Debug)]
enum Turn {
    Change(Change),
    Damage(Damage),
    Wear(Wear),
}

/// Most changes of one request.
const MOST: usize = 16;

struct Stage {
    world: World,
    requests: BoxedStrategy<RequestFrame>,
    turns: BoxedStrategy<Turn>,
}

thread_local! {
    static STAGE: LazyCell<Stage> = LazyCell::new(|| {
        let world = World::new(NOW);
        let cast = world.cast();
        let turns = prop_oneof![
            4 => harmless(&cast).prop_map(Turn::Change),
            4 => drastic(&cast).prop_map(Turn::Change),
            1 => damage().prop_map(Turn::Damage),
            1 => wear().prop_map(Turn::Wear),
        ];
        Stage {
            requests: plain(&cast).boxed(),
            turns: turns.boxed(),
            world,
        }
    });
}

/// The meaning of the first octet.
const RAW: u8 = 1;
const MENDED: u8 = 2;

/// Passes a frame to the fast path. Over the tables of a controller it must do as the engine does;
/// over tables in any state it must leave the frame unchanged or turn it into a sound reply.
///
/// # Panics
/// A check failed.
pub fn fast_path(octets: &[u8]) {
    let Some((mode, rest)) = octets.split_first() else {
        return;
    };
    STAGE.with(|stage| {
        if mode & RAW != 0 {
            let mut frame = rest.to_vec();
            if mode & MENDED != 0 {
                mend(&mut frame);
            }
            let plain = RequestFrame::new(mac(1), message_type::DISCOVER);
            return arrive(&stage.world, &plain, &frame, &[]);
        }
        let (of_request, rest) = rest.split_at(rest.len().min(2));
        if let Some(request) = draw(&stage.requests, of_request).next() {
            let turns = draw(&stage.turns, rest).take(MOST).collect();
            turn_out(&stage.world, request, turns);
        }
    });
}

fn turn_out(world: &World, mut request: RequestFrame, turns: Vec<Turn>) {
    let (mut damages, mut wears) = (Vec::new(), Vec::new());
    for turn in turns {
        match turn {
            Turn::Change(change) => change.apply(&mut request),
            Turn::Damage(damage) => damages.push(damage),
            Turn::Wear(wear) => wears.push(wear),
        }
    }
    request.fit();
    let mut frame = request.frame();
    for damage in &damages {
        damage.apply(&mut frame);
    }
    arrive(world, &request, &frame, &wears);
}

fn arrive(world: &World, request: &RequestFrame, frame: &[u8], wears: &[Wear]) {
    if wears.is_empty() {
        if let Err(disagreement) = agree(world, NOW, None, request, frame) {
            panic!("{disagreement}");
        }
        return;
    }
    let mut sides = informed(world, NOW, request);
    sides.answers_to(frame);
    for wear in wears {
        wear.apply(&mut sides.tables);
    }
    respond(&sides.tables, frame);
}

fn respond(tables: &HostTables, frame: &[u8]) {
    let mut answer = HostFrame(frame.to_vec());
    let outcome = tables.respond(&mut answer, IFINDEX).outcome;
    assert_ne!(outcome, Outcome::WriteFailed);
    if outcome.action() == Action::Transmit {
        check_reply(frame, &answer.0);
    } else {
        assert_eq!(answer.0, frame, "{outcome:?}: untouched");
    }
}

/// Checks that a reply is sound in itself, with another parser of packets.
fn check_reply(request: &[u8], reply: &[u8]) {
    let packet = SlicedPacket::from_ethernet(reply).expect("whole headers");
    assert_eq!(reply[6..12], SERVER_MAC);
    let Some(NetSlice::Ipv4(ip)) = &packet.net else {
        panic!("a reply is IPv4");
    };
    let header = ip.header();
    assert_eq!(
        header.header_checksum(),
        header.to_header().calc_header_checksum()
    );
    let Some(TransportSlice::Udp(udp)) = &packet.transport else {
        panic!("a reply is UDP");
    };
    let payload = udp.payload();
    let headers = reply.len() - payload.len();
    assert_eq!(headers, frame_headers(reply), "nothing behind the datagram");
    assert_eq!(usize::from(header.total_len()), reply.len() - headers + 28);
    let sum = udp
        .to_header()
        .calc_checksum_ipv4(&header.to_header(), payload);
    assert_eq!(Ok(udp.checksum()), sum);
    assert_ne!(udp.checksum(), 0, "not computed");
    check_message(&request[frame_headers(request)..], payload);
}

/// Octets before the BOOTP message.
fn frame_headers(frame: &[u8]) -> usize {
    let packet = SlicedPacket::from_ethernet(frame).expect("whole headers");
    14 + 4 * packet.link_exts.len() + 28
}

fn check_message(request: &[u8], reply: &[u8]) {
    assert!(reply.len() >= BOOTP_MIN_LEN);
    assert_eq!((reply[0], reply[3]), (BOOTREPLY, 0), "op and hops");
    assert_eq!(reply[1..3], request[1..3], "htype and hlen");
    assert_eq!(reply[4..8], request[4..8], "xid");
    assert_eq!(reply[8..10], [0, 0], "secs");
    assert_eq!(reply[10] & 0x7f | reply[11], 0, "reserved flags");
    assert_eq!(reply[24..44], request[24..44], "giaddr and chaddr");
    assert_eq!(reply[236..240], MAGIC_COOKIE.get().to_be_bytes());
    let options = options(&reply[BOOTP_FIXED_LEN..]);
    let kind = match *options.first().expect("there is one") {
        (option::MESSAGE_TYPE, [kind]) => *kind,
        other => panic!("{other:?} instead of the message type"),
    };
    let yiaddr = Ipv4Addr::from(<[u8; 4]>::try_from(&reply[16..20]).unwrap());
    assert_eq!(yiaddr.is_unspecified(), kind == message_type::NAK);
    for unwanted in [
        option::REQUESTED_ADDRESS,
        option::PARAMETER_LIST,
        option::MAX_MESSAGE_SIZE,
    ] {
        assert!(
            options.iter().all(|(code, _)| *code != unwanted),
            "{unwanted}"
        );
    }
}

/// Returns codes and values up to END, after which there must only be zeros.
fn options(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut options = Vec::new();
    loop {
        let (code, after) = rest.split_first().expect("options end with END");
        if *code == option::END {
            assert!(after.iter().all(|octet| *octet == 0), "padding");
            return options;
        }
        let (len, after) = after.split_first().expect("a length");
        let (value, after) = after.split_at(usize::from(*len));
        options.push((*code, value));
        rest = after;
    }
}
