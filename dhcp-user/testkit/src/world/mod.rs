//! The engine under test with a kernel, a store and clients made of plain data.

// Each test binary uses a part of it.
#![allow(dead_code)]

mod clients;
mod configs;
mod kernel;

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use dhcp_common::{
    abi::{Binding, ClientDigest, ClientKey, LinkKey, NS_PER_SEC, lease_homes},
    fingerprint::KEY_WORDS,
    wire::message_type,
};
use dhcp_config::{Boot, Config, Overrides, Subnet};
use dhcp_engine::{
    Command, CommandId, CommandOutcome, Counter, Effect, Engine, FenceId, Ingress, Input, Link,
    LinkTable, Networks, Preview, Probe, ProbeAnswer, ProbeWay, Setup,
    lease_table::{LeaseState, Leases},
};
use dhcp_model::{Applied, Change, Nanos, Record, RecordState, StoreError, Ticket};

pub use self::{clients::*, configs::*, kernel::*};
use crate::restore::{restore, unrecorded};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const NETWORK: u32 = 7;
pub const LEASE_SECS: u32 = 600;
pub const HORIZON_LEASES: u32 = 2;
pub const OFFER_SECS: u64 = 60;
pub const DECLINE_SECS: u64 = 3600;
pub const IFINDEX: u32 = 3;
/// A VLAN from whose clients both options 82 and 118 are accepted.
pub const TRUSTED_VLAN: u16 = 118;
/// A VLAN where another server gives the addresses.
pub const PROXY_VLAN: u16 = 400;
/// The server's address there.
pub const PROXY_SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The boot file there.
pub const PROXY_FILE: &str = "grubx64.efi";
pub const RELAY_MAC: [u8; 6] = [2, 0, 0, 0, 0xff, 1];
/// The hardware address of a host that is not a DHCP client.
pub const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 0xff, 2];

