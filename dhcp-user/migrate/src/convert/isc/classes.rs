//! Classes, subclasses and `if` of dhcpd.

use super::reader::{Inside, Matching, Reader, shown};
use crate::{
    convert::{
        draft::{Class, Condition, Settings},
        expression,
    },
    statements::Statement,
};

impl Reader<'_> {
    pub(super) fn class(&mut self, statement: &Statement, block: &[Statement]) {
        let name = statement.name();
        let mut settings = Settings::default();
        let mut when = None;
        let mut subject = None;
        for statement in block {
            if statement.begins(&["match", "if"]) {
                when = Some((statement, statement.words.get(2..).unwrap_or_default()));
            } else if statement.begins(&["match"]) {
                subject = statement.words.get(1..);
            } else if statement.block.is_some() {
                self.notes.left(
                    statement.line,
                    shown(statement),
                    "classes support simple tests only",
                );
            } else {
                let inside = Inside {
                    what: format!("class {name}"),
                    ..Inside::default()
                };
                self.parameter(statement, &mut settings, &inside);
            }
        }
        let line = statement.line;
        match (when, subject) {
            (Some((statement, words)), _) => match expression::condition(words) {
                Ok(when) => self.draft.classes.push(Class {
                    line,
                    name,
                    when,
                    refuse: false,
                    settings,
                }),
                Err(why) => self.notes.left(
                    line,
                    format_args!("class {name}"),
                    format_args!("its test `{}` cannot be converted: {why}", shown(statement)),
                ),
            },
            (None, Some(subject)) => self.classes.matching.push(Matching {
                line,
                name,
                subject: subject.to_vec(),
                settings,
                members: Vec::new(),
                place: self.draft.classes.len(),
            }),
            (None, None) => self
                .notes
                .left(line, format_args!("class {name}"), "it has no test"),
        }
    }

    /// Reads `subclass "NAME" VALUE;`.
    pub(super) fn subclass(&mut self, statement: &Statement, block: Option<&[Statement]>) {
        let name = statement.name();
        let value = statement.words.get(2);
        let matching = self
            .classes
            .matching
            .iter_mut()
            .find(|class| class.name == name);
        let (Some(class), Some(value)) = (matching, value) else {
            self.notes.left(
                statement.line,
                shown(statement),
                "its class has no `match`, or does not precede it",
            );
            return;
        };
        let member = match expression::equality(&class.subject, value) {
            Ok(member) => member,
            Err(why) => {
                self.notes.left(statement.line, shown(statement), why);
                return;
            }
        };
        class.members.push(member.clone());
        let mut settings = Settings::default();
        let name = format!("{name} {}", class.members.len());
        for statement in block.unwrap_or_default() {
            let inside = Inside {
                what: format!("subclass of {name}"),
                ..Inside::default()
            };
            self.parameter(statement, &mut settings, &inside);
        }
        if !settings.is_empty() {
            self.draft.classes.push(Class {
                line: statement.line,
                name,
                when: member,
                refuse: false,
                settings,
            });
        }
    }

    /// Reads a branch of `if`. Outside of all blocks it becomes a class, because classes apply
    /// everywhere.
    pub(super) fn branch(
        &mut self,
        keyword: &str,
        statement: &Statement,
        block: &[Statement],
        inside: &Inside,
        before: &mut Vec<Option<Condition>>,
    ) {
        let words = statement.words.get(1..).unwrap_or_default();
        // `else if` is the same as `elsif`.
        let words = match words.split_first() {
            Some((first, rest)) if keyword == "else" && first.is("if") => rest,
            _ => words,
        };
        let is_last = words.is_empty();
        if keyword == "if" {
            before.clear();
        }
        let own = if is_last {
            None
        } else {
            Some(expression::condition(words))
        };
        let none_before = before
            .iter()
            .map(|condition| condition.clone().map(|one| Condition::Not(Box::new(one))));
        let none_before: Option<Vec<_>> = none_before.collect();
        let (own, why) = match own {
            None => (None, None),
            Some(Ok(condition)) => (Some(condition), None),
            Some(Err(why)) => (None, Some(why)),
        };
        before.push(own.clone());
        let why = if !inside.what.is_empty() || !inside.groups.is_empty() {
            Some("classes apply to all subnets; only an `if` outside of all blocks can become a class".to_owned())
        } else if let Some(why) = why {
            Some(format!("its test cannot be converted: {why}"))
        } else if none_before.is_none() {
            Some("the test of a preceding branch cannot be converted".to_owned())
        } else {
            None
        };
        if let Some(why) = why {
            self.notes.left(statement.line, shown(statement), why);
            return;
        }
        let mut conditions: Vec<_> = own
            .into_iter()
            .chain(none_before.unwrap_or_default())
            .collect();
        let when = match conditions.len() {
            1 => conditions.remove(0),
            _ => Condition::All(conditions),
        };
        let mut settings = Settings::default();
        for statement in block {
            if statement.block.is_some() {
                self.notes.left(
                    statement.line,
                    shown(statement),
                    "nested `if`; combine both tests",
                );
                continue;
            }
            let inside = Inside {
                what: format!("the branch of line {}", statement.line),
                ..Inside::default()
            };
            self.parameter(statement, &mut settings, &inside);
        }
        if !settings.is_empty() {
            self.draft.classes.push(Class {
                line: statement.line,
                name: format!("line-{}", statement.line),
                when,
                refuse: false,
                settings,
            });
        }
    }

    /// Returns the classes of a pool: those that are allowed, or a new class that excludes those
    /// that are denied.
    pub(super) fn class_of_pool(
        &mut self,
        line: usize,
        allowed: Vec<String>,
        denied: Vec<String>,
    ) -> Vec<String> {
        if denied.is_empty() {
            return allowed;
        }
        let name = format!("not {}", denied.join(", "));
        let name = if allowed.is_empty() {
            name
        } else {
            format!("{} and {name}", allowed.join(", "))
        };
        if !self.draft.classes.iter().any(|class| class.name == name) {
            let not = Condition::Not(Box::new(Condition::In(denied)));
            let when = if allowed.is_empty() {
                not
            } else {
                Condition::All(vec![Condition::In(allowed), not])
            };
            self.draft.classes.push(Class {
                line,
                name: name.clone(),
                when,
                refuse: false,
                settings: Settings::default(),
            });
        }
        vec![name]
    }

    /// Inserts the classes that are defined by subclasses at their positions.
    pub(super) fn finish_classes(&mut self) {
        for matching in std::mem::take(&mut self.classes.matching).into_iter().rev() {
            let Matching {
                line,
                name,
                settings,
                members,
                place,
                ..
            } = matching;
            if members.is_empty() {
                self.notes
                    .left(line, format_args!("class {name}"), "it has no subclass");
                continue;
            }
            let class = Class {
                line,
                name,
                when: Condition::any_of(members),
                refuse: false,
                settings,
            };
            let place = place.min(self.draft.classes.len());
            self.draft.classes.insert(place, class);
        }
    }
}
