//! The frame that the program of `main.rs` restores, and its change into that of another client.
//!
//! `benches/src/speed.rs` fills it in.
#![no_std]

use dhcp_common::checksum;

/// Octets for a frame, more than any has; a power of two, so a mask keeps an offset inside.
pub const SAMPLE_LEN: usize = 512;
/// Octets of a client's number.
const NUMBER_LEN: usize = 4;
/// Fields of a frame that may contain a client's number: source MAC and IP address, `ciaddr`,
/// `chaddr`, option 61.
pub const MAX_FIELDS: usize = 5;

/// Index of the one entry of the program table.
pub const TARGET_INDEX: u32 = 0;

/// A frame of many clients, which differ by their numbers only.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Sample {
    /// Octets of the frame.
    pub len: u32,
    /// Number of clients, of which each run draws one; with one client the frame is unchanged.
    pub clients: u32,
    /// Fields in use come first; the others have offset zero.
    pub fields: [NumberField; MAX_FIELDS],
    /// The checksums of IP and UDP.
    pub checksums: [Checksum; 2],
    pub octets: [u8; SAMPLE_LEN + NUMBER_LEN],
}

/// A field of four octets: the value of client 0 plus the client's number.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct NumberField {
    pub offset: u32,
    pub base: u32,
}

/// A checksum field, and the contribution of a client's number.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Checksum {
    pub offset: u32,
    /// Sum of everything that it covers, for client 0.
    pub sum: u32,
    /// Number of covered fields at even offsets.
    pub even: u32,
    /// Number of covered fields at odd offsets.
    pub odd: u32,
}

impl Sample {
    /// Changes the frame into that of client `number`, without reading the rest of it. The low
    /// halves of all bases are zero, so no addition overflows.
    #[inline(always)]
    pub fn visit(&mut self, number: u32) {
        for field in self.fields {
            if field.offset == 0 {
                break;
            }
            let octets = (field.base + number).to_be_bytes();
            self.put(field.offset, octets);
        }
        let raw = number.to_be();
        let even = u64::from(raw & 0xffff) + u64::from(raw >> 16);
        let odd = checksum::at_odd_offset(even);
        for field in self.checksums {
            let added = u64::from(field.even) * even + u64::from(field.odd) * odd;
            // Never zero, which in a UDP header means "not computed".
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
