//! A thousand subnets and a hundred thousand reservations cost no more per request than ten, and a
//! change of one subnet what that subnet costs.
#![allow(
    clippy::disallowed_methods,
    reason = "it measures the engine from outside"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::Write as _,
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use dhcp_common::{
    abi::{ClientKey, LinkKey, NS_PER_SEC},
    wire::message_type,
};
use dhcp_config::{Config, file};
use dhcp_engine::{Effect, Engine, Input, Link, LinkTable, Networks, Setup};
use dhcp_model::{ClientOrigin, Nanos, Record, RecordState};
use dhcp_testkit::{
    restore::restore,
    world::{Kernel, Message, fingerprint_key},
};
use nix::time::{ClockId, clock_gettime};

const NOW: Nanos = Nanos(1_000 * NS_PER_SEC);
const SUBNETS: u32 = 1_000;
/// Of each subnet.
const RESERVATIONS: u32 = 100;
/// What the same is compared with.
const FEW: u32 = 10;
/// By how much more a request may cost with many than with few: nothing, but for what a measurement
/// is worth.
const MOST: f64 = 1.25;
/// Measured until the ratio is within the bound.
const MAX_PAIRS: u32 = 400;

/// What checking such a file may take.
const LONGEST_CHECK: Duration = Duration::from_secs(2);

/// The n-th subnet, of a /24 each.
fn subnet(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + (n << 8))
}

fn host(subnet: Ipv4Addr, last: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet) + last)
}

/// The MAC address of the reservation of an address.
fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [2, 0, a, b, c, d]
}

fn file(subnets: u32, reservations: u32) -> String {
    let mut text = String::from(
        "[defaults]\nprobe-time = \"0s\"\n\n\
         [[interface]]\nname = \"eth0\"\naddresses = [\"192.0.2.1\"]\n",
    );
    for n in 0..subnets {
        let prefix = subnet(n);
        let (first, last) = (host(prefix, 128), host(prefix, 250));
        let router = host(prefix, 1);
        write!(
            text,
            "\n[[subnet]]\nprefix = \"{prefix}/24\"\npools = [\"{first}-{last}\"]\n\
             options = {{ routers = [\"{router}\"], domain-name = \"edge.example\" }}\n"
        )
        .unwrap();
        for last in 10..10 + reservations {
            let address = host(prefix, last);
            let mac = mac(address).map(|octet| format!("{octet:02x}")).join(":");
            write!(
                text,
                "\n[[subnet.reservation]]\nhardware-address = \"{mac}\"\n\
                 address = \"{address}\"\nhost-name = \"host-{last}\"\n"
            )
            .unwrap();
        }
    }
    text
}

fn read(text: &str) -> Config {
    file::parse(Path::new("xdhcpd.toml"), text, None).unwrap()
}

/// What this thread has had of a processor, whoever else wants it.
fn processor_time() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
}

#[test]
#[ignore = "takes half a minute: cargo xtask test"]
fn a_file_of_100_000_reservations_is_checked_in_two_seconds() {
    let text = file(SUBNETS, RESERVATIONS);
    // Others on the machine take memory and caches as well: the least is nearest to what it costs.
    let times = (0..5).map(|_| {
        let begun = processor_time();
        let config = read(&text);
        let took = processor_time() - begun;
        let reservations: usize = config.subnets().map(|(_, s)| s.reservations.len()).sum();
        assert_eq!(reservations as u32, SUBNETS * RESERVATIONS);
        took
    });
    let check = times.min().unwrap();
    println!("{SUBNETS} subnets of {RESERVATIONS} reservations: checked in {check:?}");
    assert!(check <= LONGEST_CHECK, "{check:?}");
}

/// Clients behind the relay agents of the first [`FEW`] subnets, and where they are.
fn clients(last: std::ops::Range<u32>) -> Vec<Message> {
    let places = (0..FEW).flat_map(|n| last.clone().map(move |last| (subnet(n), last)));
    places
        .map(|(prefix, last)| {
            let mut message = Message::new(0, message_type::DISCOVER).relayed(host(prefix, 1));
            message.payload[28..34].copy_from_slice(&mac(host(prefix, last)));
            message.ingress.ifindex = 1;
            message.end()
        })
        .collect()
}

fn links() -> LinkTable {
    LinkTable::new(vec![Link {
        key: LinkKey {
            ifindex: 1,
            outer: 0,
            inner: 0,
        },
        network: None,
        addresses: vec![Ipv4Addr::new(192, 0, 2, 1)],
        trusts_relay_info: false,
        honours_subnet_selection: false,
    }])
}

