//! Option 82 (RFC 3046), as far as the answer depends on it.

use std::net::Ipv4Addr;

use dhcp_common::wire::relay_suboption;
use dhcp_model::split_suboption;

/// The sub-options that change an answer. The whole option is echoed in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayInfo {
    /// An address on the client's link, used instead of `giaddr` (RFC 3527).
    pub link_selection: Option<Ipv4Addr>,
    /// The server identifier for answers to the client (RFC 5107).
    pub server_id_override: Option<Ipv4Addr>,
    /// Whether the relay agent listens on the port that it sends from, and not on the server's (RFC
    /// 8357).
    pub has_source_port: bool,
    /// A sub-option runs past the end, or one of those above has a value that it cannot have.
    pub is_broken: bool,
}

impl RelayInfo {
    /// Reads the value of option 82. Its sub-options have neither padding nor end, and the first of
    /// each code counts. Broken ones are ignored: the relay agent that wrote them is answered all
    /// the same (RFC 3046 §2.2).
    pub fn parse(mut value: &[u8]) -> Self {
        let mut info = Self::default();
        while !value.is_empty() {
            let Some((code, suboption, rest)) = split_suboption(value) else {
                info.is_broken = true;
                break;
            };
            info.take(code, suboption);
            value = rest;
        }
        info
    }

    fn take(&mut self, code: u8, value: &[u8]) {
        match code {
            relay_suboption::LINK_SELECTION => {
                let address = address(value);
                self.is_broken |= address.is_none();
                self.link_selection = self.link_selection.or(address);
            }
            relay_suboption::SERVER_ID_OVERRIDE => {
                let address = address(value);
                self.is_broken |= address.is_none();
                self.server_id_override = self.server_id_override.or(address);
            }
            relay_suboption::SOURCE_PORT => {
                self.is_broken |= !value.is_empty();
                self.has_source_port |= value.is_empty();
            }
            _ => {}
        }
    }
}

/// Returns an address that a host can have.
fn address(value: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = value.try_into().ok()?;
    Some(Ipv4Addr::from(octets)).filter(|address| {
        !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Option<Ipv4Addr> = Some(Ipv4Addr::new(10, 9, 1, 0));
    const AGENT: Option<Ipv4Addr> = Some(Ipv4Addr::new(10, 9, 0, 1));

    #[test]
    fn c020_c026_m20_sub_options_are_found_among_others() {
        let value = [
            1, 2, 0, 7, 5, 4, 10, 9, 1, 0, 19, 0, 151, 0, 11, 4, 10, 9, 0, 1,
        ];
        assert_eq!(
            RelayInfo::parse(&value),
            RelayInfo {
                link_selection: LINK,
                server_id_override: AGENT,
                has_source_port: true,
                is_broken: false,
            }
        );
        assert_eq!(
            RelayInfo::parse(&[1, 6, 5, 4, 10, 9, 1, 0]),
            RelayInfo::default(),
            "not within another one"
        );
        assert_eq!(RelayInfo::parse(&[]), RelayInfo::default());
    }

    #[test]
    fn the_first_of_a_code_counts() {
        let value = [5, 4, 10, 9, 1, 0, 5, 4, 10, 9, 2, 0];
        assert_eq!(RelayInfo::parse(&value).link_selection, LINK);
    }

    #[test]
    fn what_is_broken_is_left_out_and_the_rest_counts() {
        let broken: [&[u8]; 7] = [
            &[11, 4, 10, 9, 0, 1, 5],
            &[11, 4, 10, 9, 0, 1, 5, 4, 10, 9, 1],
            &[11, 4, 10, 9, 0, 1, 5, 3, 10, 9, 1],
            &[5, 0, 11, 4, 10, 9, 0, 1],
            &[5, 4, 0, 0, 0, 0, 11, 4, 10, 9, 0, 1],
            &[11, 4, 255, 255, 255, 255, 11, 4, 10, 9, 0, 1],
            &[19, 1, 0, 11, 4, 10, 9, 0, 1],
        ];
        for value in broken {
            assert_eq!(
                RelayInfo::parse(value),
                RelayInfo {
                    server_id_override: AGENT,
                    is_broken: true,
                    ..RelayInfo::default()
                },
                "{value:?}"
            );
        }
    }
}
