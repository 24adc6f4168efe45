//! `cargo xtask compare`: sends the same requests to xdhcpd and to other servers, one after the
//! other on the same link, and writes the answers side by side to `docs/COMPARISON.md`.
//!
//! [`cases`] contains the requests, [`contender`] the servers, [`plan`] the subnets and options
//! that all of them are configured to serve.

use anyhow::{Context as _, Result, bail};
use xtask_lab::{
    Lab,
    command::{self, is_installed, is_root},
    topology::{CLIENT_INTERFACE, Direct, PREFIX_LEN, RELAY, SERVER_INTERFACE},
    workspace,
};

pub mod answer;
pub mod cases;
mod column;
pub mod contender;
pub mod page;
pub mod plan;
pub mod player;
pub mod request;
mod verdict;

pub use column::Column;
pub use contender::Contender;
use plan::{LAN, SUBNETS, Setting};
use player::Player;
pub use verdict::objections;

/// The page, relative to the workspace.
pub const PAGE: &str = "docs/COMPARISON.md";

/// Runs all cases with every installed server, and writes the page. The daemon must have been
/// built.
///
/// # Errors
/// The cases could not be run, or xdhcpd differs from most other servers without a reason.
pub fn run() -> Result<()> {
    if !is_root() {
        return through_sudo();
    }
    let mut columns = Vec::new();
    for contender in Contender::ALL {
        match column(contender)? {
            Some(column) => columns.push(column),
            None => println!("compare: {contender} is not installed: run `cargo xtask setup`"),
        }
    }
    let path = workspace::root().join(PAGE);
    let before = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let page = page::with_table(&before, &page::table(&columns))?;
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    println!("compare: {} is written", path.display());
    if columns.len() < Contender::ALL.len() {
        println!(
            "compare: without all servers the majority is unknown, so differences are not checked"
        );
        return Ok(());
    }
    let objections = objections(&columns);
    if !objections.is_empty() {
        bail!("{}", objections.join("\n"));
    }
    Ok(())
}

/// Runs all cases with a server. Returns `None` if it is not installed.
///
/// # Errors
/// There is no lab, or the server does not serve.
pub fn column(contender: Contender) -> Result<Option<Column>> {
    let Some(version) = contender.version()? else {
        return Ok(None);
    };
    println!("compare: {contender} {version}");
    let mut cells = vec![String::new(); cases::all().count()];
    for setting in Setting::ALL {
        Lab::run(|lab| play(lab, contender, setting, &mut cells))
            .with_context(|| format!("{contender}, {setting:?}"))?;
    }
    Ok(Some(Column {
        contender,
        version,
        cells,
    }))
}

/// Runs the cases of one setting.
fn play(lab: &Lab, contender: Contender, setting: Setting, cells: &mut [String]) -> Result<()> {
    let net = Direct::new(lab)?;
    let server = &net.server;
    for subnet in SUBNETS.into_iter().filter(|subnet| *subnet != LAN) {
        let network = format!("{}/{PREFIX_LEN}", subnet.network());
        server.ip(["route", "add", &network, "via", &RELAY.to_string()])?;
    }
    // The client's end answers ARP for every address, including the server's own, which must be
    // accepted as a source.
    let lan = format!("{}/{PREFIX_LEN}", LAN.network());
    let local = ["route", "add", "local", &lan, "dev", CLIENT_INTERFACE];
    net.client.ip(local)?;
    let accept_local = format!("conf/{CLIENT_INTERFACE}/accept_local");
    net.client.set_ipv4(&accept_local, "1")?;
    // Datagrams that servers send through the kernel's sockets have their checksums when they
    // leave, as on a physical link.
    command::read(&mut server.command("ethtool", ["-K", SERVER_INTERFACE, "tx", "off"]))?;

    let mut player = Player::new(&net.client, server)?;
    let _running = contender.start(lab, server, setting, &mut player)?;
    for (case, cell) in cases::all().zip(cells) {
        if case.setting == setting {
            *cell = (case.play)(&mut player).with_context(|| format!("playing: {}", case.asks))?;
        }
    }
    Ok(())
}

/// Runs this program as root; it was built as a user.
fn through_sudo() -> Result<()> {
    if !is_installed("sudo") {
        bail!("the comparison requires root and sudo is not installed: run this as root");
    }
    let own = std::env::current_exe().context("cannot determine the path of this executable")?;
    let mut again = command::command("sudo", [own]);
    command::run(again.args(["compare", "--no-build"]))
}
