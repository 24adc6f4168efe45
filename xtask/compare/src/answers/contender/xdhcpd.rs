//! xdhcpd.

use std::fmt::Write as _;

use xtask_lab::topology::SERVER_INTERFACE;

use crate::answers::plan::{
    DOMAIN, LEASE_SECS, LONG_OPTIONS, NAME_SERVER, SUBNETS, Setting, long_text,
};

pub(super) fn config(setting: Setting) -> String {
    let [long, longer] = LONG_OPTIONS;
    let text = long_text();
    let mut config = format!(
        "[defaults]\nlease-time = \"{LEASE_SECS}s\"\nauthoritative = {}\nrapid-commit = true\nprobe-time = \"0s\"\n\n\
         [defaults.options]\ndomain-name = \"{DOMAIN}\"\ndomain-name-servers = [\"{NAME_SERVER}\"]\n\
         \"{long}\" = {{ text = \"{text}\" }}\n\"{longer}\" = {{ text = \"{text}\" }}\n\n\
         [[interface]]\nname = \"{SERVER_INTERFACE}\"\n",
        setting.is_authoritative()
    );
    for subnet in SUBNETS {
        let (first, last) = subnet.pool();
        let router = subnet.router();
        // Writing to a string cannot fail.
        let _ = write!(
            config,
            "\n[[subnet]]\nprefix = \"{}/24\"\npools = [\"{first}-{last}\"]\noptions = {{ \
             routers = [\"{router}\"], classless-static-routes = [\"0.0.0.0/0 via {router}\"] }}\n",
            subnet.network()
        );
    }
    config
}
