//! Plays clients and relay agents on the link of one server, and receives the answers.

use std::{collections::HashSet, net::Ipv4Addr};

use anyhow::{Context as _, Result, bail, ensure};
use dhcp_common::wire::{message_type, option};
use xtask_lab::{
    Namespace,
    topology::{CLIENT_INTERFACE, RELAY, SERVER, SERVER_INTERFACE},
    wait,
    wire::{Datagram, Path, Wire},
};

use super::{
    answer::Answer,
    plan::{PULSE, Subnet},
    request::{Request, relay_path},
};

#[derive(Debug)]
pub struct Player {
    wire: Wire,
    own_mac: [u8; 6],
    server_mac: [u8; 6],
    clients: u16,
    /// Addresses that occurred in an answer or were chosen as free.
    used: HashSet<Ipv4Addr>,
}

impl Player {
    /// Opens the interfaces of both ends.
    ///
    /// # Errors
    /// An interface is missing.
    pub fn new(client: &Namespace, server: &Namespace) -> Result<Self> {
        Ok(Self {
            wire: Wire::open(client, CLIENT_INTERFACE)?,
            own_mac: client.mac(CLIENT_INTERFACE)?,
            server_mac: server.mac(SERVER_INTERFACE)?,
            clients: 0,
            used: HashSet::new(),
        })
    }

    /// Returns the hardware address of a new client.
    pub const fn client(&mut self) -> [u8; 6] {
        self.clients += 1;
        let [high, low] = self.clients.to_be_bytes();
        [2, 0, 0, 1, high, low]
    }

    /// Returns an address of a pool that the server has not mentioned yet.
    ///
    /// # Errors
    /// There is none.
    pub fn free_address(&mut self, subnet: Subnet) -> Result<Ipv4Addr> {
        let free = subnet
            .addresses()
            .find(|address| !self.used.contains(address));
        let free = free.context("all addresses of the pool are in use")?;
        self.used.insert(free);
        Ok(free)
    }

    /// Returns the path from a client with this address to the server.
    pub const fn to_server(&self, source: Ipv4Addr) -> Path {
        Path::unicast(source, SERVER, self.server_mac)
    }

    /// Encodes a request as a frame, from the relay agent if it names one, otherwise from the
    /// client.
    ///
    /// # Errors
    /// It is too long.
    pub fn frame(&self, request: &Request, direct: Path) -> Result<Vec<u8>> {
        if request.giaddr.is_unspecified() {
            return request.frame(request.mac, direct);
        }
        request.frame(self.own_mac, relay_path(RELAY, SERVER, self.server_mac))
    }

    /// Sends a request, and returns the answers until the server has answered requests that were
    /// sent later.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub fn ask(&mut self, request: &Request, direct: Path) -> Result<Option<Answer>> {
        let frame = self.frame(request, direct)?;
        self.ask_with(request, &[frame])
    }

    /// Sends a request as the given frames, see [`Self::ask`].
    ///
    /// # Errors
    /// The server does not answer any more.
    pub fn ask_with(&mut self, request: &Request, frames: &[Vec<u8>]) -> Result<Option<Answer>> {
        for frame in frames {
            self.wire.send(frame)?;
        }
        let mut answers = self.pulse(request)?;
        while let Some(frame) = self.wire.receive()? {
            answers.extend(answer(request, &frame));
        }
        self.used.extend(answers.iter().map(Answer::yiaddr));
        ensure!(answers.len() <= 1, "{} answers: {answers:?}", answers.len());
        Ok(answers.pop())
    }

    /// Has another client obtain a lease. Since the servers handle requests one after the other and
    /// commit one lease after the other, they have then answered everything sent before. Returns
    /// the answers to `request` that arrived meanwhile.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn pulse(&mut self, request: &Request) -> Result<Vec<Answer>> {
        let mac = self.client();
        let mut heard = Vec::new();
        let discover = Request::new(mac, message_type::DISCOVER).through(PULSE.router());
        let offer = self.hear(&discover, request, &mut heard)?;
        let choice = choose(mac, &offer)?.through(PULSE.router());
        self.hear(&choice, request, &mut heard)?;
        Ok(heard)
    }

    /// Returns a value once the server answers.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn is_served(&mut self) -> Result<Option<()>> {
        let discover = Request::new(self.client(), message_type::DISCOVER).through(PULSE.router());
        self.wire.send(&self.frame(&discover, Path::BROADCAST)?)?;
        while let Some(frame) = self.wire.receive()? {
            if answer(&discover, &frame).is_some() {
                return Ok(Some(()));
            }
        }
        Ok(None)
    }

    /// Sends a request through the relay agent and waits for its answer; keeps answers to the other
    /// request.
    fn hear(&self, asked: &Request, other: &Request, heard: &mut Vec<Answer>) -> Result<Answer> {
        self.wire.send(&self.frame(asked, Path::BROADCAST)?)?;
        wait::until("an answer to another client", wait::PATIENCE, || {
            while let Some(frame) = self.wire.receive()? {
                heard.extend(answer(other, &frame));
                if let Some(answer) = answer(asked, &frame) {
                    return Ok(Some(answer));
                }
            }
            Ok(None)
        })
    }

    /// Expects an answer of this type, in the preparation of a case.
    ///
    /// # Errors
    /// There was no answer, or one of another type.
    pub fn expect(&mut self, request: &Request, direct: Path, kind: u8) -> Result<Answer> {
        let answer = self.ask(request, direct)?;
        match answer {
            Some(answer) if answer.kind() == Some(kind) => Ok(answer),
            answer => bail!("expected a message of type {kind}, received {answer:?}"),
        }
    }

    /// Obtains a lease for a client, from INIT to BOUND, through the relay agent at `giaddr` if
    /// that is set.
    ///
    /// # Errors
    /// The server granted none.
    pub fn lease(&mut self, mac: [u8; 6], giaddr: Ipv4Addr) -> Result<Ipv4Addr> {
        let discover = Request::new(mac, message_type::DISCOVER).through(giaddr);
        let offer = self.expect(&discover, Path::BROADCAST, message_type::OFFER)?;
        let choice = choose(mac, &offer)?.through(giaddr);
        let ack = self.expect(&choice, Path::BROADCAST, message_type::ACK)?;
        Ok(ack.yiaddr())
    }
}

/// Returns the REQUEST that accepts an offer.
///
/// # Errors
/// The offer names no server.
pub fn choose(mac: [u8; 6], offer: &Answer) -> Result<Request> {
    let server = offer
        .option(option::SERVER_ID)
        .context("an OFFER has no option 54")?;
    Ok(Request::new(mac, message_type::REQUEST)
        .asking(offer.yiaddr(), "the address offered")
        .with(option::SERVER_ID, &server))
}

fn answer(request: &Request, frame: &[u8]) -> Option<Answer> {
    Answer::new(request, Datagram::parse(frame)?)
}
