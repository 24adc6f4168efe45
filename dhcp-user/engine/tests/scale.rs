//! Cost by the size of the configuration: a request costs the same with a thousand subnets and a
//! hundred thousand reservations as with ten subnets, and a change of one subnet costs as much as
//! that subnet. Instructions and allocations are counted; `cargo xtask bench` measures the time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use dhcp_common::abi::{ClientKey, NS_PER_SEC};
use dhcp_config::Config;
use dhcp_engine::{Effect, Engine, Input, Networks};
use dhcp_model::{ClientOrigin, Nanos, Record, RecordState};
use dhcp_testkit::{
    counts::{Counting, allocations, instructions},
    many::{self, file, host, mac, read, subnet},
    restore::restore,
    world::{Kernel, Message},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Nanos = Nanos(1_000 * NS_PER_SEC);
const SUBNETS: u32 = 1_000;
/// Reservations of each subnet.
const RESERVATIONS: u32 = 100;
/// The number of subnets in the small configuration.
const FEW: u32 = 10;
/// Largest permitted ratio of a request's cost with many subnets to that with few: a search among
/// more entries goes deeper.
const MOST: f64 = 1.25;

/// Runs the tests one at a time: the allocator executes more instructions while other threads use
/// it.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reservations(config: &Config) -> u32 {
    config
        .subnets()
        .map(|(_, s)| s.reservations.len() as u32)
        .sum()
}

#[test]
fn a_file_of_100_000_reservations_takes_no_more_memory_for_each_than_one_of_a_thousand() {
    let _alone = alone();
    let [few, many] = [FEW, SUBNETS].map(|subnets| {
        let text = file(subnets, RESERVATIONS);
        let (allocations, config) = allocations(|| read(&text));
        assert_eq!(reservations(&config), subnets * RESERVATIONS);
        allocations as f64 / f64::from(subnets * RESERVATIONS)
    });
    println!("{few:.2} allocations for each of a thousand, {many:.2} of 100,000");
    assert!(many > 1.0 && many <= few, "{many} {few}");
}

/// A check that compared each reservation with the ones before would make eighty billion
/// comparisons, which take several minutes. `cargo xtask bench` measures the time of a check.
#[test]
fn hundreds_of_thousands_of_reservations_are_not_compared_with_each_other() {
    const RESERVATIONS: u32 = 400_000;
    const HOPELESS: Duration = Duration::from_secs(120);
    let _alone = alone();
    let mut text = "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/8'\n".to_owned();
    for i in 1..=RESERVATIONS {
        let [_, a, b, c] = i.to_be_bytes();
        write!(
            text,
            "[[subnet.reservation]]\nhardware-address = '02:00:00:{a:02x}:{b:02x}:{c:02x}'\naddress = '10.{a}.{b}.{c}'\nhost-name = 'h{i}'\n"
        )
        .unwrap();
    }
    let (sender, checked) = mpsc::channel();
    thread::spawn(move || sender.send(read(&text).networks[0].subnets[0].reservations.len()));
    assert_eq!(checked.recv_timeout(HOPELESS), Ok(RESERVATIONS as usize));
}

fn engine(subnets: u32) -> Engine {
    many::engine(read(&file(subnets, RESERVATIONS)))
}

/// Sends a DISCOVER of every client and expects an OFFER. Returns the instructions of each.
fn ask(engine: &mut Engine, clients: &[Message]) -> Vec<u64> {
    let kernel = Kernel::default();
    let mut effects = Vec::new();
    let mut each = Vec::new();
    for client in clients {
        let input = Input::Message {
            ingress: &client.ingress,
            payload: &client.payload,
        };
        let (count, ()) = instructions(|| engine.handle(input, NOW, &kernel, &mut effects));
        each.push(count);
    }
    let sent = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Send { .. }));
    assert_eq!(sent.count(), clients.len(), "each is answered");
    each
}

