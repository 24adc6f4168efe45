//! The options of a message: walked, checked and joined.

use std::{borrow::Cow, net::Ipv4Addr};

use dhcp_common::wire::{self, message_type, option, pxe_suboption};
use smallvec::SmallVec;

use super::{BootClass, BootItem, MAX_REPLY_LEN, MessageType, Octets};
use crate::counters::{Counter, Silence};

/// The most options in a message: more than any client sends and than the program accepts, so that
/// every request that the program answers is answered here too. A message with more is dropped.
pub const MAX_OPTIONS: usize = 192;

/// Options that need no memory of their own; most messages have fewer.
const USUAL_OPTIONS: usize = 24;

/// The options of a message in the order in which they count (RFC 3396 §5).
pub(super) struct Options<'a> {
    options: SmallVec<[(u8, &'a [u8]); USUAL_OPTIONS]>,
    pub overloaded: bool,
    pub oddities: Oddities,
}

/// What is wrong with a message that is understood all the same, as other servers understand it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    pub has_no_end: bool,
    pub has_overrun: bool,
    pub has_repeated: bool,
    pub has_empty: bool,
    pub has_short_client_id: bool,
}

impl Oddities {
    /// Returns what to count.
    pub fn counters(self) -> impl Iterator<Item = Counter> {
        [
            (self.has_no_end, Counter::NoEnd),
            (self.has_overrun, Counter::OverrunIgnored),
            (self.has_repeated, Counter::OptionRepeated),
            (self.has_empty, Counter::OptionEmpty),
            (self.has_short_client_id, Counter::ShortClientId),
        ]
        .into_iter()
        .filter_map(|(is_there, counter)| is_there.then_some(counter))
    }
}

/// Returns whether an option that is cut off may be ignored: nothing depends on it but the options
/// of the answer.
const fn is_dispensable(code: u8) -> bool {
    !matches!(
        code,
        option::MESSAGE_TYPE
            | option::REQUESTED_ADDRESS
            | option::SERVER_ID
            | option::CLIENT_ID
            | option::RELAY_INFO
            | option::OVERLOAD
            | option::SUBNET_SELECTION
    )
}

impl<'a> Options<'a> {
    pub fn none() -> Self {
        Self {
            options: SmallVec::new(),
            overloaded: false,
            oddities: Oddities::default(),
        }
    }

    pub fn walk(fixed: &'a [u8; wire::BOOTP_FIXED_LEN], field: &'a [u8]) -> Result<Self, Silence> {
        const SNAME: usize = wire::BOOTP_HEAD_LEN;
        const FILE: usize = SNAME + wire::SNAME_LEN;
        let mut options = Self::none();
        options.walk_field(field)?;
        let Some(overload) = options.joined(option::OVERLOAD) else {
            return Ok(options);
        };
        // RFC 2131 §4.1: `file` before `sname`.
        options.overloaded = true;
        let &[overload @ 1..=3] = &*overload else {
            return Err(Silence::BadOptionLength);
        };
        if overload & 1 != 0 {
            options.walk_field(&fixed[FILE..FILE + wire::FILE_LEN])?;
        }
        if overload & 2 != 0 {
            options.walk_field(&fixed[SNAME..FILE])?;
        }
        Ok(options)
    }

    pub fn walk_field(&mut self, mut field: &'a [u8]) -> Result<(), Silence> {
        loop {
            match *field {
                [] => {
                    self.oddities.has_no_end = true;
                    return Ok(());
                }
                [option::END, ..] => return Ok(()),
                [option::PAD, ref rest @ ..] => field = rest,
                [code] => return self.overrun(code),
                [code, len, ref rest @ ..] => {
                    let Some((value, rest)) = rest.split_at_checked(usize::from(len)) else {
                        return self.overrun(code);
                    };
                    if self.options.len() == MAX_OPTIONS {
                        return Err(Silence::TooManyOptions);
                    }
                    self.options.push((code, value));
                    field = rest;
                }
            }
        }
    }

    /// Ends the walk at an option that extends beyond the field.
    fn overrun(&mut self, code: u8) -> Result<(), Silence> {
        if !is_dispensable(code) {
            return Err(Silence::OptionOverrun);
        }
        self.oddities.has_overrun = true;
        Ok(())
    }

