//! BusyBox udhcpc.

use xtask_lab::client::Udhcpc;

use crate::{
    Kind,
    scene::{LONG, live},
};

pub(crate) const KIND: Kind = Kind {
    name: "udhcpc",
    package: "udhcpc",
    needs: &["/usr/sbin/udhcpc"],
    play: |lab| live(lab, LONG, Udhcpc::start),
};
