//! systemd-networkd, which renews at T1.

use xtask_lab::client::Networkd;

use crate::{
    Kind,
    scene::{SHORT, live},
};

pub(crate) const KIND: Kind = Kind {
    name: "networkd",
    package: "systemd",
    needs: &["/lib/systemd/systemd-networkd"],
    play: |lab| live(lab, SHORT, Networkd::start),
};
