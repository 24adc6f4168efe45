//! ISC dhcpd.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};
use xtask_lab::{Lab, Namespace, Process, topology::SERVER_INTERFACE};

use super::unconfined::unconfined;
use crate::answers::plan::{
    DOMAIN, LEASE_SECS, LONG_OPTIONS, NAME_SERVER, SUBNETS, Setting, long_text,
};

pub(super) const PROGRAM: &str = "dhcpd";

pub(super) fn spawn(lab: &Lab, namespace: &Namespace, config: &str) -> Result<Process> {
    let path = namespace.path("dhcpd.conf");
    let leases = namespace.path("dhcpd.leases");
    fs::write(&path, config)
        .and_then(|()| fs::write(&leases, ""))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut dhcpd = namespace.command(unconfined(lab, PROGRAM)?, ["-4", "-d", "-f", "-cf"]);
    dhcpd.arg(path).arg("-lf").arg(leases);
    dhcpd.arg("-pf").arg(namespace.path("dhcpd.pid"));
    dhcpd.arg(SERVER_INTERFACE);
    Process::spawn(namespace, "dhcpd", &mut dhcpd)
}

pub(super) fn config(setting: Setting) -> String {
    let authoritative = if setting.is_authoritative() {
        "authoritative"
    } else {
        "not authoritative"
    };
    let mut config = format!(
        "{authoritative};\nping-check off;\nddns-update-style none;\n\
         default-lease-time {LEASE_SECS};\nmax-lease-time {LEASE_SECS};\n\
         option classless-static-routes code 121 = array of unsigned integer 8;\n\
         option domain-name \"{DOMAIN}\";\noption domain-name-servers {NAME_SERVER};\n"
    );
    // Writing to a string cannot fail.
    for code in LONG_OPTIONS {
        let text = long_text();
        let _ = write!(
            config,
            "option long-{code} code {code} = text;\noption long-{code} \"{text}\";\n"
        );
    }
    for subnet in SUBNETS {
        let (first, last) = subnet.pool();
        let router = subnet.router();
        // A prefix of zero bits, and its router (RFC 3442).
        let route = router.octets().map(|octet| octet.to_string()).join(", ");
        let _ = write!(
            config,
            "subnet {} netmask 255.255.255.0 {{\n  range {first} {last};\n  option routers {router};\n  \
             option classless-static-routes 0, {route};\n}}\n",
            subnet.network()
        );
    }
    config
}
