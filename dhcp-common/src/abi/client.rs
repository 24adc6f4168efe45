//! The identity of a client.

use crate::wire::HTYPE_ETHERNET;

/// Octets of client identifier or hardware address that a key holds.
pub const MAX_CLIENT_ID: usize = 32;
const CLIENT_ID_WORDS: usize = MAX_CLIENT_ID / 8;

/// The kind of a client's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Identity {
    /// `htype` and `chaddr` (RFC 2131 §4.2).
    Hardware = 1,
    /// Option 61 as sent, up to [`MAX_CLIENT_ID`] octets.
    ClientId = 2,
    /// SHA-256 of a longer option 61. The program never forms such a key.
    ClientIdDigest = 3,
}

/// Key of `LEASES`: a client on a network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct ClientKey {
    /// Network, [`Identity`], `htype` and length, so keys of different kinds are never equal.
    scope: u64,
    /// The identifier's octets, the rest zero. Words, because the program copies those faster.
    id: [u64; CLIENT_ID_WORDS],
}

impl ClientKey {
    /// Makes a key of words of little-endian octets, of which `len` are in use and all others are
    /// zero.
    #[inline(always)]
    pub const fn from_words(
        network: u32,
        identity: Identity,
        htype: u8,
        len: u8,
        id: [u64; CLIENT_ID_WORDS],
    ) -> Self {
        Self {
            scope: network as u64
                | (identity as u64) << 32
                | (htype as u64) << 40
                | (len as u64) << 48,
            id,
        }
    }

    /// Returns the key of a client without client identifier, or `None` if `chaddr` is longer than
    /// a key.
    pub fn hardware(network: u32, htype: u8, chaddr: &[u8]) -> Option<Self> {
        Self::from_bytes(network, Identity::Hardware, htype, chaddr)
    }

    /// Returns the key of a client with option 61, or `None` if the value is longer than a key.
    pub fn client_id(network: u32, id: &[u8]) -> Option<Self> {
        Self::from_bytes(network, Identity::ClientId, 0, id)
    }

    /// Returns the key of a client whose option 61 is longer than a key, from its SHA-256.
    pub fn client_id_digest(network: u32, digest: [u8; 32]) -> Self {
        Self::from_bytes(network, Identity::ClientIdDigest, 0, &digest)
            .unwrap_or_else(|| unreachable!("a digest has the length of a key"))
    }

    fn from_bytes(network: u32, identity: Identity, htype: u8, bytes: &[u8]) -> Option<Self> {
        let id = words(bytes)?;
        Some(Self::from_words(
            network,
            identity,
            htype,
            bytes.len() as u8,
            id,
        ))
    }

    /// Returns everything except the identifier, the inverse of [`ClientKey::from_scope`].
    #[inline(always)]
    pub const fn scope(&self) -> u64 {
        self.scope
    }

    /// Reassembles a key. Returns `None` if the identifier does not have the length in the scope.
    pub fn from_scope(scope: u64, id: &[u8]) -> Option<Self> {
        if id.len() != usize::from((scope >> 48) as u8) {
            return None;
        }
        let id = words(id)?;
        Some(Self { scope, id })
    }

    /// Returns the same identity on another network.
    pub const fn on(self, network: u32) -> Self {
        Self {
            scope: self.scope & !(u32::MAX as u64) | network as u64,
            id: self.id,
        }
    }

    /// Returns the network.
    pub const fn network(&self) -> u32 {
        self.scope as u32
    }

    /// Returns the identifier's octets in little-endian words, the rest zero.
    #[inline(always)]
    pub const fn id_words(&self) -> [u64; CLIENT_ID_WORDS] {
        self.id
    }

    /// Returns the kind of identity.
    pub const fn identity(&self) -> Identity {
        match (self.scope >> 32) as u8 {
            1 => Identity::Hardware,
            2 => Identity::ClientId,
            _ => Identity::ClientIdDigest,
        }
    }

    /// Returns `htype` of a hardware address, or zero.
    pub const fn htype(&self) -> u8 {
        (self.scope >> 40) as u8
    }

    /// Returns the number of octets of the identifier.
    #[inline(always)]
    pub(super) const fn id_len(&self) -> u8 {
        (self.scope >> 48) as u8
    }

