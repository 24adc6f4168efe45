//! The encoding that ids of profiles and digests of classes are hashed over.
//!
//! Templates outlive a controller and are found by these ids, so two values that lead to different
//! answers must never have the same encoding. Every value is destructured by a pattern that names
//! all of its fields: a new field does not compile until it is encoded here. Lengths and variant
//! numbers precede their data, so that no encoding is a prefix of another one.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dhcp_config::{
    Boot, Class, Condition, Field, OptionTest, OptionValue, Overrides, Pattern, Presence,
};
use dhcp_model::LeaseTimes;
use ipnet::Ipv4Net;
use sha2::{Digest as _, Sha256};

use super::terms::Terms;

/// A SHA-256 over the values that are added, in their order.
#[derive(Clone, Debug, Default)]
pub struct Encoder(Sha256);

impl Encoder {
    /// Returns the hash of one value.
    pub fn digest(value: &(impl Encode + ?Sized)) -> [u8; 32] {
        let mut encoder = Self::default();
        value.encode(&mut encoder);
        encoder.finish()
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn octets(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn len(&mut self, len: usize) {
        (len as u64).encode(self);
    }

    /// Adds which variant of an enum follows.
    fn variant(&mut self, number: u8) {
        number.encode(self);
    }
}

/// A value that the octets of an answer depend on.
pub trait Encode {
    fn encode(&self, to: &mut Encoder);
}

macro_rules! encode_integer {
    ($($integer:ty)+) => {
        $(impl Encode for $integer {
            fn encode(&self, to: &mut Encoder) {
                to.octets(&self.to_be_bytes());
            }
        })+
    };
}

encode_integer!(u8 u16 u32 u64);

impl Encode for bool {
    fn encode(&self, to: &mut Encoder) {
        u8::from(*self).encode(to);
    }
}

impl Encode for Ipv4Addr {
    fn encode(&self, to: &mut Encoder) {
        to.octets(&self.octets());
    }
}

impl Encode for str {
    fn encode(&self, to: &mut Encoder) {
        self.as_bytes().encode(to);
    }
}

impl Encode for String {
    fn encode(&self, to: &mut Encoder) {
        self.as_str().encode(to);
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, to: &mut Encoder) {
        to.len(self.len());
        for value in self {
            value.encode(to);
        }
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    fn encode(&self, to: &mut Encoder) {
        self.as_slice().encode(to);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, to: &mut Encoder) {
        self.as_slice().encode(to);
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, to: &mut Encoder) {
        to.len(self.len());
        for value in self {
            value.encode(to);
        }
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, to: &mut Encoder) {
        self.is_some().encode(to);
        if let Some(value) = self {
            value.encode(to);
        }
    }
}

impl<T: Encode + ?Sized> Encode for std::sync::Arc<T> {
    fn encode(&self, to: &mut Encoder) {
        (**self).encode(to);
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, to: &mut Encoder) {
        (**self).encode(to);
    }
}

impl Encode for LeaseTimes {
    fn encode(&self, to: &mut Encoder) {
        let Self {
            lease_secs,
            renewal_secs,
            rebinding_secs,
            horizon_leases,
            range,
        } = self;
        lease_secs.encode(to);
        renewal_secs.encode(to);
        rebinding_secs.encode(to);
        horizon_leases.encode(to);
        range.encode(to);
    }
}

impl Encode for OptionValue {
    fn encode(&self, to: &mut Encoder) {
        let Self { code, data } = self;
        code.encode(to);
        data.encode(to);
    }
}

impl Encode for Boot {
    fn encode(&self, to: &mut Encoder) {
        let Self {
            next_server,
            file,
            server_name,
        } = self;
        next_server.encode(to);
        file.encode(to);
        server_name.encode(to);
    }
}

impl Encode for Presence {
    fn encode(&self, to: &mut Encoder) {
        let Self { always, never } = self;
        always.encode(to);
        never.encode(to);
    }
}

impl Encode for Overrides {
    fn encode(&self, to: &mut Encoder) {
        let Self {
            lease,
            ipv6_mostly,
            options,
            presence,
            boot,
        } = self;
        lease.encode(to);
        ipv6_mostly.encode(to);
        options.encode(to);
        presence.encode(to);
        boot.encode(to);
    }
}

impl Encode for Terms {
    fn encode(&self, to: &mut Encoder) {
        let Self {
            server_id,
            mask,
            lease,
            ipv6_mostly,
            options,
            presence,
            boot,
            host_name,
        } = self;
        server_id.encode(to);
        mask.encode(to);
        lease.encode(to);
        ipv6_mostly.encode(to);
        options.encode(to);
        presence.encode(to);
        boot.encode(to);
        host_name.encode(to);
    }
}

impl Encode for Class {
    fn encode(&self, to: &mut Encoder) {
        let Self {
            name,
            when,
            refuse,
            overrides,
        } = self;
        name.encode(to);
        when.encode(to);
        refuse.encode(to);
        overrides.encode(to);
    }
}

impl Encode for Condition {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::All(conditions) => {
                to.variant(0);
                conditions.encode(to);
            }
            Self::Any(conditions) => {
                to.variant(1);
                conditions.encode(to);
            }
            Self::Not(condition) => {
                to.variant(2);
                condition.encode(to);
            }
            Self::Is(field, patterns) => {
                to.variant(3);
                field.encode(to);
                patterns.encode(to);
            }
            Self::Enterprise(number, patterns) => {
                to.variant(4);
                number.encode(to);
                patterns.encode(to);
            }
            Self::Architecture(architectures) => {
                to.variant(5);
                architectures.encode(to);
            }
            Self::In(classes) => {
                to.variant(6);
                classes.encode(to);
            }
            Self::Option(code, test) => {
                to.variant(7);
                code.encode(to);
                test.encode(to);
            }
            Self::HostName(patterns) => {
                to.variant(8);
                patterns.encode(to);
            }
            Self::Giaddr(prefixes) => {
                to.variant(9);
                prefixes.encode(to);
            }
            Self::Known => to.variant(10),
            Self::Secs(secs) => {
                to.variant(11);
                secs.encode(to);
            }
            Self::BootItem(items) => {
                to.variant(12);
                items.encode(to);
            }
        }
    }
}

impl Encode for OptionTest {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Present => to.variant(0),
            Self::Matches(offset, patterns) => {
                to.variant(1);
                offset.encode(to);
                patterns.encode(to);
            }
            Self::Contains(offset, parts) => {
                to.variant(2);
                offset.encode(to);
                parts.encode(to);
            }
        }
    }
}

impl Encode for Ipv4Net {
    fn encode(&self, to: &mut Encoder) {
        self.network().encode(to);
        self.prefix_len().encode(to);
    }
}

impl Encode for Field {
    fn encode(&self, to: &mut Encoder) {
        to.variant(match self {
            Self::VendorClass => 0,
            Self::UserClass => 1,
            Self::HardwareAddress => 2,
            Self::CircuitId => 3,
            Self::RemoteId => 4,
            Self::SubscriberId => 5,
        });
    }
}

impl Encode for Pattern {
    fn encode(&self, to: &mut Encoder) {
        let Self { octets, is_prefix } = self;
        octets.encode(to);
        is_prefix.encode(to);
    }
}

#[cfg(test)]
mod tests;
