//! Clients at the other end of the cable.

use std::{
    net::Ipv4Addr,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use dhcp_common::wire::{message_type, option};
use dhcp_datapath::host::Interface;
use dhcp_testkit::fixtures::{
    fleet::{discover, renewal},
    request::RequestFrame,
};
use dhcp_testkit::lab::Cable;

/// The offset of the BOOTP header in a frame.
const BOOTP: usize = 14 + 20 + 8;
/// The time after which an unanswered frame is sent again.
const AGAIN: Duration = Duration::from_millis(20);

pub struct Wire {
    ifindex: u32,
    mac: [u8; 6],
    cable: Cable,
    last_xid: u32,
}

impl Wire {
    pub fn open() -> Self {
        let ifindex = Interface::find("cli").expect("just made").ifindex;
        let mac = Interface::find("srv").expect("just made").mac;
        let cable = Cable::open(ifindex);
        Self {
            ifindex,
            mac,
            cable,
            last_xid: 0,
        }
    }

    /// Sends a DISCOVER every few milliseconds until it is answered, and returns the offered
    /// address.
    pub fn discover(&mut self, n: u32) -> Ipv4Addr {
        self.ask(discover(n))
    }

    /// Obtains a lease: DISCOVER, OFFER, REQUEST, ACK.
    pub fn lease(&mut self, n: u32) -> Ipv4Addr {
        let offered = self.discover(n);
        let mut request = discover(n)
            .address_option(option::SERVER_ID, Ipv4Addr::new(10, 0, 0, 1))
            .address_option(option::REQUESTED_ADDRESS, offered);
        request.options[0].1 = vec![message_type::REQUEST];
        let leased = self.ask(request);
        assert_eq!(leased, offered);
        leased
    }

    /// Sends a renewal of each client, without reading the answers.
    pub fn renew(&mut self, clients: Range<u32>) {
        for n in clients {
            let frame = renewal(n).with(|r| r.destination_mac = self.mac).frame();
            self.cable.send(&frame);
        }
        self.cable = Cable::open(self.ifindex);
    }

    fn ask(&mut self, mut request: RequestFrame) -> Ipv4Addr {
        self.last_xid += 1;
        request.xid = self.last_xid;
        let frame = request.frame();
        let is_answered = AtomicBool::new(false);
        let ifindex = self.ifindex;
        thread::scope(|scope| {
            let asker = scope.spawn(|| {
                let mut cable = Cable::open(ifindex);
                while !is_answered.load(Ordering::Relaxed) {
                    cable.send(&frame);
                    thread::park_timeout(AGAIN);
                }
            });
            loop {
                let received = self.cable.receive();
                if let Some(yiaddr) = answer_to(request.xid, &received) {
                    is_answered.store(true, Ordering::Relaxed);
                    asker.thread().unpark();
                    return yiaddr;
                }
            }
        })
    }
}

fn answer_to(xid: u32, frame: &[u8]) -> Option<Ipv4Addr> {
    let bootp = frame.get(BOOTP..)?;
    let is_reply = frame.get(34..36) == Some(&[0, 67]) && bootp.first() == Some(&2);
    let is_its = bootp.get(4..8) == Some(&xid.to_be_bytes());
    let yiaddr: [u8; 4] = bootp.get(16..20)?.try_into().ok()?;
    (is_reply && is_its).then(|| yiaddr.into())
}
