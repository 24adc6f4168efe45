//! REQUESTs in every shape, and what each is answered in every state of the address that it names.
//!
//! [`TABLE`] is the whole of it: `docs/REQUESTS.md` is rendered from it, and tests play each of its
//! cells on both paths.

use std::{fmt::Write as _, net::Ipv4Addr};

use dhcp_common::{
    abi::META_SLOW_ONLY,
    outcome::{Action, Outcome},
    wire::{message_type, option},
};
use dhcp_store::wall_clock::boottime;

use super::{
    cast::{self, actor, kind},
    networks::{self, IFINDEX},
    sides::Sides,
};
use crate::fixtures::{
    host::HostFrame,
    program::Program,
    request::RequestFrame,
    strategies::Actor,
    world::{OTHER_SERVER, RELAY, RELAY_MAC, SERVER, SERVER_MAC},
};

/// The server that option 54 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Us,
    Another,
    Nobody,
}

/// The fields of a REQUEST that hold the address in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    Neither,
    Requested,
    Ciaddr,
    /// Both hold it.
    Both,
    /// Option 50 holds it, and `ciaddr` an address of another client.
    RequestedNotCiaddr,
    /// `ciaddr` holds it, and option 50 an address of another client.
    CiaddrNotRequested,
}

/// How a REQUEST travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Broadcast,
    Unicast,
    Relayed,
}

/// What an address is to the client that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Offered,
    Bound,
    /// Free; nothing is known about the client.
    Free,
    /// Leased to another client; nothing is known about this one.
    Anothers,
    /// In no subnet of the client's network.
    Nowhere,
}

/// The answer to a REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Ack,
    Nak,
    Silence,
    /// Silence, and the offer is free at once.
    EndsOffer,
    /// ACK where the subnet is authoritative, otherwise silence.
    AckWithAuthority,
    /// NAK where the subnet is authoritative, otherwise silence.
    NakWithAuthority,
}

/// What REQUESTs of one shape are answered.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub named: Named,
    pub fields: Fields,
    pub ways: &'static [Way],
    /// In the order of [`STATES`].
    pub expected: [Expected; 5],
}

pub const STATES: [State; 5] = [
    State::Offered,
    State::Bound,
    State::Free,
    State::Anothers,
    State::Nowhere,
];
const NAMES: [Named; 3] = [Named::Us, Named::Nobody, Named::Another];
const FIELDS: [Fields; 6] = [
    Fields::Neither,
    Fields::Requested,
    Fields::Ciaddr,
    Fields::Both,
    Fields::RequestedNotCiaddr,
    Fields::CiaddrNotRequested,
];
const WAYS: &[Way] = &[Way::Broadcast, Way::Unicast, Way::Relayed];
const UNICAST: &[Way] = &[Way::Unicast];
const NOT_UNICAST: &[Way] = &[Way::Broadcast, Way::Relayed];

const fn row(named: Named, fields: Fields, ways: &'static [Way], expected: [Expected; 5]) -> Row {
    Row {
        named,
        fields,
        ways,
        expected,
    }
}

use Expected::{Ack, AckWithAuthority, EndsOffer, Nak, NakWithAuthority, Silence};

/// Every shape of a REQUEST, once.
pub const TABLE: [Row; 20] = [
    row(Named::Us, Fields::Neither, WAYS, [Silence; 5]),
    row(
        Named::Us,
        Fields::Requested,
        WAYS,
        [Ack, Ack, Ack, Nak, Nak],
    ),
    row(Named::Us, Fields::Ciaddr, WAYS, [Ack, Ack, Ack, Nak, Nak]),
    row(Named::Us, Fields::Both, WAYS, [Ack, Ack, Ack, Nak, Nak]),
    row(
        Named::Us,
        Fields::RequestedNotCiaddr,
        WAYS,
        [Ack, Ack, Ack, Nak, Nak],
    ),
    row(Named::Us, Fields::CiaddrNotRequested, WAYS, [Nak; 5]),
    row(Named::Nobody, Fields::Neither, WAYS, [Silence; 5]),
    row(
        Named::Nobody,
        Fields::Requested,
        WAYS,
        [Ack, Ack, AckWithAuthority, Nak, Nak],
    ),
    row(
        Named::Nobody,
        Fields::Ciaddr,
        UNICAST,
        [Ack, Ack, Ack, Nak, Nak],
    ),
    row(
        Named::Nobody,
        Fields::Ciaddr,
        NOT_UNICAST,
        [Ack, Ack, AckWithAuthority, Nak, NakWithAuthority],
    ),
    row(
        Named::Nobody,
        Fields::Both,
        UNICAST,
        [Ack, Ack, Ack, Nak, Nak],
    ),
    row(
        Named::Nobody,
        Fields::Both,
        NOT_UNICAST,
        [Ack, Ack, AckWithAuthority, Nak, NakWithAuthority],
    ),
    row(
        Named::Nobody,
        Fields::RequestedNotCiaddr,
        WAYS,
        [Ack, Ack, AckWithAuthority, Nak, Nak],
    ),
    row(
        Named::Nobody,
        Fields::CiaddrNotRequested,
        WAYS,
        [Ack, Ack, Nak, Nak, Nak],
    ),
    another(Fields::Neither),
    another(Fields::Requested),
    another(Fields::Ciaddr),
    another(Fields::Both),
    another(Fields::RequestedNotCiaddr),
    another(Fields::CiaddrNotRequested),
];

