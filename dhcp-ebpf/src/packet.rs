//! A request, copied out of the frame so that every fixed field lies at a constant, aligned offset.
//!
//! The copy makes the rest cheap and simple: fields have their types, and the verifier needs no
//! bounds except the mask for options.

use bytemuck::{Pod, Zeroable};
use dhcp_common::{
    abi::IMAGE_LEN,
    wire::{
        BOOTP_FIXED_LEN, BOOTP_HEAD_LEN, BOOTP_MIN_LEN, Be16, Be32, FILE_LEN, IPV4_BROADCAST,
        IPV4_LEN, IPV4_PROTOCOL_UDP, MAC_BROADCAST, SNAME_LEN, UDP_LEN,
    },
};

use crate::verifier::opaque;

/// Octets of options that are read; a request with more goes to the controller.
pub const MAX_OPTIONS_LEN: usize = 1024;

/// Octets that may be read from the last masked offset on: the longest option with its code and
/// length, and a word.
const SLACK: usize = 268;

/// A MAC address in one word: as six octets it takes six registers, more than the program has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(u64);

impl Mac {
    pub const BROADCAST: Self = Self::new(MAC_BROADCAST);

    #[inline(always)]
    pub const fn new([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    #[inline(always)]
    pub const fn octets(self) -> [u8; 6] {
        let [a, b, c, d, e, f, _, _] = self.0.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// Returns the octets in little-endian order.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }
}

/// Octets from the IP header to `chaddr`, the part that a reply always changes.
pub const HEAD_LEN: usize = IPV4_LEN + UDP_LEN + BOOTP_HEAD_LEN;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Ipv4 {
    pub version_ihl: u8,
    pub tos: u8,
    pub total_len: Be16,
    pub ident: Be16,
    pub fragment: Be16,
    pub ttl: u8,
    pub protocol: u8,
    /// In memory order.
    pub checksum: u16,
    pub source: Be32,
    pub destination: Be32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(4))]
pub struct Udp {
    pub source: Be16,
    pub destination: Be16,
    pub len: Be16,
    /// In memory order.
    pub checksum: u16,
}

impl Ipv4 {
    /// Returns whether the destination is 255.255.255.255.
    #[inline(always)]
    pub fn is_broadcast(&self) -> bool {
        self.destination == IPV4_BROADCAST
    }
}

/// The fixed part of a BOOTP message up to `chaddr`, RFC 2131 §2 figure 1.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct BootpHead {
    pub op: u8,
    pub htype: u8,
    pub hlen: u8,
    pub hops: u8,
    pub xid: Be32,
    pub secs: Be16,
    pub flags: Be16,
    pub ciaddr: Be32,
    pub yiaddr: Be32,
    pub siaddr: Be32,
    pub giaddr: Be32,
    /// Sixteen octets in memory order.
    pub chaddr: [u32; 4],
}

impl BootpHead {
    /// Returns the octets of `chaddr` in use, the rest zero, in little-endian order.
    #[inline(always)]
    pub fn chaddr_words(&self) -> [u64; 2] {
        let hlen = usize::from(self.hlen);
        let chaddr = self.chaddr.map(|word| u64::from(u32::from_le(word)));
        [
            first_octets(chaddr[0] | chaddr[1] << 32, hlen),
            first_octets(chaddr[2] | chaddr[3] << 32, hlen.saturating_sub(8)),
        ]
    }

    /// Returns the first six octets of `chaddr`.
    #[inline(always)]
    pub fn ethernet(&self) -> Mac {
        let [low, high] =
            [self.chaddr[0], self.chaddr[1]].map(|word| u64::from(u32::from_le(word)));
        Mac(low | (high & 0xffff) << 32)
    }
}

/// Returns the sum of the pseudo-header of RFC 768.
#[inline(always)]
pub fn pseudo_header_sum(source: Be32, destination: Be32, udp_len: u16) -> u64 {
    u64::from(source.raw())
        + u64::from(destination.raw())
        + u64::from(u16::from(IPV4_PROTOCOL_UDP).to_be())
        + u64::from(udp_len.to_be())
}

/// The headers of a request, from the IP header to `chaddr`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Head {
    pub ip: Ipv4,
    pub udp: Udp,
    pub bootp: BootpHead,
}