    /// Returns the identifier: an array, and how many of its octets count.
    pub fn id(&self) -> ([u8; MAX_CLIENT_ID], usize) {
        let mut octets = [0; MAX_CLIENT_ID];
        for (chunk, word) in octets.chunks_exact_mut(8).zip(self.id) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let len = usize::from(self.id_len());
        (octets, len.min(MAX_CLIENT_ID))
    }

    /// Returns the key as stored on disk, the inverse of [`ClientKey::from_octets`].
    pub fn to_octets(&self) -> [u8; size_of::<Self>()] {
        let mut octets = [0; size_of::<Self>()];
        octets[..8].copy_from_slice(&self.scope.to_le_bytes());
        octets[8..].copy_from_slice(&self.id().0);
        octets
    }

    /// Reads a key as stored on disk. Returns `None` for octets that [`ClientKey::to_octets`] never
    /// returns.
    pub fn from_octets(octets: &[u8; size_of::<Self>()]) -> Option<Self> {
        let (scope, id) = octets.split_first_chunk::<8>()?;
        let [network @ .., _, _, _, _] = *scope;
        let (identity, htype, len) = (scope[4], scope[5], scope[6]);
        let identity = match identity {
            1 => Identity::Hardware,
            2 => Identity::ClientId,
            3 => Identity::ClientIdDigest,
            _ => return None,
        };
        let id = id.get(..usize::from(len))?;
        let key = Self::from_bytes(u32::from_le_bytes(network), identity, htype, id)?;
        (key.to_octets() == *octets).then_some(key)
    }
}

/// Returns octets in little-endian words, the rest zero, or `None` if there are too many.
fn words(octets: &[u8]) -> Option<[u64; CLIENT_ID_WORDS]> {
    if octets.len() > MAX_CLIENT_ID {
        return None;
    }
    let mut words = [0; CLIENT_ID_WORDS];
    for (word, chunk) in words.iter_mut().zip(octets.chunks(8)) {
        let mut octets = [0; 8];
        octets[..chunk.len()].copy_from_slice(chunk);
        *word = u64::from_le_bytes(octets);
    }
    Some(words)
}

impl core::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (id, len) = self.id();
        write!(f, "ClientKey({}/{:?}/", self.network(), self.identity())?;
        if self.identity() == Identity::Hardware && self.htype() != HTYPE_ETHERNET {
            write!(f, "htype {}/", self.htype())?;
        }
        for octet in &id[..len] {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ClientKey {
        ClientKey::client_id(7, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap()
    }

    #[test]
    fn c014_c015_m04_m06_keys_of_different_clients_differ() {
        let mac = [2, 0, 0, 0, 0, 1];
        let mut with_type = [1u8; 7];
        with_type[1..].copy_from_slice(&mac);
        let keys = [
            ClientKey::hardware(1, 1, &mac).unwrap(),
            ClientKey::hardware(2, 1, &mac).unwrap(),
            ClientKey::hardware(1, 6, &mac).unwrap(),
            ClientKey::hardware(1, 1, &[2, 0, 0, 0, 0, 1, 0]).unwrap(),
            ClientKey::client_id(1, &mac).unwrap(),
            ClientKey::client_id(1, &with_type).unwrap(),
            ClientKey::client_id_digest(1, [7; 32]),
            ClientKey::client_id(1, &[7; 32]).unwrap(),
        ];
        for (i, a) in keys.iter().enumerate() {
            for (j, b) in keys.iter().enumerate() {
                assert_eq!(a == b, i == j, "{a:?} {b:?}");
            }
            assert_eq!(ClientKey::from_octets(&a.to_octets()), Some(*a));
            let (id, len) = a.id();
            assert_eq!(ClientKey::from_scope(a.scope(), &id[..len]), Some(*a));
            assert_eq!(ClientKey::from_scope(a.scope(), &id[1..len]), None);
        }
        assert_eq!(ClientKey::client_id(1, &[0; 33]), None);
    }

    #[test]
    fn octets_that_are_no_key_are_refused() {
        let good = key().to_octets();
        for (index, value) in [(4, 0), (4, 4), (6, 33), (6, 3), (7, 1), (39, 1)] {
            let mut bad = good;
            bad[index] = value;
            assert_eq!(ClientKey::from_octets(&bad), None, "octet {index}");
        }
    }
}
