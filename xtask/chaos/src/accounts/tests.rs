//! Tests of the accounts with messages written by hand.

use xtask_lab::witness::Accounts as _;

use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const LEASE_SECS: u32 = 8;

/// A link on which messages pass one after the other, and its accounts.
struct Scene {
    accounts: Accounts,
    now: Moment,
    xid: u32,
}

impl Scene {
    fn new() -> Self {
        let guarantee = Guarantee { horizon_leases: 2 };
        Self {
            accounts: Accounts::new(guarantee),
            now: Duration::from_secs(1000),
            xid: 0,
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.accounts.pass(self.now);
    }

    fn begin(&mut self, trouble: Trouble) {
        self.accounts.conditions().begin(trouble, self.now);
    }

    fn end(&mut self, trouble: Trouble) {
        self.accounts.conditions().end(trouble, self.now);
    }

    /// Records a message, one millisecond after the previous one.
    fn enter(
        &mut self,
        kind: MessageType,
        client: u8,
        options: &[DhcpOption],
        yiaddr: Ipv4Addr,
        ciaddr: Ipv4Addr,
    ) {
        let none = Ipv4Addr::UNSPECIFIED;
        let mac = [2, 0, 0, 0, 0, client];
        let mut message = Message::new_with_id(self.xid, ciaddr, yiaddr, none, none, &mac);
        let is_reply = [MessageType::Offer, MessageType::Ack, MessageType::Nak].contains(&kind);
        if is_reply {
            message.set_opcode(Opcode::BootReply);
        }
        let all = message.opts_mut();
        all.insert(DhcpOption::MessageType(kind));
        for option in options {
            all.insert(option.clone());
        }
        self.now += Duration::from_millis(1);
        self.accounts.enter(&message, self.now);
    }

    fn request(&mut self, kind: MessageType, client: u8, options: &[DhcpOption], ciaddr: Ipv4Addr) {
        self.xid += 1;
        self.enter(kind, client, options, Ipv4Addr::UNSPECIFIED, ciaddr);
    }

    fn discover(&mut self, client: u8) {
        self.request(MessageType::Discover, client, &[], Ipv4Addr::UNSPECIFIED);
    }

    fn select(&mut self, client: u8, address: Ipv4Addr) {
        let options = [
            DhcpOption::RequestedIpAddress(address),
            DhcpOption::ServerIdentifier(SERVER),
        ];
        self.request(
            MessageType::Request,
            client,
            &options,
            Ipv4Addr::UNSPECIFIED,
        );
    }

    fn extend(&mut self, client: u8, address: Ipv4Addr) {
        self.request(MessageType::Request, client, &[], address);
    }

    fn reply(&mut self, kind: MessageType, client: u8, address: Ipv4Addr) {
        let options = [DhcpOption::AddressLeaseTime(LEASE_SECS)];
        self.enter(kind, client, &options, address, Ipv4Addr::UNSPECIFIED);
    }

    fn lease(&mut self, client: u8, address: Ipv4Addr) {
        self.discover(client);
        self.reply(MessageType::Offer, client, address);
        self.select(client, address);
        self.reply(MessageType::Ack, client, address);
    }

    #[track_caller]
    fn expect(&self, rules: &[Rule]) {
        let violations = self.accounts.violations();
        let broken: Vec<_> = violations.iter().map(|violation| violation.rule).collect();
        assert_eq!(broken, rules, "{violations:?}");
    }
}

#[test]
fn an_address_goes_from_one_to_another_by_release_and_by_time() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.request(MessageType::Release, 1, &[], ADDRESS);
    scene.lease(2, ADDRESS);
    // From its REQUEST, a millisecond before its ACK.
    scene.pass(u64::from(LEASE_SECS) * 1000 - 4);
    scene.discover(3);
    scene.reply(MessageType::Offer, 3, ADDRESS);
    scene.select(3, ADDRESS);
    scene.reply(MessageType::Ack, 3, ADDRESS);
    scene.expect(&[Rule::OffersAreFree]);
    let Counts {
        acks, exchanges, ..
    } = scene.accounts.counts();
    assert_eq!((acks, exchanges), (3, 6));
    assert_eq!(scene.accounts.held(scene.now).len(), 1);
}

