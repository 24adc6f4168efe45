//! Output of results as tables and as JSON.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use dhcp_common::wire::INFINITE_SECS;
use dhcp_config::{Config, Problems};
use dhcp_control::{LeaseRow, ReloadReport, Stats, StoreStats};
use serde::Serialize;

mod requests;
mod tables;

use self::tables::{counted, counters};
pub use self::tables::{numbers, table, write};

/// Prints a value as JSON, with a newline.
pub fn json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Prints leases or offers as a table.
pub fn leases(rows: &[LeaseRow], out: &mut dyn Write) -> io::Result<()> {
    let mut table = table(&[
        "ADDRESS",
        "STATE",
        "HARDWARE",
        "CLIENT ID",
        "HOST NAME",
        "EXPIRES",
        "REMAINING",
    ]);
    for row in rows {
        // Names come from the network; control characters must not reach the terminal.
        let host_name = row.host_name.as_deref().unwrap_or_default().escape_debug();
        table.add_row([
            row.address.to_string(),
            row.state.clone(),
            row.hardware_address.clone(),
            row.client_id.clone().unwrap_or_default(),
            host_name.to_string(),
            row.expires.clone(),
            row.remaining_secs
                .map_or_else(|| "infinite".to_owned(), seconds),
        ]);
    }
    write(&table, out)
}

/// Prints the consequences of a reload.
pub fn reload(report: &ReloadReport, is_preview: bool, out: &mut dyn Write) -> io::Result<()> {
    let [first, would] = if is_preview {
        ["the configuration can be applied", "would "]
    } else {
        ["reloaded", ""]
    };
    writeln!(
        out,
        "{first}; unaffected: {}, kept: {}",
        report.untouched, report.kept
    )?;
    for (count, addresses, what) in [
        (
            report.moved,
            &report.moved_addresses,
            "move to another address at their clients' next request",
        ),
        (
            report.ended,
            &report.ended_addresses,
            "end at their clients' next request or when they expire",
        ),
    ] {
        if count == 0 {
            continue;
        }
        let named: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let more = count - named.len() as u64;
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        writeln!(out, "{count} {would}{what}: {}{more}", named.join(", "))?;
    }
    Ok(())
}

fn seconds(secs: u64) -> String {
    humantime::format_duration(Duration::from_secs(secs)).to_string()
}

/// A summary of a configuration.
#[derive(Debug, Serialize)]
pub struct Summary {
    ok: bool,
    interfaces: Vec<InterfaceSummary>,
    subnets: Vec<SubnetSummary>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct InterfaceSummary {
    name: String,
    /// VLAN ids, the outer one first; zero means no tag.
    vlans: [u16; 2],
    /// Empty: the addresses of the interface.
    addresses: Vec<Ipv4Addr>,
}

#[derive(Debug, Serialize)]
struct SubnetSummary {
    network: String,
    prefix: String,
    pool_addresses: u64,
    reservations: usize,
    lease_secs: u32,
    options: Vec<u8>,
}

impl Summary {
    /// Summarizes a configuration.
    pub fn of(config: &Config) -> Self {
        let links = config.interfaces.iter().flat_map(|interface| {
            interface.links.iter().map(|link| InterfaceSummary {
                name: interface.name.clone(),
                vlans: link.vlans,
                addresses: link.addresses.clone(),
            })
        });
        let subnets = config.subnets().map(|(network, subnet)| {
            let size = |first: Ipv4Addr, last| u64::from(u32::from(last) - u32::from(first)) + 1;
            SubnetSummary {
                network: network.name.clone(),
                prefix: subnet.prefix.to_string(),
                pool_addresses: subnet
                    .pools
                    .iter()
                    .map(|pool| size(pool.first, pool.last))
                    .sum(),
                reservations: subnet.reservations.len(),
                lease_secs: subnet.lease.lease_secs,
                options: subnet.options.iter().map(|option| option.code).collect(),
            }
        });
        let subnets: Vec<_> = subnets.collect();
        Self {
            ok: true,
            interfaces: links.collect(),
            notes: notes(config, &subnets),
            subnets,
        }
    }
}

/// Returns notes on settings that are valid but probably unintended.
fn notes(config: &Config, subnets: &[SubnetSummary]) -> Vec<String> {
    let mut notes = Vec::new();
    let leases: u64 = subnets
        .iter()
        .map(|subnet| subnet.pool_addresses + subnet.reservations as u64)
        .sum();
    if leases > u64::from(config.server.max_leases) {
        notes.push(format!(
            "{leases} addresses can be leased, but the kernel holds only {} leases; others are served by the controller (server.max-leases)",
            config.server.max_leases
        ));
    }
    for subnet in subnets
        .iter()
        .filter(|subnet| subnet.pool_addresses == 0 && subnet.reservations == 0)
    {
        notes.push(format!(
            "subnet {} has neither pools nor reservations",
            subnet.prefix
        ));
    }
    notes
}

/// Prints a summary.
pub fn summary(path: &Path, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} is valid.\n", path.display())?;
    let mut links = table(&["INTERFACE", "VLAN", "ADDRESSES"]);
    for link in &summary.interfaces {
        let vlan = match link.vlans {
            [0, _] => String::new(),
            [id, 0] => id.to_string(),
            [outer, inner] => format!("{outer}.{inner}"),
        };
        let addresses: Vec<_> = link.addresses.iter().map(Ipv4Addr::to_string).collect();
        let addresses = match &*addresses {
            [] => "from the interface".to_owned(),
            _ => addresses.join(", "),
        };
        links.add_row([link.name.clone(), vlan, addresses]);
    }
    write(&links, out)?;
    let mut subnets = table(&[
        "SUBNET",
        "PREFIX",
        "POOL ADDRESSES",
        "RESERVATIONS",
        "LEASE",
        "OPTIONS",
    ]);
    for subnet in &summary.subnets {
        let lease = match subnet.lease_secs {
            INFINITE_SECS => "infinite".to_owned(),
            secs => seconds(secs.into()),
        };
        let options: Vec<_> = subnet.options.iter().map(u8::to_string).collect();
        subnets.add_row([
            subnet.network.clone(),
            subnet.prefix.clone(),
            subnet.pool_addresses.to_string(),
            subnet.reservations.to_string(),
            lease,
            options.join(","),
        ]);
    }
    writeln!(out)?;
    write(&subnets, out)?;
    for note in &summary.notes {
        writeln!(out, "\nNote: {note}.")?;
    }
    Ok(())
}

