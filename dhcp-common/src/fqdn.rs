//! The fixed part of option 81, the client's name (RFC 4702).

/// Octets of the flags and both response codes, which precede the name (RFC 4702 §2).
pub const HEAD_LEN: usize = 3;

/// S: the client requests, or the server confirms, that the server updates the A record.
pub const SERVER_UPDATES: u8 = 1;
/// O: the server overrides the client's S.
pub const OVERRIDDEN: u8 = 2;
/// E: the name is in the wire format of the DNS, not in ASCII.
pub const WIRE_FORMAT: u8 = 4;
/// N: the server performs no updates.
pub const NO_UPDATES: u8 = 8;

/// Returns the fixed part in the answer of a server that never updates the DNS: N is set and S is
/// not, O is set where the client has set S, E is the client's, the other bits are zero (RFC 4702
/// §2.1), and both response codes have the value for none (§2.2). The name is returned as it was
/// sent.
#[inline(always)]
pub const fn answer(flags: u8) -> [u8; HEAD_LEN] {
    const NO_RCODE: u8 = 255;
    let overridden = if flags & SERVER_UPDATES == 0 {
        0
    } else {
        OVERRIDDEN
    };
    let answer = NO_UPDATES | overridden | flags & WIRE_FORMAT;
    [answer, NO_RCODE, NO_RCODE]
}
