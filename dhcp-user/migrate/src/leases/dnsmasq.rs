//! `dnsmasq.leases`: one line for each lease, `expiry hardware address host-name client-id`
//! (dnsmasq(8), `src/lease.c`). DHCPv6 leases follow after a line `duid …`.

use std::io::{self, BufRead};

use dhcp_common::wire::HTYPE_ETHERNET;
use dhcp_model::{Hardware, hex::parse_hex};

use super::lease::{ForeignLease, ForeignState, hardware};
use crate::lines::Lines;

/// The mark for an unknown name or identifier.
const UNKNOWN: &str = "*";

/// Passes the leases of a file to `each`, with their lines.
pub fn read(
    reader: impl BufRead,
    each: &mut dyn FnMut(usize, Result<ForeignLease, String>),
) -> io::Result<()> {
    for line in Lines::new(reader) {
        let (number, line) = line?;
        match line {
            Ok(line) if line.starts_with("duid ") => return Ok(()),
            Ok(line) if line.is_empty() => {}
            Ok(line) => each(number, lease(&line)),
            Err(bad) => each(number, Err(bad.to_string())),
        }
    }
    Ok(())
}

fn lease(line: &str) -> Result<ForeignLease, String> {
    let fields: Vec<_> = line.split(' ').collect();
    let &[expires, hardware, address, host_name, client_id] = &*fields else {
        return Err(format!(
            "{} fields; a lease has five: expiry, hardware address, address, host name, client identifier",
            fields.len()
        ));
    };
    let expires: u64 = expires
        .parse()
        .map_err(|_| format!("{expires:?} is not a time in seconds since 1970"))?;
    let client_id = match client_id {
        UNKNOWN => None,
        id => Some(parse_hex(id).ok_or_else(|| format!("{id:?} is not a client identifier"))?),
    };
    Ok(ForeignLease {
        address: address
            .parse()
            .map_err(|_| format!("{address:?} is not an IPv4 address"))?,
        state: ForeignState::Leased,
        hardware: hardware_address(hardware)
            .ok_or_else(|| format!("{hardware:?} is not a hardware address"))?,
        client_id: client_id.map(Vec::into_boxed_slice),
        host_name: (host_name != UNKNOWN).then(|| host_name.into()),
        relay_info: None,
        since: None,
        lease_secs: None,
        // Zero means an infinite lease.
        expires: (expires != 0).then_some(expires),
    })
}

/// Parses a hardware address, which has its type and a hyphen before it unless it is Ethernet.
fn hardware_address(text: &str) -> Option<Hardware> {
    let (htype, octets) = match text.split_once('-') {
        Some((htype, octets)) => (u8::from_str_radix(htype, 16).ok()?, octets),
        None => (HTYPE_ETHERNET, text),
    };
    match octets {
        "" => Some(Hardware::default()),
        octets => hardware(htype, &parse_hex(octets)?),
    }
}
