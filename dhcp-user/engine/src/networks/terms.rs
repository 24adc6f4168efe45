//! Terms: the options and times that one client gets.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::wire::option;
use dhcp_config::{Boot, OptionValue, Overrides, Presence};
use dhcp_model::LeaseTimes;

/// The options that a client gets, and how long it may have its address.
#[derive(Clone, Debug)]
pub struct Terms {
    pub server_id: Ipv4Addr,
    pub mask: Ipv4Addr,
    pub lease: LeaseTimes,
    /// Whether clients that request option 108 do without IPv4 (RFC 8925).
    pub ipv6_mostly: bool,
    pub options: Arc<[OptionValue]>,
    pub presence: Presence,
    pub boot: Arc<Boot>,
    /// Option 12 of a reservation.
    pub host_name: Option<Arc<str>>,
}

impl Terms {
    /// The value of an option of the configuration. The boot file and the server's name are options
    /// too, for a client that asks for them (RFC 2132 §9.4, §9.5).
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let configured = self.options.iter().find(|option| option.code == code);
        let boot = match code {
            option::TFTP_SERVER_NAME => &self.boot.server_name,
            option::BOOTFILE_NAME => &self.boot.file,
            _ => &None,
        };
        configured
            .map(|option| &*option.data)
            .or_else(|| boot.as_deref().map(str::as_bytes))
    }

    /// Returns these terms with more specific overrides applied.
    pub(super) fn under(self: Arc<Self>, overrides: &Overrides) -> Arc<Self> {
        let Overrides {
            lease,
            ipv6_mostly,
            options,
            presence,
            boot,
        } = overrides;
        if *overrides == Overrides::default() {
            return self;
        }
        let is_inherited =
            |option: &&OptionValue| options.iter().all(|own| own.code != option.code);
        let inherited = self.options.iter().filter(is_inherited);
        Arc::new(Self {
            lease: LeaseTimes {
                horizon_leases: self.lease.horizon_leases,
                ..lease.unwrap_or(self.lease)
            },
            ipv6_mostly: ipv6_mostly.unwrap_or(self.ipv6_mostly),
            options: options.iter().chain(inherited).cloned().collect(),
            presence: presence.over(&self.presence),
            boot: Arc::new(boot.over(&self.boot)),
            host_name: self.host_name.clone(),
            ..*self
        })
    }
}
