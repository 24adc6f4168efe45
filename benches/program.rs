//! The time of the loaded program for a frame, in excess of a program that only passes it, by
//! BPF_PROG_TEST_RUN.
//!
//! `cargo bench -p dhcp-benches --bench program [FILTER]`, as root; `cargo xtask bench` compares it
//! with the baseline. Each figure is the smallest of many short measurements minus the smallest of
//! the bare `xdp_pass`, measured in turns; the frame is restored for each run, see
//! `benches/restore-ebpf`. The time of a memory access is printed for comparison with cold figures.
//! docs/PERFORMANCE.md describes the figures.

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use clap::Parser as _;
use dhcp_benches::{
    memory,
    speed::{Pair, Stopwatch, Visits},
};
use dhcp_common::{
    abi::{BindingState, Cell, Grant, lease_slots},
    outcome::Outcome,
    wire::{message_type, option},
};
use dhcp_datapath::OBJECT;
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::fixtures::{
    fleet::{discover, fleet, renewal, renewal_with_fqdn, renewal_with_relay_info, stranger},
    program::Program,
    request::{RequestFrame, UdpChecksum},
    world::OTHER_SERVER,
};
use serde::Serialize;

/// Bindings in the map; with the last number it is larger than any cache of a core.
const LEASES: [u32; 3] = [1_000, 100_000, 1_000_000];

/// Duration of a measurement: a run of each program takes a quarter of a microsecond.
#[derive(Clone, Copy)]
struct Effort {
    /// Runs of each program in a pair. The kernel reports their mean in whole nanoseconds.
    repeat: u32,
    pairs: u32,
}

const THOROUGH: Effort = Effort {
    repeat: 20_000,
    pairs: 60,
};
const QUICK: Effort = Effort {
    repeat: 2_000,
    pairs: 10,
};
/// Only checks the outcomes.
const ONCE: Effort = Effort {
    repeat: 1,
    pairs: 1,
};

#[derive(clap::Parser)]
struct Options {
    /// Measures only figures whose names contain this.
    filter: Option<String>,
    /// Measures a sixtieth as much.
    #[arg(long)]
    quick: bool,
    /// Lists the figures in criterion's format and measures none.
    #[arg(long)]
    list: bool,
    /// Also writes the nanoseconds of both programs to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Added by cargo; without it each figure runs once only.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Requests with the same outcome.
struct Case {
    name: &'static str,
    request: fn(u32) -> RequestFrame,
    outcome: Outcome,
    /// State of all published bindings.
    state: BindingState,
    /// Whether it is measured with the fewest leases and one client only.
    is_step: bool,
}

const fn case(name: &'static str, request: fn(u32) -> RequestFrame, outcome: Outcome) -> Case {
    Case {
        name,
        request,
        outcome,
        state: BindingState::Bound,
        is_step: false,
    }
}

const fn step(name: &'static str, request: fn(u32) -> RequestFrame, outcome: Outcome) -> Case {
    Case {
        is_step: true,
        ..case(name, request, outcome)
    }
}

/// Outcomes, and the steps of an answer: each step ends a run that includes all previous steps.
const CASES: &[Case] = &[
    case(
        "pass",
        |n| renewal(n).with(|r| r.destination_port = 53),
        Outcome::NotDhcp,
    ),
    case("offer", discover, Outcome::Offered),
    case("ack", renewal, Outcome::AckedRenewing),
    case(
        "ack with 82",
        renewal_with_relay_info,
        Outcome::AckedRenewing,
    ),
    Case {
        state: BindingState::Revoked,
        ..case("nak", renewal, Outcome::NakSent)
    },
    case("slow", stranger, Outcome::UnknownClient),
    case("dropped", with_wrong_cookie, Outcome::BadCookie),
    step("ack with 81", renewal_with_fqdn, Outcome::AckedRenewing),
    step(
        "ack without a checksum",
        |n| renewal(n).with(|r| r.udp_checksum = UdpChecksum::Zero),
        Outcome::AckedRenewing,
    ),
    step(
        "step 1, headers copied",
        |n| {
            renewal(n)
                .with(|r| r.op = 3)
                .with(|r| r.udp_checksum = UdpChecksum::Zero)
        },
        Outcome::BadOp,
    ),
    step("step 2, summed", with_wrong_cookie, Outcome::BadCookie),
    step(
        "step 3, options walked",
        |n| renewal(n).with(|r| r.options[0].1 = vec![message_type::ACK]),
        Outcome::BadMessageType,
    ),
    step(
        "step 4, binding found",
        |n| {
            renewal(n)
                .with(|r| {
                    r.ciaddr = std::net::Ipv4Addr::UNSPECIFIED;
                })
                .address_option(option::SERVER_ID, OTHER_SERVER)
                .address_option(option::REQUESTED_ADDRESS, OTHER_SERVER)
        },
        Outcome::NotSelected,
    ),
];

/// Returns a request with right checksums and a wrong magic cookie.
fn with_wrong_cookie(n: u32) -> RequestFrame {
    renewal(n).with(|r| r.cookie ^= 1)
}

/// A case with a number of leases.
struct Figure {
    case: &'static Case,
    leases: u32,
    /// Whether each run is for another client, drawn from all.
    is_cold: bool,
}

impl Figure {
    fn all() -> impl Iterator<Item = Self> {
        let of_leases = |leases| {
            CASES.iter().flat_map(move |case| {
                [false, true].map(|is_cold| Self {
                    case,
                    leases,
                    is_cold,
                })
            })
        };
        LEASES
            .into_iter()
            .flat_map(of_leases)
            .filter(|figure| !figure.case.is_step || figure.leases == LEASES[0] && !figure.is_cold)
    }

