//! The loaded program by BPF_PROG_TEST_RUN: what a frame costs beyond a program that only passes it.
//!
//! `cargo bench -p dhcp-user --bench program`, as root. Each figure is the difference to the bare
//! `xdp_pass`, measured just before it in the same run; the frame is restored for each run, see
//! `dhcp-ebpf/src/restore.rs`.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_common::outcome::Outcome;
use dhcp_ebpf::fixtures::{
    fleet::{discover, fleet, renewal, renewal_with_fqdn, renewal_with_relay_info, shuffled},
    program::Program,
    request::RequestFrame,
    speed::Stopwatch,
};
use dhcp_user::{clock::Nanos, datapath::OBJECT};

static RESTORE: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdhcpd-restore"));

fn program(criterion: &mut Criterion) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the program can only be loaded by root");
        return;
    }
    for leases in [1_000, 100_000] {
        let mut program = Program::load(OBJECT, leases).expect("the kernel takes the program");
        program
            .install(&fleet(leases, Nanos::now().0))
            .expect("the maps hold the fleet");
        let mut group = criterion.benchmark_group(format!("program, {leases} leases"));
        let everybody = |request: fn(u32) -> RequestFrame| -> Vec<Vec<u8>> {
            shuffled(leases)
                .into_iter()
                .map(|n| request(n).frame())
                .collect()
        };
        let cases = [
            ("not dhcp", vec![not_dhcp().frame()], Outcome::NotDhcp),
            ("discover", vec![discover(7).frame()], Outcome::Offered),
            ("renewal", vec![renewal(7).frame()], Outcome::AckedRenewing),
            (
                "renewal with option 82",
                vec![renewal_with_relay_info(7).frame()],
                Outcome::AckedRenewing,
            ),
            (
                "renewal with option 81",
                vec![renewal_with_fqdn(7).frame()],
                Outcome::AckedRenewing,
            ),
            (
                "renewal of anybody",
                everybody(renewal),
                Outcome::AckedRenewing,
            ),
        ];
        for (name, frames, outcome) in cases {
            let mut stopwatch = Stopwatch::new(RESTORE, &frames).expect("the frames are taken up");
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| {
                    let repeat = u32::try_from(iterations).unwrap_or(u32::MAX);
                    let pair = stopwatch
                        .pair(&mut program, outcome, repeat)
                        .expect("every run ends alike");
                    // The kernel gives the mean of all runs in whole nanoseconds.
                    Duration::from_secs_f64(pair.net_ns().max(0.5) * 1e-9 * f64::from(repeat))
                });
            });
        }
        group.finish();
    }
}

fn not_dhcp() -> RequestFrame {
    renewal(7).with(|r| r.destination_port = 53)
}

criterion_group!(benches, program);
criterion_main!(benches);
