//! The address that a client is offered is in use by another host.
//!
//! systemd-networkd is not tested: it intends to decline, and then cannot send its DECLINE (systemd
//! issue 39460).

use anyhow::Result;
use xtask_lab::{
    Lab, Namespace,
    client::{Dhclient, Dhcpcd, Udhcpc},
    config,
    raw::RawClient,
    server::Server,
    topology::{CLIENT_INTERFACE, PREFIX_LEN, Switched},
    wire::Path,
};

use crate::{wait_engine, wait_state};

/// Checks a DECLINE of the pool's only address, which another host has: it is offered to no client
/// afterwards.
fn decline<C>(start: impl Fn(&Namespace) -> Result<C> + Sync) -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Switched::new(lab, 3)?;
        let [client, host, next] = net.clients.as_slice() else {
            unreachable!("there are three clients");
        };
        let taken = config::LOCAL_POOL;
        host.add_address(CLIENT_INTERFACE, taken, PREFIX_LEN)?;
        let pool = format!("{taken}-{taken}");
        let settings = config::local_with_pool(r#"decline-time = "1h""#, &pool);
        let server = Server::start(lab, &net.server, &settings)?;

        let _client = start(client)?;
        wait_engine(&server, "declined", 1)?;
        wait_state(&server, taken, Some("quarantined"))?;

        let next = RawClient::open(next)?;
        next.ask_in_vain(&next.discover(), Path::BROADCAST)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c069_c072_udhcpc_declines_an_address_in_use() -> Result<()> {
    decline(|client| Udhcpc::start_with(client, &["-a"]))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c069_c072_dhcpcd_declines_an_address_in_use() -> Result<()> {
    decline(Dhcpcd::start_probing)
}

/// dhclient leaves the detection to its script, which reports it once here.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c069_c072_dhclient_declines_an_address_in_use() -> Result<()> {
    decline(Dhclient::start_refusing_once)
}
