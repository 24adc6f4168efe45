//! Thousands of clients on one packet socket and one thread.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use xtask_lab::{Namespace, raw, topology::CLIENT_INTERFACE, wire::Wire};

use super::{
    client::{Client, Mood, Turn},
    machine::{Link, Machine},
    scene::{self, Scene},
};

/// Frames sent in a row, and the time allotted to a row. A veth end queues 256 frames for a
/// receiving thread that waits for a processor, and drops any more.
const ROW: usize = 4;
const TURN: Duration = Duration::from_millis(1);
/// Answers received before frames are sent again.
const ANSWERS: usize = 64;
/// Time within which all clients act on an order.
const SPREAD_NS: u64 = 1_500_000_000;

/// An order to all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Act at random from now on.
    Wild,
    /// Act only as required.
    Steady,
    /// Release the leases and obtain new ones.
    Restart,
    /// Ask for the present lease, or for a new one.
    Ask,
    /// Leave for good, half of them without a RELEASE.
    Leave,
}

/// Counters of a fleet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub frames: u64,
    /// Frames that the link did not accept.
    pub lost: u64,
}

#[derive(Debug)]
pub struct Fleet {
    orders: Sender<Order>,
    thread: Option<JoinHandle<Result<Sent>>>,
}

impl Fleet {
    /// Switches the clients of a scene on, within a time. `number` distinguishes them from other
    /// fleets.
    ///
    /// # Errors
    /// There is no such link.
    pub fn start(
        namespace: &Namespace,
        link: Link,
        scene: Scene,
        number: u8,
        within: Duration,
        seed: u64,
    ) -> Result<Self> {
        let wire = Wire::open(namespace, CLIENT_INTERFACE)?;
        let (orders, receiver) = mpsc::channel();
        let mut crew = Crew::new(wire, link, scene, number, within, seed);
        let thread = thread::spawn(move || crew.run(&receiver));
        Ok(Self {
            orders,
            thread: Some(thread),
        })
    }

    /// Gives all clients an order.
    ///
    /// # Errors
    /// The fleet has failed.
    pub fn tell(&self, order: Order) -> Result<()> {
        let told = self.orders.send(order);
        told.map_err(|_| anyhow!("the clients have ended"))
    }

    /// Switches all clients off.
    ///
    /// # Errors
    /// The fleet has failed.
    pub fn stop(mut self) -> Result<Sent> {
        drop(self.orders);
        let thread = self
            .thread
            .take()
            .context("the clients are already stopped")?;
        let sent = thread.join();
        sent.unwrap_or_else(|_| Err(anyhow!("the thread of the clients panicked")))
    }
}

/// The state of the thread.
struct Crew {
    wire: Wire,
    /// From when the clients' times count.
    began: Instant,
    clients: Vec<Client>,
    by_mac: HashMap<[u8; 6], usize>,
    /// When each client wakes.
    wakes: BinaryHeap<Reverse<(u64, usize)>>,
    /// When each client carries out the last order.
    told: BinaryHeap<Reverse<(u64, usize)>>,
    order: Order,
    mood: Mood,
    dice: StdRng,
    sent: Sent,
}

impl Crew {
    fn new(wire: Wire, link: Link, scene: Scene, number: u8, within: Duration, seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let within_ns = within.as_nanos() as u64;
        let clients: Vec<_> = (0..scene.clients())
            .map(|n| {
                let at_ns = dice.random_range(0..=within_ns);
                let is_relayed = n >= scene.direct;
                let machine = Machine::new(scene::mac(number, n), is_relayed, link, &mut dice);
                Client::new(machine, at_ns)
            })
            .collect();
        let macs = clients.iter().enumerate();
        let by_mac = macs.map(|(index, client)| (client.mac(), index)).collect();
        let wakes = clients.iter().enumerate();
        let wakes = wakes.map(|(index, client)| Reverse((client.wakes_at_ns, index)));
        Self {
            wakes: wakes.collect(),
            wire,
            began: Instant::now(),
            clients,
            by_mac,
            told: BinaryHeap::new(),
            order: Order::Steady,
            mood: Mood::Steady,
            dice,
            sent: Sent::default(),
        }
    }

    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Runs until no more orders can come.
    fn run(&mut self, orders: &Receiver<Order>) -> Result<Sent> {
        loop {
            match orders.try_recv() {
                Ok(order) => self.take(order),
                Err(TryRecvError::Disconnected) => return Ok(self.sent),
                Err(TryRecvError::Empty) => {}
            }
            let turn = Instant::now() + TURN;
            for _ in 0..ROW {
                if !self.obey()? && !self.wake()? {
                    break;
                }
            }
            for _ in 0..ANSWERS {
                let left = turn.saturating_duration_since(Instant::now());
                let Some(frame) = self.wire.receive_within(left)? else {
                    break;
                };
                self.receive(&frame)?;
            }
        }
    }

