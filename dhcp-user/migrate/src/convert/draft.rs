//! A configuration under construction, in the terms of ours but unchecked.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcp_config::{Field, Pattern};
use ipnet::Ipv4Net;

/// All of it, in the order in which it will be written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub defaults: Settings,
    pub interfaces: Vec<Interface>,
    pub classes: Vec<Class>,
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
}

impl Draft {
    /// The subnets by their addresses, as they are now.
    pub fn finder(&self) -> Finder {
        let subnets = self.subnets.iter().enumerate();
        let subnets =
            subnets.map(|(index, subnet)| (subnet.prefix.network(), (subnet.prefix, index)));
        Finder(subnets.collect())
    }
}

/// Finds the subnet that an address lies in; there may be thousands of both.
#[derive(Debug)]
pub struct Finder(BTreeMap<Ipv4Addr, (Ipv4Net, usize)>);

impl Finder {
    /// The index of a subnet.
    pub fn find(&self, address: Ipv4Addr) -> Option<usize> {
        let (_, (prefix, index)) = self.0.range(..=address).next_back()?;
        prefix.contains(&address).then_some(*index)
    }
}

/// What stands in many places, the nearest of which wins.
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
    /// Octets by code.
    pub options: BTreeMap<u8, Vec<u8>>,
}

impl Settings {
    /// These, and where they say nothing those of `parent`.
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
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug)]
pub struct Interface {
    pub line: usize,
    pub name: String,
    /// None: those that the interface has.
    pub addresses: Vec<Ipv4Addr>,
}

/// Several subnets on one link.
#[derive(Clone, Debug)]
pub struct Network {
    pub line: usize,
    pub name: String,
    pub settings: Settings,
}

#[derive(Clone, Debug)]
pub struct Subnet {
    pub line: usize,
    pub prefix: Ipv4Net,
    /// The [`Network`] that it is part of.
    pub network: Option<String>,
    pub server_id: Option<Ipv4Addr>,
    pub settings: Settings,
    pub pools: Vec<Pool>,
    pub reservations: Vec<Reservation>,
}

impl Subnet {
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

#[derive(Clone, Debug)]
pub struct Pool {
    pub line: usize,
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    /// For members of one of these; none: for everybody.
    pub classes: Vec<String>,
    pub settings: Settings,
}

#[derive(Clone, Debug)]
pub struct Reservation {
    pub line: usize,
    pub owner: Owner,
    pub address: Ipv4Addr,
    pub host_name: Option<String>,
    pub settings: Settings,
}

/// Whom a reservation is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Hardware([u8; 6]),
    ClientId(Vec<u8>),
    CircuitId(Vec<u8>),
    RemoteId(Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct Class {
    pub line: usize,
    pub name: String,
    pub when: Condition,
    pub refuse: bool,
    pub settings: Settings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Is(Field, Vec<Pattern>),
    Architecture(Vec<u16>),
    /// Member of one of these classes.
    In(Vec<String>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// How deep conditions stand in it.
    pub fn depth(&self) -> usize {
        match self {
            Self::Is(..) | Self::Architecture(_) | Self::In(_) => 1,
            Self::All(conditions) | Self::Any(conditions) => {
                1 + conditions.iter().map(Self::depth).max().unwrap_or(0)
            }
            Self::Not(condition) => 1 + condition.depth(),
        }
    }

    /// Conditions on where a request comes from.
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

    /// The classes that it refers to.
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
}