const fn another(fields: Fields) -> Row {
    let expected = [EndsOffer, Silence, Silence, Silence, Silence];
    row(Named::Another, fields, WAYS, expected)
}

/// Returns the problems of the table: each shape must stand in it once.
pub fn gaps() -> Vec<String> {
    let mut gaps = Vec::new();
    for named in NAMES {
        for fields in FIELDS {
            for way in WAYS {
                let rows = TABLE.iter().filter(|row| {
                    row.named == named && row.fields == fields && row.ways.contains(way)
                });
                let rows = rows.count();
                if rows != 1 {
                    gaps.push(format!("{named:?} {fields:?} {way:?}: {rows} rows"));
                }
            }
        }
    }
    gaps
}

/// Returns the table as Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "| 54 | 50 | `ciaddr` | sent | offered | bound | free | another's | nowhere |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in &TABLE {
        let named = match row.named {
            Named::Us => "ours",
            Named::Another => "another's",
            Named::Nobody => "–",
        };
        let (requested, ciaddr) = match row.fields {
            Fields::Neither => ("–", "–"),
            Fields::Requested => ("A", "–"),
            Fields::Ciaddr => ("–", "A"),
            Fields::Both => ("A", "A"),
            Fields::RequestedNotCiaddr => ("A", "B"),
            Fields::CiaddrNotRequested => ("B", "A"),
        };
        let ways = match row.ways {
            [Way::Unicast] => "unicast",
            [Way::Broadcast, Way::Relayed] => "broadcast, relayed",
            _ => "any way",
        };
        write!(page, "| {named} | {requested} | {ciaddr} | {ways} |").unwrap();
        for expected in row.expected {
            let expected = match expected {
                Ack => "ACK",
                Nak => "NAK",
                Silence => "–",
                EndsOffer => "–, offer freed",
                AckWithAuthority => "– (ACK)",
                NakWithAuthority => "– (NAK)",
            };
            write!(page, " {expected} |").unwrap();
        }
        page.push('\n');
    }
    page
}

/// One cell of the table, to be played.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub named: Named,
    pub fields: Fields,
    pub way: Way,
    pub state: State,
    pub is_authoritative: bool,
    pub expected: Expected,
}

/// Returns all cells, with and without authority.
pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for row in &TABLE {
        for way in row.ways {
            for (state, expected) in STATES.into_iter().zip(row.expected) {
                for is_authoritative in [false, true] {
                    cells.push(Cell {
                        named: row.named,
                        fields: row.fields,
                        way: *way,
                        state,
                        is_authoritative,
                        expected,
                    });
                }
            }
        }
    }
    cells
}

impl Cell {
    /// Returns the message type of the answer, or `None` for silence.
    const fn answer(&self) -> Option<u8> {
        match self.expected {
            Ack => Some(message_type::ACK),
            Nak => Some(message_type::NAK),
            AckWithAuthority if self.is_authoritative => Some(message_type::ACK),
            NakWithAuthority if self.is_authoritative => Some(message_type::NAK),
            Silence | EndsOffer | AckWithAuthority | NakWithAuthority => None,
        }
    }

    /// Returns the REQUEST of a client about an address; `others` is that of another client.
    fn request(&self, client: &Actor, others: Ipv4Addr) -> RequestFrame {
        let address = client.address;
        let mut request = cast::discover(client);
        request.options[0].1 = vec![message_type::REQUEST];
        let (requested, ciaddr) = match self.fields {
            Fields::Neither => (None, None),
            Fields::Requested => (Some(address), None),
            Fields::Ciaddr => (None, Some(address)),
            Fields::Both => (Some(address), Some(address)),
            Fields::RequestedNotCiaddr => (Some(address), Some(others)),
            Fields::CiaddrNotRequested => (Some(others), Some(address)),
        };
        let server = match self.named {
            Named::Us => Some(SERVER),
            Named::Another => Some(OTHER_SERVER),
            Named::Nobody => None,
        };
        for (code, value) in [
            (option::SERVER_ID, server),
            (option::REQUESTED_ADDRESS, requested),
        ] {
            if let Some(value) = value {
                request = request.address_option(code, value);
            }
        }
        request.with(|r| {
            if let Some(ciaddr) = ciaddr {
                r.ciaddr = ciaddr;
            }
            if self.way == Way::Unicast {
                r.source = r.ciaddr;
                (r.destination_mac, r.destination) = (SERVER_MAC, SERVER);
            }
        })
    }