fn engine_of(config: Config) -> Engine {
    Engine::new(Setup {
        config: Arc::new(config),
        fingerprint_key: fingerprint_key(),
        links: links(),
        max_slots: 200_000,
    })
}

fn engine(subnets: u32) -> Engine {
    let begun = Instant::now();
    let engine = engine_of(read(&file(subnets, RESERVATIONS)));
    println!("an engine over {subnets} subnets: {:?}", begun.elapsed());
    engine
}

/// Has every client ask, and be offered an address.
fn ask(engine: &mut Engine, clients: &[Message]) -> Duration {
    let kernel = Kernel::default();
    let mut effects = Vec::new();
    let begun = Instant::now();
    for client in clients {
        let input = Input::Message {
            ingress: &client.ingress,
            payload: &client.payload,
        };
        engine.handle(input, NOW, &kernel, &mut effects);
    }
    let took = begun.elapsed();
    let sent = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Send { .. }));
    assert_eq!(sent.count(), clients.len(), "each is answered");
    took
}

#[test]
#[ignore = "takes half a minute: cargo xtask test"]
fn a_client_among_100_000_reservations_costs_what_one_among_a_thousand_does() {
    let (mut few, mut many) = (engine(FEW), engine(SUBNETS));
    for (what, clients) in [
        ("with a reservation", clients(10..10 + RESERVATIONS)),
        ("of a pool", clients(128..228)),
    ] {
        let (mut least_few, mut least_many) = (Duration::MAX, Duration::MAX);
        let mut ratio = f64::INFINITY;
        for done in 1..=MAX_PAIRS {
            least_few = least_few.min(ask(&mut few, &clients));
            least_many = least_many.min(ask(&mut many, &clients));
            ratio = least_many.as_secs_f64() / least_few.as_secs_f64();
            // Enough for both to have been undisturbed once.
            if done >= MAX_PAIRS / 10 && ratio <= MOST {
                break;
            }
        }
        println!(
            "a client {what}: {:?} in {FEW} subnets, {:?} in {SUBNETS}, ratio {ratio:.2}",
            least_few / clients.len() as u32,
            least_many / clients.len() as u32
        );
        assert!(ratio <= MOST, "{what}: {ratio}");
    }
}

/// Of each subnet.
const LEASES: u32 = 100;
/// What a change of one subnet may take, from its text to the last effect. A development build is
/// given twice as long.
const LONGEST_RELOAD: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 200 } else { 100 });

fn leases(config: &Config) -> impl Iterator<Item = Record> {
    config.networks.iter().zip(0..).flat_map(|(network, n)| {
        (128..128 + LEASES).map(move |last| {
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
    })
}

#[test]
#[ignore = "takes half a minute: cargo xtask test"]
fn a_reload_that_changes_one_subnet_of_a_thousand_concerns_its_leases_only() {
    let before = file(SUBNETS, 2);
    let config = read(&before);
    let records: Vec<_> = leases(&config).collect();
    assert_eq!(records.len() as u32, SUBNETS * LEASES);
    let mut engine = engine_of(config);
    let kernel = Kernel::default();
    restore(&mut engine, records, [], NOW, &kernel);

    let changed = host(subnet(7), 1).to_string();
    let after = before.replacen(
        &format!("routers = [\"{changed}\"]"),
        &format!("routers = [\"{}\"]", host(subnet(7), 2)),
        1,
    );
    assert_ne!(before, after);
    let mut least = Duration::MAX;
    for text in [&after, &before].into_iter().cycle().take(10) {
        let mut effects = Vec::new();
        let begun = processor_time();
        let config = read(text);
        let read = processor_time() - begun;
        let networks = Networks::new(&config, links());
        let preview = engine.preview(&config, &networks);
        engine.reload(&config, networks, NOW, &kernel, &mut effects);
        let took = processor_time() - begun;
        if took < least {
            println!(
                "a change of one of {SUBNETS} subnets: {took:?}, of which {read:?} for its text"
            );
        }
        least = least.min(took);
        assert_eq!(preview.kept, u64::from(LEASES));
        assert_eq!(preview.untouched, u64::from((SUBNETS - 1) * LEASES));
        let published = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Publish { .. }));
        assert_eq!(published.count(), LEASES as usize, "{}", effects.len());
    }
    assert!(least <= LONGEST_RELOAD, "{least:?}");
}
