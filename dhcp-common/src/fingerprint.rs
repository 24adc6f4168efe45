//! A keyed fingerprint of everything in a request that can change the options of its answer.
//!
//! The fast path replays a rendered answer for a shape of request that the controller has answered
//! before; the fingerprint identifies the shape. It covers every option as sent (code, length and
//! value, in order), except those that change no option of the answer, see [`is_covered`].
//!
//! The function is NH (RFC 4418 §5.2) over 64-bit words, run twice with the key shifted by a word
//! as in §5.2.2. The key is added to a whole word and not to each of its halves, which saves half
//! of the instructions and doubles the probability of a collision: for two different inputs chosen
//! without knowledge of the key both halves of the fingerprint agree with a probability of about
//! 2^-62. The key is drawn when the maps are created and stored in them.

use crate::wire::option;

/// Words of the longest input; a request that has more goes to the controller.
pub const MAX_WORDS: usize = 64;

/// Words of the key: one for each position, and one more for the shifted second lane.
pub const KEY_WORDS: usize = MAX_WORDS + 1;

/// Returns whether an option is part of the fingerprint.
///
/// Those left out identify the client, its address or its path to the server. The controller's
/// answer has nothing derived from them, except options that the fast path echoes itself. Option 97
/// identifies the machine, but only the controller returns it: it is covered, so such a request has
/// no template.
#[inline(always)]
pub const fn is_covered(code: u8) -> bool {
    !matches!(
        code,
        option::PAD
            | option::HOST_NAME
            | option::REQUESTED_ADDRESS
            | option::MESSAGE_TYPE
            | option::SERVER_ID
            | option::CLIENT_ID
            | option::FQDN
            | option::RELAY_INFO
            | option::END
    )
}

/// Returns the words of an option with `len` octets of value: code, length and value, padded with
/// zeros.
#[inline(always)]
pub const fn words_of(len: usize) -> usize {
    (len + 2).div_ceil(8)
}

/// A fingerprint that is being computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    lanes: [u64; 2],
}

impl Fingerprint {
    /// Mixes in one word with the two key words of its position.
    #[inline(always)]
    pub fn mix(&mut self, word: u64, key: [u64; 2]) {
        self.lanes[0] = self.lanes[0].wrapping_add(product(word, key[0]));
        self.lanes[1] = self.lanes[1].wrapping_add(product(word, key[1]));
    }

    /// Returns the fingerprint.
    #[inline(always)]
    pub fn finish(self) -> [u64; 2] {
        self.lanes
    }

    /// Returns half of the fingerprint, never zero. Two inputs chosen without knowledge of the key
    /// agree with a probability of about 2^-32, which is enough here: on a collision a client keeps
    /// the answers of its former place for a while.
    #[inline(always)]
    pub fn digest(self) -> u64 {
        self.lanes[0] | 1
    }
}

#[inline(always)]
fn product(word: u64, key: u64) -> u64 {
    let sum = word.wrapping_add(key);
    (sum & 0xffff_ffff) * (sum >> 32)
}

/// Returns a digest of an option that a request has once; never zero. It equals the
/// [`Fingerprint::digest`] that the fast path computes.
pub fn of_option(code: u8, value: &[u8], key: &[u64; KEY_WORDS]) -> u64 {
    // A longer value comes in parts (RFC 3396), which the fast path leaves to the controller.
    let value = value.get(..u8::MAX.into()).unwrap_or(value);
    let mut octets = [0; 8 * words_of(u8::MAX as usize)];
    octets[0] = code;
    octets[1] = value.len() as u8;
    octets[2..2 + value.len()].copy_from_slice(value);
    let (words, _) = octets.as_chunks();
    let mut fingerprint = Fingerprint::default();
    let words = words.iter().take(words_of(value.len()));
    for (word, keys) in words.zip(key.windows(2)) {
        fingerprint.mix(u64::from_le_bytes(*word), [keys[0], keys[1]]);
    }
    fingerprint.digest()
}

/// Returns a digest of a hardware address: `htype`, `hlen`, and the octets of `chaddr` in use, in
/// little-endian order.
#[inline(always)]
pub fn of_hardware(htype: u8, hlen: u8, chaddr: [u64; 2], key: &[u64; KEY_WORDS]) -> u32 {
    let mut fingerprint = Fingerprint::default();
    fingerprint.mix(chaddr[0], [key[0], key[1]]);
    fingerprint.mix(chaddr[1], [key[1], key[2]]);
    let kind = u64::from(htype) | u64::from(hlen) << 8;
    fingerprint.mix(kind, [key[2], key[3]]);
    let digest = fingerprint.digest();
    (digest ^ digest >> 32) as u32
}

