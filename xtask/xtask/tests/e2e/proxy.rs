//! Firmware is told what to boot where another server gives the addresses.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::{
    outcome::Outcome,
    wire::{BOOT_SERVER_PORT, CLIENT_PORT, SERVER_PORT},
};
use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};
use xtask_lab::{
    Lab,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE},
    wire::Path,
};

use crate::wait_engine;

/// The boot file, with the zero octet that ends it in its field.
const FIELD: &[u8] = b"grubx64.efi\0";
const FILE: &str = "grubx64.efi";
/// An address that another server gave to the client.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);

fn firmware(mut message: Message) -> Message {
    let class = b"PXEClient:Arch:00007:UNDI:003016".to_vec();
    let options = message.opts_mut();
    options.insert(DhcpOption::ClassIdentifier(class));
    message
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c101_firmware_is_answered_at_both_ports_and_nothing_is_leased() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let config = format!(
            "[defaults]\nboot-file = \"{FILE}\"\n\n[[interface]]\nname = \"{SERVER_INTERFACE}\"\nproxy = true\n"
        );
        let server = Server::start(lab, &net.server, &config)?;
        let client = RawClient::open(&net.client)?;
        let class = |message: &Message| message.opts().get(OptionCode::ClassIdentifier).cloned();
        let pxe = Some(DhcpOption::ClassIdentifier(b"PXEClient".to_vec()));

        let offer = client.ask(&firmware(client.discover()), Path::BROADCAST)?;
        expect(&offer, MessageType::Offer)?;
        assert_eq!(offer.address(), Ipv4Addr::UNSPECIFIED);
        assert_eq!(offer.message.fname(), Some(FIELD));
        assert_eq!(offer.message.siaddr(), SERVER);
        assert_eq!(class(&offer.message), pxe);
        assert_eq!(
            (offer.path.source, offer.path.source_port),
            (SERVER, SERVER_PORT)
        );
        assert!(
            offer
                .message
                .opts()
                .get(OptionCode::AddressLeaseTime)
                .is_none()
        );
        client.ask_in_vain(&client.discover(), Path::BROADCAST)?;
        let for_another = firmware(client.select(CLIENT, CLIENT));
        client.ask_in_vain(&for_another, Path::BROADCAST)?;

        for source_port in [CLIENT_PORT, BOOT_SERVER_PORT] {
            let path = Path {
                source_port,
                destination_port: BOOT_SERVER_PORT,
                ..Path::unicast(CLIENT, SERVER, net.server.mac(SERVER_INTERFACE)?)
            };
            let mut request = firmware(client.message(MessageType::Request));
            request.set_ciaddr(CLIENT);
            let ack = client.ask(&request, path)?;
            expect(&ack, MessageType::Ack)?;
            assert_eq!(ack.message.fname(), Some(FIELD));
            assert_eq!(class(&ack.message), pxe);
            assert_eq!(
                (ack.path.source, ack.path.source_port),
                (SERVER, BOOT_SERVER_PORT)
            );
            assert_eq!(
                (ack.path.destination, ack.path.destination_port),
                (CLIENT, source_port)
            );
        }

        for (counter, times) in [
            ("boot_offered", 1),
            ("boot_acked", 2),
            ("not_firmware", 1),
            ("not_for_boot_server", 1),
        ] {
            wait_engine(&server, counter, times)?;
        }
        let stats = server.stats()?;
        assert_eq!(stats.of(Outcome::UnknownNetwork), 5);
        assert_eq!(server.leases()?.len(), 0);
        Ok(())
    })
}
