//! Tags of dnsmasq. A tag that is set by a request becomes a class; settings for a tag that is set
//! by a range or a host become settings of its pool, subnet or reservation.

use std::collections::HashMap;

use dhcp_config::Field;

use crate::convert::draft::{Class, Condition, Draft, Settings};

/// The field that a line compares to set a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    Field(Field),
    Architecture,
}

/// The most tags of a file, many times the number of classes.
const MAX_TAGS: usize = 1024;

/// All tags of a file.
#[derive(Debug, Default)]
pub struct Tags {
    /// Tags with the line of the first condition and all conditions, in the order of the file.
    pub(super) matches: Vec<(String, usize, Vec<Condition>)>,
    pub(super) ranges: HashMap<String, Vec<usize>>,
    pub(super) hosts: HashMap<String, Vec<usize>>,
    pub(super) refused: Vec<(usize, Condition)>,
}

/// The table that settings for certain tags apply to.
#[derive(Debug)]
pub enum Target {
    Everybody,
    Class(Condition),
    Ranges(Vec<usize>),
    Hosts(Vec<usize>),
}

impl Tags {
    /// Adds tags that a range sets.
    pub fn set_by_range(&mut self, tags: &[String], range: usize) {
        for tag in tags {
            self.ranges.entry(tag.clone()).or_default().push(range);
        }
    }

    /// Adds a tag that a host sets.
    pub fn set_by_host(&mut self, tag: &str, host: usize) {
        self.hosts.entry(tag.to_owned()).or_default().push(host);
    }

    /// Adds a condition under which clients get no answer.
    pub fn refuse(&mut self, line: usize, when: Condition) {
        self.refused.push((line, when));
    }

    /// Adds a condition that sets a tag.
    ///
    /// # Errors
    /// There are too many tags.
    pub fn set(&mut self, line: usize, tag: &str, when: Condition) -> Result<(), String> {
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

    /// Returns the condition that all of these tags are set; `!` before a tag negates it.
    pub fn condition(&self, tags: &[String]) -> Result<Condition, String> {
        let conditions = tags.iter().map(|tag| {
            let plain = tag.trim_start_matches('!');
            if !self.is_class(plain) {
                return Err(format!(
                    "the tag {plain:?} is not set by anything that a class can test"
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

    /// Returns the table that settings for certain tags apply to.
    ///
    /// # Errors
    /// The tag that a class cannot test.
    pub fn target(&self, tags: &[String]) -> Result<Target, String> {
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

    /// Returns the name of the class with a condition, and adds it if there is none.
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
