//! A request, copied out of the frame so that every fixed field lies at a constant, aligned offset.
//!
//! One copy makes the rest cheap and plain: fields are read as what they are, the verifier needs no
//! bounds but the options' mask, and the reply's headers are built over the request's.

use core::hint::black_box;

use bytemuck::{Pod, Zeroable};
use dhcp_common::{
    abi::IMAGE_LEN,
    wire::{
        BOOTP_FIXED_LEN, BOOTP_HEAD_LEN, Be16, Be32, ETHERNET_LEN, FILE_LEN, IPV4_LEN,
        MAX_VLAN_TAGS, SNAME_LEN, UDP_LEN, VLAN_TAG_LEN,
    },
};

/// Octets of options that are looked at; a request with more goes the slow way.
pub const MAX_OPTIONS_LEN: usize = 1024;

/// The largest value of an option with its code and length, and a word: what a masked offset may
/// be followed by.
const SLACK: usize = 268;

/// Room for the link header, so that the IP header is aligned behind any of them.
pub const LINK_LEN: usize = 24;

/// IP header to `chaddr`: what a reply always changes.
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
    /// As it lies in memory.
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
    /// As it lies in memory.
    pub checksum: u16,
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
    /// Sixteen octets as they lie in memory.
    pub chaddr: [u32; 4],
}

impl BootpHead {
    /// The first six octets of `chaddr`.
    #[inline(always)]
    pub fn ethernet(&self) -> [u8; 6] {
        let [a, b, c, d] = self.chaddr[0].to_ne_bytes();
        let [e, f, _, _] = self.chaddr[1].to_ne_bytes();
        [a, b, c, d, e, f]
    }
}

/// IP header to `chaddr`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Head {
    pub ip: Ipv4,
    pub udp: Udp,
    pub bootp: BootpHead,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct Packet {
    /// Ethernet header and VLAN tags, ending where the IP header begins.
    pub link: [u8; LINK_LEN],
    pub head: Head,
    pub names: [u8; SNAME_LEN + FILE_LEN],
    pub cookie: Be32,
    pub options: Options,
}

const _: () = {
    assert!(LINK_LEN.is_multiple_of(8) && LINK_LEN >= ETHERNET_LEN + MAX_VLAN_TAGS * VLAN_TAG_LEN);
    assert!(size_of::<Head>() == HEAD_LEN);
    assert!(core::mem::offset_of!(Packet, head) == LINK_LEN);
    assert!(
        core::mem::offset_of!(Packet, options) == LINK_LEN + IPV4_LEN + UDP_LEN + BOOTP_FIXED_LEN
    );
    assert!(MAX_OPTIONS_LEN.is_power_of_two(), "offsets are masked");
    assert!(
        SLACK >= 2 + 255 + 7,
        "an option at the last offset, read in words"
    );
    assert!(IMAGE_LEN >= SNAME_LEN + FILE_LEN);
};

impl Packet {
    /// Sets destination and source address in the link header.
    #[inline(always)]
    pub fn set_macs(&mut self, network_offset: usize, destination: [u8; 6], source: [u8; 6]) {
        const MASK: usize = 0xf;
        const {
            assert!(
                LINK_LEN - ETHERNET_LEN <= MASK,
                "where an untagged frame begins"
            )
        };
        let start = black_box(LINK_LEN.wrapping_sub(network_offset)) & MASK;
        let octets = bytemuck::bytes_of_mut(self);
        for i in 0..6 {
            octets[start + i] = destination[i];
            octets[start + 6 + i] = source[i];
        }
    }

    /// Where in the packet a frame begins whose link header has `network_offset` octets.
    #[inline(always)]
    pub const fn frame_offset(network_offset: usize) -> Option<usize> {
        LINK_LEN.checked_sub(network_offset)
    }
}

/// The options field, and room behind it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Options([u8; MAX_OPTIONS_LEN + SLACK]);

impl Options {
    pub const CAPACITY: usize = MAX_OPTIONS_LEN;

    /// The octet at an offset below [`Self::CAPACITY`].
    #[inline(always)]
    pub fn octet(&self, offset: usize) -> u8 {
        self.0[masked(offset)]
    }

    /// The octet after the one at an offset below [`Self::CAPACITY`].
    #[inline(always)]
    pub fn octet_after(&self, offset: usize) -> u8 {
        self.0[masked(offset) + 1]
    }

    /// Eight octets from an offset below [`Self::CAPACITY`] and `skip` more, of which the first `len`
    /// count and the others are taken for zero; in little-endian order.
    #[inline(always)]
    pub fn word(&self, offset: usize, skip: usize, len: usize) -> u64 {
        let at = masked(offset) + skip;
        let Some(octets) = self.0.get(at..).and_then(|rest| rest.first_chunk()) else {
            return 0;
        };
        first_octets(u64::from_le_bytes(*octets), len)
    }

    /// The value of an option of four octets at an offset below [`Self::CAPACITY`].
    #[inline(always)]
    pub fn address(&self, offset: usize) -> Be32 {
        Be32::from_raw((self.word(offset, 2, 4) as u32).to_le())
    }

    /// Zeroes the four octets after `len`, so that the field can be summed in whole words.
    #[inline(always)]
    pub fn clear_after(&mut self, len: usize) {
        let at = masked(len);
        self.0[at] = 0;
        self.0[at + 1] = 0;
        self.0[at + 2] = 0;
        self.0[at + 3] = 0;
    }

    /// Some octets, where they are inside.
    pub fn slice(&self, from: usize, len: usize) -> Option<&[u8]> {
        self.0.get(from..from.checked_add(len)?)
    }
}

/// The low `len` octets of a word.
#[inline(always)]
pub const fn first_octets(word: u64, len: usize) -> u64 {
    if len >= 8 {
        word
    } else {
        word & ((1 << (len * 8)) - 1)
    }
}

/// An offset that the verifier can see is inside. LLVM would drop the mask where it has proved what
/// the verifier cannot; `black_box` keeps it.
#[inline(always)]
fn masked(offset: usize) -> usize {
    black_box(offset) & (MAX_OPTIONS_LEN - 1)
}
