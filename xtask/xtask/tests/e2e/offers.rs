//! The first founding case: an offer is not accepted, and its address is free at once.

use std::{thread, time::Duration};

use anyhow::{Result, bail};
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab,
    client::{Client as _, Udhcpc},
    config,
    raw::{RawClient, Reply, expect},
    relay::Relay,
    server::Server,
    topology::{Direct, Relayed, SERVER},
    wait,
    wire::Path,
};

use crate::{OTHER_SERVER, SOON};

/// A pool of one address, which nobody else can have while it is held.
const ONE: &str = "10.77.0.100-10.77.0.100";
const HELD_LONG: &str = r#"offer-time = "10m""#;
/// Short enough for a test to wait until it ends.
const HELD_SHORT: &str = r#"offer-time = "4s""#;
const HOLD: Duration = Duration::from_secs(4);
/// Shortly before the deadline.
const JUST_BEFORE: Duration = Duration::from_millis(3200);
/// How often an offer is made anew because a busy machine answered it after its deadline.
const ATTEMPTS: u32 = 10;

/// The client names another server, and must not be answered (c039).
fn choose_other(client: &RawClient, offer: &Reply) -> Result<()> {
    let choice = client.select(OTHER_SERVER, offer.address());
    client.ask_in_vain(&choice, Path::BROADCAST)
}

fn wait_no_offers(server: &Server) -> Result<()> {
    wait::until("the offer to be free", SOON, || {
        Ok(server.offers()?.is_empty().then_some(()))
    })
}

/// Answers an offer just before its deadline. Where the server counts that the offer has expired first,
/// because the machine is busy, the answer shows nothing, and another offer is made. Returns the offer,
/// the result of the answer, and how many offers have expired.
fn just_in_time<T>(
    server: &Server,
    client: &RawClient,
    answer: impl Fn(&Reply) -> Result<T>,
) -> Result<(Reply, T, u64)> {
    for expired in 0..ATTEMPTS.into() {
        let offer = client.offer()?;
        thread::sleep(JUST_BEFORE);
        let answered = answer(&offer);
        if server.stats()?.engine("offer_expired") == expired {
            return Ok((offer, answered?, expired));
        }
    }
    bail!("the machine was late {ATTEMPTS} times")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c039_c040_an_offer_not_taken_is_free_at_once() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_with_pool(HELD_LONG, ONE);
        let server = Server::start(lab, &net.server, &settings)?;
        let first = RawClient::open(&net.client)?;
        let second = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);

        let offer = first.offer()?;
        second.ask_in_vain(&second.discover(), Path::BROADCAST)?;
        choose_other(&first, &offer)?;
        wait_no_offers(&server)?;
        assert_eq!(second.lease()?.address(), offer.address());
        assert_eq!(server.stats()?.engine("offer_declined"), 1);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c039_c040_a_relayed_offer_not_taken_is_free_at_once() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Relayed::new(lab, 2)?;
        let server = Server::start(lab, &net.server, &config::relayed(HELD_LONG))?;
        let _relay = Relay::start(&net.relay, true)?;
        let [first, second] = net.clients.as_slice() else {
            unreachable!("there are two clients");
        };
        let (first, second) = (RawClient::open(first)?, RawClient::open(second)?);

        // The relay agent takes a moment to start listening.
        let offer = first.ask_repeatedly(&first.discover(), Path::BROADCAST)?;
        expect(&offer, MessageType::Offer)?;
        choose_other(&first, &offer)?;
        wait_no_offers(&server)?;
        let next = second.ask(&second.discover_address(offer.address()), Path::BROADCAST)?;
        expect(&next, MessageType::Offer)?;
        assert_eq!(next.address(), offer.address());
        Ok(())
    })
}

/// The offer's own deadline, a moment later, must not end what the address is used for since.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c040_an_offer_not_taken_just_before_its_deadline_is_freed_once() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_with_pool(HELD_SHORT, ONE);
        let server = Server::start(lab, &net.server, &settings)?;
        let first = RawClient::open(&net.client)?;
        let second = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);

        let (offer, (), expired) =
            just_in_time(&server, &first, |offer| choose_other(&first, offer))?;
        let address = second.lease()?.address();
        assert_eq!(address, offer.address());
        // Waits to see that nothing happens.
        thread::sleep(HOLD);
        assert_eq!(server.lease_state(address)?.as_deref(), Some("bound"));
        let stats = server.stats()?;
        assert_eq!(stats.engine("offer_declined"), 1);
        assert_eq!(stats.engine("offer_expired"), expired);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c043_an_offer_taken_just_before_its_deadline_is_a_lease() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_with_pool(HELD_SHORT, ONE);
        let server = Server::start(lab, &net.server, &settings)?;
        let client = RawClient::open(&net.client)?;

        let take = |offer: &Reply| {
            let choice = client.select(SERVER, offer.address());
            client.ask(&choice, Path::BROADCAST)
        };
        let (offer, ack, expired) = just_in_time(&server, &client, take)?;
        expect(&ack, MessageType::Ack)?;
        thread::sleep(HOLD);
        let state = server.lease_state(offer.address())?;
        assert_eq!(state.as_deref(), Some("bound"));
        assert_eq!(server.stats()?.engine("offer_expired"), expired);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c028_an_offer_neither_taken_nor_refused_is_free_after_its_time() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_with_pool(HELD_SHORT, ONE);
        let server = Server::start(lab, &net.server, &settings)?;
        let first = RawClient::open(&net.client)?;
        let second = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);

        let address = first.offer()?.address();
        second.ask_in_vain(&second.discover(), Path::BROADCAST)?;
        wait_no_offers(&server)?;
        assert_eq!(second.offer()?.address(), address);
        assert_eq!(server.stats()?.engine("offer_expired"), 1);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c041_a_lease_stays_when_its_client_chooses_another_server() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(HELD_LONG))?;
        let client = RawClient::open(&net.client)?;
        let ack = client.lease()?;
        choose_other(&client, &ack)?;
        let state = server.lease_state(ack.address())?;
        assert_eq!(state.as_deref(), Some("bound"));
        assert_eq!(server.stats()?.engine("offer_declined"), 0);
        Ok(())
    })
}

/// A real client obtains the address.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c040_the_next_real_client_gets_what_was_not_taken() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_with_pool(HELD_LONG, ONE);
        let _server = Server::start(lab, &net.server, &settings)?;
        let undecided = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);
        let offer = undecided.offer()?;
        choose_other(&undecided, &offer)?;
        let client = Udhcpc::start(&net.client)?;
        assert_eq!(client.wait_bound()?, offer.address());
        Ok(())
    })
}
