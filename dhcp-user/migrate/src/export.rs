//! Leases for other tools, as CSV or JSON.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::Ipv4Addr,
    time::SystemTime,
};

use clap::ValueEnum;
use dhcp_model::{AgentIds, hex::with_colons};
use dhcp_store::{WallRecord, wall_clock::Utc};
use serde::{Serialize, Serializer as _, ser::SerializeSeq as _};

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// One list of objects.
    Json,
}

/// One lease. The fields are the columns, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub address: Ipv4Addr,
    /// `bound`, `deleted`, `revoked` or `quarantined`; from the store also `former`.
    pub state: String,
    /// The name of the network, or its id if the configuration has no such network.
    pub network: String,
    /// The hardware type (`htype`), such as 1 for Ethernet.
    pub hardware_type: u8,
    /// Octets in hexadecimal with colons, as all values up to `relay_info` but the host name.
    pub hardware_address: String,
    pub client_id: Option<String>,
    pub host_name: Option<String>,
    /// Sub-option 1 of option 82.
    pub circuit_id: Option<String>,
    /// Sub-option 2.
    pub remote_id: Option<String>,
    /// The complete option 82.
    pub relay_info: Option<String>,
    /// RFC 3339, in UTC. `None` for leases of a running server that began before the boot.
    pub since: Option<String>,
    /// Seconds since 1970.
    pub since_epoch: Option<u64>,
    /// RFC 3339, in UTC, or `infinite`.
    pub expires: String,
    /// Seconds since 1970; `None` for an infinite lease.
    pub expires_epoch: Option<u64>,
}

impl Row {
    /// Returns the row of a record in the store.
    pub fn of_record(stored: &WallRecord, networks: &HashMap<u32, String>) -> Self {
        let record = &stored.record;
        let origin = &record.origin;
        let relay_info = origin.relay_info.as_deref();
        let ids = relay_info.map(AgentIds::parse).unwrap_or_default();
        Self {
            address: record.address,
            state: record.state.label().to_owned(),
            network: network_name(record.client.network(), networks),
            hardware_type: origin.hardware.htype,
            hardware_address: with_colons(origin.hardware.octets()),
            client_id: origin.client_id.as_deref().map(with_colons),
            host_name: origin.host_name.as_deref().map(str::to_owned),
            circuit_id: ids.circuit.map(with_colons),
            remote_id: ids.remote.map(with_colons),
            relay_info: relay_info.map(with_colons),
            since: Some(stored.since.to_string()),
            since_epoch: epoch(stored.since),
            expires: stored.expires.to_string(),
            expires_epoch: epoch(stored.expires),
        }
    }
}

/// Writes rows in their order.
///
/// # Errors
/// Errors of `out`.
pub fn write(
    rows: impl Iterator<Item = Row>,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Csv => write_csv(rows, out),
        Format::Json => write_json(rows, out),
    }
}

fn write_json(rows: impl Iterator<Item = Row>, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::pretty(&mut *out);
    let mut list = serializer.serialize_seq(None)?;
    for row in rows {
        list.serialize_element(&row)?;
    }
    list.end()?;
    writeln!(out)
}

fn write_csv(rows: impl Iterator<Item = Row>, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let mut is_empty = true;
    for mut row in rows {
        row.host_name = row.host_name.map(|name| harmless(&name));
        writer.serialize(row).map_err(io::Error::other)?;
        is_empty = false;
    }
    if is_empty {
        writer.write_record(COLUMNS).map_err(io::Error::other)?;
    }
    writer.flush()
}

/// The header, which is needed if there are no rows to derive it from.
const COLUMNS: [&str; 14] = [
    "address",
    "state",
    "network",
    "hardware_type",
    "hardware_address",
    "client_id",
    "host_name",
    "circuit_id",
    "remote_id",
    "relay_info",
    "since",
    "since_epoch",
    "expires",
    "expires_epoch",
];

/// Escapes control characters in a name, and prefixes names that spreadsheets would read as
/// formulas. Host names that are valid by RFC 1123 are unchanged.
fn harmless(name: &str) -> String {
    let escaped: String = name
        .chars()
        .flat_map(|c| -> Box<dyn Iterator<Item = char>> {
            if c.is_control() {
                Box::new(c.escape_default())
            } else {
                Box::new(std::iter::once(c))
            }
        })
        .collect();
    if escaped.trim_start().starts_with(['=', '+', '-', '@']) {
        return format!("'{escaped}");
    }
    escaped
}

/// Returns the name of a network, or its id if it has none.
pub fn network_name(id: u32, networks: &HashMap<u32, String>) -> String {
    networks.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

fn epoch(time: Utc) -> Option<u64> {
    if time.is_forever() {
        return None;
    }
    u64::try_from(time.0 / 1_000_000_000).ok()
}

/// Returns an RFC 3339 time as seconds since 1970.
pub fn epoch_of(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since_1970.as_secs())
}
