//! A ledger of which client holds which address, kept only from the messages on the wire.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use dhcproto::v4::{Message, MessageType, Opcode};

type Client = Vec<u8>;

/// Ledger for clients that are identified by their hardware addresses, have one address each, and
/// whose leases do not expire while the ledger is kept.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Messages so far, which serve as the clock of this ledger.
    seen: u64,
    /// Time at which each unanswered request was sent.
    open: HashMap<Exchange, u64>,
    offered: HashMap<Ipv4Addr, Client>,
    held: HashMap<Ipv4Addr, Client>,
    /// Addresses that a client has had at any time.
    known: HashSet<Ipv4Addr>,
    /// Time at which each client last gave its address up.
    released: HashMap<Client, u64>,
    counts: Counts,
    wrong: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exchange {
    xid: u32,
    client: Client,
    is_discover: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub discovers: usize,
    pub offers: usize,
    /// REQUESTs that accept an offer.
    pub selections: usize,
    /// REQUESTs that extend a lease.
    pub extensions: usize,
    pub acks: usize,
    /// ACKs in SELECTING for an address that was leased before.
    pub leased_again: usize,
    pub releases: usize,
}

impl Ledger {
    /// Records a message. Messages must be passed in the order in which they were sent.
    pub fn enter(&mut self, message: &Message) {
        self.seen += 1;
        let kind = message.opts().msg_type();
        let client = message.chaddr().to_vec();
        match (message.opcode(), kind) {
            (Opcode::BootRequest, Some(kind @ (MessageType::Discover | MessageType::Request))) => {
                let is_discover = kind == MessageType::Discover;
                *match (is_discover, message.ciaddr().is_unspecified()) {
                    (true, _) => &mut self.counts.discovers,
                    (false, true) => &mut self.counts.selections,
                    (false, false) => &mut self.counts.extensions,
                } += 1;
                self.open.insert(exchange(message, is_discover), self.seen);
            }
            (Opcode::BootRequest, Some(MessageType::Release)) => {
                self.counts.releases += 1;
                self.release(message.ciaddr(), client);
            }
            (Opcode::BootReply, Some(MessageType::Offer)) => {
                self.counts.offers += 1;
                self.offer(message, client);
            }
            (Opcode::BootReply, Some(MessageType::Ack)) => {
                self.counts.acks += 1;
                self.ack(message, client);
            }
            (opcode, kind) => self.blame(message, &format!("unexpected {opcode:?} {kind:?}")),
        }
    }

    fn offer(&mut self, message: &Message, client: Client) {
        let address = message.yiaddr();
        if self.open.remove(&exchange(message, true)).is_none() {
            self.blame(message, "OFFER without a DISCOVER");
        }
        let others = [self.held.get(&address), self.offered.get(&address)];
        if others.into_iter().flatten().any(|other| *other != client) {
            self.blame(message, "the offered address is another client's");
        }
        self.offered.insert(address, client);
    }

    fn ack(&mut self, message: &Message, client: Client) {
        let address = message.yiaddr();
        let Some(asked) = self.open.remove(&exchange(message, false)) else {
            return self.blame(message, "ACK without a REQUEST");
        };
        if self
            .held
            .get(&address)
            .is_some_and(|other| *other != client)
        {
            self.blame(message, "the acknowledged address is another client's");
        }
        self.offered.remove(&address);
        if message.ciaddr().is_unspecified() && !self.known.insert(address) {
            self.counts.leased_again += 1;
        }
        // The client may have asked for an extension and given the address up before it was
        // answered.
        if self
            .released
            .get(&client)
            .is_none_or(|released| *released < asked)
        {
            self.held.insert(address, client);
        }
    }

    fn release(&mut self, address: Ipv4Addr, client: Client) {
        if self.held.get(&address) == Some(&client) {
            self.held.remove(&address);
            self.released.insert(client, self.seen);
        } else {
            self.wrong.push(format!(
                "{client:02x?} released {address}, which it does not hold"
            ));
        }
    }

    fn blame(&mut self, message: &Message, why: &str) {
        self.wrong.push(format!(
            "{}, client {:02x?}, xid {:#010x}: {why}",
            message.yiaddr(),
            message.chaddr(),
            message.xid()
        ));
    }

    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the number of requests without an answer.
    pub fn unanswered(&self) -> usize {
        self.open.len()
    }

    /// Returns the violations found.
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }

    /// Returns the addresses that clients hold now.
    pub fn held(&self) -> HashSet<Ipv4Addr> {
        self.held.keys().copied().collect()
    }
}