/// The part of every request before the options, as laid out in a frame.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Fixed {
    pub head: Head,
    names: [u8; SNAME_LEN + FILE_LEN],
    pub cookie: Be32,
}

/// Octets of the shortest BOOTP message from `sname` on.
pub const MIN_IMAGE_LEN: usize = BOOTP_MIN_LEN - BOOTP_HEAD_LEN;

/// Octets of options in the shortest BOOTP message.
pub const MIN_OPTIONS_LEN: usize = BOOTP_MIN_LEN - BOOTP_FIXED_LEN;

/// Octets from the UDP header to the cookie.
pub const FIXED_UDP_LEN: usize = UDP_LEN + BOOTP_FIXED_LEN;

/// The copy of a request. `sname` and `file` stay in the frame.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct Packet {
    pub head: Head,
    pub cookie: Be32,
    pub options: Options,
}

const _: () = {
    assert!(size_of::<Head>() == HEAD_LEN);
    assert!(size_of::<Fixed>() == IPV4_LEN + FIXED_UDP_LEN);
    assert!(
        FIXED_UDP_LEN.is_multiple_of(4) && core::mem::offset_of!(Packet, options).is_multiple_of(4),
        "summed in whole words"
    );
    assert!(MAX_OPTIONS_LEN.is_power_of_two(), "offsets are masked");
    assert!(
        SLACK >= 2 + 255 + 7,
        "an option at the last offset, read in words"
    );
    assert!(IMAGE_LEN >= SNAME_LEN + FILE_LEN);
};

/// The options field, and slack after it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Options([u8; MAX_OPTIONS_LEN + SLACK]);

impl Options {
    pub const CAPACITY: usize = MAX_OPTIONS_LEN;

    /// Returns the octet at an offset below [`Self::CAPACITY`], and the one after it.
    #[inline(always)]
    pub fn pair(&self, offset: usize) -> [u8; 2] {
        let at = masked(offset);
        [self.0[at], self.0[at + 1]]
    }

    /// Returns the first `len` of eight octets at an offset below [`Self::CAPACITY`] plus `skip`,
    /// the others zero, in little-endian order.
    #[inline(always)]
    pub fn word(&self, offset: usize, skip: usize, len: usize) -> u64 {
        let at = masked(offset) + skip;
        let Some(octets) = self.0.get(at..).and_then(|rest| rest.first_chunk()) else {
            return 0;
        };
        first_octets(u64::from_le_bytes(*octets), len)
    }

    /// Returns the value of an option of four octets at an offset below [`Self::CAPACITY`].
    #[inline(always)]
    pub fn address(&self, offset: usize) -> Be32 {
        Be32::from_raw((self.word(offset, 2, 4) as u32).to_le())
    }

    /// Writes three octets at an offset below [`Self::CAPACITY`].
    #[inline(always)]
    pub fn put(&mut self, offset: usize, octets: [u8; 3]) {
        let at = masked(offset);
        self.0[at] = octets[0];
        self.0[at + 1] = octets[1];
        self.0[at + 2] = octets[2];
    }

    /// Zeroes the four octets after `len`, so the field can be summed in whole words.
    #[inline(always)]
    pub fn clear_after(&mut self, len: usize) {
        let at = masked(len);
        self.0[at] = 0;
        self.0[at + 1] = 0;
        self.0[at + 2] = 0;
        self.0[at + 3] = 0;
    }

    /// Returns `len` octets, if they are inside the field.
    pub fn slice(&self, from: usize, len: usize) -> Option<&[u8]> {
        self.0.get(from..from.checked_add(len)?)
    }
}

/// Returns the low `len` octets of a word.
#[inline(always)]
pub const fn first_octets(word: u64, len: usize) -> u64 {
    if len >= 8 {
        word
    } else {
        word & ((1 << (len * 8)) - 1)
    }
}

/// Returns an offset that the verifier can see is inside. LLVM would drop the mask where it has
/// proved what the verifier cannot.
#[inline(always)]
fn masked(offset: usize) -> usize {
    opaque(offset) & (MAX_OPTIONS_LEN - 1)
}