pub fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The engine with its surroundings. Commits and fences wait until they are carried out.
pub struct World {
    pub engine: Engine,
    pub leases: Arc<Leases>,
    pub now: Nanos,
    pub kernel: Kernel,
    /// `LEASES` as it was before the last reload.
    before_reload: BTreeMap<ClientKey, Binding>,
    pub store: BTreeMap<Ipv4Addr, Record>,
    pub commits: VecDeque<(Ticket, Vec<Change>)>,
    pub fences: VecDeque<FenceId>,
    pub sent: Vec<Received>,
    pub probes: Vec<Probe>,
    pub answers: Vec<(CommandId, CommandOutcome)>,
    /// Names of the effects in their order, since they were last read.
    pub effects: Vec<&'static str>,
    pub store_fails: bool,
    /// While this is set, the results of commits are unknown; the value is whether they are
    /// applied.
    pub store_doubts: Option<bool>,
    pub config: Config,
    pub max_slots: u32,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(subnet())
    }

    pub fn with(subnet: Subnet) -> Self {
        Self::with_config(config(vec![(NETWORK, subnet)]), 100)
    }

    pub fn with_config(config: Config, max_slots: u32) -> Self {
        let engine = engine(&config, max_slots);
        Self {
            leases: Arc::clone(engine.leases()),
            engine,
            now: Nanos(1_000 * NS_PER_SEC),
            kernel: Kernel::default(),
            before_reload: BTreeMap::new(),
            store: BTreeMap::new(),
            commits: VecDeque::new(),
            fences: VecDeque::new(),
            sent: Vec::new(),
            probes: Vec::new(),
            answers: Vec::new(),
            effects: Vec::new(),
            store_fails: false,
            store_doubts: None,
            config,
            max_slots,
        }
    }

    /// Passes an input to the engine and carries out its effects, except commits and fences.
    pub fn input(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.engine.handle(input, self.now, &self.kernel, &mut out);
        self.carry_out(out);
    }

    pub fn message(&mut self, message: &Message) {
        let message = message.clone().end();
        self.input(Input::Message {
            ingress: &message.ingress,
            payload: &message.payload,
        });
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push(match effect {
                Effect::Commit { ticket, changes } => {
                    self.commits.push_back((ticket, changes));
                    "commit"
                }
                Effect::Publish { key, binding } => {
                    let digest = ClientDigest::new(&key, &fingerprint_key());
                    assert!(binding.is_sealed_for(digest));
                    let places = digest.slots(lease_homes(self.max_slots));
                    assert!(places.contains(&binding.slot), "where the program looks");
                    self.kernel.leases.insert(key, binding);
                    "publish"
                }
                Effect::Withdraw { fence, key } => {
                    self.kernel.leases.remove(&key);
                    self.fences.push_back(fence);
                    "withdraw"
                }
                Effect::PublishTemplate { key, template } => {
                    let key = (key.profile(), key.fingerprint, key.reply());
                    let earlier = self.kernel.templates.insert(key, *template);
                    assert!(earlier.is_none(), "a template is published once");
                    "template"
                }
                Effect::ForgetTemplates => {
                    let templates = &mut self.kernel.templates;
                    templates.retain(|key, _| key.2 == message_type::NAK);
                    "forget"
                }
                Effect::Send { egress, payload } => {
                    self.sent.push(Received { egress, payload });
                    "send"
                }
                Effect::Probe(probe) => {
                    self.probes.push(probe);
                    "probe"
                }
                Effect::Answer { id, outcome } => {
                    self.answers.push((id, outcome));
                    "answer"
                }
            });
        }
    }

    /// Carries out the oldest commit.
    pub fn commit(&mut self) {
        let (ticket, changes) = self.commits.pop_front().expect("a commit is due");
        let result = if self.store_fails {
            Err(StoreError::NotApplied("no space left on device".into()))
        } else if self.store_doubts == Some(false) {
            Err(StoreError::Unknown("the connection is lost".into()))
        } else {
            let applied = changes.iter().map(|change| self.apply(change)).collect();
            match self.store_doubts {
                Some(_) => Err(StoreError::Unknown("the connection is lost".into())),
                None => Ok(applied),
            }
        };
        self.input(Input::Committed { ticket, result });
    }

    fn apply(&mut self, change: &Change) -> Applied {
        let (address, client) = match change {
            Change::Put(record) => (record.address, record.client),
            Change::Remove { address, client } => (*address, *client),
        };
        let is_other = |record: &Record| record.client != client && !record.state.is_free();
        if self.store.get(&address).is_some_and(is_other) {
            return Applied::Conflict;
        }
        match change {
            Change::Put(record) => {
                self.store.insert(address, (**record).clone());
            }
            Change::Remove { .. } => {
                self.store.remove(&address);
            }
        }
        Applied::Done
    }

    /// Lets the oldest fence pass.
    pub fn fence(&mut self) {
        let fence = self.fences.pop_front().expect("a fence is under way");
        self.input(Input::Fenced(fence));
    }

    /// Carries out commits and fences until none is left.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.commits.is_empty() {
                self.commit();
            } else if !self.fences.is_empty() {
                self.fence();
            } else if self
                .engine
                .next_deadline()
                .is_some_and(|deadline| deadline <= self.now)
            {
                self.timeout();
            } else {
                return;
            }
        }
        panic!("it never settles");
    }

    pub fn timeout(&mut self) {
        let mut out = Vec::new();
        self.engine.handle_timeout(self.now, &self.kernel, &mut out);
        self.carry_out(out);
    }

    /// Lets time pass and handles each deadline when it is reached, with its consequences.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now.plus(duration);
        while let Some(deadline) = self
            .engine
            .next_deadline()
            .filter(|deadline| *deadline <= end)
        {
            self.now = self.now.max(deadline);
            self.timeout();
            self.settle();
        }
        self.now = end;
    }

    /// Lets time pass without handling anything.
    pub fn sleep(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    /// Answers the last probe, as a host that has the address.
    pub fn host_answers(&mut self, address: Ipv4Addr) {
        let mut probes = self.probes.iter().rev();
        let probe = probes.find(|probe| probe.address == address);
        let answer = answer(probe.expect("it has been probed"), HOST_MAC);
        self.input(Input::ProbeAnswered(answer));
    }

    pub fn command(&mut self, id: u64, command: Command) {
        self.input(Input::Command {
            id: CommandId(id),
            command,
        });
    }

    /// Sends a message, carries out all effects, and returns the only reply.
    pub fn ask(&mut self, message: &Message) -> Received {
        let mut replies = self.ask_all(message);
        assert_eq!(replies.len(), 1, "one reply to {message:?}");
        replies.remove(0)
    }

    pub fn ask_all(&mut self, message: &Message) -> Vec<Received> {
        self.sent.clear();
        self.message(message);
        self.settle();
        std::mem::take(&mut self.sent)
    }

    pub fn expect(&mut self, message: &Message, message_type: u8, address: Ipv4Addr) {
        let reply = self.ask(message);
        assert_eq!(
            (reply.message_type(), reply.yiaddr()),
            (message_type, address)
        );
    }

    pub fn expect_offer(&mut self, message: &Message, address: Ipv4Addr) {
        self.expect(message, message_type::OFFER, address);
    }

    pub fn expect_ack(&mut self, message: &Message, address: Ipv4Addr) {
        self.expect(message, message_type::ACK, address);
    }

    pub fn expect_nak(&mut self, message: &Message) {
        self.expect(message, message_type::NAK, Ipv4Addr::UNSPECIFIED);
    }

    pub fn expect_silence(&mut self, message: &Message, counter: Counter) {
        let before = self.count(counter);
        assert_eq!(self.ask_all(message), []);
        assert_eq!(self.count(counter), before + 1, "{counter:?}");
    }

    /// Leases an address: DISCOVER, OFFER, REQUEST, ACK.
    pub fn lease(&mut self, client: u8) -> Ipv4Addr {
        let offer = self.ask(&discover(client));
        let address = offer.yiaddr();
        self.expect_ack(&selecting(client, address), address);
        address
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.engine.counters().get(counter)
    }

    pub fn state(&self, address: Ipv4Addr) -> Option<LeaseState> {
        self.leases.get(&address).map(|lease| lease.state)
    }

    pub fn published(&self, client: u8) -> Option<Binding> {
        self.kernel.leases.get(&key(client)).copied()
    }

    pub fn recorded(&self, address: Ipv4Addr) -> Option<RecordState> {
        self.store.get(&address).map(|record| record.state)
    }

    pub fn take_effects(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.effects)
    }

    /// Reloads with another configuration.
    pub fn reload(&mut self, config: Config) {
        self.before_reload = self.kernel.leases.clone();
        let mut out = Vec::new();
        self.engine.reload(
            &config,
            Networks::new(&config, links()),
            self.now,
            &self.kernel,
            &mut out,
        );
        self.config = config;
        self.carry_out(out);
    }

    pub fn preview(&self, config: &Config) -> Preview {
        self.engine.preview(config, &Networks::new(config, links()))
    }

    /// Returns the kernel as seen by a run that has read this client's entry before the last
    /// reload.
    pub fn kernel_before_reload(&self, client: u8) -> Kernel {
        let mut kernel = Kernel::default();
        kernel.grants.clone_from(&self.kernel.grants);
        let (key, binding) = self
            .before_reload
            .get_key_value(&key(client))
            .expect("it had one");
        kernel.leases.insert(*key, *binding);
        kernel
    }

    /// Kills the controller and starts another; the store and the kernel's map stay.
    pub fn restart(&mut self) {
        self.restart_with(self.config.clone());
    }

    pub fn restart_with(&mut self, config: Config) {
        self.engine = engine(&config, self.max_slots);
        self.leases = Arc::clone(self.engine.leases());
        self.config = config;
        self.commits.clear();
        self.fences.clear();
        self.kernel.templates.clear();
        self.effects.clear();
        let mut records: Vec<_> = self.store.values().cloned().collect();
        let published: Vec<_> = self
            .kernel
            .leases
            .iter()
            .map(|(key, binding)| (*key, *binding))
            .collect();
        let lost = unrecorded(&records, &published, self.now, &self.kernel);
        for record in &lost {
            self.store.insert(record.address, record.clone());
        }
        records.extend(lost);
        let out = restore(&mut self.engine, records, published, self.now, &self.kernel);
        self.carry_out(out);
    }
}

