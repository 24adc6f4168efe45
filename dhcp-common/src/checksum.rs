//! The Internet checksum (RFC 1071), in pieces that the fast path combines.
//!
//! Sums are over 16-bit words in memory order, so no octets are swapped, and stay unfolded in 64
//! bits until the end.

/// Sums octets; an odd last one is padded with zero.
pub fn sum(bytes: &[u8]) -> u64 {
    let mut total = 0u64;
    let mut pairs = bytes.chunks_exact(2);
    for pair in &mut pairs {
        total += u64::from(u16::from_ne_bytes([pair[0], pair[1]]));
    }
    if let [last] = pairs.remainder() {
        total += sum_octet(*last);
    }
    total
}

/// Folds a sum to 16 bits.
#[inline(always)]
pub const fn fold(mut sum: u64) -> u16 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// Converts the sum of a piece that begins at an odd offset of the message (RFC 1071 §2.B).
#[inline(always)]
pub const fn at_odd_offset(sum: u64) -> u64 {
    fold(sum).swap_bytes() as u64
}

/// Returns the sum of a single octet at an even offset.
#[inline(always)]
pub const fn sum_octet(octet: u8) -> u64 {
    u16::from_ne_bytes([octet, 0]) as u64
}

/// Returns the checksum field for a sum, in memory order.
#[inline(always)]
pub const fn finish(sum: u64) -> u16 {
    !fold(sum)
}

/// Returns the checksum field of UDP, where zero would mean "not computed" (RFC 768).
#[inline(always)]
pub const fn finish_udp(sum: u64) -> u16 {
    match finish(sum) {
        0 => 0xffff,
        field => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 §3.
    #[test]
    fn sums_as_rfc_1071_does() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&bytes)), 0xddf2u16.to_be());
    }

    #[test]
    fn a_message_may_be_summed_in_pieces_at_any_offset() {
        let message: [u8; 61] = core::array::from_fn(|i| (i * 37 + 11) as u8);
        let whole = fold(sum(&message));
        for split in 0..message.len() {
            let (head, tail) = message.split_at(split);
            let tail = if split % 2 == 1 {
                at_odd_offset(sum(tail))
            } else {
                sum(tail)
            };
            assert_eq!(fold(sum(head) + tail), whole, "split at {split}");
        }
    }

    #[test]
    fn folds_the_largest_sums() {
        assert_eq!(fold(u64::MAX), 0xffff);
        assert_eq!(fold(0), 0);
        assert_eq!(fold(0x1_0000), 1);
        assert_eq!(finish_udp(0xffff), 0xffff);
    }
}