    /// Plays the cell: what the fast path does, and what the controller does afterwards.
    ///
    /// # Panics
    /// One of them does something else than the table says.
    pub fn play(&self, program: Option<&mut Program>) {
        let mut config = networks::config();
        for network in &mut config.networks {
            for subnet in &mut network.subnets {
                subnet.authoritative = self.is_authoritative;
            }
        }
        let mut sides = Sides::new(&config, boottime());
        let giaddr = (self.way == Way::Relayed).then_some(RELAY);
        let [mut other, mut pioneer, mut client] = [1, 2, 3].map(|n| actor(n, None, giaddr, None));
        sides.lease(&mut other);
        sides.lease(&mut pioneer);
        let free = Ipv4Addr::from_bits(other.address.to_bits() + 20);
        match self.state {
            State::Offered => sides.offer(&mut client),
            State::Bound => sides.lease(&mut client),
            State::Free => client.address = free,
            State::Anothers => client.address = pioneer.address,
            State::Nowhere => client.address = Ipv4Addr::new(192, 168, 7, 7),
        }
        let request = self.request(&client, other.address);
        let octets = request.frame();
        let (fast, reply) = self.fast(&sides, program, &octets);
        let leases_before = sides.lease_views();
        let answers = sides.answers_to(&octets);
        let answer = self.answer();
        assert_eq!(answers.len(), usize::from(answer.is_some()), "{self:?}");
        for slow in &answers {
            assert_eq!(Some(kind(&client, slow)), answer, "{self:?}");
            self.check_destination(&request, slow);
        }
        let is_repeated = self.state == State::Bound && answer == Some(message_type::ACK);
        if is_repeated {
            assert_eq!(fast.action(), Action::Transmit, "{self:?}: {fast:?}");
            assert_eq!(answers, [reply], "{self:?}: fast and slow");
        } else {
            let is_dropped = fast == Outcome::NotSelected;
            assert!(
                is_dropped || fast.action() == Action::Slow,
                "{self:?}: {fast:?}"
            );
            assert_eq!(reply, octets, "{self:?}: untouched");
        }
        let is_held = sides.state(client.address).is_some();
        let is_unchanged = sides.lease_views() == leases_before;
        match (self.expected, answer) {
            (EndsOffer, _) => assert!(!is_held, "{self:?}: the offer is free"),
            (_, Some(message_type::ACK)) => assert!(is_held, "{self:?}: it is leased"),
            _ => assert!(is_unchanged, "{self:?}: nothing has changed"),
        }
        if answer == Some(message_type::ACK) && !is_repeated {
            let (fast, reply) = self.fast(&sides, None, &octets);
            assert_eq!(fast.action(), Action::Transmit, "{self:?} again: {fast:?}");
            assert_eq!(answers, [reply], "{self:?}: repeated by the kernel");
        }
    }

    /// Returns what the fast path does, on the host and in the kernel.
    fn fast(
        &self,
        sides: &Sides,
        program: Option<&mut Program>,
        octets: &[u8],
    ) -> (Outcome, Vec<u8>) {
        let mut tables = sides.tables.clone();
        if let Some(program) = program {
            program.install(&tables).unwrap();
            let run = program.run(octets).unwrap();
            program.events();
            let mut frame = HostFrame(octets.to_vec());
            let outcome = tables.clone().respond(&mut frame, IFINDEX).outcome;
            assert_eq!((run.outcome, run.frame), (outcome, frame.0), "{self:?}");
        }
        let mut frame = HostFrame(octets.to_vec());
        let outcome = tables.respond(&mut frame, IFINDEX).outcome;
        if let Some(meta) = &mut tables.meta {
            meta.flags |= META_SLOW_ONLY;
        }
        let off = tables.respond(&mut HostFrame(octets.to_vec()), IFINDEX);
        assert_eq!(off.outcome, Outcome::SlowOnly, "{self:?}");
        (outcome, frame.0)
    }

    /// Checks where an answer goes (RFC 2131 §4.1), and its `ciaddr` (table 3).
    fn check_destination(&self, request: &RequestFrame, reply: &[u8]) {
        const IP: usize = 14;
        const BOOTP: usize = IP + 20 + 8;
        let address = |at: usize| Ipv4Addr::from(*reply[at..].first_chunk::<4>().unwrap());
        let is_ack = self.answer() == Some(message_type::ACK);
        let [to, ciaddr] = [address(IP + 16), address(BOOTP + 12)];
        let expected = match self.way {
            Way::Relayed => RELAY,
            _ if !is_ack => Ipv4Addr::BROADCAST,
            _ if !request.ciaddr.is_unspecified() => request.ciaddr,
            _ => address(BOOTP + 16),
        };
        assert_eq!(to, expected, "{self:?}");
        if self.way == Way::Relayed {
            assert_eq!(reply[..6], RELAY_MAC, "{self:?}");
        }
        let kept = is_ack.then_some(request.ciaddr);
        assert_eq!(ciaddr, kept.unwrap_or(Ipv4Addr::UNSPECIFIED), "{self:?}");
    }
}
