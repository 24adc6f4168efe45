//! Kea.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use dhcp_common::wire::option;
use serde_json::{Value, json};
use xtask_lab::{Lab, Namespace, Process, topology::SERVER_INTERFACE};

use super::unconfined::unconfined;
use crate::answers::plan::{
    DOMAIN, LAN, LEASE_SECS, LONG_OPTIONS, NAME_SERVER, SUBNETS, Setting, Subnet, long_text,
};

pub(super) const PROGRAM: &str = "kea-dhcp4";

/// Returns the path of the lease file.
pub fn leases(namespace: &Namespace) -> PathBuf {
    namespace.path("kea.leases")
}

pub(super) fn spawn(lab: &Lab, namespace: &Namespace, config: &str) -> Result<Process> {
    let path = namespace.path("kea.conf");
    fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
    let mut kea = namespace.command(unconfined(lab, PROGRAM)?, ["-c"]);
    kea.arg(path)
        .env("KEA_PIDFILE_DIR", lab.dir())
        .env("KEA_LOCKFILE_DIR", lab.dir())
        .env("KEA_DHCP_DATA_DIR", lab.dir());
    Process::spawn(namespace, "kea", &mut kea)
}

pub(super) fn config(setting: Setting, namespace: &Namespace) -> String {
    let mut options = vec![
        json!({ "name": "domain-name", "data": DOMAIN }),
        json!({ "name": "domain-name-servers", "data": NAME_SERVER.to_string() }),
    ];
    options.extend(LONG_OPTIONS.map(|code| octets(code, long_text().as_bytes())));
    let subnets = SUBNETS.iter().zip(1..);
    let subnets = subnets.map(|(subnet, id)| subnet4(*subnet, id));
    let config = json!({ "Dhcp4": {
        "interfaces-config": { "interfaces": [SERVER_INTERFACE], "dhcp-socket-type": "raw" },
        "lease-database": { "type": "memfile", "name": leases(namespace) },
        // Sequential processing, as in the other servers.
        "multi-threading": { "enable-multi-threading": false },
        "authoritative": setting.is_authoritative(),
        "valid-lifetime": LEASE_SECS,
        "option-data": options,
        "subnet4": subnets.collect::<Vec<_>>(),
        "loggers": [{
            "name": "kea-dhcp4", "severity": "WARN", "output_options": [{ "output": "stderr" }]
        }]
    }});
    config.to_string()
}

fn subnet4(subnet: Subnet, id: u32) -> Value {
    let (first, last) = subnet.pool();
    let router = subnet.router();
    // A prefix of zero bits, and its router (RFC 3442).
    let route = [&[0][..], &router.octets()].concat();
    let mut value = json!({
        "id": id,
        "subnet": format!("{}/24", subnet.network()),
        "pools": [{ "pool": format!("{first} - {last}") }],
        "option-data": [
            { "name": "routers", "data": router.to_string() },
            octets(option::CLASSLESS_ROUTES, &route)
        ]
    });
    if subnet == LAN {
        value["interface"] = json!(SERVER_INTERFACE);
    }
    value
}

/// Returns an option by its code, for which not every version of Kea has a name.
fn octets(code: u8, value: &[u8]) -> Value {
    let digits: String = value.iter().map(|octet| format!("{octet:02x}")).collect();
    json!({ "code": code, "csv-format": false, "data": digits })
}
