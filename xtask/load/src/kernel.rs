//! Runs a workload with clients in the kernel: builds `xtask/load-ebpf`, finds the server and sets
//! the clients up. [`programs`] loads the programs and reads their counters, [`emitter`] runs one
//! of them.

use std::{net::Ipv4Addr, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use aya::{Ebpf, programs::xdp::XdpMode};
use xtask_lab::{
    command::{self, command},
    workspace,
};
use xtask_load_abi::REFLECT;

use self::programs::{Programs, program};
use super::{
    Exchange, Report, Workload,
    progress::Progress,
    run::{Acquaintance, Run},
    socket::PacketSocket,
    template::Server,
};

mod emitter;
mod programs;

/// The object, relative to cargo's target folder.
const OBJECT: &str = "load/bpfel-unknown-none/release/xdhcpd-load";

/// Returns the command that builds the program with the pinned toolchain, which may build `core`
/// for this crate as for the server's program.
///
/// # Errors
/// The workspace cannot be read.
pub fn build() -> Result<Command> {
    let target = workspace::metadata()?.target_directory.join("load");
    let mut cargo = workspace::cargo([
        "build",
        "--release",
        "--package=xtask-load-ebpf",
        "--bin=xdhcpd-load",
        "--features=program",
        "--target=bpfel-unknown-none",
        "-Zbuild-std=core",
    ]);
    let flags = [
        format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
    ];
    cargo
        .arg("--target-dir")
        .arg(target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    Ok(cargo)
}

fn object() -> Result<Vec<u8>> {
    let path: PathBuf = workspace::metadata()?.target_directory.join(OBJECT);
    std::fs::read(&path).with_context(|| {
        format!(
            "cannot read {}: `cargo xtask load --kernel` builds it",
            path.display()
        )
    })
}

/// Runs a workload at an interface of the thread's namespace, which must have no XDP program.
///
/// # Errors
/// The program is not built or does not load, the interface has another program, no server answers,
/// or the kernel refused.
pub fn play(workload: &Workload, interface: &str, progress: &mut Progress) -> Result<Report> {
    play_and_tell(workload, interface, progress, || ())
}

/// Runs a workload as [`play`] does, and calls `begins` before the first frame is sent, so that
/// other workloads can start.
///
/// # Errors
/// As [`play`].
pub fn play_and_tell(
    workload: &Workload,
    interface: &str,
    progress: &mut Progress,
    begins: impl FnOnce(),
) -> Result<Report> {
    check_free(interface)?;
    let mut programs = Programs::load(&object()?, workload)?;
    // Attached first: a veth delivers frames that its peer sends from XDP only to an XDP program.
    programs.attach(interface)?;
    let mut socket = PacketSocket::open(interface)?;
    let mut run = Run::new(workload, &mut socket)?;
    if workload.exchange == Exchange::Renewals {
        run.prepare(progress)?;
    }
    let (acquaintance, addresses) = run.into_parts();
    drop(socket);
    programs.prepare(workload, &acquaintance, &addresses)?;
    begins();
    programs.play(workload, interface, progress)?;
    programs.report(workload, acquaintance.server.identifier)
}

/// Runs renewals at an interface of the thread's namespace whose peer has a [`Reflector`] and this
/// hardware address.
///
/// # Errors
/// As [`play`], or the workload is of another kind.
pub fn play_reflected(
    workload: &Workload,
    interface: &str,
    server_mac: [u8; 6],
    progress: &mut Progress,
) -> Result<Report> {
    workload.check()?;
    ensure!(
        workload.exchange == Exchange::Renewals && workload.relay.is_none(),
        "a reflector can only answer renewals on the link: {workload:?}"
    );
    check_free(interface)?;
    let mut programs = Programs::load(&object()?, workload)?;
    programs.attach(interface)?;
    let first = u32::from(workload.range.network()).saturating_add(FIRST_REFLECTED);
    let server = Server {
        mac: server_mac,
        address: Ipv4Addr::from(first.saturating_sub(1)),
        identifier: Ipv4Addr::from(first.saturating_sub(1)),
    };
    let acquaintance = Acquaintance::with(workload, server)?;
    let addresses: Vec<u32> = (first..)
        .map(u32::to_be)
        .take(workload.clients as usize)
        .collect();
    programs.prepare(workload, &acquaintance, &addresses)?;
    programs.set(|plan| plan.is_reflected = 1)?;
    programs.play(workload, interface, progress)?;
    programs.report(workload, server.identifier)
}

/// Host number of the first client that talks to a reflector.
const FIRST_REFLECTED: u32 = 256;

/// A program that returns every frame that an interface receives, as long as this exists.
#[derive(Debug)]
pub struct Reflector(#[expect(dead_code, reason = "dropping it detaches its programs")] Ebpf);

impl Reflector {
    /// Attaches the program to an interface of the thread's namespace.
    ///
    /// # Errors
    /// The program is not built or does not load, or the interface has another program.
    pub fn start(interface: &str) -> Result<Self> {
        check_free(interface)?;
        let mut ebpf = Ebpf::load(&object()?).context("cannot load the generator's object")?;
        let reflect = program(&mut ebpf, REFLECT)?;
        reflect
            .load()
            .and_then(|()| reflect.attach(interface, XdpMode::Driver))
            .with_context(|| format!("cannot attach the program {REFLECT} to {interface}"))?;
        Ok(Self(ebpf))
    }
}

/// Checks that an interface has no XDP program.
///
/// # Errors
/// It has one, which was not attached here.
fn check_free(interface: &str) -> Result<()> {
    let arguments = ["-json", "link", "show", "dev", interface];
    let json = command::read(&mut command("ip", arguments))?;
    let links: serde_json::Value = serde_json::from_str(&json)?;
    ensure!(
        links.get(0).is_none_or(|link| link.get("xdp").is_none()),
        "--kernel: {interface} has an XDP program, which is left in place; leave out --kernel"
    );
    Ok(())
}
