//! Sequences of everything that can happen, with commits, fences and the kernel's grants in any order
//! between, and what must hold after each step.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use dhcp_common::wire::{message_type, option};
use dhcp_engine::{Command, Input, lease_table::LeaseState};
use dhcp_model::{ClientOrigin, Nanos, Record, RecordState};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::world::*;

/// What happens, and to whom.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Whether clients without a record are told NAK.
    pub authoritative: bool,
    /// Whether new addresses are probed.
    pub is_probing: bool,
    /// Bindings that the kernel's map holds; with fewer than there are leases some are served without.
    pub max_slots: u32,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Discover(u8),
    Selecting(u8, u8),
    SelectingOther(u8),
    InitReboot(u8, u8),
    Renewing(u8, u8),
    Rebinding(u8, u8),
    Release(u8, u8),
    Decline(u8, u8),
    /// A message of any type but REQUEST, with any octets for options.
    Odd(u8, u8, Vec<u8>),
    Delete(u8),
    Revoke(u8),
    /// In the kernel.
    Renew(u8),
    HorizonLow(u8),
    /// A host that has the address, if that is being probed.
    HostAnswers(u8),
    Commit,
    CommitFails,
    /// Another server takes an address that is free in the store.
    Taken(u8),
    Fence,
    Sleep(u16),
    Timeout,
    Restart,
}

const CLIENTS: u8 = 5;
/// The client of another server that takes `ip(last)` has this number and `last`.
const ELSEWHERE: u8 = 200;
const ODD_TYPES: &[u8] = &[
    0,
    message_type::DISCOVER,
    message_type::OFFER,
    message_type::DECLINE,
    message_type::RELEASE,
    message_type::INFORM,
    13,
    255,
];

/// Anything, what brings clients on more often.
pub fn step() -> impl Strategy<Value = Step> {
    let client = 1..=CLIENTS;
    let pair = || (1..=CLIENTS, 10u8..=13);
    prop_oneof![
        6 => client.clone().prop_map(Step::Discover),
        8 => pair().prop_map(|(client, last)| Step::Selecting(client, last)),
        1 => client.clone().prop_map(Step::SelectingOther),
        2 => pair().prop_map(|(client, last)| Step::InitReboot(client, last)),
        3 => pair().prop_map(|(client, last)| Step::Renewing(client, last)),
        2 => pair().prop_map(|(client, last)| Step::Rebinding(client, last)),
        1 => pair().prop_map(|(client, last)| Step::Release(client, last)),
        1 => pair().prop_map(|(client, last)| Step::Decline(client, last)),
        1 => (client.clone(), select(ODD_TYPES), vec(any::<u8>(), 0..40))
            .prop_map(|(client, kind, octets)| Step::Odd(client, kind, octets)),
        1 => (10u8..=13).prop_map(Step::Delete),
        1 => (10u8..=13).prop_map(Step::Revoke),
        4 => client.clone().prop_map(Step::Renew),
        2 => client.prop_map(Step::HorizonLow),
        2 => (10u8..=13).prop_map(Step::HostAnswers),
        10 => Just(Step::Commit),
        1 => Just(Step::CommitFails),
        1 => (10u8..=12).prop_map(Step::Taken),
        6 => Just(Step::Fence),
        5 => (0u16..700).prop_map(Step::Sleep),
        5 => Just(Step::Timeout),
        1 => Just(Step::Restart),
    ]
}

/// What clients have been promised: until when an address is theirs.
#[derive(Default)]
struct Promises {
    until: BTreeMap<(u8, Ipv4Addr), Nanos>,
    /// When each client last sent a REQUEST for an address: its lease counts from then.
    requested: BTreeMap<(u8, Ipv4Addr), Nanos>,
}

