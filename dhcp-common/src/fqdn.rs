//! The client's name in option 81 (RFC 4702), as far as an answer depends on it.

/// Flags and both response codes, which precede the name (RFC 4702 §2).
pub const HEAD_LEN: usize = 3;

/// S: the client asks the server, or the server tells it, that the server updates its A record.
pub const SERVER_UPDATES: u8 = 1;
/// O: the server does otherwise than S asked for.
pub const OVERRIDDEN: u8 = 2;
/// E: the name is in the DNS's wire format, and not in ASCII.
pub const WIRE_FORMAT: u8 = 4;
/// N: no updates at all.
pub const NO_UPDATES: u8 = 8;

/// What precedes the name, which goes back as it came, in the answer of a server that never updates the DNS:
/// N set and S not, O where the client has asked for S, the encoding that the client has chosen, the
/// other bits zero (RFC 4702 §2.1), and what stands for no response code (§2.2).
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
