//! Rendered answers, and their index.

use super::capacity::{TEMPLATE_CELLS, TEMPLATE_WAYS};
use crate::wire::{Be32, message_type};

/// Key of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct TemplateKey {
    /// Fingerprint of the request; zero for a NAK, which is the same for every request.
    pub fingerprint: [u64; 2],
    /// The profile, and above its [`PROFILE_BITS`] bits the message type of the reply.
    answer: u64,
}

/// Bits of a profile. A profile identifies a set of answers: it is a digest of everything that they
/// are rendered from, with enough bits that no two sets of successive configurations share one.
pub const PROFILE_BITS: u32 = 56;

impl TemplateKey {
    /// Makes a key for the reply of a message type.
    #[inline(always)]
    pub const fn new(fingerprint: [u64; 2], profile: u64, reply: u8) -> Self {
        Self {
            fingerprint,
            answer: profile | (reply as u64) << PROFILE_BITS,
        }
    }

    /// Returns the profile.
    pub const fn profile(&self) -> u64 {
        self.answer & ((1 << PROFILE_BITS) - 1)
    }

    /// Returns the message type of the reply.
    pub const fn reply(&self) -> u8 {
        (self.answer >> PROFILE_BITS) as u8
    }

    /// Returns whether the reply is a NAK.
    pub const fn is_nak(&self) -> bool {
        self.reply() == message_type::NAK
    }

    /// Returns the first of the [`TEMPLATE_WAYS`] elements of `TEMPLATE_INDEX` that may hold this
    /// key.
    #[inline(always)]
    pub const fn first_cell(&self) -> u32 {
        // Fibonacci hashing; fingerprints are keyed, so no sender can choose a cell.
        let hash = (self.fingerprint[0] ^ self.answer).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let set = hash >> (u64::BITS - (TEMPLATE_CELLS / TEMPLATE_WAYS).ilog2());
        set as u32 * TEMPLATE_WAYS
    }
}

/// Value of `TEMPLATE_INDEX`.
///
/// Two arrays are the program's hash table of templates: it reads an array without a call, and each
/// call costs as much as some fifty instructions.
///
/// A cell is written once, after its template, and not used for another key before a fence. A
/// reader that sees the key but not yet the element takes the cell as free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TemplateCell {
    pub key: TemplateKey,
    /// Index into `TEMPLATES`, or zero in a free cell.
    pub element: u32,
    pub reserved: u32,
}

/// Octets of an image, from `sname` to the last option.
pub const IMAGE_LEN: usize = 512;

/// Value of `TEMPLATES`: a reply from `sname` on, as the controller encodes it.
///
/// A template is never changed in place, and the element of a withdrawn template is not used again
/// before a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Template {
    /// [`crate::checksum::sum`] of `image[..len]`.
    pub sum: u32,
    /// Octets of `image` before the echoed options 81, 61 and 82.
    pub len: u16,
    /// Octets of `image` that are sent, including END and the padding to the shortest BOOTP
    /// message.
    pub padded_len: u16,
    /// Option 51, or zero in a NAK.
    pub lease_secs: u32,
    /// The server identifier, which is also the source address of the reply.
    pub server_id: Be32,
    pub siaddr: Be32,
    /// Octets of the longest BOOTP message that the client accepts (option 57).
    pub max_len: u16,
    pub reserved: u16,
    /// The options begin at `SNAME_LEN + FILE_LEN + 4`; END follows `len`, zeros follow END.
    pub image: [u8; IMAGE_LEN],
}

const _: () = assert!(
    TEMPLATE_CELLS.is_power_of_two() && TEMPLATE_WAYS.is_power_of_two(),
    "a set of cells is found by the high bits of a hash"
);