#[test]
fn an_address_of_two_clients_is_seen_with_the_offer_and_with_the_ack() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.discover(2);
    scene.reply(MessageType::Offer, 2, ADDRESS);
    scene.expect(&[Rule::OffersAreFree]);
    scene.select(2, ADDRESS);
    scene.reply(MessageType::Ack, 2, ADDRESS);
    scene.expect(&[Rule::OffersAreFree, Rule::OneClientAnAddress]);
}

#[test]
fn an_offer_that_waited_while_its_address_went_to_another_is_nothing_wrong() {
    let mut scene = Scene::new();
    scene.discover(2);
    let waits = scene.xid;
    scene.lease(1, ADDRESS);
    scene.xid = waits;
    scene.reply(MessageType::Offer, 2, ADDRESS);
    scene.expect(&[]);
}

#[test]
fn a_shorter_lease_takes_nothing_back_that_was_promised() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.extend(1, ADDRESS);
    let shorter = [DhcpOption::AddressLeaseTime(2)];
    scene.enter(MessageType::Ack, 1, &shorter, ADDRESS, ADDRESS);
    scene.pass(4000);
    scene.select(2, ADDRESS);
    scene.reply(MessageType::Ack, 2, ADDRESS);
    scene.expect(&[Rule::OneClientAnAddress]);
}

#[test]
fn an_answer_is_to_a_request_and_comes_once_for_each_that_was_sent() {
    let mut scene = Scene::new();
    scene.reply(MessageType::Ack, 1, ADDRESS);
    scene.expect(&[Rule::AnswersAreAsked]);
    scene.discover(1);
    scene.reply(MessageType::Offer, 1, ADDRESS);
    scene.expect(&[Rule::AnswersAreAsked]);
    // Sent once more, and answered two more times.
    scene.enter(
        MessageType::Discover,
        1,
        &[],
        ADDRESS,
        Ipv4Addr::UNSPECIFIED,
    );
    scene.reply(MessageType::Offer, 1, ADDRESS);
    scene.expect(&[Rule::AnswersAreAsked]);
    scene.reply(MessageType::Offer, 1, ADDRESS);
    scene.expect(&[Rule::AnswersAreAsked; 2]);
    scene.reply(MessageType::Offer, 2, ADDRESS);
    scene.expect(&[Rule::AnswersAreAsked; 3]);
}

#[test]
fn an_ack_is_about_what_was_asked_for_and_says_for_how_long() {
    let mut scene = Scene::new();
    scene.select(1, ADDRESS);
    scene.reply(MessageType::Ack, 1, OTHER_ADDRESS);
    scene.expect(&[Rule::AnswersFit]);
    scene.select(1, ADDRESS);
    scene.enter(MessageType::Ack, 1, &[], ADDRESS, Ipv4Addr::UNSPECIFIED);
    scene.expect(&[Rule::AnswersFit; 2]);
    assert!(scene.accounts.held(scene.now).is_empty());
}

#[test]
fn nobody_is_refused_what_he_has_and_anybody_what_he_has_not() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.extend(2, ADDRESS);
    scene.reply(MessageType::Nak, 2, Ipv4Addr::UNSPECIFIED);
    scene.expect(&[]);
    scene.extend(1, ADDRESS);
    scene.reply(MessageType::Nak, 1, Ipv4Addr::UNSPECIFIED);
    scene.expect(&[Rule::LeasesAreNotRefused]);
}

#[test]
fn an_ack_that_crosses_a_release_gives_nothing_back() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.extend(1, ADDRESS);
    let renewal = scene.xid;
    scene.request(MessageType::Release, 1, &[], ADDRESS);
    scene.xid = renewal;
    scene.reply(MessageType::Ack, 1, ADDRESS);
    scene.lease(2, ADDRESS);
    scene.pass(10_000);
    scene.expect(&[]);
}

