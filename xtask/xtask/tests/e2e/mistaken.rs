//! A client gives up an address that it does not hold. Its real lease remains; the kernel, which
//! stops answering a client that gives an address up, answers for it again.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use dhcproto::v4::{Message, MessageType};
use xtask_lab::{
    Lab, config,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE},
    wire::Path,
};

use crate::{OTHER_SERVER, expect_by_kernel, wait_engine};

const LONG: &str = r#"lease-time = "1h""#;
const NOT_ITS_OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 150);

fn give_up(
    ignored_as: &str,
    message: impl Fn(&RawClient, Ipv4Addr) -> Message + Sync,
) -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let client = RawClient::open(&net.client)?;
        let address = client.lease()?.address();
        assert_ne!(address, NOT_ITS_OWN);

        client.ask_in_vain(&message(&client, address), Path::BROADCAST)?;
        wait_engine(&server, ignored_as, 1)?;
        assert_eq!(server.lease_state(address)?.as_deref(), Some("bound"));

        let path = Path::unicast(address, SERVER, net.server.mac(SERVER_INTERFACE)?);
        expect(
            &client.ask(&client.extend(address), path)?,
            MessageType::Ack,
        )?;
        let opened = server.stats()?;
        expect(
            &client.ask(&client.extend(address), path)?,
            MessageType::Ack,
        )?;
        let counted = server.stats()?.since(&opened);
        expect_by_kernel(lab, &counted, &[(Outcome::AckedRenewing, 1)]);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c074_c076_a_release_of_another_address_changes_nothing() -> Result<()> {
    give_up("release_mismatch", |client, _| {
        client.release(SERVER, NOT_ITS_OWN)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c075_c076_a_release_to_another_server_changes_nothing() -> Result<()> {
    give_up("release_mismatch", |client, address| {
        client.release(OTHER_SERVER, address)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c071_c076_a_decline_of_another_address_changes_nothing() -> Result<()> {
    give_up("decline_mismatch", |client, _| {
        client.decline(SERVER, NOT_ITS_OWN)
    })
}