/// The problems of a configuration, as JSON.
#[derive(Debug, Serialize)]
pub struct Refusal {
    ok: bool,
    problems: Vec<ProblemRow>,
}

#[derive(Debug, Serialize)]
struct ProblemRow {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    field: String,
    value: Option<String>,
    message: String,
}

impl Refusal {
    /// Converts problems.
    pub fn of(problems: &Problems) -> Self {
        let rows = problems.0.iter().map(|problem| ProblemRow {
            file: problem.file.display().to_string(),
            line: problem.position.map(|(line, _)| line),
            column: problem.position.map(|(_, column)| column),
            field: problem.field.clone(),
            value: problem.value.clone(),
            message: problem.message.clone(),
        });
        Self {
            ok: false,
            problems: rows.collect(),
        }
    }
}

/// Prints the counters of server and kernel.
pub fn stats(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let mut facts = table(&["SERVER", ""]);
    facts.add_row(["version", &stats.version]);
    facts.add_row(["uptime", &seconds(stats.uptime_secs)]);
    facts.add_row(["templates", &stats.templates.to_string()]);
    facts.add_row(["slow-path sockets", &stats.slow_path_sockets.to_string()]);
    for interface in &stats.interfaces {
        facts.add_row([
            &format!("XDP on {}", interface.name),
            interface.mode.label(),
        ]);
    }
    let store = &stats.store;
    facts.add_row(["store", &store_health(store)]);
    facts.add_row([
        "commits",
        &format!("{} with {} changes", store.commits, store.changes),
    ]);
    facts.add_row([
        "failed, refused commits",
        &format!("{}, {}", store.failures, store.refused),
    ]);
    let micros = |us| humantime::format_duration(Duration::from_micros(us)).to_string();
    facts.add_row([
        "last, longest commit",
        &format!(
            "{}, {}",
            micros(store.last_commit_us),
            micros(store.max_commit_us)
        ),
    ]);
    write(&facts, out)?;
    requests::requests(&stats.kernel, out)?;

    let mut pools = table(&["SUBNET", "USED", "SIZE"]);
    for pool in &stats.pools {
        pools.add_row([
            pool.subnet.clone(),
            pool.used.to_string(),
            pool.size.to_string(),
        ]);
    }
    numbers(&mut pools, &[1, 2]);
    if !stats.pools.is_empty() {
        writeln!(out)?;
        write(&pools, out)?;
    }
    counters("LEASES", &counted(&stats.leases), out)?;
    counters("CONTROLLER", &counted(&stats.engine), out)
}

fn store_health(store: &StoreStats) -> String {
    match (&store.failing_since, &store.last_error) {
        (Some(since), Some(error)) => format!("failing since {since}: {}", error.message),
        (Some(since), None) => format!("failing since {since}"),
        (None, Some(error)) => format!("ok; last failure at {}: {}", error.at, error.message),
        (None, None) => "ok".to_owned(),
    }
}
