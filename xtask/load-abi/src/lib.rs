//! The contract between the load generator of `cargo xtask load` (`xtask/load`) and its program in
//! the kernel (`xtask/load-ebpf`), which the server does not share.
#![no_std]

use bytemuck::{Pod, Zeroable};
use dhcp_common::checksum;

/// Names of the maps.
pub mod map {
    pub const PLAN: &str = "PLAN";
    pub const TEMPLATES: &str = "TEMPLATES";
    pub const CLIENTS: &str = "CLIENTS";
    pub const HOLDERS: &str = "HOLDERS";
    pub const NEXT: &str = "NEXT";
    pub const COUNTS: &str = "COUNTS";
    pub const LATENCIES: &str = "LATENCIES";
}

/// Indices of the map `NEXT`.
pub mod word {
    /// Exchanges begun, including those that the limit prevented.
    pub const NEXT: u32 = 0;
    /// Time of the first exchange.
    pub const FIRST_NS: u32 = 1;
    /// Clients examined so far, in turn.
    pub const CURSOR: u32 = 2;
    /// Frames sent in a flood, including those of clients.
    pub const FRAMES: u32 = 3;
    /// Time of the last answer. Stored apart from the others because another processor may write
    /// it.
    pub const LAST_NS: u32 = 32;
    pub const COUNT: u32 = 33;
}

/// The program that sends the next request, run over live frames.
pub const EMIT: &str = "emit";
/// The program at the clients' interface that handles answers.
pub const FOLLOW: &str = "follow";
/// The program in place of a server that sends every frame back.
pub const REFLECT: &str = "reflect";

/// Octets of the longest frame.
pub const FRAME_LEN: usize = 512;
/// Positions of a client's number: source of the link header, `chaddr`, options 61 and 82.
pub const MAX_NUMBERS: usize = 4;
/// Positions of a client's address: source of the IP header, and `ciaddr` or option 50.
pub const MAX_ADDRESSES: usize = 2;
/// Kinds of requests, each with a template.
pub const ASKS: usize = 5;
pub const MAX_SHAPES: usize = 256;
/// Limit of the client number, which shares a transaction id with the number of the exchange.
pub const MAX_CLIENTS: u32 = 1 << 24;

/// A kind of request. The number is the position of its template among those of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Ask {
    Discover = 0,
    /// REQUEST in SELECTING.
    Select = 1,
    /// REQUEST in RENEWING, or through a relay agent in REBINDING.
    Renew = 2,
    Release = 3,
    Decline = 4,
}

impl Ask {
    pub const ALL: [Self; ASKS] = [
        Self::Discover,
        Self::Select,
        Self::Renew,
        Self::Release,
        Self::Decline,
    ];
}

/// A frame with gaps for what differs between clients. Offsets count from the first octet of the
/// frame; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Template {
    /// Zero in the gaps and in both checksums.
    pub octets: [u8; FRAME_LEN],
    /// Folded sum of the IP header without the gap, as returned by [`checksum::sum`].
    pub ip_sum: u32,
    /// Folded sum of the UDP datagram and its pseudo-header.
    pub udp_sum: u32,
    pub len: u16,
    /// Offset of the IP header.
    pub network: u16,
    pub xid: u16,
    /// Offset of the number in the source of the link header, which no checksum covers.
    pub link_number: u16,
    /// Offsets of the other numbers, and how many are at even and at odd offsets of the datagram.
    pub numbers: [u16; MAX_NUMBERS - 1],
    pub numbers_even: u16,
    pub numbers_odd: u16,
    /// Offset of the source of the IP header, which both checksums cover.
    pub source: u16,
    /// Offset of the address in the message.
    pub address: u16,
    /// One if `address` is at an odd offset of the datagram.
    pub address_odd: u16,
}

/// The values that fill the gaps of a frame, as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    pub number: u32,
    pub xid: u32,
    pub address: u32,
}

impl Template {
    /// Returns the checksum of the IP header, as it lies in memory.
    #[inline(always)]
    pub const fn ip_checksum(&self, own: Own) -> u16 {
        let mut sum = self.ip_sum as u64;
        if self.source != 0 {
            sum += halves(own.address);
        }
        checksum::finish(sum)
    }

    /// Returns the checksum of the datagram, as it lies in memory.
    #[inline(always)]
    pub const fn udp_checksum(&self, own: Own) -> u16 {
        let number = halves(own.number);
        let mut sum = self.udp_sum as u64
            + halves(own.xid)
            + number * self.numbers_even as u64
            + checksum::at_odd_offset(number) * self.numbers_odd as u64;
        let address = halves(own.address);
        if self.source != 0 {
            sum += address;
        }
        if self.address != 0 {
            sum += if self.address_odd == 0 {
                address
            } else {
                checksum::at_odd_offset(address)
            };
        }
        checksum::finish_udp(sum)
    }
}

#[inline(always)]
const fn halves(word: u32) -> u64 {
    (word & 0xffff) as u64 + (word >> 16) as u64
}

