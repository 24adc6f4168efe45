//! dhcpcd.

use xtask_lab::client::Dhcpcd;

use crate::{
    Kind,
    scene::{LONG, live},
};

pub(crate) const KIND: Kind = Kind {
    name: "dhcpcd",
    package: "dhcpcd-base",
    needs: &["/usr/sbin/dhcpcd"],
    play: |lab| live(lab, LONG, Dhcpcd::start),
};
