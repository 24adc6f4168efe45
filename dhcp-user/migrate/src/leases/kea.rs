//! The memfile of Kea: comma-separated values below a header. Values are not quoted; octets that
//! would break the line are written as `&#x` and two digits (`src/lib/util/csv_file.cc`).

use std::{
    io::{self, BufRead},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use dhcp_common::wire::{HTYPE_ETHERNET, INFINITE_SECS};
use dhcp_model::{Hardware, hex::parse_hex};
use serde_json::Value;

use super::lease::{ForeignLease, ForeignState, hardware};
use crate::lines::Lines;

const ESCAPE: &str = "&#x";
const ETHERNET_LEN: usize = 6;

/// Returns a file and the files of the lease file cleanup (LFC) beside it, in the order in which
/// Kea loads them: the older part of the journal, or the result of an unfinished cleanup, and then
/// the file.
pub fn files(path: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let completed = beside(".completed");
    let older = if completed.exists() {
        vec![completed]
    } else {
        vec![beside(".2"), beside(".1")]
    };
    let mut files: Vec<_> = older.into_iter().filter(|file| file.exists()).collect();
    files.push(path.to_owned());
    files
}

/// Passes the leases of a file to `each`, with their lines.
pub fn read(
    reader: impl BufRead,
    each: &mut dyn FnMut(usize, Result<ForeignLease, String>),
) -> io::Result<()> {
    let mut columns = None;
    for line in Lines::new(reader) {
        let (number, line) = line?;
        match (&columns, line) {
            (_, Ok(line)) if line.is_empty() => {}
            (None, Ok(line)) => columns = Some(Columns::of(&line)?),
            (None, Err(bad)) => return Err(no_header(&bad.to_string())),
            (Some(columns), Ok(line)) => each(number, columns.lease(&line)),
            (Some(_), Err(bad)) => each(number, Err(bad.to_string())),
        }
    }
    Ok(())
}

fn no_header(found: &str) -> io::Error {
    let shown: String = found.chars().take(40).collect();
    io::Error::other(format!(
        "the first line is {shown:?}; a lease file of Kea begins with the names of the columns, such as `address,hwaddr,client_id,valid_lifetime,expire`"
    ))
}

/// The index of each column. Newer versions of Kea have more columns.
struct Columns {
    count: usize,
    address: usize,
    hardware: usize,
    client_id: usize,
    lifetime: usize,
    expire: usize,
    host_name: Option<usize>,
    state: Option<usize>,
    context: Option<usize>,
}

impl Columns {
    fn of(header: &str) -> io::Result<Self> {
        let names: Vec<_> = header.split(',').collect();
        let find = |name: &str| names.iter().position(|found| *found == name);
        let need = |name: &str| find(name).ok_or_else(|| no_header(header));
        Ok(Self {
            count: names.len(),
            address: need("address")?,
            hardware: need("hwaddr")?,
            client_id: need("client_id")?,
            lifetime: need("valid_lifetime")?,
            expire: need("expire")?,
            host_name: find("hostname"),
            state: find("state"),
            context: find("user_context"),
        })
    }

    fn lease(&self, line: &str) -> Result<ForeignLease, String> {
        let fields: Vec<_> = line.split(',').collect();
        if fields.len() != self.count {
            return Err(format!(
                "{} fields, but the header has {}",
                fields.len(),
                self.count
            ));
        }
        let at = |index: usize| fields.get(index).copied().unwrap_or_default();
        let number = |index: usize, what: &str| -> Result<u64, String> {
            let text = at(index);
            text.parse()
                .map_err(|_| format!("{text:?} is not a {what} in seconds"))
        };
        let address: Ipv4Addr = at(self.address)
            .parse()
            .map_err(|_| format!("{:?} is not an IPv4 address", at(self.address)))?;
        let lifetime = number(self.lifetime, "lifetime")?;
        let lifetime = u32::try_from(lifetime)
            .map_err(|_| format!("the lifetime of {lifetime} seconds is out of range"))?;
        let expire = number(self.expire, "time")?;
        let state = self.state.map_or("0", at);
        let state = match (state, lifetime) {
            // The lease has been removed, as after a RELEASE.
            (_, 0) => ForeignState::Ended,
            ("0", _) => ForeignState::Leased,
            ("1", _) => ForeignState::Declined,
            // Expired and reclaimed, or released.
            ("2" | "3", _) => ForeignState::Ended,
            _ => return Err(format!("unknown state {state:?}; Kea's states are 0 to 3")),
        };
        let client_id = match at(self.client_id) {
            "" => None,
            id => Some(parse_hex(id).ok_or_else(|| format!("{id:?} is not a client identifier"))?),
        };
        let hardware = hardware_address(at(self.hardware), client_id.is_some())?;
        let host_name = self.host_name.map(at).filter(|name| !name.is_empty());
        let context = self.context.map(at).filter(|context| !context.is_empty());
        Ok(ForeignLease {
            address,
            state,
            hardware,
            client_id: client_id.map(Vec::into_boxed_slice),
            host_name: host_name.map(|name| unescaped(name).into()),
            relay_info: context.and_then(|context| relay_info(&unescaped(context))),
            since: expire.checked_sub(lifetime.into()),
            lease_secs: (lifetime != 0).then_some(lifetime),
            expires: (lifetime != INFINITE_SECS).then_some(expire),
        })
    }
}

/// Parses a hardware address. Kea does not store the hardware type: six octets are taken for
/// Ethernet, and other lengths are accepted only with a client identifier.
fn hardware_address(text: &str, has_client_id: bool) -> Result<Hardware, String> {
    if text.is_empty() {
        return Ok(Hardware::default());
    }
    let octets = parse_hex(text).filter(|octets| octets.len() <= 16);
    let octets = octets.ok_or_else(|| format!("{text:?} is not a hardware address"))?;
    if octets.len() != ETHERNET_LEN && !has_client_id {
        return Err(format!(
            "hardware address {text} of {} octets without a client identifier: its type is unknown, because Kea does not store it",
            octets.len()
        ));
    }
    let htype = if octets.len() == ETHERNET_LEN {
        HTYPE_ETHERNET
    } else {
        0
    };
    hardware(htype, &octets).ok_or_else(|| format!("{text:?} is not a hardware address"))
}

/// Returns option 82, which Kea stores with `store-extended-info`: as hexadecimal digits, since Kea
/// 2.3.8 in the field `sub-options`.
fn relay_info(context: &str) -> Option<Box<[u8]>> {
    let context: Value = serde_json::from_str(context).ok()?;
    let info = context.get("ISC")?.get("relay-agent-info")?;
    let digits = info
        .as_str()
        .or_else(|| info.get("sub-options")?.as_str())?;
    let octets = parse_hex(digits.strip_prefix("0x").unwrap_or(digits))?;
    Some(octets.into())
}

/// Replaces Kea's escapes.
fn unescaped(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        plain.extend_from_slice(before.as_bytes());
        let octet = after
            .get(..2)
            .and_then(|digits| match &*parse_hex(digits)? {
                &[octet] => Some(octet),
                _ => None,
            });
        match octet {
            Some(octet) => {
                plain.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.extend_from_slice(ESCAPE.as_bytes());
                rest = after;
            }
        }
    }
    plain.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&plain).into_owned()
}
