//! A server that cannot start reports why, and does not affect a running one.

use std::{fs, process::Command};

use anyhow::Result;
use xtask_lab::{
    Lab,
    client::{Client as _, Udhcpc},
    command::{command, output},
    config,
    server::Server,
    topology::Direct,
};

const LONG: &str = r#"lease-time = "1h""#;

/// Runs a daemon that has to fail by itself, and returns its output.
fn refusal(run: &mut Command) -> Result<String> {
    // If the daemon runs nevertheless, the test must not wait forever.
    let mut bounded = command("timeout", ["--signal=KILL", "10"]);
    bounded.arg(run.get_program()).args(run.get_args());
    let ended = output(&mut bounded)?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let code = ended.status.code();
    assert!(matches!(code, Some(1..=100)), "{:?}: {said}", ended.status);
    Ok(said)
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_second_controller_is_refused_and_the_first_goes_on() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let mut client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;

        let said = refusal(&mut server.command_run())?;
        assert_says(&said, &["another xdhcpd"]);
        client.renew_and_wait()?;
        assert_eq!(server.lease_state(address)?.as_deref(), Some("bound"));
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_daemon_without_privilege_names_the_capabilities_it_lacks() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::new(lab, &net.server, &config::local(LONG))?;
        let run = server.command_run();
        // The file system still sees root, so that only missing capabilities can be the reason.
        let mut bare = command(run.get_program(), run.get_args().take(2));
        bare.args(["setpriv", "--inh-caps=-all", "--bounding-set=-all"]);
        bare.args(run.get_args().skip(2));
        let said = refusal(&mut bare)?;
        assert_says(&said, &["CAP_NET_ADMIN", "CAP_BPF"]);
        assert!(!server.pin_dir().exists());
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_wrong_configuration_is_refused_by_check_and_run_alike() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let good = config::local(LONG);
        let server = Server::start(lab, &net.server, &good)?;
        let overlapping = good.replace("pools = [", "pools = [\"10.77.0.50-10.77.0.120\", ");
        assert_ne!(overlapping, good);
        let outside = format!(
            "{good}\n[[subnet.reservation]]\nhardware-address = \"02:00:00:00:00:01\"\n\
             address = \"10.99.0.5\"\n"
        );
        for (bad, words) in [
            (
                format!("{good}\nlease-tine = \"1h\"\n"),
                ["lease-tine", "xdhcpd.toml:"],
            ),
            (overlapping, ["overlaps subnet[0].pools[0]", "xdhcpd.toml:"]),
            (outside, ["10.99.0.5", "xdhcpd.toml:"]),
            (
                good.replace("veth-srv", "veth-none"),
                ["veth-none", "interface"],
            ),
        ] {
            server.configure(&bad)?;
            assert_says(&refusal(&mut server.command_check())?, &words);
            assert_says(&refusal(&mut server.command_run())?, &words);
        }
        let client = Udhcpc::start(&net.client)?;
        client.wait_bound()?;
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_file_that_is_no_store_is_refused_and_not_overwritten() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::new(lab, &net.server, &config::local(LONG))?;
        let foreign = "not a database, but somebody's diary\n".repeat(100);
        fs::write(server.store(), &foreign)?;
        let said = refusal(&mut server.command_run())?;
        assert_says(&said, &["leases.db", "server.store"]);
        assert_eq!(fs::read_to_string(server.store())?, foreign);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_without_a_server_says_where_it_looked() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::new(lab, &net.server, &config::local(LONG))?;
        let ended = server.control(&["stats"])?;
        assert!(!ended.status.success());
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_says(&said, &["control.sock"]);
        Ok(())
    })
}
