//! Workloads with a simulated server and a simulated clock.

use std::{collections::VecDeque, net::Ipv4Addr, time::Duration};

use anyhow::Result;
use dhcp_common::wire::message_type;
use dhcproto::{
    Decodable as _, Decoder,
    v4::{Message, MessageType},
};
use xtask_lab::wire::Datagram;
use xtask_load_abi::FRAME_LEN;

use super::{
    Drive, Exchange, Report, Workload,
    answer::Frame,
    progress::Progress,
    run::{Run, Transport},
    testing::{self, Reply},
    workload::tests::workload,
};

const AROUND_NS: u64 = 50_000;

/// Returns the server's answers to frames after a delay.
struct Wire<S> {
    server: S,
    now_ns: u64,
    waiting: VecDeque<Vec<u8>>,
    sent: Vec<(u64, Message)>,
}

impl<S: FnMut(&Message, u64) -> Vec<Vec<u8>>> Wire<S> {
    fn new(server: S) -> Self {
        Self {
            server,
            now_ns: 1,
            waiting: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    fn play(&mut self, workload: &Workload) -> Result<Report> {
        Run::new(workload, self)?.play(&mut Progress::silent())
    }

    fn sent_of(&self, kind: MessageType) -> Vec<(u64, &Message)> {
        let sent = self.sent.iter();
        sent.filter(|(_, message)| message.opts().msg_type() == Some(kind))
            .map(|(at, message)| (*at, message))
            .collect()
    }
}

impl<S: FnMut(&Message, u64) -> Vec<Vec<u8>>> Transport for Wire<S> {
    fn receive(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> Result<usize> {
        let waiting = std::mem::take(&mut self.waiting);
        self.now_ns += AROUND_NS;
        for octets in &waiting {
            each(Frame {
                octets,
                has_checksums: true,
                received_ns: self.now_ns,
            });
        }
        Ok(waiting.len())
    }

    fn send(&mut self, write: &mut dyn FnMut(&mut [u8]) -> Option<usize>) -> Result<bool> {
        let mut frame = [0; FRAME_LEN];
        let len = write(&mut frame).unwrap();
        let datagram = Datagram::parse(&frame[..len]).unwrap();
        datagram.verify()?;
        let message = Message::decode(&mut Decoder::new(&datagram.payload))?;
        self.waiting.extend((self.server)(&message, self.now_ns));
        self.sent.push((self.now_ns, message));
        Ok(true)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn wait(&mut self, most: Duration) -> Result<()> {
        self.now_ns += most.as_nanos() as u64;
        Ok(())
    }

    fn now_ns(&mut self) -> u64 {
        self.now_ns
    }

    fn mac(&self) -> [u8; 6] {
        [2, 0xff, 0, 0, 0, 2]
    }

    fn missed(&mut self) -> Result<u64> {
        Ok(0)
    }
}

/// Returns the answer of a server that gives each client this address.
fn answer(message: &Message, address: Ipv4Addr) -> Option<Reply> {
    let kind = match message.opts().msg_type()? {
        MessageType::Discover => message_type::OFFER,
        MessageType::Request => message_type::ACK,
        _ => return None,
    };
    let chaddr = message.chaddr().try_into().unwrap();
    Some(Reply {
        kind,
        ..Reply::offer(chaddr, message.xid(), address)
    })
}

/// Returns an address that is unique to each client.
fn own_address(message: &Message) -> Ipv4Addr {
    let [.., number] = *message.chaddr() else {
        panic!("the client has no hardware address");
    };
    testing::address(number.into())
}

fn right(message: &Message) -> Vec<Vec<u8>> {
    let reply = answer(message, own_address(message));
    reply.iter().map(Reply::frame).collect()
}

#[test]
fn a_closed_loop_keeps_so_many_exchanges_under_way_and_all_are_answered() {
    let mut wire = Wire::new(|message: &Message, _| right(message));
    let report = wire.play(&workload()).unwrap();
    let counts = report.counts;
    assert_eq!((counts.begun, counts.completed), (100, 100), "{counts:?}");
    assert_eq!((counts.discovers, counts.selections), (100, 100));
    assert_eq!((counts.offers, counts.acks), (100, 100));
    assert_eq!((counts.wrong(), counts.retransmissions), (0, 0));
    assert_eq!(report.latency.lease.count, 100);
    // OFFER and ACK take one poll of the wire each.
    let lease = report.latency.lease;
    assert!((lease.p50 - 100.0).abs() < 1.0, "{lease:?}");
    let mut by_time = std::collections::BTreeMap::<u64, usize>::new();
    for (at, _) in &wire.sent[1..] {
        *by_time.entry(*at).or_default() += 1;
    }
    assert!(by_time.values().all(|sent| *sent <= 4), "{by_time:?}");
}

#[test]
fn the_same_seed_sends_the_same_frames() {
    let sent = |seed| {
        let mut workload = workload();
        workload.seed = seed;
        workload.releases = 0.5;
        workload.shapes = 3;
        let mut wire = Wire::new(|message: &Message, _| right(message));
        wire.play(&workload).unwrap();
        wire.sent
    };
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn two_clients_with_one_address_are_named() {
    let mut workload = workload();
    workload.clients = 3;
    workload.limits.exchanges = Some(3);
    workload.drive = Drive::Closed { in_flight: 1 };
    let same = testing::address(77);
    let mut wire = Wire::new(|message: &Message, _| {
        let reply = answer(message, same);
        reply.iter().map(Reply::frame).collect()
    });
    let report = wire.play(&workload).unwrap();
    assert_eq!(report.counts.duplicates, 2);
    let population = super::population::Population::new(3, workload.seed);
    let mac = |index| xtask_lab::topology::mac_text(population.mac(index));
    let named: Vec<_> = report.duplicates.iter().collect();
    assert_eq!(named.len(), 2);
    assert_eq!(named[0].address, same);
    assert_eq!(named[0].clients, [mac(0), mac(1)]);
    assert_eq!(named[1].clients, [mac(1), mac(2)]);
}

#[test]
fn an_address_that_was_released_is_no_duplicate() {
    let mut workload = workload();
    workload.drive = Drive::Closed { in_flight: 1 };
    workload.releases = 1.0;
    let same = testing::address(77);
    let mut wire = Wire::new(|message: &Message, _| {
        let reply = answer(message, same);
        reply.iter().map(Reply::frame).collect()
    });
    let report = wire.play(&workload).unwrap();
    assert_eq!((report.counts.duplicates, report.counts.releases), (0, 100));
    let releases = wire.sent_of(MessageType::Release);
    assert_eq!(releases.len(), 100);
    assert!(releases.iter().all(|(_, message)| message.ciaddr() == same));
}

#[test]
fn declined_addresses_are_counted_and_their_clients_start_afresh() {
    let mut workload = workload();
    workload.declines = 1.0;
    workload.limits.exchanges = Some(300);
    let mut wire = Wire::new(|message: &Message, _| right(message));
    let counts = wire.play(&workload).unwrap().counts;
    assert_eq!((counts.declines, counts.discovers), (300, 300));
    assert_eq!(wire.sent_of(MessageType::Decline).len(), 300);
}

#[test]
fn answers_with_bad_checksums_are_counted_and_not_believed() {
    let mut number = 0;
    let mut wire = Wire::new(|message: &Message, _| {
        let mut frames = right(message);
        number += 1;
        // Not the first one, which finds the server.
        for frame in &mut frames {
            match number % 10 {
                5 => frame[14 + 10] ^= 1,
                7 => frame[14 + 20 + 8 + 17] ^= 1,
                _ => {}
            }
        }
        frames
    });
    let mut workload = workload();
    workload.limits.exchanges = Some(50);
    let counts = wire.play(&workload).unwrap().counts;
    assert_eq!((counts.begun, counts.completed), (50, 50), "{counts:?}");
    assert!(counts.bad_ip_checksums >= 9, "{counts:?}");
    assert!(counts.bad_udp_checksums >= 9, "{counts:?}");
    let bad = counts.bad_ip_checksums + counts.bad_udp_checksums;
    assert_eq!(counts.retransmissions, bad);
    assert_eq!(counts.requests(), counts.answers() + bad);
    assert!((counts.loss() - bad as f64 / counts.requests() as f64).abs() < 1e-9);
}

#[test]
fn what_is_not_answered_is_sent_again_at_the_times_of_rfc_2131() {
    let mut is_known = false;
    let mut wire = Wire::new(|message: &Message, _| {
        if std::mem::replace(&mut is_known, true) {
            return Vec::new();
        }
        right(message)
    });
    let mut workload = workload();
    workload.clients = 20;
    workload.drive = Drive::Storm;
    let report = wire.play(&workload).unwrap();
    let counts = report.counts;
    assert_eq!((counts.begun, counts.given_up), (20, 20), "{counts:?}");
    assert_eq!((counts.discovers, counts.retransmissions), (100, 80));
    assert!((report.loss - 1.0).abs() < 1e-9);
    let discovers = wire.sent_of(MessageType::Discover);
    let first = discovers[1].0;
    for client in discovers[1..].chunk_by(|a, b| a.0 == b.0).next().unwrap() {
        let mac = client.1.chaddr();
        let times: Vec<f64> = discovers[1..]
            .iter()
            .filter(|(_, message)| message.chaddr() == mac)
            .map(|(at, _)| (at - first) as f64 / 1e9)
            .collect();
        assert_eq!(times.len(), 5, "all exchanges begin at once: {times:?}");
        let delays: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (delay, expected) in delays.iter().zip([4.0, 8.0, 16.0, 32.0]) {
            assert!((delay - expected).abs() < 1.05, "{delays:?}");
        }
    }
}

#[test]
fn without_a_server_only_acquaintance_is_sought() {
    let mut wire = Wire::new(|_: &Message, _| Vec::new());
    let error = wire.play(&workload()).unwrap_err().to_string();
    assert!(error.contains("no server answered 3 DISCOVERs"), "{error}");
    assert_eq!(wire.sent.len(), 3);
}

#[test]
fn a_server_that_is_not_meant_gets_one_discover() {
    for (address, server, said) in [
        (
            Ipv4Addr::new(10, 2, 0, 1),
            testing::SERVER,
            "--range 10.1.0.0/16",
        ),
        (
            testing::address(1),
            Ipv4Addr::new(9, 9, 9, 9),
            "option 54 9.9.9.9/32",
        ),
    ] {
        let mut wire = Wire::new(|message: &Message, _| {
            let reply = answer(message, address).map(|reply| Reply { server, ..reply });
            reply.iter().map(Reply::frame).collect()
        });
        let error = wire.play(&workload()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(wire.sent.len(), 1);
    }
}

#[test]
fn answers_of_others_and_to_others_are_told_apart() {
    let mut wire = Wire::new(|message: &Message, _| {
        let Some(reply) = answer(message, own_address(message)) else {
            return Vec::new();
        };
        let other = Reply {
            server: Ipv4Addr::new(10, 1, 0, 200),
            ..reply.clone()
        };
        let stranger = Reply {
            chaddr: [0, 1, 2, 3, 4, 5],
            ..reply.clone()
        };
        let wrong_xid = Reply {
            xid: !reply.xid,
            ..reply.clone()
        };
        let again = reply.clone();
        let frames = [&reply, &other, &stranger, &wrong_xid, &again];
        frames.map(Reply::frame).to_vec()
    });
    let counts = wire.play(&workload()).unwrap().counts;
    assert_eq!((counts.completed, counts.acks), (100, 100), "{counts:?}");
    // Frames after the first OFFER, which finds the server, are not counted; the last ACK is not
    // awaited.
    for count in [
        counts.other_server,
        counts.strangers,
        counts.wrong_xid,
        counts.unexpected,
    ] {
        assert!((199..=200).contains(&count), "{counts:?}");
    }
}

#[test]
fn a_nak_ends_an_exchange_and_the_client_starts_afresh() {
    let mut workload = workload();
    workload.exchange = Exchange::Renewals;
    workload.clients = 10;
    workload.limits.exchanges = Some(30);
    let mut wire = Wire::new(|message: &Message, _| {
        let mut reply = answer(message, own_address(message));
        if let Some(reply) = &mut reply
            && !message.ciaddr().is_unspecified()
        {
            reply.kind = message_type::NAK;
        }
        reply.iter().map(Reply::frame).collect()
    });
    let counts = wire.play(&workload).unwrap().counts;
    // Every second exchange of a client is a new lease.
    assert_eq!((counts.begun, counts.naks, counts.completed), (30, 20, 10));
    assert_eq!((counts.renewals, counts.discovers), (20, 10));
}

#[test]
fn an_open_loop_begins_exchanges_when_their_time_has_come() {
    let mut workload = workload();
    workload.clients = 200;
    workload.drive = Drive::Open;
    workload.limits.per_second = Some(50.0);
    workload.limits.exchanges = None;
    workload.limits.time = Some(Duration::from_secs(2));
    let mut wire = Wire::new(|message: &Message, _| right(message));
    let counts = wire.play(&workload).unwrap().counts;
    assert_eq!((counts.begun, counts.completed), (100, 100), "{counts:?}");
    let discovers = wire.sent_of(MessageType::Discover);
    for (number, (at, _)) in discovers[1..].iter().enumerate() {
        let due = discovers[1].0 + number as u64 * 20_000_000;
        assert!(
            at.abs_diff(due) < 2_000_000,
            "{number}: {at} instead of {due}"
        );
    }
}
