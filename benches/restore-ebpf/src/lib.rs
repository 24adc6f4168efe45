//! The frame that the program of `main.rs` restores, and how it is made that of another client.
//!
//! `benches/src/speed.rs` fills it in.
#![no_std]

use dhcp_common::checksum;

/// More octets than a frame has; a power of two, so that a mask keeps an offset inside.
pub const SAMPLE_LEN: usize = 512;
/// Octets of a client's number.
const NUMBER_LEN: usize = 4;
/// Places of a frame in which a client's number may stand: source MAC and IP address, `ciaddr`, `chaddr`,
/// option 61.
pub const MAX_PLACES: usize = 5;

/// The one entry of the table of programs.
pub const TARGET_INDEX: u32 = 0;

/// A frame of many clients that differ by their number alone.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Sample {
    /// Octets of the frame.
    pub len: u32,
    /// From how many clients each run draws one; with one the frame stays as it is.
    pub clients: u32,
    /// Those in use come first; the others have the offset zero.
    pub places: [Place; MAX_PLACES],
    /// Of IP and UDP.
    pub checksums: [Checksum; 2],
    pub octets: [u8; SAMPLE_LEN + NUMBER_LEN],
}

/// Four octets that are a client's number, added to what client 0 has there.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Place {
    pub offset: u32,
    pub base: u32,
}

/// A checksum, and what a client's number adds to it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Checksum {
    pub offset: u32,
    /// Of all that it covers, for client 0.
    pub sum: u32,
    /// How many of the places that it covers are at even offsets, and at odd ones.
    pub even: u32,
    pub odd: u32,
}

impl Sample {
    /// Makes the frame that of client `number`, without a look at the rest of it. The low halves of all bases
    /// are zero, and no number carries into more than the high ones.
    #[inline(always)]
    pub fn visit(&mut self, number: u32) {
        for place in self.places {
            if place.offset == 0 {
                break;
            }
            let octets = (place.base + number).to_be_bytes();
            self.put(place.offset, octets);
        }
        let raw = number.to_be();
        let even = u64::from(raw & 0xffff) + u64::from(raw >> 16);
        let odd = checksum::at_odd_offset(even);
        for field in self.checksums {
            let added = u64::from(field.even) * even + u64::from(field.odd) * odd;
            // Never zero, which in a UDP header would mean that nobody has summed.
            let found = checksum::finish_udp(u64::from(field.sum) + added);
            self.put(field.offset, found.to_ne_bytes());
        }
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, offset: u32, octets: [u8; N]) {
        const { assert!(N <= NUMBER_LEN && SAMPLE_LEN.is_power_of_two()) };
        let at = offset as usize & (SAMPLE_LEN - 1);
        self.octets[at..at + N].copy_from_slice(&octets);
    }
}
