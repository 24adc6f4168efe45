//! Rendered answers, and where they are found.

use super::capacity::{TEMPLATE_CELLS, TEMPLATE_WAYS};
use crate::wire::{Be32, message_type};

/// What a template is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct TemplateKey {
    /// See [`crate::fingerprint`]; zero for a NAK, which is the same for every request.
    pub fingerprint: [u64; 2],
    /// The profile, and above its [`PROFILE_BITS`] the message type of the reply.
    answer: u64,
}

/// A profile names a set of answers: a digest of all that they are made from, of so many bits that no two
/// sets, of one configuration or of one after the other, have the same.
pub const PROFILE_BITS: u32 = 56;

impl TemplateKey {
    #[inline(always)]
    pub const fn new(fingerprint: [u64; 2], profile: u64, reply: u8) -> Self {
        Self {
            fingerprint,
            answer: profile | (reply as u64) << PROFILE_BITS,
        }
    }

    pub const fn profile(&self) -> u64 {
        self.answer & ((1 << PROFILE_BITS) - 1)
    }

    /// Message type of the reply.
    pub const fn reply(&self) -> u8 {
        (self.answer >> PROFILE_BITS) as u8
    }

    pub const fn is_nak(&self) -> bool {
        self.reply() == message_type::NAK
    }

    /// The first of the [`TEMPLATE_WAYS`] elements of `TEMPLATE_INDEX` where this key may stand.
    #[inline(always)]
    pub const fn first_cell(&self) -> u32 {
        // Fibonacci hashing; fingerprints are keyed, so that nobody can aim at a cell.
        let hash = (self.fingerprint[0] ^ self.answer).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let set = hash >> (u64::BITS - (TEMPLATE_CELLS / TEMPLATE_WAYS).ilog2());
        set as u32 * TEMPLATE_WAYS
    }
}

/// Value of `TEMPLATE_INDEX`. Two arrays are the program's hash table of templates: it looks into an array
/// without a call, and each call costs it as much as some fifty instructions.
///
/// A cell is written once, with the template in its place before, and not used for another key before a
/// fence. A reader that sees the key and not yet the element takes it for a free one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TemplateCell {
    pub key: TemplateKey,
    /// Index into `TEMPLATES`, or zero in a free cell.
    pub element: u32,
    pub reserved: u32,
}

/// `sname` to the last option.
pub const IMAGE_LEN: usize = 512;

/// Value of `TEMPLATES`: a reply from `sname` on, as the controller would encode it.
///
/// A template is never changed in place, and the element of a withdrawn one is not used again before a
/// fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Template {
    /// [`crate::checksum::sum`] of `image[..len]`.
    pub sum: u32,
    /// Octets of `image` that precede the echoed options 81, 61 and 82.
    pub len: u16,
    /// Octets of `image` that are sent: with END and the padding to the shortest BOOTP message.
    pub padded_len: u16,
    /// Option 51, or zero in a NAK.
    pub lease_secs: u32,
    /// The server identifier, which is also the reply's source.
    pub server_id: Be32,
    pub siaddr: Be32,
    /// The longest BOOTP message that this client takes (option 57).
    pub max_len: u16,
    pub reserved: u16,
    /// The options begin at `SNAME_LEN + FILE_LEN + 4`; END follows `len`, zeros follow END.
    pub image: [u8; IMAGE_LEN],
}

const _: () = assert!(
    TEMPLATE_CELLS.is_power_of_two() && TEMPLATE_WAYS.is_power_of_two(),
    "a set of cells is found by the high bits of a hash"
);
