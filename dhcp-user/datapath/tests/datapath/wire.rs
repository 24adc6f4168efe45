//! Frames between a client's cable and the AF_XDP socket.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{LinkKey, SLOW_RX_FRAMES},
    outcome::Outcome,
    wire,
};
use dhcp_datapath::{
    Datapath,
    host::Interface,
    xsk::{Losses, SendError, XskSocket},
};
use dhcp_engine::effect::Egress;
use dhcp_frames::frame;

use crate::{
    lab::{self, Cable, Lab, wait_until},
    link, options, runtime,
};

const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Returns a broadcast DISCOVER.
fn discover(xid: u32) -> Vec<u8> {
    let mut message = vec![0; wire::BOOTP_MIN_LEN];
    message[..4].copy_from_slice(&[wire::BOOTREQUEST, wire::HTYPE_ETHERNET, 6, 0]);
    message[4..8].copy_from_slice(&xid.to_be_bytes());
    message[28..34].copy_from_slice(&CLIENT_MAC);
    message[236..240].copy_from_slice(&wire::MAGIC_COOKIE.get().to_be_bytes());
    message[240..244].copy_from_slice(&[53, 1, wire::message_type::DISCOVER, 255]);
    let to_server = Egress {
        ifindex: 0,
        tags: [None, None],
        destination_mac: wire::MAC_BROADCAST,
        source: Ipv4Addr::UNSPECIFIED,
        source_port: wire::SERVER_PORT,
        destination: Ipv4Addr::BROADCAST,
        destination_port: wire::SERVER_PORT,
    };
    built(&to_server, CLIENT_MAC, &message)
}

fn built(egress: &Egress, mac: [u8; 6], message: &[u8]) -> Vec<u8> {
    let mut octets = vec![0; 2048];
    let len = frame::build(egress, mac, message, &mut octets).unwrap();
    octets.truncate(len);
    octets
}

/// A server's interface with the program and a socket, and the other end of its cable.
struct Wire {
    datapath: Datapath,
    socket: XskSocket,
    cable: Cable,
}

fn wire_up(lab: &Lab) -> Wire {
    lab.veth("srv", "cli");
    let interface = Interface::find("srv").unwrap();
    let mut datapath = Datapath::open(&options(lab)).unwrap();
    let socket = XskSocket::bind(interface.ifindex, 0, SLOW_RX_FRAMES, false).unwrap();
    let key = LinkKey {
        ifindex: interface.ifindex,
        outer: 0,
        inner: 0,
    };
    datapath
        .maps
        .sync_links(&[(key, link(SERVER_MAC))])
        .unwrap();
    datapath.maps.register_slow(0, &socket).unwrap();
    datapath.links.attach(&interface, false).unwrap();
    datapath.links.settle().unwrap();
    Wire {
        datapath,
        socket,
        cable: Cable::open(Interface::find("cli").unwrap().ifindex),
    }
}

impl Wire {
    /// Returns the number of frames that the program has passed to the socket.
    fn handed_on(&self) -> u64 {
        let outcomes = self.datapath.maps.outcomes().read().unwrap();
        outcomes
            .iter()
            .find(|(outcome, _)| *outcome == Outcome::UnknownClient)
            .unwrap()
            .1
    }
}

#[test]
fn frames_go_both_ways_untouched() {
    lab::run(|lab| {
        let Wire {
            datapath,
            socket,
            mut cable,
        } = wire_up(lab);
        let runtime = runtime();
        let _entered = runtime.enter();
        let mut socket = socket.watch().unwrap();
        for xid in 0..100 {
            cable.send(&discover(xid));
            let mut received = Vec::new();
            runtime.block_on(async {
                while received.is_empty() {
                    let mut guard = socket.readable_mut().await.unwrap();
                    let count = guard
                        .get_inner_mut()
                        .receive(64, |octets| received.push(octets.to_vec()));
                    if count < 64 {
                        guard.clear_ready();
                    }
                }
            });
            assert_eq!(received, [discover(xid)]);
        }
        let egress = Egress {
            ifindex: 0,
            tags: [None, None],
            destination_mac: CLIENT_MAC,
            source: Ipv4Addr::new(10, 0, 0, 1),
            source_port: wire::SERVER_PORT,
            destination: Ipv4Addr::new(10, 0, 0, 9),
            destination_port: wire::CLIENT_PORT,
        };
        let socket = socket.get_mut();
        socket
            .send(|octets| frame::build(&egress, SERVER_MAC, &[0x5a; 300], octets))
            .unwrap();
        assert_eq!(socket.flush(), 0);
        let expected = built(&egress, SERVER_MAC, &[0x5a; 300]);
        wait_until("the reply comes", || cable.receive() == expected);
        assert_eq!(socket.losses().unwrap(), Losses::default());
        drop(datapath);
    });
}

#[test]
fn what_the_socket_does_not_hold_is_counted_and_no_frame_leaks() {
    const FRAMES: u32 = SLOW_RX_FRAMES;
    const EXCESS: u32 = 76;
    lab::run(|lab| {
        let mut wire = wire_up(lab);
        for round in 1..=3 {
            for xid in 0..FRAMES + EXCESS {
                wire.cable.send(&discover(xid));
                // The cable itself holds 256 frames.
                if xid % 64 == 63 {
                    let sent = u64::from((round - 1) * (FRAMES + EXCESS) + xid + 1);
                    wait_until("the program saw them", || wire.handed_on() == sent);
                }
            }
            let lost = u64::from(round * EXCESS);
            wait_until("the excess is counted", || {
                wire.socket.losses().unwrap().rx_full == lost
            });
            let mut next = 0;
            while wire.socket.receive(100, |octets| {
                assert_eq!(octets, discover(next));
                next += 1;
            }) > 0
            {}
            assert_eq!(next, FRAMES, "round {round}");
        }
    });
}

#[test]
fn replies_beyond_the_ring_wait_for_no_one_and_none_is_lost() {
    const REPLIES: u32 = 3 * 512 + 1;
    lab::run(|lab| {
        let mut wire = wire_up(lab);
        for reply in 0..REPLIES {
            wire.socket
                .send(|octets| {
                    octets[..60].fill(0);
                    octets[..12].copy_from_slice(&[[2, 0, 0, 0, 0, 2], SERVER_MAC].concat());
                    octets[12..14].copy_from_slice(&[0x88, 0xb5]);
                    octets[14..18].copy_from_slice(&reply.to_be_bytes());
                    Ok::<_, ()>(60)
                })
                .unwrap();
        }
        wait_until("all have left", || wire.socket.flush() == 0);
        let mut next = 0u32;
        while next < REPLIES {
            let octets = wire.cable.receive();
            if octets[12..14] == [0x88, 0xb5] {
                assert_eq!(octets[14..18], next.to_be_bytes());
                next += 1;
            }
        }
        assert_eq!(wire.socket.losses().unwrap(), Losses::default());
        assert_eq!(wire.socket.send(|_| Err("no")), Err(SendError::Build("no")));
    });
}
