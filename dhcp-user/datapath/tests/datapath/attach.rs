//! Interfaces: what the host reports about them, and how the program is attached and detached.

use std::net::Ipv4Addr;

use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};
use dhcp_common::abi::PROGRAM;
use dhcp_datapath::{
    AttachProblem, Datapath, DatapathError, LinkMode, OBJECT, detach_all, host::Interface,
};

use crate::{
    chain,
    lab::{self, ip},
    link_ids, options, pins,
};

#[test]
fn detaching_leaves_the_interface_and_the_directory_clean() {
    lab::run(|lab| {
        lab.veth("srv", "cli");
        let mut datapath = Datapath::open(&options(lab)).unwrap();
        for name in ["srv", "cli"] {
            let interface = Interface::find(name).unwrap();
            datapath.links.attach(&interface, false).unwrap();
        }
        datapath.links.settle().unwrap();
        drop(datapath);
        assert_eq!(detach_all(&lab.pin_dir()).unwrap(), 2);
        assert!(!ip("link show").contains("prog/xdp"));
        assert_eq!(pins(lab), [""; 0]);
        assert_eq!(
            detach_all(&lab.pin_dir()).unwrap(),
            0,
            "nothing is left to do"
        );
    });
}

#[test]
fn an_interface_that_is_served_no_more_is_detached() {
    lab::run(|lab| {
        lab.veth("srv", "cli");
        let [srv, cli] = ["srv", "cli"].map(|name| Interface::find(name).unwrap());
        let mut first = Datapath::open(&options(lab)).unwrap();
        first.links.attach(&srv, false).unwrap();
        first.links.attach(&cli, false).unwrap();
        first.links.settle().unwrap();
        drop(first);
        let mut second = Datapath::open(&options(lab)).unwrap();
        second.links.attach(&srv, false).unwrap();
        assert!(ip("link show dev cli").contains("prog/xdp"));
        second.links.settle().unwrap();
        assert!(ip("link show dev srv").contains("prog/xdp"));
        assert!(!ip("link show dev cli").contains("prog/xdp"));
    });
}

#[test]
fn an_interface_made_anew_with_the_same_index_is_attached_anew() {
    lab::run(|lab| {
        ip("link add srv index 4242 type veth peer name cli");
        let interface = Interface::find("srv").unwrap();
        assert_eq!(interface.ifindex, 4242);
        let pin = lab.pin_dir().join("link-4242-native");
        let mut first = Datapath::open(&options(lab)).unwrap();
        first.links.attach(&interface, false).unwrap();
        first.links.settle().unwrap();
        drop(first);
        let (link, _) = link_ids(&pin);
        ip("link del dev srv");
        ip("link add srv index 4242 type veth peer name cli");
        let mut second = Datapath::open(&options(lab)).unwrap();
        second.links.attach(&interface, false).unwrap();
        second.links.settle().unwrap();
        assert_ne!(link_ids(&pin).0, link);
        assert!(ip("link show dev srv").contains("prog/xdp"));
    });
}

#[test]
fn a_program_that_is_not_ours_is_not_replaced() {
    lab::run(|lab| {
        lab.veth("srv", "cli");
        let mut ebpf = Ebpf::load(OBJECT).unwrap();
        let program: &mut Xdp = ebpf.program_mut(PROGRAM).unwrap().try_into().unwrap();
        program.load().unwrap();
        for mode in [XdpMode::Driver, XdpMode::Skb] {
            let link = program.attach("srv", mode).unwrap();
            let before = ip("link show dev srv");
            let mut datapath = Datapath::open(&options(lab)).unwrap();
            let interface = Interface::find("srv").unwrap();
            let error = datapath.links.attach(&interface, true).unwrap_err();
            assert!(
                matches!(&error, DatapathError::Attach { interface, problem: AttachProblem::Occupied }
                    if interface == "srv"),
                "{mode:?}: {}",
                chain(&error)
            );
            assert_eq!(ip("link show dev srv"), before);
            program.detach(link).unwrap();
        }
    });
}

#[test]
fn generic_mode_is_taken_only_when_it_is_allowed() {
    lab::run(|lab| {
        // The loopback interface has no native XDP.
        let interface = Interface::find("lo").unwrap();
        let mut first = Datapath::open(&options(lab)).unwrap();
        let error = first
            .links
            .attach(&interface, false)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("interface lo: driver"), "{error}");
        assert!(error.contains("generic-xdp = true"), "{error}");
        let mode = first.links.attach(&interface, true).unwrap();
        assert_eq!(mode, LinkMode::Generic);
        first.links.settle().unwrap();
        drop(first);
        assert!(ip("link show dev lo").contains("xdpgeneric"));

        let mut second = Datapath::open(&options(lab)).unwrap();
        let error = second
            .links
            .attach(&interface, false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no longer allows"), "{error}");
        assert_eq!(
            second.links.attach(&interface, true).unwrap(),
            LinkMode::Generic
        );
    });
}

#[test]
fn the_host_tells_what_an_interface_is() {
    lab::run(|lab| {
        lab.veth("srv", "cli");
        ip("link set dev srv address 02:00:00:00:00:01");
        ip("address add 10.0.0.1/24 dev srv");
        ip("address add 10.0.0.2/24 dev srv label srv:1");
        ip("address add 10.0.1.1/24 dev cli");
        let interface = Interface::find("srv").unwrap();
        assert_eq!(interface.mac, [2, 0, 0, 0, 0, 1]);
        assert_eq!(
            interface.addresses,
            [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]
        );
        assert!(interface.queues >= 1);
        assert_eq!(interface.driver.as_deref(), Some("veth"));
        let error = Interface::find("eth7").unwrap_err().to_string();
        assert_eq!(error, "there is no interface eth7; there are cli, lo, srv");
    });
}
