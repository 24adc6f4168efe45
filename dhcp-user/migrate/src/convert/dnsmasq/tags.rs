//! dnsmasq's tags. What the form of a request sets is a class of ours, what a range sets is said of its pool or subnet,
//! and what a host sets of its reservation.

use std::collections::HashMap;

use dhcp_config::{Field, Pattern};
use dhcp_model::hex::parse_hex;

use super::{Reader, Value};
use crate::convert::{
    draft::{Class, Condition, Draft, Settings},
    options,
};

/// What a line sets a tag by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    Field(Field),
    Architecture,
}

/// Tags that are looked at: many times as many as there can be classes.
const MAX_TAGS: usize = 1024;

/// All tags of a file.
#[derive(Debug, Default)]
pub struct Tags {
    /// Conditions that set a tag, each, with the line of the first, in the order of the file.
    matches: Vec<(String, usize, Vec<Condition>)>,
    ranges: HashMap<String, Vec<usize>>,
    hosts: HashMap<String, Vec<usize>>,
    refused: Vec<(usize, Condition)>,
}

/// To whom something is given.
#[derive(Debug)]
enum Target {
    Everybody,
    Class(Condition),
    Ranges(Vec<usize>),
    Hosts(Vec<usize>),
}

impl Tags {
    pub fn set_by_range(&mut self, tags: &[String], range: usize) {
        for tag in tags {
            self.ranges.entry(tag.clone()).or_default().push(range);
        }
    }

    pub fn set_by_host(&mut self, tag: &str, host: usize) {
        self.hosts.entry(tag.to_owned()).or_default().push(host);
    }

    pub fn refuse(&mut self, line: usize, when: Condition) {
        self.refused.push((line, when));
    }

    /// # Errors
    /// There are too many tags.
    fn set(&mut self, line: usize, tag: &str, when: Condition) -> Result<(), String> {
        let count = self.matches.len();
        match self.matches.iter_mut().find(|(name, ..)| name == tag) {
            Some((_, _, conditions)) => conditions.push(when),
            None if count == MAX_TAGS => return Err(format!("more than {MAX_TAGS} tags")),
            None => self.matches.push((tag.to_owned(), line, vec![when])),
        }
        Ok(())
    }

    fn is_class(&self, tag: &str) -> bool {
        self.matches.iter().any(|(name, ..)| name == tag)
    }

    /// The condition that all of these tags are set, or with `!` before one that it is not.
    pub fn condition(&self, tags: &[String]) -> Result<Condition, String> {
        let conditions = tags.iter().map(|tag| {
            let plain = tag.trim_start_matches('!');
            if !self.is_class(plain) {
                return Err(format!(
                    "the tag {plain:?} is set by nothing that a class can be told by"
                ));
            }
            let set = Condition::In(vec![plain.to_owned()]);
            Ok(if plain == tag {
                set
            } else {
                Condition::Not(Box::new(set))
            })
        });
        let mut conditions: Vec<_> = conditions.collect::<Result<_, _>>()?;
        Ok(match conditions.len() {
            1 => conditions.remove(0),
            _ => Condition::All(conditions),
        })
    }

    fn target(&self, tags: &[String]) -> Result<Target, String> {
        match tags {
            [] => Ok(Target::Everybody),
            [tag] if self.ranges.contains_key(tag) && !self.is_class(tag) => {
                Ok(Target::Ranges(self.ranges[tag].clone()))
            }
            [tag] if self.hosts.contains_key(tag) && !self.is_class(tag) => {
                Ok(Target::Hosts(self.hosts[tag].clone()))
            }
            tags => Ok(Target::Class(self.condition(tags)?)),
        }
    }

    /// The name of the class with a condition, which is made if there is none.
    pub fn named(&self, line: usize, name: &str, when: Condition, draft: &mut Draft) -> String {
        if let Condition::In(names) = &when
            && let [only] = &**names
        {
            return only.clone();
        }
        if !draft.classes.iter().any(|class| class.name == name) {
            draft.classes.push(Class {
                line,
                name: name.to_owned(),
                when,
                refuse: false,
                settings: Settings::default(),
            });
        }
        name.to_owned()
    }
}

impl Reader<'_> {
    /// `set:TAG,VALUE`, or of `dhcp-match` `set:TAG,OPTION,VALUE`
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
            Err(_) => Err("no class is told by this option".to_owned()),
        };
        let set = when.and_then(|(when, is_within)| {
            self.tags.set(line, tag, when)?;
            Ok(is_within)
        });
        match set {
            Ok(false) => {}
            Ok(true) => self.notes.changed(line, value, "dnsmasq looks for this anywhere in the value, and here values have to begin with it"),
            Err(why) => self.notes.left(line, value, why),
        }
    }

    /// `set:TAG,tag:TAG,tag:!TAG`
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

    /// Makes the classes, and gives everything to whom it is for.
    pub(super) fn give_values(&mut self) {
        for (name, line, conditions) in &self.tags.matches {
            self.draft.classes.push(Class {
                line: *line,
                name: name.clone(),
                when: crate::convert::isc::any(conditions.clone()),
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

/// The condition, and whether dnsmasq looks anywhere in the value.
fn condition(by: Match, text: &str) -> Result<(Condition, bool), String> {
    let is = |field, octets: Vec<u8>, is_prefix| {
        Condition::Is(field, vec![Pattern { octets, is_prefix }])
    };
    if text.is_empty() {
        return Err("it has no value; whether an option is there at all tells no class".to_owned());
    }
    match by {
        Match::Architecture => {
            let number = text
                .parse()
                .map_err(|_| format!("{text:?} is no number of an architecture"))?;
            Ok((Condition::Architecture(vec![number]), false))
        }
        Match::Field(Field::HardwareAddress) => {
            let fixed = text.trim_end_matches([':', '-', '*']);
            let octets = parse_hex(fixed).filter(|octets| octets.len() <= 16);
            let octets = octets.ok_or_else(|| {
                format!(
                    "{text:?} has `*` elsewhere than at its end, or another type than Ethernet's"
                )
            })?;
            Ok((is(Field::HardwareAddress, octets, fixed != text), false))
        }
        // These are substrings for dnsmasq, and matter as what a value begins with.
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
