//! The keyed digest by which `LEASES` finds a client.

use super::client::ClientKey;
use crate::fingerprint::{Fingerprint, KEY_WORDS};

/// A client's key, hashed with the key of the fingerprints. Two clients have the same digest with a
/// probability of about 2^-62, see [`crate::fingerprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientDigest {
    lanes: [u64; 2],
}

impl ClientDigest {
    /// Hashes a client's key.
    #[inline(always)]
    pub fn new(client: &ClientKey, key: &[u64; KEY_WORDS]) -> Self {
        let id = client.id_words();
        let mut fingerprint = Fingerprint::default();
        fingerprint.mix(client.scope(), [key[0], key[1]]);
        fingerprint.mix(id[0], [key[1], key[2]]);
        // Most clients are known by so few octets that the other words are zero.
        if client.id_len() > 8 {
            fingerprint.mix(id[1], [key[2], key[3]]);
            fingerprint.mix(id[2], [key[3], key[4]]);
            fingerprint.mix(id[3], [key[4], key[5]]);
        }
        Self {
            lanes: fingerprint.finish(),
        }
    }

    pub(super) const fn lanes(self) -> [u64; 2] {
        self.lanes
    }
}
