//! dnsmasq.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};
use xtask_lab::{Namespace, Process, topology::SERVER_INTERFACE};

use crate::answers::plan::{
    DOMAIN, LEASE_SECS, LONG_OPTIONS, NAME_SERVER, SUBNETS, Setting, long_text,
};

pub(super) const PROGRAM: &str = "dnsmasq";

pub(super) fn spawn(namespace: &Namespace, config: &str) -> Result<Process> {
    let path = namespace.path("dnsmasq.conf");
    fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
    let mut dnsmasq = namespace.command(PROGRAM, ["--no-daemon"]);
    dnsmasq.arg(format!("--conf-file={}", path.display()));
    let leases = namespace.path("dnsmasq.leases");
    dnsmasq.arg(format!("--dhcp-leasefile={}", leases.display()));
    Process::spawn(namespace, "dnsmasq", &mut dnsmasq)
}

pub(super) fn config(setting: Setting) -> String {
    let mut config = format!(
        "port=0\ninterface={SERVER_INTERFACE}\nno-ping\nlog-dhcp\ndhcp-rapid-commit\n\
         dhcp-option=option:domain-name,{DOMAIN}\ndhcp-option=option:dns-server,{NAME_SERVER}\n"
    );
    if setting.is_authoritative() {
        config += "dhcp-authoritative\n";
    }
    // Writing to a string cannot fail.
    for code in LONG_OPTIONS {
        let _ = writeln!(config, "dhcp-option={code},\"{}\"", long_text());
    }
    for (number, subnet) in SUBNETS.iter().enumerate() {
        let (first, last) = subnet.pool();
        let router = subnet.router();
        let _ = write!(
            config,
            "dhcp-range=set:net{number},{first},{last},255.255.255.0,{LEASE_SECS}\n\
             dhcp-option=tag:net{number},option:router,{router}\n\
             dhcp-option=tag:net{number},option:classless-static-route,0.0.0.0/0,{router}\n"
        );
    }
    config
}