#[test]
fn who_has_a_lease_and_asks_for_it_is_answered_soon() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.extend(1, ADDRESS);
    scene.pass(2000);
    scene.expect(&[]);
    scene.pass(10);
    scene.expect(&[Rule::LeasesAreRenewed]);
    // After the end of a lease no answer is owed.
    scene.pass(8000);
    scene.extend(1, ADDRESS);
    scene.pass(5000);
    scene.expect(&[Rule::LeasesAreRenewed]);
}

#[test]
fn a_link_that_is_down_excuses_silence() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.extend(1, ADDRESS);
    scene.pass(1000);
    scene.begin(Trouble::LinkDown);
    scene.pass(2000);
    scene.expect(&[]);
}

/// Extends a lease four times without a controller, which uses up everything committed ahead.
fn headless(scene: &mut Scene) {
    for _ in 0..3 {
        scene.pass(4000);
        scene.extend(1, ADDRESS);
        scene.reply(MessageType::Ack, 1, ADDRESS);
    }
}

#[test]
fn without_a_controller_a_new_lease_is_renewed_for_two_lease_times() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.begin(Trouble::ControllerGone);
    headless(&mut scene);
    assert_eq!(scene.accounts.counts().headless, 3);
    scene.pass(3800);
    scene.extend(1, ADDRESS);
    scene.pass(3000);
    scene.expect(&[Rule::LeasesAreRenewed]);
}

#[test]
fn beyond_what_is_on_disk_the_kernel_owes_nothing() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.begin(Trouble::ControllerGone);
    headless(&mut scene);
    scene.pass(4100);
    scene.extend(1, ADDRESS);
    scene.pass(3000);
    scene.expect(&[]);
}

#[test]
fn a_lease_that_goes_on_is_on_disk_for_one_lease_time_more() {
    for (after, rules) in [(7800, &[Rule::LeasesAreRenewed][..]), (8100, &[])] {
        let mut scene = Scene::new();
        scene.lease(1, ADDRESS);
        for _ in 0..5 {
            scene.pass(4000);
            scene.extend(1, ADDRESS);
            scene.reply(MessageType::Ack, 1, ADDRESS);
        }
        // Long enough for the controller to commit the horizons that the kernel asked for.
        scene.pass(1001);
        scene.begin(Trouble::DiskFull);
        scene.pass(3000);
        scene.extend(1, ADDRESS);
        scene.reply(MessageType::Ack, 1, ADDRESS);
        scene.pass(after - 4000);
        scene.extend(1, ADDRESS);
        scene.pass(3000);
        scene.expect(rules);
    }
}

#[test]
fn a_kernel_that_has_just_been_told_other_answers_owes_nothing_yet() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    scene.begin(Trouble::Reload);
    scene.end(Trouble::Reload);
    // The controller answers regardless.
    scene.extend(1, ADDRESS);
    scene.pass(1000);
    scene.begin(Trouble::ControllerGone);
    scene.pass(2000);
    scene.expect(&[]);
    scene.end(Trouble::ControllerGone);
    scene.extend(1, ADDRESS);
    scene.pass(2100);
    scene.expect(&[Rule::LeasesAreRenewed]);
}

#[test]
fn those_are_served_who_were_acknowledged_since() {
    let mut scene = Scene::new();
    scene.lease(1, ADDRESS);
    let since = scene.now + Duration::from_millis(1);
    scene.lease(2, OTHER_ADDRESS);
    let clients = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
    let served = scene.accounts.served(clients, since, scene.now);
    assert_eq!(served, BTreeSet::from([clients[1]]));
    scene.pass(u64::from(LEASE_SECS) * 1000);
    assert!(scene.accounts.served(clients, since, scene.now).is_empty());
}
