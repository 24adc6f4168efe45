//! Client classes: which of them a request belongs to.
//!
//! The fast path finds a template by the client's profile and the fingerprint of the request, so
//! membership must follow from these two wherever a template is published. Conditions therefore
//! fall into three groups (docs/decisions/0029-conditions.md):
//!
//! - on options that the fingerprint covers;
//! - on the origin of a request, see [`Condition::is_of_origin`]: a binding is bound to it, and the
//!   profile number depends on which of these conditions hold;
//! - on anything else: host name, `giaddr`, seconds, and options that differ between the requests
//!   of one client. They are unknown when a template is rendered ([`Sight`]). Where a class may
//!   depend on one, there is no template, and the controller answers.

use dhcp_common::{
    fingerprint::is_covered,
    wire::{message_type, option},
};
use dhcp_config::{Class, Classes, Condition, Field, OptionTest, Pattern};
use dhcp_model::{AgentIds, ClientOriginRef};

use crate::request::{MessageType, Octets, Request};

/// The properties of a client that decide its classes together with the shape of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginMatches {
    /// The conditions on the origin that hold, one bit each in the order of the configuration.
    pub conditions: u64,
    /// The classes that its reservation names.
    pub given: Classes,
}

/// The origin of a client and what is reserved for it, to which its published lease is bound.
#[derive(Clone, Debug)]
pub struct OriginFacts<'a> {
    pub origin: ClientOriginRef<'a>,
    /// The client identifier by which the client is known.
    pub identifier: Option<Octets>,
    /// Whether option 61 identifies clients on this network. If not, it may differ between the
    /// requests of one client.
    pub counts_client_id: bool,
    pub is_known: bool,
    /// The classes that its reservation names.
    pub given: Classes,
}

/// Whether a condition holds. If something that it depends on is unknown, the two may differ.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Truth {
    is_sure: bool,
    is_possible: bool,
}

impl Truth {
    const UNKNOWN: Self = Self {
        is_sure: false,
        is_possible: true,
    };

    const fn known(holds: bool) -> Self {
        Self {
            is_sure: holds,
            is_possible: holds,
        }
    }
}

/// The part of a request that an evaluation looks at; the rest counts as unknown.
#[derive(Clone, Copy)]
struct Sight {
    kind: MessageType,
    /// Whether it looks at what neither the fingerprint nor a binding covers.
    sees_rest: bool,
    sees_secs: bool,
}

/// Classes that a request belongs to, and those that it may belong to.
#[derive(Clone, Copy)]
struct Found {
    sure: Classes,
    possible: Classes,
}

/// All classes, in the order of the configuration.
#[derive(Debug)]
pub struct ClassTable {
    classes: Vec<Class>,
    of_origin: Vec<Condition>,
    /// The codes of options that conditions test, in order.
    tested: Vec<u8>,
    /// Whether any condition depends on what neither the fingerprint nor a binding covers.
    depend_on_rest: bool,
}

impl ClassTable {
    pub fn new(classes: &[Class]) -> Self {
        let mut table = Self {
            classes: classes.to_vec(),
            of_origin: Vec::new(),
            tested: Vec::new(),
            depend_on_rest: false,
        };
        for class in classes {
            table.collect(&class.when);
        }
        table.tested.sort_unstable();
        table.tested.dedup();
        table
    }

    fn collect(&mut self, condition: &Condition) {
        if condition.is_of_origin() {
            self.of_origin.push(condition.clone());
        }
        match condition {
            Condition::All(conditions) | Condition::Any(conditions) => {
                for condition in conditions {
                    self.collect(condition);
                }
            }
            Condition::Not(condition) => self.collect(condition),
            Condition::Option(code, _) => {
                self.tested.push(*code);
                let is_fixed = is_covered(*code) || *code == option::RELAY_INFO;
                self.depend_on_rest |= !is_fixed;
            }
            Condition::HostName(_) | Condition::Giaddr(_) | Condition::Secs(_) => {
                self.depend_on_rest = true;
            }
            Condition::Is(..)
            | Condition::Architecture(_)
            | Condition::BootItem(_)
            | Condition::Enterprise(..)
            | Condition::Known
            | Condition::In(_) => {}
        }
    }

    /// Returns the codes of options that conditions test, in order.
    pub fn tested(&self) -> &[u8] {
        &self.tested
    }

    /// Returns the classes of a request. A condition may refer to the classes before it.
    pub fn of(&self, request: &Request, facts: &OriginFacts<'_>) -> Classes {
        let sight = Sight {
            kind: request.message_type,
            sees_rest: true,
            sees_secs: true,
        };
        self.found(request, facts, sight).sure
    }

    /// Returns the classes for which a client may keep the address that it has. A DISCOVER looks
    /// for an address, but not again for having waited less; other messages may lack what the
    /// DISCOVER had, such as the `giaddr` of a renewal that goes past the relay agent.
    pub fn to_keep(&self, request: &Request, facts: &OriginFacts<'_>) -> Option<Classes> {
        let is_discover = request.message_type == MessageType::Discover;
        let sight = Sight {
            kind: request.message_type,
            sees_rest: is_discover,
            sees_secs: false,
        };
        self.depend_on_rest
            .then(|| self.found(request, facts, sight).possible)
    }

