//! A configuration that is being converted: structured as the result, but not yet valid.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcp_config::{Field, Pattern, Presence};
use ipnet::Ipv4Net;

/// A configuration, in the order in which it is written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub defaults: Settings,
    pub interfaces: Vec<Interface>,
    pub classes: Vec<Class>,
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
}

impl Draft {
    /// Returns an index of the present subnets by address.
    pub fn finder(&self) -> Finder {
        let subnets = self.subnets.iter().enumerate();
        let subnets =
            subnets.map(|(index, subnet)| (subnet.prefix.network(), (subnet.prefix, index)));
        Finder(subnets.collect())
    }
}

/// An index of subnets by address.
#[derive(Debug)]
pub struct Finder(BTreeMap<Ipv4Addr, (Ipv4Net, usize)>);

impl Finder {
    /// Returns the index of the subnet that contains an address.
    pub fn find(&self, address: Ipv4Addr) -> Option<usize> {
        let (_, (prefix, index)) = self.0.range(..=address).next_back()?;
        prefix.contains(&address).then_some(*index)
    }
}

/// Settings that can be set at several levels. The innermost value applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub lease_secs: Option<u32>,
    pub min_lease_secs: Option<u32>,
    pub max_lease_secs: Option<u32>,
    pub renewal_secs: Option<u32>,
    pub rebinding_secs: Option<u32>,
    pub offer_secs: Option<u32>,
    pub decline_secs: Option<u32>,
    pub authoritative: Option<bool>,
    pub rapid_commit: Option<bool>,
    pub match_client_id: Option<bool>,
    pub next_server: Option<Ipv4Addr>,
    pub boot_file: Option<String>,
    pub server_name: Option<String>,
    /// Values in octets, by code.
    pub options: BTreeMap<u8, Vec<u8>>,
    pub presence: Presence,
}

impl Settings {
    /// Returns these settings, with those of `parent` where these are unset.
    #[must_use]
    pub fn over(&self, parent: &Self) -> Self {
        let mut options = parent.options.clone();
        options.extend(self.options.clone());
        Self {
            lease_secs: self.lease_secs.or(parent.lease_secs),
            min_lease_secs: self.min_lease_secs.or(parent.min_lease_secs),
            max_lease_secs: self.max_lease_secs.or(parent.max_lease_secs),
            renewal_secs: self.renewal_secs.or(parent.renewal_secs),
            rebinding_secs: self.rebinding_secs.or(parent.rebinding_secs),
            offer_secs: self.offer_secs.or(parent.offer_secs),
            decline_secs: self.decline_secs.or(parent.decline_secs),
            authoritative: self.authoritative.or(parent.authoritative),
            rapid_commit: self.rapid_commit.or(parent.rapid_commit),
            match_client_id: self.match_client_id.or(parent.match_client_id),
            next_server: self.next_server.or(parent.next_server),
            boot_file: self.boot_file.clone().or_else(|| parent.boot_file.clone()),
            server_name: self
                .server_name
                .clone()
                .or_else(|| parent.server_name.clone()),
            options,
            presence: self.presence.over(&parent.presence),
        }
    }

    /// Returns whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    pub line: usize,
    pub name: String,
    /// Empty: the addresses of the interface.
    pub addresses: Vec<Ipv4Addr>,
}

/// Several subnets on one link.
#[derive(Clone, Debug)]
pub struct Network {
    pub line: usize,
    pub name: String,
    pub settings: Settings,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    pub line: usize,
    pub prefix: Ipv4Net,
    /// The name of its [`Network`].
    pub network: Option<String>,
    pub server_id: Option<Ipv4Addr>,
    pub settings: Settings,
    pub pools: Vec<Pool>,
    pub reservations: Vec<Reservation>,
}

impl Subnet {
    /// Returns a subnet without settings.
    pub fn new(line: usize, prefix: Ipv4Net) -> Self {
        Self {
            line,
            prefix,
            network: None,
            server_id: None,
            settings: Settings::default(),
            pools: Vec::new(),
            reservations: Vec::new(),
        }
    }
}

/// A range of addresses.
#[derive(Clone, Debug)]
pub struct Pool {
    pub line: usize,
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    /// The pool is for members of one of these classes. Empty: for all clients.
    pub classes: Vec<String>,
    pub settings: Settings,
}

/// A reservation.
#[derive(Clone, Debug)]
pub struct Reservation {
    pub line: usize,
    pub owner: Owner,
    pub address: Ipv4Addr,
    pub host_name: Option<String>,
    pub settings: Settings,
}

/// The owner of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Hardware([u8; 6]),
    ClientId(Vec<u8>),
    CircuitId(Vec<u8>),
    RemoteId(Vec<u8>),
}

/// A class.
#[derive(Clone, Debug)]
pub struct Class {
    pub line: usize,
    pub name: String,
    pub when: Condition,
    pub refuse: bool,
    pub settings: Settings,
}

/// The condition of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Is(Field, Vec<Pattern>),
    Architecture(Vec<u16>),
    /// The client is a member of one of these classes.
    In(Vec<String>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// Returns the depth of nesting.
    pub fn depth(&self) -> usize {
        match self {
            Self::Is(..) | Self::Architecture(_) | Self::In(_) => 1,
            Self::All(conditions) | Self::Any(conditions) => {
                1 + conditions.iter().map(Self::depth).max().unwrap_or(0)
            }
            Self::Not(condition) => 1 + condition.depth(),
        }
    }

    /// Returns the number of conditions on the origin of a request.
    pub fn of_origin(&self) -> usize {
        match self {
            Self::Is(field, _) => usize::from(field.is_of_origin()),
            Self::Architecture(_) | Self::In(_) => 0,
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().map(Self::of_origin).sum()
            }
            Self::Not(condition) => condition.of_origin(),
        }
    }

    /// Returns the classes that it refers to.
    pub fn classes(&self) -> Vec<&str> {
        match self {
            Self::Is(..) | Self::Architecture(_) => Vec::new(),
            Self::In(names) => names.iter().map(String::as_str).collect(),
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().flat_map(Self::classes).collect()
            }
            Self::Not(condition) => condition.classes(),
        }
    }

    /// Returns the condition that one of these holds, with patterns of the same field joined.
    pub fn any_of(members: Vec<Self>) -> Self {
        let mut joined: Vec<Self> = Vec::new();
        for member in members {
            match (joined.last_mut(), member) {
                (Some(Self::Is(field, patterns)), Self::Is(other, more)) if *field == other => {
                    patterns.extend(more)
                }
                (Some(Self::Architecture(numbers)), Self::Architecture(more)) => {
                    numbers.extend(more)
                }
                (_, member) => joined.push(member),
            }
        }
        match joined.len() {
            1 => joined.remove(0),
            _ => Self::Any(joined),
        }
    }
}