#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "instructions are counted on x86-64 alone"
)]
fn a_client_among_100_000_reservations_costs_what_one_among_a_thousand_does() {
    let _alone = alone();
    let (mut few, mut many) = (engine(FEW), engine(SUBNETS));
    for (what, clients) in [
        ("with a reservation", many::clients(FEW, 10..11)),
        ("of a pool", many::clients(FEW, 128..129)),
    ] {
        // Single-stepping takes microseconds an instruction, and one client is as good as many.
        let clients = &clients[..1];
        // The client is new the first time, and known the second.
        for time in ["first", "second"] {
            let [few, many] = [&mut few, &mut many].map(|engine| ask(engine, clients));
            println!(
                "a client {what}, its {time} question: {few:?} instructions in {FEW} subnets, {many:?} in {SUBNETS}"
            );
            let [few, many] = [few, many].map(|each| each.into_iter().sum::<u64>() as f64);
            assert!(many <= few * MOST, "{what}: {many} {few}");
        }
    }
}

/// The number of subnets, one of which is changed.
const RELOADED: u32 = 10;
/// Leases in the changed subnet.
const ITS_LEASES: u32 = 10;

fn leases(config: &Config, others: u32) -> Vec<Record> {
    let of_network = config.networks.iter().zip(0..).flat_map(|(network, n)| {
        let leases = if n == CHANGED { ITS_LEASES } else { others };
        (128..128 + leases).map(move |last| {
            let address = host(subnet(n), last);
            Record {
                address,
                client: ClientKey::hardware(network.id, 1, &mac(address)).unwrap(),
                state: RecordState::Bound,
                origin: ClientOrigin::default(),
                since: NOW,
                expires: NOW.plus_lease(3600),
                horizon: NOW.plus_lease(3 * 3600),
            }
        })
    });
    of_network.collect()
}

/// The number of the subnet whose router changes.
const CHANGED: u32 = 7;

/// Returns the instructions of a preview and the following reload, with `others` leases in each
/// unchanged subnet.
fn reload_one_subnet(others: u32) -> u64 {
    let before = file(RELOADED, 2);
    let config = read(&before);
    let records = leases(&config, others);
    let mut engine = many::engine(config);
    let kernel = Kernel::default();
    restore(&mut engine, records, [], NOW, &kernel);

    let changed = host(subnet(CHANGED), 1).to_string();
    let after = before.replacen(
        &format!("routers = [\"{changed}\"]"),
        &format!("routers = [\"{}\"]", host(subnet(CHANGED), 2)),
        1,
    );
    assert_ne!(before, after);
    let mut effects = Vec::new();
    let config = read(&after);
    let networks = Networks::new(&config, many::links());
    let (looked, preview) = instructions(|| engine.preview(&config, &networks));
    let (changed, ()) =
        instructions(|| engine.reload(&config, networks, NOW, &kernel, &mut effects));
    println!("{looked} instructions for a preview, {changed} for the reload with {others}");
    assert_eq!(preview.kept, u64::from(ITS_LEASES));
    assert_eq!(preview.untouched, u64::from((RELOADED - 1) * others));
    let published = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Publish { .. }));
    assert_eq!(published.count(), ITS_LEASES as usize, "{}", effects.len());
    looked + changed
}

#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "instructions are counted on x86-64 alone"
)]
fn a_reload_that_changes_one_subnet_concerns_its_leases_only() {
    let _alone = alone();
    // With fewer leases than the changed subnet has addresses, all leases are looked at instead.
    const FEW: u32 = 30;
    const MANY: u32 = 120;
    let [few, many] = [FEW, MANY].map(reload_one_subnet);
    println!(
        "{few} instructions with {FEW} leases in each of the other subnets, {many} with {MANY}"
    );
    // Visiting a lease takes some hundred instructions; the layout of the tables may add some
    // thousand.
    const LOOK: u64 = 50;
    let more_leases = u64::from((RELOADED - 1) * (MANY - FEW));
    assert!(many < few + LOOK * more_leases, "{many} {few}");
}