    /// Returns the classes of all requests of a kind with the same fingerprint from the same
    /// client; `None` if they may differ.
    pub fn certain(
        &self,
        request: &Request,
        facts: &OriginFacts<'_>,
        kind: MessageType,
    ) -> Option<Classes> {
        let sight = Sight {
            kind,
            sees_rest: false,
            sees_secs: false,
        };
        let Found { sure, possible } = self.found(request, facts, sight);
        (sure == possible).then_some(sure)
    }

    /// Returns whether the classes of a request may depend on what neither the fingerprint nor a
    /// binding covers.
    pub const fn depend_on_rest(&self) -> bool {
        self.depend_on_rest
    }

    fn found(&self, request: &Request, facts: &OriginFacts<'_>, sight: Sight) -> Found {
        let subject = Subject {
            request,
            facts,
            agent: agent_ids(&facts.origin),
            sight,
        };
        let given = Found {
            sure: facts.given,
            possible: facts.given,
        };
        let classes = self.classes.iter().enumerate();
        classes.fold(given, |found, (index, class)| {
            let truth = subject.holds(&class.when, found);
            Found {
                sure: found.sure | Classes::from(truth.is_sure) << index,
                possible: found.possible | Classes::from(truth.is_possible) << index,
            }
        })
    }

    /// Returns the classes in a set, in the order of the configuration.
    pub fn members(&self, set: Classes) -> impl Iterator<Item = &Class> {
        self.classes
            .iter()
            .enumerate()
            .filter(move |(index, _)| set >> index & 1 != 0)
            .map(|(_, class)| class)
    }

    /// Returns the conditions on the origin that hold. Together with the shape of a request they
    /// decide its classes, unless those depend on the rest of the request.
    pub fn matches(&self, facts: &OriginFacts<'_>) -> OriginMatches {
        let agent = agent_ids(&facts.origin);
        let of_origin = self.of_origin.iter().enumerate();
        let conditions = of_origin.fold(0, |matches, (index, condition)| {
            matches | u64::from(holds_for(condition, facts, &agent)) << index
        });
        OriginMatches {
            conditions,
            given: facts.given,
        }
    }

    /// Returns whether any condition depends on option 82.
    pub fn look_at_relay_info(&self) -> bool {
        self.of_origin.iter().any(|condition| match condition {
            Condition::Is(field, _) => field.is_of_relay_info(),
            Condition::Option(code, _) => *code == option::RELAY_INFO,
            _ => false,
        })
    }

    /// Returns whether any condition depends on hardware addresses.
    pub fn look_at_hardware(&self) -> bool {
        let mut conditions = self.of_origin.iter();
        conditions.any(|condition| matches!(condition, Condition::Is(Field::HardwareAddress, _)))
    }
}

fn agent_ids<'a>(origin: &ClientOriginRef<'a>) -> AgentIds<'a> {
    let agent = origin.relay_info.map(AgentIds::parse);
    agent.unwrap_or_default()
}

/// Returns whether a condition on the origin holds.
fn holds_for(condition: &Condition, facts: &OriginFacts<'_>, agent: &AgentIds<'_>) -> bool {
    match condition {
        Condition::Is(field, patterns) => {
            let value = match field {
                Field::HardwareAddress => Some(facts.origin.hardware.octets()),
                Field::CircuitId => agent.circuit,
                Field::RemoteId => agent.remote,
                Field::SubscriberId => agent.subscriber,
                Field::VendorClass | Field::UserClass => None,
            };
            fits(patterns, value)
        }
        Condition::Option(option::RELAY_INFO, test) => passes(test, facts.origin.relay_info),
        Condition::Option(option::CLIENT_ID, test) => passes(test, facts.identifier.as_deref()),
        Condition::Known => facts.is_known,
        _ => false,
    }
}

/// A request that conditions are evaluated for.
struct Subject<'a> {
    request: &'a Request,
    facts: &'a OriginFacts<'a>,
    agent: AgentIds<'a>,
    sight: Sight,
}