/// Parameters of a run, written by user space and read by the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Plan {
    /// Number of the first client.
    pub base: u32,
    /// Second octet of the clients' hardware addresses.
    pub tag: u32,
    /// Value that transaction ids are combined with by exclusive or.
    pub xid_mask: u32,
    pub clients: u32,
    pub shapes: u32,
    /// First request of an exchange, an [`Ask`].
    pub begin: u32,
    /// Whether an answer triggers the next request.
    pub follow: u32,
    /// The server's identifier as it lies in memory. Answers of other servers are ignored.
    pub server: u32,
    /// Octets before the IP header.
    pub network_offset: u32,
    /// Whether [`REFLECT`] takes the place of the server: a request that returns counts as its ACK.
    pub is_reflected: u32,
    /// Bogus DISCOVERs that [`EMIT`] sends after each exchange that it begins, in a flood. Their
    /// template follows those of the clients, and their numbers are random.
    pub bogus_each: u32,
    /// Second octet of the flood's hardware addresses. Answers to clients outside of both ranges
    /// are left to clients in user space.
    pub bogus_tag: u32,
    /// Network and mask of acceptable addresses, as they lie in memory.
    pub network: u32,
    pub mask: u32,
    /// Total number of exchanges.
    pub limit: u64,
    /// Nanoseconds between exchanges begun by [`EMIT`], or between frames of a flood; zero for the
    /// highest rate.
    pub interval_ns: u64,
    /// Start time on the clock of `bpf_ktime_get_ns`.
    pub started_ns: u64,
    /// Time after which an answer is considered lost.
    pub patience_ns: u64,
}

/// The state of a client in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Client {
    /// The address as it lies in memory; zero for none.
    pub address: u32,
    /// The answer that the client waits for, a [`Wait`].
    pub waits: u32,
    pub began_ns: u64,
    /// When the client sent the request whose answer it waits for.
    pub asked_ns: u64,
}

/// The answer that a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Wait {
    Nothing = 0,
    Offer = 1,
    Ack = 2,
    Renewal = 3,
}

/// A counter of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Count {
    Discovers = 0,
    Selections,
    Renewals,
    Offers,
    Acks,
    Naks,
    /// Exchanges that ended with an ACK.
    Completed,
    /// Answers that no client waits for.
    Unexpected,
    /// Answers of another server, or without option 54.
    OtherServer,
    /// Addresses outside the range.
    Outside,
    /// Answers to another transaction or to unknown clients.
    Strangers,
    /// Addresses acknowledged to two clients.
    Duplicates,
    /// DISCOVERs of the flood.
    Bogus,
    /// Frames that could not be written.
    Failed,
}

impl Count {
    pub const COUNT: usize = Self::Failed as usize + 1;
}

/// A measured latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    Offer = 0,
    Ack = 1,
    Lease = 2,
    Renewal = 3,
}

impl Stage {
    pub const COUNT: usize = Self::Renewal as usize + 1;
    pub const ALL: [Self; Self::COUNT] = [Self::Offer, Self::Ack, Self::Lease, Self::Renewal];
}

/// Base-2 logarithm of the buckets for each doubling; latencies are accurate to 3 %.
const BUCKET_BITS: u32 = 5;
pub const BUCKETS: usize = 64 << BUCKET_BITS;

/// Returns the bucket of a latency in nanoseconds.
#[inline(always)]
pub const fn bucket(ns: u64) -> usize {
    if ns < 1 << BUCKET_BITS {
        return ns as usize;
    }
    let shift = ns.ilog2() - BUCKET_BITS;
    let within = (ns >> shift) as usize & ((1 << BUCKET_BITS) - 1);
    ((shift as usize + 1) << BUCKET_BITS) | within
}

/// Returns the middle of a bucket in nanoseconds.
pub const fn bucket_ns(bucket: usize) -> u64 {
    let octave = bucket >> BUCKET_BITS;
    let within = (bucket & ((1 << BUCKET_BITS) - 1)) as u64;
    if octave == 0 {
        return within;
    }
    let shift = octave as u32 - 1;
    let low = ((1 << BUCKET_BITS) | within) << shift;
    low + ((1 << shift) >> 1)
}

#[cfg(feature = "user")]
mod user {
    use super::{Client, Plan, Template};

    // SAFETY: integers without padding, as bytemuck checks.
    unsafe impl aya::Pod for Template {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Plan {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Client {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_within_three_percent_of_what_is_in_it() {
        let mut last = 0;
        for ns in (0..1000).chain((10..40).flat_map(|bits| [(1 << bits) - 1, 1 << bits, 3 << bits]))
        {
            let bucket = bucket(ns);
            assert!(bucket < BUCKETS);
            assert!(ns < 1000 || bucket > 0);
            let middle = bucket_ns(bucket);
            assert!(
                middle.abs_diff(ns) * 32 <= ns.max(32),
                "{ns} became {middle}"
            );
            last = last.max(bucket);
        }
        assert!(last > 32 * 30);
    }
}
