//! The contract between the load generator of `cargo xtask load` (`xtask/load`) and the program that keeps its
//! state in the kernel (`xtask/load-ebpf`). The server has no part in it.
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

/// Words of the map `NEXT`.
pub mod word {
    /// Exchanges that were begun, or would have been beyond the limit.
    pub const NEXT: u32 = 0;
    /// When the first one was.
    pub const FIRST_NS: u32 = 1;
    /// Clients that were looked at, one after the other.
    pub const CURSOR: u32 = 2;
    /// Frames of a flood, those of clients among them.
    pub const FRAMES: u32 = 3;
    /// When the last answer came. Far from the others: another processor than theirs may write it.
    pub const LAST_NS: u32 = 32;
    pub const COUNT: u32 = 33;
}

/// The program that sends what is next, run over live frames.
pub const EMIT: &str = "emit";
/// The program at the clients' interface that takes up the answers.
pub const FOLLOW: &str = "follow";
/// The program at the other end, in a server's place, that sends every frame back.
pub const REFLECT: &str = "reflect";

/// Octets of the longest frame.
pub const FRAME_LEN: usize = 512;
/// Places for a client's number: source of the link header, `chaddr`, options 61 and 82.
pub const MAX_NUMBERS: usize = 4;
/// Places for its address: source of the IP header, and `ciaddr` or option 50.
pub const MAX_ADDRESSES: usize = 2;
/// What clients say, a template for each.
pub const ASKS: usize = 5;
pub const MAX_SHAPES: usize = 256;
/// As many as fit into a transaction id beside the number of the exchange.
pub const MAX_CLIENTS: u32 = 1 << 24;

/// What a client says; the number is its template's place among those of a shape.
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

/// A frame with gaps for what is each client's own. Offsets count from the frame's first octet; zero is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Template {
    /// Zero in the gaps and in both checksums.
    pub octets: [u8; FRAME_LEN],
    /// Sum of the IP header but for its gap, as [`checksum::sum`] has it, folded.
    pub ip_sum: u32,
    /// The same of the UDP datagram and its pseudo-header.
    pub udp_sum: u32,
    pub len: u16,
    /// Where the IP header begins.
    pub network: u16,
    pub xid: u16,
    /// Source of the link header, which no checksum covers.
    pub link_number: u16,
    /// The others, and how many of them lie at even and at odd offsets of the datagram.
    pub numbers: [u16; MAX_NUMBERS - 1],
    pub numbers_even: u16,
    pub numbers_odd: u16,
    /// Source of the IP header, which both checksums cover.
    pub source: u16,
    /// In the message.
    pub address: u16,
    /// One if that lies at an odd offset of the datagram.
    pub address_odd: u16,
}

/// What fills the gaps of a frame, as it lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    pub number: u32,
    pub xid: u32,
    pub address: u32,
}

impl Template {
    /// The checksum of the IP header, as it lies in memory.
    #[inline(always)]
    pub const fn ip_checksum(&self, own: Own) -> u16 {
        let mut sum = self.ip_sum as u64;
        if self.source != 0 {
            sum += halves(own.address);
        }
        checksum::finish(sum)
    }

    /// The checksum of the datagram, as it lies in memory.
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

/// What is to be done. User space writes it, the program reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Plan {
    /// The number of the first client.
    pub base: u32,
    /// The second octet of the clients' hardware addresses.
    pub tag: u32,
    /// What transaction ids are combined with by exclusive or.
    pub xid_mask: u32,
    pub clients: u32,
    pub shapes: u32,
    /// An [`Ask`]: how an exchange begins.
    pub begin: u32,
    /// Whether answers are followed by the next request.
    pub follow: u32,
    /// The server's identifier as it lies in memory; others are not followed.
    pub server: u32,
    /// Octets before the IP header.
    pub network_offset: u32,
    /// Whether [`REFLECT`] stands in the server's place: a request that comes back is its ACK.
    pub is_reflected: u32,
    /// Bogus DISCOVERs that [`EMIT`] sends after each exchange it begins: a flood. Their template comes after the
    /// clients', their numbers are drawn.
    pub bogus_each: u32,
    /// The second octet of the flood's hardware addresses. What is answered to others than these and the clients is
    /// for clients in user space.
    pub bogus_tag: u32,
    /// Network and mask, as they lie in memory, in which addresses may be.
    pub network: u32,
    pub mask: u32,
    /// Exchanges that may be begun, all in all.
    pub limit: u64,
    /// Nanoseconds from one begun by [`EMIT`] to the next, or in a flood from frame to frame; zero: as fast as it goes.
    pub interval_ns: u64,
    /// On the clock of `bpf_ktime_get_ns`.
    pub started_ns: u64,
    /// After which an answer is taken for lost.
    pub patience_ns: u64,
}

/// A client in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Client {
    /// As it lies in memory; zero: none.
    pub address: u32,
    /// A [`Wait`].
    pub waits: u32,
    pub began_ns: u64,
    /// When it sent what it waits for an answer to.
    pub asked_ns: u64,
}

/// What a client in the kernel waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Wait {
    Nothing = 0,
    Offer = 1,
    Ack = 2,
    Renewal = 3,
}

/// What the program counts.
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
    /// Answers that nobody waits for.
    Unexpected,
    /// Answers of another server, or without option 54.
    OtherServer,
    /// Addresses out of the range.
    Outside,
    /// Answers about another transaction, or to nobody of us.
    Strangers,
    /// Acknowledged to two clients.
    Duplicates,
    /// DISCOVERs of nobody.
    Bogus,
    /// What could not be written.
    Failed,
}

impl Count {
    pub const COUNT: usize = Self::Failed as usize + 1;
}

/// Which latency.
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

/// Buckets for each doubling are two to this power: a latency is known to 3 %.
const BUCKET_BITS: u32 = 5;
pub const BUCKETS: usize = 64 << BUCKET_BITS;

/// The bucket of a latency in nanoseconds.
#[inline(always)]
pub const fn bucket(ns: u64) -> usize {
    if ns < 1 << BUCKET_BITS {
        return ns as usize;
    }
    let shift = ns.ilog2() - BUCKET_BITS;
    let within = (ns >> shift) as usize & ((1 << BUCKET_BITS) - 1);
    ((shift as usize + 1) << BUCKET_BITS) | within
}

/// The middle of a bucket in nanoseconds.
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

    // SAFETY: integers only, without padding, as bytemuck has proved.
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
