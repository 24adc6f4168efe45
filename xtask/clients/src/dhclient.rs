//! ISC dhclient, which renews at T1.

use xtask_lab::client::Dhclient;

use crate::{
    Kind,
    scene::{SHORT, live},
};

pub(crate) const KIND: Kind = Kind {
    name: "dhclient",
    package: "isc-dhcp-client",
    needs: &["/usr/sbin/dhclient"],
    play: |lab| live(lab, SHORT, Dhclient::start),
};