/// Returns the answer of a host with this MAC address to a probe.
pub fn answer(probe: &Probe, mac: [u8; 6]) -> ProbeAnswer {
    let Probe { address, .. } = *probe;
    let tags = probe.tags;
    match probe.way {
        ProbeWay::Link { .. } => ProbeAnswer::Arp {
            address,
            ifindex: probe.ifindex,
            vlans: Ingress {
                tags,
                ..discover(1).ingress
            }
            .vlans(),
            mac,
        },
        ProbeWay::Relay { .. } => ProbeAnswer::Echo { address },
    }
}

fn engine(config: &Config, max_slots: u32) -> Engine {
    Engine::new(Setup {
        config: Arc::new(config.clone()),
        fingerprint_key: fingerprint_key(),
        links: links(),
        max_slots,
    })
}

fn links() -> LinkTable {
    LinkTable::new([link(0), link(TRUSTED_VLAN), proxy_link()].into())
}

fn proxy_link() -> Link {
    let overrides = Overrides {
        boot: Boot {
            file: Some(PROXY_FILE.to_owned()),
            ..Boot::default()
        },
        ..Overrides::default()
    };
    Link {
        network: None,
        addresses: vec![PROXY_SERVER],
        proxy: Some(Arc::new(overrides)),
        ..link(PROXY_VLAN)
    }
}

fn link(vlan: u16) -> Link {
    Link {
        key: LinkKey {
            ifindex: IFINDEX,
            outer: vlan,
            inner: 0,
        },
        network: Some(NETWORK),
        addresses: vec![SERVER, Ipv4Addr::new(192, 0, 2, 1)],
        trusts_relay_info: vlan == TRUSTED_VLAN,
        honours_subnet_selection: vlan == TRUSTED_VLAN,
        proxy: None,
    }
}

pub fn fingerprint_key() -> [u64; KEY_WORDS] {
    std::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl World {
    /// Leases any address without carrying out other pending work.
    pub fn lease_without(&mut self, client: u8) {
        self.sent.clear();
        self.message(&discover(client));
        let address = self.sent[0].yiaddr();
        self.message(&selecting(client, address));
        self.commit();
    }

    pub fn expect_no_offer(&mut self, client: u8) {
        let before = self.count(Counter::PoolEmpty);
        self.message(&discover(client));
        assert_eq!(self.count(Counter::PoolEmpty), before + 1);
    }
}
