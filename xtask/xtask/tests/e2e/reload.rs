//! A running server loads another configuration while clients renew.

use std::{net::Ipv4Addr, process::Output};

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab, config,
    raw::{RawClient, expect},
    server::Server,
    topology::{CLIENT_INTERFACE, Direct, PREFIX_LEN, SERVER, SERVER_INTERFACE},
    wait,
    wire::Path,
};

use crate::{SOON, wait_state};

const LONG: &str = r#"lease-time = "1h""#;
const ELSEWHERE: &str = "10.77.0.200-10.77.0.209";
const SECOND_INTERFACE: &str = "veth-two";
const SECOND_SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

fn out(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_reload_ends_what_is_no_longer_right_and_nothing_else() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
        let client = RawClient::open(&net.client)?;
        let address = client.lease()?.address();
        let renewal = client.extend(address);
        let to_server = Path::unicast(address, SERVER, net.server.mac(SERVER_INTERFACE)?);
        let renew = |kind| -> Result<()> {
            let reply = client.ask(&renewal, to_server)?;
            expect(&reply, kind)
        };
        renew(MessageType::Ack)?;

        // Two errors: both are reported, and nothing changes.
        server.configure(&config::local("lease-time = 5\nrenewal-tme = \"1m\""))?;
        let (code, _, err) = out(&server.control(&["reload"])?);
        assert_eq!(code, Some(1), "{err}");
        assert!(
            err.contains("lease-time = 5") && err.contains("renewal-time"),
            "{err}"
        );
        let before = server.stats()?;
        renew(MessageType::Ack)?;
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::AckedRenewing), 1, "{counted}");

        // First a dry run, then the reload.
        server.configure(&config::local_with_pool(LONG, ELSEWHERE))?;
        let (code, said, err) = out(&server.control(&["reload", "--dry-run"])?);
        assert_eq!((code, &*err), (Some(0), ""));
        let ends =
            format!("1 would end at their clients' next request or when they expire: {address}\n");
        assert!(said.ends_with(&ends), "{said}");
        renew(MessageType::Ack)?;
        let (code, said, err) = out(&server.control(&["reload"])?);
        assert_eq!((code, &*err), (Some(0), ""));
        assert!(said.starts_with("reloaded; "), "{said}");
        renew(MessageType::Nak)?;
        let other = client.lease()?.address();
        assert_eq!(other, Ipv4Addr::new(10, 77, 0, 200));

        // The client has been told, and has another lease now.
        wait::until("the first lease to end", SOON, || {
            Ok(server.lease_state(address)?.is_none().then_some(()))
        })?;

        // A signal does the same.
        server.configure(&config::local(LONG))?;
        server.hang_up()?;
        wait::until("the first pool to be served again", SOON, || {
            let reply = client.ask(&client.discover(), Path::BROADCAST)?;
            Ok((reply.address() != other).then_some(()))
        })
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_interface_is_served_from_a_reload_on_and_no_more_after_another() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let second = lab.namespace("two")?;
        lab.veth((&net.server, SECOND_INTERFACE), (&second, CLIENT_INTERFACE))?;
        net.server
            .add_address(SECOND_INTERFACE, SECOND_SERVER, PREFIX_LEN)?;
        lab.receive_xdp(&second, CLIENT_INTERFACE)?;
        let one = config::local(LONG);
        let two = format!(
            "{one}\n[[interface]]\nname = \"{SECOND_INTERFACE}\"\n\n\
             [[subnet]]\nprefix = \"10.99.0.0/24\"\npools = [\"10.99.0.100-10.99.0.199\"]\n"
        );
        let server = Server::start(lab, &net.server, &one)?;
        let first = RawClient::open(&net.client)?;
        let address = first.lease()?.address();
        let late = RawClient::open(&second)?;
        late.ask_in_vain(&late.discover(), Path::BROADCAST)?;

        server.configure(&two)?;
        let (code, _, err) = out(&server.control(&["reload"])?);
        assert_eq!((code, &*err), (Some(0), ""));
        let other = late.lease()?.address();
        assert_eq!(other, Ipv4Addr::new(10, 99, 0, 100));
        wait_state(&server, other, Some("bound"))?;
        let before = server.stats()?;
        expect(
            &late.ask(&late.reboot(other), Path::BROADCAST)?,
            MessageType::Ack,
        )?;
        expect(
            &first.ask(&first.reboot(address), Path::BROADCAST)?,
            MessageType::Ack,
        )?;
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::AckedRebooting), 2, "{counted}");

        server.configure(&one)?;
        let (code, _, err) = out(&server.control(&["reload"])?);
        assert_eq!((code, &*err), (Some(0), ""));
        late.ask_in_vain(&late.reboot(other), Path::BROADCAST)?;
        expect(
            &first.ask(&first.reboot(address), Path::BROADCAST)?,
            MessageType::Ack,
        )
    })
}