fn exchange(message: &Message, is_discover: bool) -> Exchange {
    Exchange {
        xid: message.xid(),
        client: message.chaddr().to_vec(),
        is_discover,
    }
}

#[cfg(test)]
mod tests {
    use dhcproto::v4::DhcpOption;

    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
    const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

    fn message(kind: MessageType, client: u8, ciaddr: Ipv4Addr, yiaddr: Ipv4Addr) -> Message {
        let mut message = Message::new_with_id(
            u32::from(client),
            ciaddr,
            yiaddr,
            NONE,
            NONE,
            &[2, 0, 0, 0, 0, client],
        );
        if matches!(
            kind,
            MessageType::Offer | MessageType::Ack | MessageType::Nak
        ) {
            message.set_opcode(Opcode::BootReply);
        }
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        message
    }

    impl Ledger {
        fn request(&mut self, kind: MessageType, client: u8, ciaddr: Ipv4Addr) {
            self.enter(&message(kind, client, ciaddr, NONE));
        }

        fn reply(&mut self, kind: MessageType, client: u8, yiaddr: Ipv4Addr) {
            self.enter(&message(kind, client, NONE, yiaddr));
        }

        fn lease(&mut self, client: u8, address: Ipv4Addr) {
            self.request(MessageType::Discover, client, NONE);
            self.reply(MessageType::Offer, client, address);
            self.request(MessageType::Request, client, NONE);
            self.reply(MessageType::Ack, client, address);
        }
    }

    #[test]
    fn an_address_is_held_from_ack_to_release() {
        let mut ledger = Ledger::default();
        ledger.lease(1, ADDRESS);
        assert_eq!(ledger.held(), HashSet::from([ADDRESS]));
        ledger.request(MessageType::Release, 1, ADDRESS);
        ledger.lease(2, ADDRESS);
        ledger.lease(1, OTHER_ADDRESS);
        assert_eq!(ledger.held(), HashSet::from([ADDRESS, OTHER_ADDRESS]));
        assert_eq!(ledger.wrong(), [""; 0]);
        assert_eq!(ledger.unanswered(), 0);
        assert_eq!(ledger.counts().acks, 3);
        assert_eq!(ledger.counts().leased_again, 1);
    }

    #[test]
    fn an_address_given_to_two_clients_is_seen_with_the_offer_and_with_the_ack() {
        let mut ledger = Ledger::default();
        ledger.lease(1, ADDRESS);
        ledger.request(MessageType::Discover, 2, NONE);
        ledger.reply(MessageType::Offer, 2, ADDRESS);
        assert_eq!(ledger.wrong().len(), 1, "{:?}", ledger.wrong());
        ledger.request(MessageType::Request, 2, NONE);
        ledger.reply(MessageType::Ack, 2, ADDRESS);
        assert_eq!(ledger.wrong().len(), 2, "{:?}", ledger.wrong());
    }

    #[test]
    fn an_address_on_offer_to_two_clients_is_seen() {
        let mut ledger = Ledger::default();
        for client in [1, 2] {
            ledger.request(MessageType::Discover, client, NONE);
            ledger.reply(MessageType::Offer, client, ADDRESS);
        }
        assert_eq!(ledger.wrong().len(), 1, "{:?}", ledger.wrong());
    }

    #[test]
    fn requests_without_answers_and_answers_without_requests_are_seen() {
        let mut ledger = Ledger::default();
        ledger.request(MessageType::Discover, 1, NONE);
        assert_eq!(ledger.unanswered(), 1);
        ledger.reply(MessageType::Ack, 1, ADDRESS);
        ledger.reply(MessageType::Nak, 1, NONE);
        assert_eq!(ledger.wrong().len(), 2, "{:?}", ledger.wrong());
        assert_eq!(ledger.unanswered(), 1);
        ledger.request(MessageType::Release, 2, OTHER_ADDRESS);
        assert_eq!(ledger.wrong().len(), 3, "{:?}", ledger.wrong());
    }

    #[test]
    fn an_ack_that_crosses_a_release_gives_nothing_back() {
        let mut ledger = Ledger::default();
        ledger.lease(1, ADDRESS);
        ledger.request(MessageType::Request, 1, ADDRESS);
        ledger.request(MessageType::Release, 1, ADDRESS);
        ledger.reply(MessageType::Ack, 1, ADDRESS);
        assert!(ledger.held().is_empty());
        assert_eq!(ledger.wrong(), [""; 0]);
    }
}
