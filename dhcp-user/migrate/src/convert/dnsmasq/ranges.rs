//! `dhcp-range`, converted to subnets and pools.

use std::{collections::HashMap, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::reader::{DEFAULT_LEASE_SECS, Range, Reader, seconds};
use crate::convert::draft::{Condition, Pool, Settings, Subnet};

impl Reader<'_> {
    /// Reads `[tag:…,][set:…,]START[,END|,static|,proxy][,NETMASK[,BROADCAST]][,LEASE]`.
    pub(super) fn range(&mut self, line: usize, value: &str) {
        let what = format!("dhcp-range={value}");
        let mut parts: Vec<_> = value.split(',').map(str::trim).collect();
        let (mut sets, mut needs) = (Vec::new(), Vec::new());
        parts.retain(|part| {
            let is_tag =
                part.starts_with("set:") || part.starts_with("tag:") || part.starts_with("net:");
            if let Some(tag) = part.strip_prefix("tag:") {
                needs.push(tag.to_owned());
            } else if let (true, Some((_, tag))) = (is_tag, part.split_once(':')) {
                sets.push(tag.to_owned());
            }
            !is_tag
        });
        let (mut addresses, mut words) = (Vec::new(), Vec::new());
        for part in parts {
            match part.parse::<Ipv4Addr>() {
                Ok(address) => addresses.push(address),
                Err(_) => words.push(part),
            }
        }
        if addresses.is_empty()
            || words
                .iter()
                .any(|word| word.starts_with("constructor:") || word.contains("::"))
        {
            self.notes
                .left(line, what, "only ranges of IPv4 addresses are supported");
            return;
        }
        let mut lease_secs = DEFAULT_LEASE_SECS;
        let mut is_dynamic = true;
        for word in words {
            match word {
                "static" => is_dynamic = false,
                "proxy" => {
                    self.notes.left(line, what, "proxy DHCP is not supported");
                    return;
                }
                _ => match seconds(word) {
                    Some(secs) => lease_secs = secs,
                    None => {
                        self.notes
                            .left(line, format_args!("{word} of {what}"), "not supported")
                    }
                },
            }
        }
        let (first, rest) = match &*addresses {
            [first, last, rest @ ..] if is_dynamic => ((*first, *last), rest),
            [first, rest @ ..] => ((*first, *first), rest),
            [] => return,
        };
        let Some(prefix) = self.prefix_of(first.0, rest.first().copied()) else {
            self.notes.left(line, what, "it has no netmask, and no interface of this host has an address on its network; add the netmask");
            return;
        };
        self.tags.set_by_range(&sets, self.ranges.len());
        self.ranges.push(Range {
            line,
            prefix,
            addresses: is_dynamic.then_some(first),
            lease_secs,
            sets,
            needs,
            settings: Settings::default(),
        });
    }

    /// Returns the prefix by the netmask, or else that of the interface of the host.
    fn prefix_of(&self, address: Ipv4Addr, mask: Option<Ipv4Addr>) -> Option<Ipv4Net> {
        if let Some(mask) = mask {
            return Some(Ipv4Net::with_netmask(address, mask).ok()?.trunc());
        }
        let mut prefixes = self.host.prefixes.iter();
        prefixes.find(|prefix| prefix.contains(&address)).copied()
    }

    /// Adds a subnet for each network that has ranges. The settings of an only range become those
    /// of the subnet.
    pub(super) fn subnets(&mut self) {
        let mut by_prefix: Vec<(Ipv4Net, Vec<Range>)> = Vec::new();
        let mut places = HashMap::new();
        for range in std::mem::take(&mut self.ranges) {
            let prefix = range.prefix;
            let place = *places.entry(prefix).or_insert(by_prefix.len());
            match by_prefix.get_mut(place) {
                Some((_, ranges)) => ranges.push(range),
                None => by_prefix.push((prefix, vec![range])),
            }
        }
        for (prefix, ranges) in by_prefix {
            let line = ranges.first().map_or(1, |range| range.line);
            let mut subnet = Subnet::new(line, prefix);
            let lease_secs = ranges.first().map(|range| range.lease_secs);
            subnet.settings.lease_secs = lease_secs;
            let is_alone = ranges.len() == 1;
            for range in ranges {
                let mut settings = range.settings.clone();
                if is_alone {
                    subnet.settings = settings.over(&subnet.settings);
                    settings = Settings::default();
                } else if Some(range.lease_secs) != lease_secs {
                    settings.lease_secs.get_or_insert(range.lease_secs);
                }
                let classes = match self.classes_of(range.line, &range.needs) {
                    Ok(classes) => classes,
                    Err(why) => {
                        self.notes
                            .left(range.line, format_args!("dhcp-range of {prefix}"), why);
                        continue;
                    }
                };
                if let Some((first, last)) = range.addresses {
                    subnet.pools.push(Pool {
                        line: range.line,
                        first,
                        last,
                        classes,
                        settings,
                    });
                } else if !settings.is_empty() {
                    self.notes.left(
                        range.line,
                        format_args!("options for {}", range.sets.join(", ")),
                        "they apply to the reservations of one of several ranges; set them in each reservation",
                    );
                }
            }
            self.own_values(&mut subnet);
            self.draft.subnets.push(subnet);
        }
    }

    /// Adds the options that dnsmasq sends by default: itself as router and name server, and the
    /// broadcast address.
    fn own_values(&mut self, subnet: &mut Subnet) {
        let mut addresses = self.host.interfaces.values().flatten();
        let own = addresses
            .find(|address| subnet.prefix.contains(*address))
            .copied();
        let mut wanted = vec![(3, "routers")];
        wanted.extend(self.serves_dns.then_some((6, "domain-name-servers")));
        for (code, name) in wanted {
            let is_set = self.draft.defaults.options.contains_key(&code)
                || subnet.settings.options.contains_key(&code);
            if is_set || self.silenced.contains(&code) {
                continue;
            }
            match own {
                Some(own) => {
                    subnet.settings.options.insert(code, own.octets().to_vec());
                }
                None => self.notes.left(subnet.line, format_args!("{name} of {}", subnet.prefix), "dnsmasq sends its own address on that network, but this host has none there; add the option"),
            }
        }
        if !self.silenced.contains(&28) && subnet.prefix.prefix_len() < 31 {
            let broadcast = subnet.prefix.broadcast().octets().to_vec();
            subnet.settings.options.entry(28).or_insert(broadcast);
        }
    }

    /// Returns the classes of a pool.
    fn classes_of(&mut self, line: usize, needs: &[String]) -> Result<Vec<String>, String> {
        if needs.is_empty() {
            return Ok(Vec::new());
        }
        let when = self.tags.condition(needs)?;
        let name = match (needs, &when) {
            ([only], Condition::In(_)) => only.clone(),
            _ => self
                .tags
                .named(line, &needs.join(" and "), when, &mut self.draft),
        };
        Ok(vec![name])
    }
}