    fn take(&mut self, order: Order) {
        self.mood = match order {
            Order::Wild => Mood::Wild,
            _ => Mood::Steady,
        };
        self.order = order;
        self.told.clear();
        let now_ns = self.now_ns();
        match order {
            Order::Wild | Order::Steady => {}
            Order::Restart | Order::Leave => {
                for index in 0..self.clients.len() {
                    let at_ns = now_ns + self.dice.random_range(0..=SPREAD_NS);
                    self.told.push(Reverse((at_ns, index)));
                }
            }
            Order::Ask => {
                let mut turn = Turn {
                    now_ns,
                    mood: self.mood,
                    dice: &mut self.dice,
                };
                for (index, client) in self.clients.iter_mut().enumerate() {
                    client.ask_within(SPREAD_NS, &mut turn);
                    self.wakes.push(Reverse((client.wakes_at_ns, index)));
                }
            }
        }
    }

    /// Makes the next client carry out its order. Returns `false` if none is due.
    fn obey(&mut self) -> Result<bool> {
        let now_ns = self.now_ns();
        let Some(index) = due(&mut self.told, now_ns) else {
            return Ok(false);
        };
        let Some(client) = self.clients.get_mut(index) else {
            return Ok(false);
        };
        let mut turn = Turn {
            now_ns,
            mood: self.mood,
            dice: &mut self.dice,
        };
        let frame = match self.order {
            Order::Leave => client.leave(&mut turn)?,
            _ => client.restart(&mut turn)?,
        };
        self.wakes.push(Reverse((client.wakes_at_ns, index)));
        self.transmit(frame)?;
        Ok(true)
    }

    /// Wakes the next client. Returns `false` if none is due.
    fn wake(&mut self) -> Result<bool> {
        let now_ns = self.now_ns();
        loop {
            let due_at = self.wakes.peek().map(|Reverse((at_ns, _))| *at_ns);
            let (Some(at_ns), Some(index)) = (due_at, due(&mut self.wakes, now_ns)) else {
                return Ok(false);
            };
            let client = self.clients.get_mut(index);
            let Some(client) = client.filter(|client| client.wakes_at_ns == at_ns) else {
                continue;
            };
            let frame = client.wake(&mut Turn {
                now_ns,
                mood: self.mood,
                dice: &mut self.dice,
            })?;
            self.wakes.push(Reverse((client.wakes_at_ns, index)));
            self.transmit(frame)?;
            return Ok(true);
        }
    }

    fn receive(&mut self, frame: &[u8]) -> Result<()> {
        let now_ns = self.now_ns();
        let Some(reply) = raw::parse(frame)? else {
            return Ok(());
        };
        let mac: Option<&[u8; 6]> = reply.message.chaddr().first_chunk();
        let index = mac.and_then(|mac| self.by_mac.get(mac)).copied();
        let Some((index, client)) =
            index.and_then(|index| Some((index, self.clients.get_mut(index)?)))
        else {
            return Ok(());
        };
        let mut turn = Turn {
            now_ns,
            mood: self.mood,
            dice: &mut self.dice,
        };
        let frame = client.receive(&reply, &mut turn)?;
        self.wakes.push(Reverse((client.wakes_at_ns, index)));
        self.transmit(frame)
    }

    fn transmit(&mut self, frame: Option<Vec<u8>>) -> Result<()> {
        let Some(frame) = frame else {
            return Ok(());
        };
        self.sent.frames += 1;
        if !self.wire.send_if_up(&frame)? {
            self.sent.lost += 1;
        }
        Ok(())
    }
}

/// Removes and returns the first client, if it is due.
fn due(times: &mut BinaryHeap<Reverse<(u64, usize)>>, now_ns: u64) -> Option<usize> {
    let Reverse((at_ns, _)) = times.peek()?;
    if *at_ns > now_ns {
        return None;
    }
    times.pop().map(|Reverse((_, index))| index)
}