    fn name(&self) -> String {
        let cache = if self.is_cold { "cold" } else { "warm" };
        format!("program/{}/{}/{cache}", self.case.name, self.leases)
    }

    fn visits(&self) -> Visits {
        let request = self.case.request;
        let visits = if self.is_cold {
            Visits::of_many(request, self.leases)
        } else {
            Visits::of_one(&request(7))
        };
        visits.expect("the frames are alike")
    }

    fn measure(&self, program: &mut Program, effort: Effort) -> Pair {
        let mut stopwatch = Stopwatch::new(&self.visits()).expect("frames are taken up");
        let mut pair = || {
            stopwatch
                .pair(program, self.case.outcome, effort.repeat)
                .expect("every run ends alike")
        };
        let first = pair();
        (1..effort.pairs).fold(first, |least, _| least.least(pair()))
    }
}

/// A figure as `cargo xtask bench` reads it.
#[derive(Serialize)]
struct Measured {
    ns: f64,
    beside_ns: f64,
}

fn main() {
    let options = Options::parse();
    let filter = options.filter.as_deref().unwrap_or_default();
    let mut figures: Vec<Figure> = Figure::all()
        .filter(|figure| figure.name().contains(filter))
        .collect();
    if options.list {
        for figure in &figures {
            println!("{}: benchmark", figure.name());
        }
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the program can only be loaded by root");
        return;
    }
    let effort = match (options.bench, options.quick) {
        (false, _) => ONCE,
        (true, true) => QUICK,
        (true, false) => THOROUGH,
    };
    if !options.bench {
        figures.retain(|figure| figure.leases == LEASES[0]);
    }
    let mut measured = BTreeMap::new();
    for (leases, state) in LEASES.iter().flat_map(|leases| {
        [BindingState::Bound, BindingState::Revoked].map(|state| (*leases, state))
    }) {
        let of_world = |figure: &&Figure| figure.leases == leases && figure.case.state == state;
        let mut program = None;
        for figure in figures.iter().filter(of_world) {
            let program = program.get_or_insert_with(|| load(leases, state));
            let pair = figure.measure(program, effort);
            report(figure, pair, options.bench);
            let figures = Measured {
                ns: pair.answer.as_secs_f64() * 1e9,
                beside_ns: pair.pass.as_secs_f64() * 1e9,
            };
            measured.insert(figure.name(), figures);
        }
    }
    if options.bench {
        for leases in LEASES {
            if figures
                .iter()
                .any(|figure| figure.is_cold && figure.leases == leases)
            {
                report_memory(leases);
            }
        }
    }
    if let Some(path) = options.json {
        let file = File::create(&path).expect("the file can be written");
        serde_json::to_writer(file, &measured).expect("the file can be written");
    }
}

fn load(leases: u32, state: BindingState) -> Program {
    let mut program = Program::load(OBJECT, leases).expect("the kernel takes the program");
    program
        .install(&fleet(leases, state, boottime().0))
        .expect("the maps hold the fleet");
    program
}

/// Prints the time of a random access to as much memory as bindings and grants take.
fn report_memory(leases: u32) {
    let octets = lease_slots(leases) as usize * (size_of::<Cell>() + size_of::<Grant>());
    let ns = memory::access_ns(octets).expect("there is memory");
    println!("memory, one access to as much as {leases} leases take {ns:8.0} ns");
}

fn report(figure: &Figure, pair: Pair, is_measured: bool) {
    let name = figure.name();
    if is_measured {
        println!("{name:45} {:4.0} ns above xdp_pass", pair.net_ns());
    } else {
        // The output of criterion for a benchmark that it runs once.
        println!("Testing {name}\nSuccess");
    }
}
