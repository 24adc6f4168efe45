//! The programs that the demo and the tests use.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use xtask_lab::{
    cleanup::Cleanup,
    command::{self, command, privileged},
};

use super::progress::{missing, there};

/// Debian packages, and what they are used for.
const PACKAGES: &[(&str, &str)] = &[
    ("udhcpc", "client"),
    ("isc-dhcp-client", "client"),
    ("dhcpcd-base", "client"),
    ("systemd", "client: systemd-networkd"),
    ("dbus-daemon", "private bus of clients that need one"),
    ("isc-dhcp-relay", "relay agent"),
    (
        "dnsmasq-base",
        "other server on a link, relay agent, TFTP server, and in the comparison",
    ),
    ("kea-dhcp4-server", "in the comparison"),
    (
        "kea-admin",
        "perfdhcp, which simulates thousands of clients",
    ),
    ("isc-dhcp-server", "in the comparison"),
    ("busybox", "HTTP server of firmware"),
    ("gcc", "compiles lwIP"),
    ("libc6-dev", "compiles lwIP"),
    ("iproute2", "network namespaces and links"),
    (
        "bpftool",
        "reads the pinned counters while no controller runs",
    ),
    ("ethtool", "makes a veth end receive on its own thread"),
    ("util-linux", "nsenter, unshare, chrt and taskset"),
    ("bsdutils", "script, a terminal for VPCS"),
    ("tcpdump", "shows the frames in a lab that was kept"),
];

/// Packages with a service of the same name, which Debian enables, so that it would start at the
/// next boot.
const WITH_SERVICE: [&str; 3] = ["isc-dhcp-relay", "kea-dhcp4-server", "isc-dhcp-server"];

/// Returns a description of the packages that [`ensure`] will install.
pub(super) fn to_install() -> Option<String> {
    let absent = absent();
    if !is_debian() || absent.is_empty() {
        return None;
    }
    // Asking for the size requires neither privileges nor a lock.
    let mut asked = install(&absent, "--assume-no");
    asked.args(["-o", "Debug::NoLocking=1"]);
    let said = command::output(&mut asked).map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    let size =
        size(&said).unwrap_or_else(|| "of a size that apt tells when it has its lists".to_owned());
    Some(format!(
        "{} packages for demo and tests, {size}: {}",
        absent.len(),
        absent.join(", ")
    ))
}

/// Returns the sizes that apt prints before it asks for confirmation.
fn size(said: &str) -> Option<String> {
    let between = |before: &str, after: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(before))?;
        line.split_once(after).map(|(size, _)| size.trim())
    };
    let fetched = between("Need to get ", " of archives")?;
    let used = between("After this operation, ", " of additional disk space")?;
    Some(format!(
        "{fetched} to fetch and {used} unpacked with what they need"
    ))
}

fn absent() -> Vec<&'static str> {
    let packages = PACKAGES.iter().map(|(package, _)| *package);
    packages
        .filter(|package| !is_package_installed(package))
        .collect()
}

pub(super) fn ensure() -> Result<()> {
    let what = "packages for demo and tests";
    if !is_debian() {
        println!(
            "setup: {what}: this is not Debian; install the packages of your system that provide:"
        );
        for (package, usage) in PACKAGES {
            println!("setup:   {package} ({usage})");
        }
        return Ok(());
    }
    let absent = absent();
    if absent.is_empty() {
        there(what);
        return Ok(());
    }
    missing(what, &format!("installing {}", absent.join(", ")));
    let _no_service_starts = forbid_services()?;
    if command::run(&mut privileged(install(&absent, "--yes"))).is_err() {
        // The package lists are missing or outdated.
        update_lists()?;
        command::run(&mut privileged(install(&absent, "--yes")))?;
    }
    disable_services(&absent)
}

/// Fetches the package lists.
pub(super) fn update_lists() -> Result<()> {
    command::run(&mut privileged(command("apt-get", ["update"])))
}

/// Disables the services of packages installed here, and leaves those of others unchanged.
fn disable_services(installed: &[&str]) -> Result<()> {
    for service in WITH_SERVICE
        .iter()
        .filter(|service| installed.contains(service))
    {
        let disable = command("update-rc.d", [*service, "disable"]);
        command::run(&mut privileged(disable))?;
    }
    Ok(())
}

fn install(packages: &[&str], answer: &str) -> Command {
    let mut apt = command("apt-get", ["install", answer, "--no-install-recommends"]);
    apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

pub(super) fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| names_debian(&text))
}

/// Returns whether os-release(5) names Debian or a derivative.
fn names_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        })
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .any(|id| id == "debian")
}

pub(super) fn is_package_installed(package: &str) -> bool {
    let query = ["--show", "--showformat=${db:Status-Status}", package];
    command::read(&mut command("dpkg-query", query)).is_ok_and(|status| status == "installed")
}

/// Prevents packages from starting their servers during installation (invoke-rc.d(8)), unless the
/// system has its own policy.
fn forbid_services() -> Result<Option<Cleanup>> {
    const POLICY: &str = "/usr/sbin/policy-rc.d";
    /// 101: action forbidden by policy.
    const FORBID: &str = "#!/bin/sh\nexit 101\n";

    if Path::new(POLICY).exists() {
        return Ok(None);
    }
    let script = tempfile::NamedTempFile::new().context("cannot create a temporary file")?;
    fs::write(script.path(), FORBID)?;
    let mut install = command("install", ["--mode=755"]);
    install.arg(script.path()).arg(POLICY);
    let cleanup = Cleanup::new(|| {
        if let Err(error) = command::run(&mut privileged(command("rm", ["-f", POLICY]))) {
            eprintln!("setup: cannot remove {POLICY}, remove it by hand: {error:#}");
        }
    });
    command::run(&mut privileged(install))?;
    Ok(Some(cleanup))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_debian_and_what_is_made_of_it() {
        assert!(names_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(names_debian("ID=mint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\n"));
        assert!(!names_debian("ID=arch\nHOME_URL=\"https://debian\"\n"));
    }

    #[test]
    fn apt_says_how_much_it_will_fetch_and_unpack() {
        let said = "The following NEW packages will be installed:\n  sl\n\
            0 upgraded, 1 newly installed, 0 to remove and 135 not upgraded.\n\
            Need to get 13.2 kB of archives.\n\
            After this operation, 61.4 kB of additional disk space will be used.\n";
        let size = size(said);
        let expected = "13.2 kB to fetch and 61.4 kB unpacked with what they need";
        assert_eq!(size.as_deref(), Some(expected));
        assert_eq!(super::size("E: Unable to locate package sl\n"), None);
    }

    #[test]
    fn services_are_those_of_packages_that_are_installed() {
        for service in WITH_SERVICE {
            assert!(
                PACKAGES.iter().any(|(package, _)| *package == service),
                "{service}"
            );
        }
    }
}