/// Returns the fingerprint of a whole options field, or `None` if it is longer than [`MAX_WORDS`]
/// or its last option extends beyond its end. END may be missing. It equals the fingerprint that
/// the fast path's walk computes.
pub fn of_options(mut options: &[u8], key: &[u64; KEY_WORDS]) -> Option<[u64; 2]> {
    let mut fingerprint = Fingerprint::default();
    let mut position = 0;
    loop {
        match *options {
            [option::PAD, ref rest @ ..] => options = rest,
            [] | [option::END, ..] => return Some(fingerprint.finish()),
            [code, len, ..] => {
                let (whole, rest) = options.split_at_checked(usize::from(len) + 2)?;
                if is_covered(code) {
                    for chunk in whole.chunks(8) {
                        let mut word = [0; 8];
                        word[..chunk.len()].copy_from_slice(chunk);
                        let keys = [*key.get(position)?, *key.get(position + 1)?];
                        fingerprint.mix(u64::from_le_bytes(word), keys);
                        position += 1;
                    }
                }
                options = rest;
            }
            [_] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> [u64; KEY_WORDS] {
        core::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[test]
    fn covers_what_changes_the_answer_and_nothing_else() {
        let base = of_options(&[53, 1, 1, 55, 2, 1, 3, 255], &key()).unwrap();
        let same = [
            &[53, 1, 3, 55, 2, 1, 3, 255][..],
            &[0, 53, 1, 1, 0, 55, 2, 1, 3, 0, 255, 9, 9],
            &[53, 1, 1, 50, 4, 10, 0, 0, 1, 55, 2, 1, 3, 12, 1, 65, 255],
            &[61, 2, 1, 2, 55, 2, 1, 3, 82, 3, 1, 1, 7, 255],
        ];
        for options in same {
            assert_eq!(of_options(options, &key()), Some(base), "{options:?}");
        }
        let different = [
            &[53, 1, 1, 55, 2, 3, 1, 255][..],
            &[53, 1, 1, 55, 3, 1, 3, 0, 255],
            &[53, 1, 1, 55, 2, 1, 3, 60, 1, 65, 255],
            &[53, 1, 1, 55, 2, 1, 3, 97, 1, 0, 255],
            &[53, 1, 1, 255],
        ];
        for options in different {
            assert_ne!(of_options(options, &key()), Some(base), "{options:?}");
        }
    }

    #[test]
    fn m27_a_digest_tells_options_and_hardware_addresses_apart() {
        fn all_differ(digests: &[u64]) {
            for (i, digest) in digests.iter().enumerate() {
                assert_ne!(*digest, 0);
                assert!(!digests[..i].contains(digest), "{i}");
            }
        }
        let octets: [u8; 40] = core::array::from_fn(|i| i as u8);
        let of_option = |value: &[u8]| of_option(82, value, &key());
        all_differ(&core::array::from_fn::<_, 41, _>(|len| {
            of_option(&octets[..len])
        }));
        all_differ(&[
            of_option(&[0; 7]),
            of_option(&octets[..7]),
            of_option(&[1; 7]),
        ]);
        let of_hardware = |htype, hlen, chaddr| of_hardware(htype, hlen, chaddr, &key()).into();
        all_differ(&[
            of_hardware(1, 6, [1, 0]),
            of_hardware(6, 6, [1, 0]),
            of_hardware(1, 7, [1, 0]),
            of_hardware(1, 16, [1, 1]),
            of_hardware(1, 6, [2, 0]),
        ]);
    }

    #[test]
    fn refuses_what_is_not_whole() {
        assert_eq!(of_options(&[53, 9, 1, 255], &key()), None);
        assert_eq!(of_options(&[53], &key()), None);
    }

    #[test]
    fn end_may_be_missing() {
        let ended = of_options(&[55, 1, 1, option::END], &key());
        assert_eq!(of_options(&[55, 1, 1], &key()), ended);
    }

    #[test]
    fn refuses_more_than_the_bound() {
        // 257 octets are 33 words, 247 are 31, 249 are 32.
        for (second, fits) in [(245, true), (247, false)] {
            let mut options = [0u8; 600];
            options[0] = 43;
            options[1] = 255;
            options[257] = 60;
            options[258] = second;
            options[259 + usize::from(second)] = option::END;
            assert_eq!(of_options(&options, &key()).is_some(), fits, "{second}");
        }
    }
}
