//! Lines that set tags, and settings for clients with certain tags.

use dhcp_config::{Field, Pattern};
use dhcp_model::hex::parse_hex;

use super::{
    reader::{Reader, Value},
    tags::{Match, Target},
};
use crate::convert::{
    draft::{Class, Condition, Settings},
    options,
};

impl Reader<'_> {
    /// Reads `set:TAG,VALUE`, or for `dhcp-match` `set:TAG,OPTION,VALUE`.
    pub(super) fn matching(&mut self, line: usize, value: &str, by: Option<Match>) {
        let mut parts = value.split(',').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let tag = tag
            .strip_prefix("set:")
            .or_else(|| tag.strip_prefix("net:"))
            .unwrap_or(tag);
        let rest: Vec<_> = parts.collect();
        let (by, rest) = match (by, &*rest) {
            (Some(by), [first, rest @ ..]) if first.starts_with("enterprise:") => (Err(by), rest),
            (Some(by), rest) => (Ok(by), rest),
            (None, [option, rest @ ..]) => (by_option(option), rest),
            (None, []) => (Ok(Match::Architecture), &*rest),
        };
        let text = rest.join(",");
        let when = match by {
            Ok(by) => condition(by, &text),
            Err(_) => Err("classes cannot test this option".to_owned()),
        };
        let set = when.and_then(|(when, is_within)| {
            self.tags.set(line, tag, when)?;
            Ok(is_within)
        });
        match set {
            Ok(false) => {}
            Ok(true) => self.notes.changed(
                line,
                value,
                "dnsmasq matches this anywhere in the value; here the value has to begin with it",
            ),
            Err(why) => self.notes.left(line, value, why),
        }
    }

    /// Reads `set:TAG,tag:TAG,tag:!TAG`.
    pub(super) fn tag_if(&mut self, line: usize, value: &str) {
        let parts = value.split(',').map(str::trim);
        let (sets, needs): (Vec<_>, Vec<_>) = parts.partition(|part| part.starts_with("set:"));
        let needs: Vec<_> = needs
            .iter()
            .map(|tag| tag.trim_start_matches("tag:").to_owned())
            .collect();
        let set = self.tags.condition(&needs).and_then(|when| {
            let mut tags = sets.iter().map(|tag| tag.trim_start_matches("set:"));
            tags.try_for_each(|tag| self.tags.set(line, tag, when.clone()))
        });
        if let Err(why) = set {
            self.notes.left(line, format_args!("tag-if={value}"), why);
        }
    }

    /// Adds the classes, and assigns all settings.
    pub(super) fn give_values(&mut self) {
        for (name, line, conditions) in &self.tags.matches {
            self.draft.classes.push(Class {
                line: *line,
                name: name.clone(),
                when: Condition::any_of(conditions.clone()),
                refuse: false,
                settings: Settings::default(),
            });
        }
        for (line, when) in self.tags.refused.clone() {
            let name = format!("ignored-{line}");
            self.draft.classes.push(Class {
                line,
                name,
                when,
                refuse: true,
                settings: Settings::default(),
            });
        }
        for value in std::mem::take(&mut self.values) {
            match self.tags.target(&value.tags) {
                Ok(target) => self.give(value, target),
                Err(why) => self.notes.left(value.line, value.what, why),
            }
        }
    }

    fn give(&mut self, value: Value, target: Target) {
        let Value {
            line,
            settings,
            tags,
            ..
        } = value;
        match target {
            Target::Everybody => self.draft.defaults = settings.over(&self.draft.defaults),
            Target::Class(when) => {
                let name = self
                    .tags
                    .named(line, &tags.join(" and "), when, &mut self.draft);
                if let Some(class) = self
                    .draft
                    .classes
                    .iter_mut()
                    .find(|class| class.name == name)
                {
                    class.settings = settings.over(&class.settings);
                }
            }
            Target::Ranges(ranges) => {
                for index in ranges {
                    if let Some(range) = self.ranges.get_mut(index) {
                        range.settings = settings.over(&range.settings);
                    }
                }
            }
            Target::Hosts(hosts) => {
                for index in hosts {
                    if let Some(host) = self.hosts.get_mut(index) {
                        host.settings = settings.over(&host.settings);
                    }
                }
            }
        }
    }
}

fn by_option(option: &str) -> Result<Match, Match> {
    let name = option.strip_prefix("option:").unwrap_or(option);
    match name.parse().ok().or_else(|| options::code(name)) {
        Some(60) => Ok(Match::Field(Field::VendorClass)),
        Some(77) => Ok(Match::Field(Field::UserClass)),
        Some(93) => Ok(Match::Architecture),
        _ => Err(Match::Architecture),
    }
}

/// Returns the condition, and whether dnsmasq matches anywhere in the value.
fn condition(by: Match, text: &str) -> Result<(Condition, bool), String> {
    let is = |field, octets: Vec<u8>, is_prefix| {
        Condition::Is(field, vec![Pattern { octets, is_prefix }])
    };
    if text.is_empty() {
        return Err("it has no value; classes cannot test whether an option is present".to_owned());
    }
    match by {
        Match::Architecture => {
            let number = text
                .parse()
                .map_err(|_| format!("{text:?} is not an architecture number"))?;
            Ok((Condition::Architecture(vec![number]), false))
        }
        Match::Field(Field::HardwareAddress) => {
            let fixed = text.trim_end_matches([':', '-', '*']);
            let octets = parse_hex(fixed).filter(|octets| octets.len() <= 16);
            let octets = octets.ok_or_else(|| {
                format!("{text:?} has `*` before its end, or is not an Ethernet address")
            })?;
            Ok((is(Field::HardwareAddress, octets, fixed != text), false))
        }
        // dnsmasq searches for a substring; in practice values begin with it.
        Match::Field(field @ (Field::VendorClass | Field::UserClass)) => {
            Ok((is(field, text.as_bytes().to_vec(), true), true))
        }
        Match::Field(field) => {
            let octets = if text.contains(':') {
                parse_hex(text)
            } else {
                None
            };
            Ok((
                is(
                    field,
                    octets.unwrap_or_else(|| text.as_bytes().to_vec()),
                    false,
                ),
                false,
            ))
        }
    }
}