impl Promises {
    /// An ACK has left, from either path.
    fn promise(&mut self, world: &World, client: u8, address: Ipv4Addr, until: Nanos) {
        let record = world.store.get(&address).expect("durable before promised");
        assert_eq!(record.client, key(client), "durable before promised");
        assert!(until <= record.horizon, "no promise beyond what is durable");
        for ((other, of), earlier) in &self.until {
            assert!(
                *other == client || *of != address || *earlier <= world.now,
                "{address} is promised to {other} until {earlier:?}, and now to {client}"
            );
        }
        // A client uses the address that it was given last.
        self.until.retain(|(other, _), _| *other != client);
        self.until.insert((client, address), until);
    }

    fn withdraw(&mut self, client: u8, address: Ipv4Addr) {
        self.until.remove(&(client, address));
    }
}

/// Plays a sequence, with all that must hold checked after each step.
pub fn run(sequence: &Sequence) -> World {
    let mut subnet = subnet();
    subnet.authoritative = sequence.authoritative;
    subnet.probe_time = Duration::from_millis(if sequence.is_probing { 500 } else { 0 });
    let mut world = World::with_config(config(vec![(NETWORK, subnet)]), sequence.max_slots);
    let mut promises = Promises::default();
    let mut has_crashed = false;
    for (index, step) in sequence.steps.iter().enumerate() {
        take(&mut world, &mut promises, step, index as u64);
        for reply in std::mem::take(&mut world.sent) {
            if reply.message_type() == message_type::OFFER {
                let state = world.state(reply.yiaddr());
                assert!(state.is_some_and(|state| {
                    !matches!(state, LeaseState::Probing | LeaseState::Quarantined)
                }));
            }
            if reply.message_type() != message_type::ACK {
                continue;
            }
            let client = reply.payload[33];
            // That of an INFORM promises nothing.
            if let Some(lease) = reply.option(option::LEASE_TIME) {
                assert_eq!(lease, LEASE_SECS.to_be_bytes());
                let until = promises.requested[&(client, reply.yiaddr())].plus_lease(LEASE_SECS);
                promises.promise(&world, client, reply.yiaddr(), until);
            }
        }
        has_crashed |= matches!(step, Step::Restart);
        check(&world, has_crashed);
    }
    world
}

fn take(world: &mut World, promises: &mut Promises, step: &Step, id: u64) {
    if let Step::Selecting(client, last)
    | Step::InitReboot(client, last)
    | Step::Renewing(client, last)
    | Step::Rebinding(client, last) = *step
    {
        promises.requested.insert((client, ip(last)), world.now);
    }
    match *step {
        Step::Discover(client) => {
            // A revoked client that starts again uses its address no longer.
            let is_revoked = |of: &Ipv4Addr| world.state(*of) == Some(LeaseState::Revoked);
            promises
                .until
                .retain(|(other, of), _| *other != client || !is_revoked(of));
            world.message(&discover(client));
        }
        Step::Selecting(client, last) => world.message(&selecting(client, ip(last))),
        Step::SelectingOther(client) => world.message(&selecting_other(client)),
        Step::InitReboot(client, last) => world.message(&init_reboot(client, ip(last))),
        Step::Renewing(client, last) => world.message(&renewing(client, ip(last))),
        Step::Rebinding(client, last) => world.message(&rebinding(client, ip(last))),
        Step::Release(client, last) => {
            promises.withdraw(client, ip(last));
            world.kernel.close(&key(client));
            world.message(&release(client, ip(last)));
        }
        Step::Decline(client, last) => {
            promises.withdraw(client, ip(last));
            world.kernel.close(&key(client));
            world.message(&decline(client, ip(last)));
        }
        Step::Odd(client, kind, ref octets) => {
            if matches!(kind, message_type::DECLINE | message_type::RELEASE) {
                promises.until.retain(|(other, _), _| *other != client);
                world.kernel.close(&key(client));
            }
            let mut message = Message::new(client, kind);
            message.payload.extend(octets);
            world.message(&message);
        }
        Step::Delete(last) => world.command(id, Command::Delete(ip(last))),
        Step::Revoke(last) => world.command(id, Command::Revoke(ip(last))),
        Step::Renew(client) => {
            if let Some(until) = world.kernel.renew(&key(client), world.now) {
                let address = world
                    .published(client)
                    .expect("it has been renewed")
                    .address
                    .into();
                promises.promise(world, client, address, until);
            }
        }
        Step::HorizonLow(client) => {
            if let Some(binding) = world.published(client) {
                let (slot, epoch) = (binding.slot, binding.epoch);
                world.input(Input::HorizonLow { slot, epoch });
            }
        }
        Step::HostAnswers(last) => {
            if world.state(ip(last)) == Some(LeaseState::Probing) {
                world.host_answers(ip(last));
            }
        }
        Step::Commit if world.commits.is_empty() => {}
        Step::Commit => world.commit(),
        Step::CommitFails if world.commits.is_empty() => {}
        Step::CommitFails => {
            world.store_fails = true;
            world.commit();
            world.store_fails = false;
        }
        Step::Taken(last) => taken_elsewhere(world, last),
        Step::Fence if world.fences.is_empty() => {}
        Step::Fence => world.fence(),
        Step::Sleep(time) => world.sleep(secs(time.into())),
        Step::Timeout => world.timeout(),
        Step::Restart => world.restart(),
    }
}

