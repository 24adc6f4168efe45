//! What firmware is told on links where another server gives the addresses.

use std::net::Ipv4Addr;

use dhcp_common::wire::option;
use dhcp_config::{Boot, Overrides};
use smallvec::SmallVec;

/// The boot settings of one client, which has no address of this server.
#[derive(Clone, Debug)]
pub struct BootTerms<'a> {
    /// The server's address that the answer comes from.
    pub server_id: Ipv4Addr,
    /// The most specific ones first.
    told: SmallVec<[&'a Overrides; 4]>,
}

impl<'a> BootTerms<'a> {
    /// Creates terms from the settings of all clients and those of classes, in the order of the
    /// configuration.
    pub fn new(
        server_id: Ipv4Addr,
        all: &'a Overrides,
        classes: impl Iterator<Item = &'a Overrides>,
    ) -> Self {
        let mut told: SmallVec<_> = std::iter::once(all).chain(classes).collect();
        told.reverse();
        Self { server_id, told }
    }

    /// Returns the value of an option. The boot file and the server's name are options too (RFC
    /// 2132 §9.4, §9.5).
    pub fn option(&self, code: u8) -> Option<&'a [u8]> {
        let mut options = self.told.iter().flat_map(|told| &told.options);
        let configured = options.find(|option| option.code == code);
        let boot = match code {
            option::TFTP_SERVER_NAME => self.server_name(),
            option::BOOTFILE_NAME => self.file(),
            _ => None,
        };
        configured
            .map(|option| &*option.data)
            .or(boot.map(str::as_bytes))
    }

    /// Returns the codes of the options that are configured.
    pub fn codes(&self) -> impl Iterator<Item = u8> {
        let options = self.told.iter().flat_map(|told| &told.options);
        options.map(|option| option.code)
    }

    pub fn file(&self) -> Option<&'a str> {
        self.boot(|boot| boot.file.as_deref())
    }

    pub fn server_name(&self) -> Option<&'a str> {
        self.boot(|boot| boot.server_name.as_deref())
    }

    /// Returns the server to boot from: unless another one is configured, this one, as in BOOTP.
    pub fn next_server(&self) -> Ipv4Addr {
        self.boot(|boot| boot.next_server).unwrap_or(self.server_id)
    }

    fn boot<T>(&self, field: impl Fn(&'a Boot) -> Option<T>) -> Option<T> {
        self.told.iter().find_map(|told| field(&told.boot))
    }
}
