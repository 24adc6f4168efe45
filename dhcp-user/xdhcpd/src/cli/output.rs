//! Results as tables and as JSON.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use comfy_table::{CellAlignment, Table, presets};
use dhcp_common::wire::INFINITE_SECS;
use dhcp_config::{Config, Problems};
use dhcp_control::{LeaseRow, ReloadReport, Stats, StoreStats};
use serde::Serialize;

mod requests;

/// One value as JSON, and a line's end.
pub fn json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

pub fn write(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", table.trim_fmt())
}

/// Leases or offers.
pub fn leases(rows: &[LeaseRow], out: &mut dyn Write) -> io::Result<()> {
    let mut table = table(&[
        "ADDRESS",
        "STATE",
        "HARDWARE",
        "CLIENT ID",
        "HOST NAME",
        "EXPIRES",
        "LEFT",
    ]);
    for row in rows {
        // What came from the network must not move the cursor of whoever looks at it.
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

/// What a reload means for the leases.
pub fn reload(report: &ReloadReport, is_preview: bool, out: &mut dyn Write) -> io::Result<()> {
    let [first, would] = if is_preview {
        ["a reload would go over to the configuration", "would "]
    } else {
        ["reloaded", ""]
    };
    writeln!(
        out,
        "{first}; not concerned: {}, going on: {}",
        report.untouched, report.kept
    )?;
    for (count, addresses, what) in [
        (
            report.moved,
            &report.moved_addresses,
            "get another address when their clients ask",
        ),
        (
            report.ended,
            &report.ended_addresses,
            "end when their clients ask, or in their time",
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

/// What a configuration means.
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
    /// VLAN ids, outer first, zero where there is no tag.
    vlans: [u16; 2],
    /// Empty: those that the interface has.
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

/// What is allowed, but may not be meant.
fn notes(config: &Config, subnets: &[SubnetSummary]) -> Vec<String> {
    let mut notes = Vec::new();
    let leases: u64 = subnets
        .iter()
        .map(|subnet| subnet.pool_addresses + subnet.reservations as u64)
        .sum();
    if leases > u64::from(config.server.max_leases) {
        notes.push(format!(
            "{leases} addresses can be leased, but the kernel holds {}; the rest is answered from user space (server.max-leases)",
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

pub fn summary(path: &Path, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} is good.\n", path.display())?;
    let mut links = table(&["INTERFACE", "VLAN", "ADDRESSES"]);
    for link in &summary.interfaces {
        let vlan = match link.vlans {
            [0, _] => String::new(),
            [id, 0] => id.to_string(),
            [outer, inner] => format!("{outer}.{inner}"),
        };
        let addresses: Vec<_> = link.addresses.iter().map(Ipv4Addr::to_string).collect();
        let addresses = match &*addresses {
            [] => "its own".to_owned(),
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

/// All that is wrong with a configuration, for programs.
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

pub fn stats(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let mut facts = table(&["SERVER", ""]);
    facts.add_row(["version", &stats.version]);
    facts.add_row(["up for", &seconds(stats.uptime_secs)]);
    facts.add_row([
        "answers that the kernel can replay",
        &stats.templates.to_string(),
    ]);
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
        &format!("{} of {} changes", store.commits, store.changes),
    ]);
    facts.add_row([
        "commits failed, refused",
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
        (None, Some(error)) => format!("good; failed last at {}: {}", error.at, error.message),
        (None, None) => "good".to_owned(),
    }
}

/// Those that have counted something, the largest first.
fn counted(counters: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let counted = counters.iter().filter(|(_, count)| **count > 0);
    let counted = counted.map(|(label, count)| (label.as_str(), *count));
    let mut counted: Vec<_> = counted.collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted
}

fn counters(title: &str, counted: &[(&str, u64)], out: &mut dyn Write) -> io::Result<()> {
    if counted.is_empty() {
        return Ok(());
    }
    let mut table = table(&[title, "COUNT"]);
    for (label, count) in counted {
        table.add_row([(*label).to_owned(), count.to_string()]);
    }
    numbers(&mut table, &[1]);
    writeln!(out)?;
    write(&table, out)
}

pub fn numbers(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
