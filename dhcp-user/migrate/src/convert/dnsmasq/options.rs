//! `dhcp-option` and `dhcp-boot`.

use std::net::Ipv4Addr;

use dhcp_model::hex::parse_hex;

use super::reader::{Reader, Value};
use crate::convert::{draft::Settings, options};

impl Reader<'_> {
    /// Reads `[tag:TAG,]…[option:NAME|NUMBER],VALUE,…`.
    pub(super) fn option(&mut self, line: usize, key: &str, value: &str) {
        let what = format!("{key}={value}");
        let mut tags = Vec::new();
        let mut code = None;
        let mut items: Vec<String> = Vec::new();
        for part in value.split(',').map(str::trim) {
            if code.is_some() {
                items.push(part.to_owned());
            } else if let Some(tag) = part
                .strip_prefix("tag:")
                .or_else(|| part.strip_prefix("net:"))
            {
                tags.push(tag.to_owned());
            } else if ["encap:", "vi-encap:", "vendor:", "option6:"]
                .iter()
                .any(|prefix| part.starts_with(prefix))
            {
                let why = if part.starts_with("option6:") {
                    "only DHCPv4 is supported"
                } else {
                    "sub-options of options 43 and 125 are not converted; set `vendor-encapsulated-options`"
                };
                self.notes.left(line, what, why);
                return;
            } else {
                let name = part.strip_prefix("option:").unwrap_or(part);
                code = name.parse::<u8>().ok().or_else(|| options::code(name));
                if code.is_none() {
                    self.notes.left(line, what, "unknown option");
                    return;
                }
            }
        }
        let Some(code) = code else {
            self.notes.left(line, what, "it names no option");
            return;
        };
        items.retain(|item| !item.is_empty());
        if items.is_empty() {
            if tags.is_empty() {
                self.silenced.push(code);
            } else {
                self.notes.left(line, what, "an option without a value is not sent; this is not possible for certain clients only");
            }
            return;
        }
        let mut settings = Settings::default();
        let octets = self.octets(code, &items);
        match octets.and_then(|octets| options::put(&mut settings, code, octets)) {
            Ok(()) => {
                if key == "dhcp-option-force" {
                    options::choose(&mut settings, code, true);
                }
                self.values.push(Value {
                    line,
                    what,
                    tags,
                    settings,
                });
            }
            Err(why) => self.notes.left(line, what, why),
        }
    }

    fn octets(&self, code: u8, items: &[String]) -> Result<Vec<u8>, String> {
        if items.iter().any(|item| item == "0.0.0.0") && !matches!(code, 33 | 121 | 249) {
            return Err("0.0.0.0 means the address of this server; give that address".to_owned());
        }
        if options::is_known(code) {
            return options::encode(code, items).or_else(|why| match items {
                [one] if one.contains(':') => parse_hex(one).ok_or(why),
                _ => Err(why),
            });
        }
        // dnsmasq guesses the type of unknown options.
        let addresses: Option<Vec<Ipv4Addr>> = items.iter().map(|item| item.parse().ok()).collect();
        if let Some(addresses) = addresses {
            return Ok(addresses.iter().flat_map(Ipv4Addr::octets).collect());
        }
        let text = items.join(",");
        if text.contains(':')
            && let Some(octets) = parse_hex(&text)
        {
            return Ok(octets);
        }
        match text.parse::<u32>() {
            Ok(number @ 0..=0xff) => Ok(vec![number as u8]),
            Ok(number @ 0x100..=0xffff) => Ok((number as u16).to_be_bytes().to_vec()),
            Ok(number) => Ok(number.to_be_bytes().to_vec()),
            Err(_) => Ok(text.into_bytes()),
        }
    }

    /// Reads `[tag:TAG,]…FILE[,SERVER NAME[,SERVER ADDRESS]]`.
    pub(super) fn boot(&mut self, line: usize, value: &str) {
        let what = format!("dhcp-boot={value}");
        let (tags, parts): (Vec<_>, Vec<_>) = value
            .split(',')
            .map(str::trim)
            .partition(|part| part.starts_with("tag:") || part.starts_with("net:"));
        let text = |index: usize| {
            parts
                .get(index)
                .filter(|part| !part.is_empty())
                .map(|part| (*part).to_owned())
        };
        let next_server = text(2).map(|address| address.parse::<Ipv4Addr>());
        if let Some(Err(_)) = next_server {
            self.notes.left(
                line,
                format_args!("boot server of {what}"),
                "host names are not resolved; give its address",
            );
        }
        let tags = tags
            .iter()
            .filter_map(|tag| Some(tag.split_once(':')?.1.to_owned()));
        self.values.push(Value {
            line,
            what,
            tags: tags.collect(),
            settings: Settings {
                boot_file: text(0),
                server_name: text(1),
                next_server: next_server.and_then(Result::ok),
                ..Settings::default()
            },
        });
    }
}