impl Subject<'_> {
    fn holds(&self, condition: &Condition, found: Found) -> Truth {
        let shape = &self.request.shape;
        let all = |conditions: &[Condition]| {
            let truths = conditions.iter().map(|inner| self.holds(inner, found));
            truths.fold(Truth::known(true), |all, one| Truth {
                is_sure: all.is_sure && one.is_sure,
                is_possible: all.is_possible && one.is_possible,
            })
        };
        match condition {
            Condition::All(conditions) => all(conditions),
            Condition::Any(conditions) => {
                let truths = conditions.iter().map(|inner| self.holds(inner, found));
                truths.fold(Truth::known(false), |any, one| Truth {
                    is_sure: any.is_sure || one.is_sure,
                    is_possible: any.is_possible || one.is_possible,
                })
            }
            Condition::Not(condition) => {
                let denied = self.holds(condition, found);
                Truth {
                    is_sure: !denied.is_possible,
                    is_possible: !denied.is_sure,
                }
            }
            Condition::In(classes) => Truth {
                is_sure: found.sure & classes != 0,
                is_possible: found.possible & classes != 0,
            },
            Condition::Architecture(wanted) => {
                let mut architectures = shape.architectures.iter();
                Truth::known(architectures.any(|architecture| wanted.contains(architecture)))
            }
            Condition::BootItem(wanted) => {
                let item = shape.boot_item;
                Truth::known(item.is_some_and(|item| wanted.contains(&item.kind)))
            }
            Condition::Enterprise(number, patterns) => {
                let value = shape.vi_vendor_class.as_deref().unwrap_or_default();
                let mut data = enterprises(value);
                Truth::known(data.any(|(of, data)| of == *number && fits(patterns, Some(data))))
            }
            Condition::Is(Field::VendorClass, patterns) => {
                Truth::known(fits(patterns, shape.vendor_class.as_deref()))
            }
            Condition::Is(Field::UserClass, patterns) => {
                let whole = shape.user_class.as_deref();
                let mut classes = user_classes(whole.unwrap_or_default());
                let is_one =
                    fits(patterns, whole) || classes.any(|class| fits(patterns, Some(class)));
                Truth::known(is_one)
            }
            Condition::Is(..) | Condition::Known => {
                Truth::known(holds_for(condition, self.facts, &self.agent))
            }
            Condition::Option(code, test) => self.option(*code, test, condition),
            Condition::HostName(patterns) => self.rest(|| {
                let name = self.request.host_name.as_deref();
                let name = name.map(str::to_ascii_lowercase);
                fits(patterns, name.as_deref().map(str::as_bytes))
            }),
            Condition::Giaddr(prefixes) => self.rest(|| {
                let mut prefixes = prefixes.iter();
                prefixes.any(|prefix| prefix.contains(&self.request.giaddr))
            }),
            Condition::Secs(secs) => match self.sight.kind {
                MessageType::Discover | MessageType::Bootp if !self.sight.sees_secs => {
                    Truth::UNKNOWN
                }
                MessageType::Discover | MessageType::Bootp => {
                    Truth::known(self.request.secs() >= *secs)
                }
                _ => Truth::known(true),
            },
        }
    }

    /// Returns the truth of what neither the fingerprint nor a binding covers.
    fn rest(&self, holds: impl FnOnce() -> bool) -> Truth {
        if self.sight.sees_rest {
            Truth::known(holds())
        } else {
            Truth::UNKNOWN
        }
    }

    fn option(&self, code: u8, test: &OptionTest, condition: &Condition) -> Truth {
        let value = || self.request.tested(code);
        match code {
            option::RELAY_INFO => Truth::known(holds_for(condition, self.facts, &self.agent)),
            option::CLIENT_ID if self.facts.counts_client_id => {
                Truth::known(holds_for(condition, self.facts, &self.agent))
            }
            // The kinds for which templates are rendered have one value only.
            option::MESSAGE_TYPE if !self.sight.sees_rest => match self.sight.kind {
                MessageType::Discover => {
                    Truth::known(passes(test, Some(&[message_type::DISCOVER])))
                }
                MessageType::Request => Truth::known(passes(test, Some(&[message_type::REQUEST]))),
                _ => Truth::known(passes(test, value())),
            },
            code if is_covered(code) => Truth::known(passes(test, value())),
            _ => self.rest(|| passes(test, value())),
        }
    }
}

fn passes(test: &OptionTest, value: Option<&[u8]>) -> bool {
    let Some(value) = value else {
        return false;
    };
    let from = |offset: u16| value.get(usize::from(offset)..);
    match test {
        OptionTest::Present => true,
        OptionTest::Matches(offset, patterns) => fits(patterns, from(*offset)),
        OptionTest::Contains(offset, parts) => from(*offset).is_some_and(|value| {
            let mut parts = parts.iter();
            parts.any(|part| {
                part.is_empty() || value.windows(part.len()).any(|window| window == part)
            })
        }),
    }
}

fn fits(patterns: &[Pattern], value: Option<&[u8]>) -> bool {
    let Some(value) = value else {
        return false;
    };
    patterns.iter().any(|pattern| {
        if pattern.is_prefix {
            value.starts_with(&pattern.octets)
        } else {
            value == pattern.octets
        }
    })
}

/// Returns enterprise numbers with their data (RFC 3925 §3). Data cut off at the end is ignored.
fn enterprises(mut value: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (number, rest) = value.split_first_chunk()?;
        let (len, rest) = rest.split_first()?;
        let (data, rest) = rest.split_at_checked(usize::from(*len))?;
        value = rest;
        Some((u32::from_be_bytes(*number), data))
    })
}

/// Returns user classes, each behind its length (RFC 3004 §4). Many clients send one class without
/// a length, so that the value is compared as a whole as well.
fn user_classes(mut value: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = value.split_first()?;
        let (class, rest) = rest.split_at_checked(usize::from(*len))?;
        value = rest;
        Some(class)
    })
}
