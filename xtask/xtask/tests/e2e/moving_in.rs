//! Migration from another server, with a client that has leased from it.

use std::{fs, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab,
    client::{Client as _, Event, Udhcpc},
    command,
    migration_source::{Kind, MigrationSource},
    server::Server,
    topology::{Direct, SERVER_INTERFACE},
};

/// A client obtains a lease, the server is stopped, configuration and leases are migrated, and the
/// client renews its lease, first with the controller and then with the kernel alone.
fn move_in(kind: Kind) -> Result<()> {
    if !command::is_installed(kind.program()) {
        eprintln!("skipped: `{}` is not installed", kind.program());
        return Ok(());
    }
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let mut source = MigrationSource::start(kind, &net.server)?;
        let mut client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;
        source.stop()?;

        let mut server = Server::new(lab, &net.server, "")?;
        let converted = command::read(&mut server.command_convert(kind.name(), &source.config))?;
        server.configure(&converted)?;
        command::read(&mut server.command_check())?;
        let said = command::read(&mut server.command_import(kind.name(), &source.leases))?;
        assert!(
            said.contains("1  active leases, with their remaining times"),
            "{said}"
        );

        server.start_again()?;
        assert_eq!(server.lease_state(address)?.as_deref(), Some("bound"));
        let renewal = |client: &mut Udhcpc| -> Result<Ipv4Addr> {
            client.renew_and_wait()?;
            client.wait_bound()
        };
        assert_eq!(renewal(&mut client)?, address);
        let before = server.stats()?;
        assert_eq!(renewal(&mut client)?, address);
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::AckedRenewing), 1, "{counted}");
        assert!(!client.events()?.contains(&Event::Lost));

        // Export of the same lease, from the running server and from the store.
        let csv = command::read(&mut server.command_export())?;
        let line = csv
            .lines()
            .find(|line| line.starts_with(&address.to_string()));
        let line = line.with_context(|| csv.clone())?;
        assert!(
            line.starts_with(&format!(
                "{address},bound,10.77.0.0/24,1,02:00:00:00:00:01,"
            )),
            "{line}"
        );
        server.stop()?;
        let stored = command::read(&mut server.command_export())?;
        assert_eq!(stored.lines().count(), csv.lines().count(), "{stored}");
        command::read(&mut server.command_detach())?;
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_client_of_dnsmasq_renews_here_as_if_nothing_had_happened() -> Result<()> {
    move_in(Kind::Dnsmasq)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_client_of_kea_renews_here_as_if_nothing_had_happened() -> Result<()> {
    move_in(Kind::Kea)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_client_of_dhcpd_renews_here_as_if_nothing_had_happened() -> Result<()> {
    move_in(Kind::Dhcpd)
}

/// Nothing is imported while the server runs.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_running_server_is_not_imported_into() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let config = format!(
            "[[interface]]\nname = \"{SERVER_INTERFACE}\"\n[[subnet]]\nprefix = \"10.77.0.0/24\"\n"
        );
        let server = Server::start(lab, &net.server, &config)?;
        let leases = net.server.path("dnsmasq.leases");
        fs::write(&leases, "0 02:00:00:00:00:01 10.77.0.100 * *\n")?;
        let refused = command::output(&mut server.command_import("dnsmasq", &leases))?;
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            said.contains("another xdhcpd has this store open; stop it first"),
            "{said}"
        );
        Ok(())
    })
}
