//! `dhcpd.leases`: a journal of `lease` declarations (dhcpd.leases(5)).

use std::{
    io::{self, BufRead},
    net::Ipv4Addr,
    time::SystemTime,
};

use dhcp_common::wire::{HTYPE_ETHERNET, INFINITE_SECS, relay_suboption};
use dhcp_model::Hardware;

use super::lease::{ForeignLease, ForeignState, hardware};
use crate::statements::{Statement, Statements, Word};

/// Passes the leases of a file to `each`, with their lines.
pub fn read(
    reader: impl BufRead,
    each: &mut dyn FnMut(usize, Result<ForeignLease, String>),
) -> io::Result<()> {
    for statement in Statements::new(reader) {
        match statement? {
            Ok(statement) if statement.begins(&["lease"]) => {
                each(statement.line, lease(&statement));
            }
            // Failover state, hosts created over OMAPI, and properties of the file.
            Ok(_) => {}
            Err(unreadable) => each(unreadable.line, Err(unreadable.why)),
        }
    }
    Ok(())
}

fn lease(declaration: &Statement) -> Result<ForeignLease, String> {
    let address = declaration.word(1).unwrap_or_default();
    let address: Ipv4Addr = address
        .parse()
        .map_err(|_| format!("{address:?} is not an IPv4 address"))?;
    let statements = declaration.block.as_deref();
    let statements = statements.ok_or("no block follows `lease`")?;
    let mut lease = ForeignLease {
        address,
        state: ForeignState::Leased,
        hardware: Hardware::default(),
        client_id: None,
        host_name: None,
        relay_info: None,
        since: None,
        lease_secs: None,
        expires: Some(0),
    };
    let mut relay_info = Vec::new();
    for statement in statements {
        take(statement, &mut lease, &mut relay_info).ok_or_else(|| {
            format!(
                "line {}: {:?} cannot be parsed",
                statement.line,
                text(statement)
            )
        })?;
    }
    lease.lease_secs = match (lease.since, lease.expires) {
        (_, None) => Some(INFINITE_SECS),
        (Some(since), Some(expires)) => u32::try_from(expires.saturating_sub(since)).ok(),
        (None, Some(_)) => None,
    };
    lease.relay_info = (!relay_info.is_empty()).then(|| relay_info.into());
    Ok(lease)
}

/// Reads one statement of a declaration. Returns `None` if it is relevant and cannot be parsed.
fn take(statement: &Statement, lease: &mut ForeignLease, relay_info: &mut Vec<u8>) -> Option<()> {
    match statement.word(0)? {
        "starts" => lease.since = Some(time(statement)??),
        "ends" => lease.expires = time(statement)?,
        "abandoned" => lease.state = ForeignState::Declined,
        "binding" => {
            lease.state = match statement.word(2)? {
                "active" | "bootp" | "reserved" => ForeignState::Leased,
                "abandoned" => ForeignState::Declined,
                "free" | "expired" | "released" | "reset" | "backup" => ForeignState::Ended,
                _ => return None,
            }
        }
        "hardware" => {
            lease.hardware = hardware(htype(statement.word(1)?)?, &octets(statement, 2)?)?
        }
        "uid" => lease.client_id = Some(octets(statement, 1)?.into()),
        "client-hostname" => {
            let name = octets(statement, 1)?;
            lease.host_name = Some(String::from_utf8_lossy(&name).into());
        }
        "option" => {
            if let Some(name) = statement.word(1)?.strip_prefix("agent.") {
                relay_info.extend(suboption(name, statement).unwrap_or_default());
            }
        }
        // Failover, DNS updates, variables, and the time of the last message.
        _ => {}
    }
    Some(())
}

fn text(statement: &Statement) -> String {
    let words = statement.words.iter().take(4).filter_map(Word::text);
    words.collect::<Vec<_>>().join(" ")
}

/// Parses a time; returns `Some(None)` for `never`.
fn time(statement: &Statement) -> Option<Option<u64>> {
    match (statement.word(1)?, statement.word(2), statement.word(3)) {
        ("never", ..) => Some(None),
        // `db-time-format local`
        ("epoch", Some(secs), _) => Some(Some(secs.parse().ok()?)),
        (_, Some(date), Some(time)) => {
            let date = date.replace('/', "-");
            let time = humantime::parse_rfc3339(&format!("{date}T{time}Z")).ok()?;
            let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some(Some(since_1970.as_secs()))
        }
        _ => None,
    }
}

fn octets(statement: &Statement, index: usize) -> Option<Vec<u8>> {
    statement.words.get(index)?.octets()
}

/// Returns a hardware type (RFC 1700) by its name in dhcpd.
fn htype(name: &str) -> Option<u8> {
    Some(match name {
        "ethernet" => HTYPE_ETHERNET,
        "token-ring" => 6,
        "fddi" => 8,
        "infiniband" => 32,
        other => other.strip_prefix("unknown-")?.parse().ok()?,
    })
}

/// Encodes a sub-option of option 82. Returns `None` for unknown formats; the next request of the
/// client contains the sub-option.
fn suboption(name: &str, statement: &Statement) -> Option<Vec<u8>> {
    let code = match name {
        "circuit-id" => relay_suboption::CIRCUIT_ID,
        "remote-id" => relay_suboption::REMOTE_ID,
        "agent-id" => 3,
        "link-selection" => relay_suboption::LINK_SELECTION,
        other => other.strip_prefix("unknown-")?.parse().ok()?,
    };
    let address = || {
        let address: Ipv4Addr = statement.word(2)?.parse().ok()?;
        Some(address.octets().to_vec())
    };
    let value = octets(statement, 2).or_else(address)?;
    Some([&[code, u8::try_from(value.len()).ok()?], &*value].concat())
}