    /// Returns the value of an option of a fixed length: its instances joined, or one of them if it
    /// has this length already and the others are the same.
    fn fixed(&mut self, code: u8, len: usize) -> Result<Option<Cow<'a, [u8]>>, Silence> {
        let mut instances = self.options.iter().filter(|(other, _)| *other == code);
        let Some((_, first)) = instances.next().filter(|(_, first)| first.len() == len) else {
            return Ok(self.joined(code));
        };
        for (_, value) in instances.filter(|(_, value)| !value.is_empty()) {
            if value != first {
                return Err(Silence::ConflictingOption);
            }
            self.oddities.has_repeated = true;
        }
        Ok(Some(Cow::Borrowed(first)))
    }

    /// Returns the value of an option, its instances joined (RFC 3396 §7).
    pub fn joined(&self, code: u8) -> Option<Cow<'a, [u8]>> {
        let mut instances = self.options.iter().filter(|(other, _)| *other == code);
        let mut value = Cow::Borrowed(instances.next()?.1);
        for (_, more) in instances {
            value.to_mut().extend_from_slice(more);
        }
        Some(value)
    }

    /// Returns the value of an option as [`Options::joined`] does, to be kept.
    pub fn kept(&self, code: u8) -> Option<Octets> {
        self.joined(code).map(|value| Octets::from_slice(&value))
    }

    pub fn message_type(&mut self) -> Result<MessageType, Silence> {
        let Some(value) = self.fixed(option::MESSAGE_TYPE, 1)? else {
            return Ok(MessageType::Bootp);
        };
        let &[value] = &*value else {
            return Err(Silence::BadMessageType);
        };
        match value {
            message_type::DISCOVER => Ok(MessageType::Discover),
            message_type::REQUEST => Ok(MessageType::Request),
            message_type::DECLINE => Ok(MessageType::Decline),
            message_type::RELEASE => Ok(MessageType::Release),
            message_type::INFORM => Ok(MessageType::Inform),
            message_type::LEASEQUERY => Ok(MessageType::LeaseQuery),
            0 | message_type::OFFER | message_type::ACK | message_type::NAK => {
                Err(Silence::BadMessageType)
            }
            ..=message_type::LAST_ASSIGNED => Err(Silence::UnservedMessageType),
            _ => Err(Silence::BadMessageType),
        }
    }

    /// Returns the address in an option. In a DISCOVER, which needs none, an option without a value
    /// is ignored.
    pub fn address(
        &mut self,
        code: u8,
        message_type: MessageType,
    ) -> Result<Option<Ipv4Addr>, Silence> {
        let Some(value) = self.fixed(code, 4)? else {
            return Ok(None);
        };
        if value.is_empty() && message_type == MessageType::Discover {
            self.oddities.has_empty = true;
            return Ok(None);
        }
        let octets: [u8; 4] = (*value).try_into().map_err(|_| Silence::BadOptionLength)?;
        Ok(Some(octets.into()))
    }

    /// Returns option 51. A value that is not of four octets is ignored.
    pub fn lease_secs(&self) -> Option<u32> {
        let value = self.joined(option::LEASE_TIME)?;
        Some(u32::from_be_bytes((*value).try_into().ok()?))
    }

    /// Returns option 93 (RFC 4578 §2.1). An odd octet at the end is ignored.
    pub fn architectures(&self) -> SmallVec<[u16; 4]> {
        let value = self.joined(option::ARCHITECTURE).unwrap_or_default();
        let (pairs, _) = value.as_chunks();
        pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
    }

    /// Returns the item that PXE firmware asks a boot server for (PXE 2.1 §2.2, sub-option 71).
    pub fn boot_item(&self) -> Option<BootItem> {
        let class = self.joined(option::VENDOR_CLASS)?;
        if BootClass::named(&class) != Some(BootClass::Pxe) {
            return None;
        }
        let data = self.joined(option::VENDOR_OPTIONS)?;
        match *pxe_suboption(&data, pxe_suboption::BOOT_ITEM)? {
            [high, low, ref layer @ ..] => Some(BootItem {
                kind: u16::from_be_bytes([high, low]),
                layer: layer.first_chunk().copied().unwrap_or_default(),
            }),
            _ => None,
        }
    }

    /// Returns the longest message from option 57, which counts the whole datagram. Values under
    /// the minimum are ignored (RFC 2132 §9.10), and values that are not of two octets too: the
    /// program sends a NAK without looking at the option.
    pub fn max_len(&self) -> usize {
        let value = self.joined(option::MAX_MESSAGE_SIZE).unwrap_or_default();
        let octets = <[u8; 2]>::try_from(&*value).unwrap_or_default();
        let len =
            usize::from(u16::from_be_bytes(octets)).saturating_sub(wire::IPV4_LEN + wire::UDP_LEN);
        len.clamp(wire::BOOTP_DEFAULT_MAX_LEN, MAX_REPLY_LEN)
    }
}

/// Returns the value of a sub-option in option 43 (RFC 2132 §8.4).
pub fn pxe_suboption(mut data: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        match *data {
            [option::PAD, ref rest @ ..] => data = rest,
            [code, len, ref rest @ ..] if code != pxe_suboption::END => {
                let (value, rest) = rest.split_at_checked(usize::from(len))?;
                if code == wanted {
                    return Some(value);
                }
                data = rest;
            }
            _ => return None,
        }
    }
}

/// Returns the entries of sub-option 8 or 9: a type, a number of elements of this length, and these
/// elements. An entry cut off at the end is ignored.
pub fn pxe_entries(mut data: &[u8], element_len: usize) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let ([high, low, count], rest) = data.split_first_chunk()?;
        let (elements, rest) = rest.split_at_checked(usize::from(*count) * element_len)?;
        data = rest;
        Some((u16::from_be_bytes([*high, *low]), elements))
    })
}
