//! Checks that a request comes from the origin that the published answers are for.
//!
//! Some configurations choose by hardware address or by what a relay agent reports about the
//! client's port. The fingerprint covers neither, or each client would be a separate shape.
//! Instead, the binding names the hardware address or option 82 that it was published for.

use dhcp_common::{
    abi::{BINDING_CHECKS_HARDWARE, BINDING_CHECKS_RELAY_INFO, Binding, Meta},
    fingerprint::{self, KEY_WORDS, MAX_WORDS},
    outcome::Silence,
};

use crate::{
    ingress::Ingress,
    packet::{Options, Packet},
    parse,
    scratch::{OptionDigest, Scratch, Span},
    verifier::{Rounds, opaque, repeat},
};

/// Words in a round.
const STEPS: usize = 8;
/// Rounds for the longest option.
const MAX_ROUNDS: u32 = (fingerprint::words_of(u8::MAX as usize)).div_ceil(STEPS) as u32;

/// Compares the request's origin with the one that the binding was published for.
///
/// # Errors
/// The request has another origin.
#[inline(always)]
pub fn check(
    ingress: &Ingress<'_>,
    binding: &Binding,
    meta: &Meta,
    scratch: &mut Scratch,
) -> Result<(), Silence> {
    let key = &meta.fingerprint_key;
    if binding.flags & BINDING_CHECKS_HARDWARE != 0 {
        let bootp = &scratch.packet.head.bootp;
        let chaddr = bootp.chaddr_words();
        let found = fingerprint::of_hardware(bootp.htype, bootp.hlen, chaddr, key);
        if found != binding.hardware {
            return Err(Silence::OtherOrigin);
        }
    }
    if binding.flags & BINDING_CHECKS_RELAY_INFO != 0 {
        let relay_info = scratch.walk.relay_info;
        let counts =
            relay_info.is_present() && parse::is_relay_info_trusted(ingress.link, &scratch.packet);
        let found = if counts {
            digest(relay_info, key, scratch)
        } else if has_gone_past_the_relay(&scratch.packet) {
            return Ok(());
        } else {
            0
        };
        if found != binding.relay_info {
            return Err(Silence::OtherOrigin);
        }
    }
    Ok(())
}

/// Returns whether a client sent the request directly to the server's address, so that no relay
/// agent could add an option (RFC 2131 §4.3.2).
#[inline(always)]
fn has_gone_past_the_relay(packet: &Packet) -> bool {
    packet.head.bootp.giaddr.is_zero() && !packet.head.ip.is_broadcast()
}

/// Returns the digest of an option, as [`fingerprint::of_option`] does.
#[inline(always)]
fn digest(span: Span, key: &[u64; KEY_WORDS], scratch: &mut Scratch) -> u64 {
    scratch.digest = OptionDigest {
        offset: span.offset,
        left: span.len,
        ..OptionDigest::default()
    };
    repeat(
        MAX_ROUNDS,
        &mut DigestWalk {
            options: &scratch.packet.options,
            key,
            digest: &mut scratch.digest,
        },
    );
    scratch.digest.fingerprint.digest()
}

struct DigestWalk<'a> {
    options: &'a Options,
    key: &'a [u64; KEY_WORDS],
    digest: &'a mut OptionDigest,
}

impl Rounds for DigestWalk<'_> {
    #[inline(always)]
    fn round(&mut self) -> bool {
        const { assert!(MAX_WORDS.is_power_of_two()) };
        for _ in 0..STEPS {
            let digest = &mut *self.digest;
            if digest.left == 0 {
                return false;
            }
            let word = self.options.word(digest.offset, 0, digest.left);
            let at = opaque(digest.position) & (MAX_WORDS - 1);
            digest
                .fingerprint
                .mix(word, [self.key[at], self.key[at + 1]]);
            digest.offset += 8;
            digest.position += 1;
            digest.left = digest.left.saturating_sub(8);
        }
        true
    }
}