fn taken_elsewhere(world: &mut World, last: u8) {
    let address = ip(last);
    let is_free = |record: &Record| record.state.is_free();
    if !world.store.get(&address).is_none_or(is_free) {
        return;
    }
    let record = Record {
        address,
        client: key(ELSEWHERE + last),
        state: RecordState::Bound,
        origin: ClientOrigin::default(),
        since: world.now,
        expires: world.now.plus_lease(LEASE_SECS),
        horizon: world.now.plus_lease(LEASE_SECS),
    };
    world.store.insert(address, record);
}

/// What holds after every step. After a crash an address that was on its way to the pool may be its
/// client's again, beside the one that the client has come to.
fn check(world: &World, has_crashed: bool) {
    let mut clients = BTreeMap::new();
    for lease in world.leases.iter() {
        let is_active = matches!(
            lease.state,
            LeaseState::Probing
                | LeaseState::Offered
                | LeaseState::Committing
                | LeaseState::Bound
                | LeaseState::Deleted
        );
        if is_active && !has_crashed {
            let earlier = clients.insert(lease.holder.client(), *lease.key());
            assert_eq!(
                earlier,
                None,
                "two addresses for {:?}",
                lease.holder.client()
            );
        }
    }
    let mut slots = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for (client, binding) in &world.kernel.leases {
        assert_eq!(
            slots.insert(binding.slot, client),
            None,
            "two bindings in a slot"
        );
        let address = Ipv4Addr::from(binding.address);
        assert_eq!(
            addresses.insert(address, client),
            None,
            "{address} published twice"
        );
        let lease = world
            .leases
            .get(&address)
            .expect("what is published is not free");
        assert_eq!(lease.holder.client(), *client);
        assert_ne!(lease.state, LeaseState::Probing, "nothing is offered yet");
        if binding.durable_until_ns > 0 {
            let record = world
                .store
                .get(&address)
                .expect("what is published is durable");
            assert!(binding.durable_until_ns <= record.horizon.0);
        }
    }
}

/// Everything ends, and every address can be had again.
pub fn check_nothing_is_lost(mut world: World) {
    world.settle();
    world.pass(secs(DECLINE_SECS + 10 * u64::from(LEASE_SECS)));
    assert_eq!(world.leases.len(), 0, "{:?}", world.leases);
    assert_eq!(world.kernel.leases.len(), 0);
    assert_eq!(
        (
            world.engine.next_deadline(),
            world.commits.len(),
            world.fences.len()
        ),
        (None, 0, 0)
    );
    world.sent.clear();
    for client in 100..103 {
        world.message(&discover(client));
    }
    world.pass(secs(1));
    let mut offered: Vec<_> = world.sent.iter().map(Received::yiaddr).collect();
    offered.sort();
    assert_eq!(offered, [ip(10), ip(11), ip(12)]);
}
