//! The maps that the XDP program and the controller share.
//!
//! Layouts are `repr(C)` without padding and asserted below. A change to any of them, or to the
//! meaning of a field, raises [`ABI_VERSION`]: the loader refuses to adopt maps of another version.
//!
//! Times are nanoseconds of `CLOCK_BOOTTIME`; [`FOREVER_NS`] never comes.

use crate::{
    fingerprint,
    wire::{Be32, HTYPE_ETHERNET},
};

/// Version of everything in this module.
pub const ABI_VERSION: u32 = 2;

/// Names of the maps, and of their pins.
pub mod map {
    pub const META: &str = "META";
    pub const LEASES: &str = "LEASES";
    pub const GRANTS: &str = "GRANTS";
    pub const TEMPLATE_INDEX: &str = "TEMPLATE_INDEX";
    pub const TEMPLATES: &str = "TEMPLATES";
    pub const LINKS: &str = "LINKS";
    pub const RELAYS: &str = "RELAYS";
    pub const LIMITS: &str = "LIMITS";
    pub const OUTCOMES: &str = "OUTCOMES";
    pub const EVENTS: &str = "EVENTS";
    pub const SLOW: &str = "SLOW";

    /// All that are pinned and adopted.
    pub const ALL: [&str; 11] = [
        META,
        LEASES,
        GRANTS,
        TEMPLATE_INDEX,
        TEMPLATES,
        LINKS,
        RELAYS,
        LIMITS,
        OUTCOMES,
        EVENTS,
        SLOW,
    ];
}

/// The program's name in the object.
pub const PROGRAM: &str = "xdhcpd";

/// Leases that a map holds unless the controller asks for another number when it makes the map.
pub const DEFAULT_LEASES: u32 = 1 << 17;
pub const MAX_TEMPLATES: u32 = 4096;
/// Elements of `TEMPLATES`: the first one is not used.
pub const TEMPLATE_ELEMENTS: u32 = 1 + MAX_TEMPLATES;
/// Elements of `TEMPLATE_INDEX`: a power of two, and so many that there is nearly always a free one in the
/// [`TEMPLATE_WAYS`] where a key may stand.
pub const TEMPLATE_CELLS: u32 = 4 * MAX_TEMPLATES;
pub const TEMPLATE_WAYS: u32 = 4;
pub const MAX_LINKS: u32 = 4096;
/// Subnets that one controller serves.
pub const MAX_SUBNETS: u32 = 1 << 14;
/// Prefixes of subnets, and addresses of ours.
pub const MAX_RELAYS: u32 = 1 << 16;
pub const MAX_LIMITS: u32 = 65536;
/// Octets of the ring that carries events.
pub const EVENTS_BYTES: u32 = 1 << 20;
/// Receive queues of one interface that the slow path serves.
pub const MAX_QUEUES: u32 = 64;
/// Interfaces that one controller serves.
pub const MAX_INTERFACES: u32 = 64;
pub const MAX_SLOW_SOCKETS: u32 = MAX_QUEUES * MAX_INTERFACES;
/// Addresses of ours on one link.
pub const MAX_LINK_ADDRESSES: usize = 8;

/// A time that never comes: an infinite lease (RFC 2131 §3.3).
pub const FOREVER_NS: u64 = u64::MAX;
pub const NS_PER_SEC: u64 = 1_000_000_000;

/// Index of the one entry of `META`.
pub const META_INDEX: u32 = 0;

/// In [`Meta::flags`]: the program answers nothing and hands every request to the controller.
pub const META_SLOW_ONLY: u32 = 1;

/// The one entry of `META`: what holds for all maps beside it. Written by the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Meta {
    /// [`ABI_VERSION`] of whoever made the maps.
    pub abi_version: u32,
    /// See the `META_*` constants.
    pub flags: u32,
    /// Key of the fingerprints in `TEMPLATES`, drawn when the maps were made.
    pub fingerprint_key: [u64; fingerprint::KEY_WORDS],
    /// What one client may send to the controller.
    pub client_limit: Limit,
    /// What one relay agent may send to the controller.
    pub relay_limit: Limit,
}

/// A token bucket in the form of GCRA (ITU-T I.371): one packet every `interval_ns`, and up to
/// `burst_ns` of them saved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Limit {
    pub interval_ns: u64,
    pub burst_ns: u64,
}

impl Limit {
    pub const fn per_second(packets: u32, burst: u32) -> Self {
        let interval_ns = NS_PER_SEC / if packets == 0 { 1 } else { packets as u64 };
        Self {
            interval_ns,
            burst_ns: interval_ns * burst as u64,
        }
    }

    /// The bucket after one more packet at `now_ns`, or `None` if it holds no token.
    #[inline(always)]
    pub const fn admit(&self, bucket: u64, now_ns: u64) -> Option<u64> {
        let arrival = if bucket > now_ns { bucket } else { now_ns };
        if arrival - now_ns > self.burst_ns {
            return None;
        }
        Some(arrival.wrapping_add(self.interval_ns))
    }
}

/// Octets of client identifier or hardware address that a key holds.
pub const MAX_CLIENT_ID: usize = 32;
const CLIENT_ID_WORDS: usize = MAX_CLIENT_ID / 8;

/// What a client is known by.
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
    /// Network, [`Identity`], `htype` and length, so that keys of different kinds never meet.
    scope: u64,
    /// The identifier's octets, the rest zero. Words, so that the program copies no single octets.
    id: [u64; CLIENT_ID_WORDS],
}

impl ClientKey {
    /// A key over words of little-endian octets, of which `len` are in use and all others are zero.
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

    /// The key of a client without client identifier. `None` where `chaddr` is longer than a key.
    pub fn hardware(network: u32, htype: u8, chaddr: &[u8]) -> Option<Self> {
        Self::from_bytes(network, Identity::Hardware, htype, chaddr)
    }

    /// The key of a client with option 61. `None` where the value is longer than a key.
    pub fn client_id(network: u32, id: &[u8]) -> Option<Self> {
        Self::from_bytes(network, Identity::ClientId, 0, id)
    }

    /// The key of a client whose option 61 is longer than a key, from its SHA-256.
    pub fn client_id_digest(network: u32, digest: [u8; 32]) -> Self {
        Self::from_bytes(network, Identity::ClientIdDigest, 0, &digest)
            .unwrap_or_else(|| unreachable!("a digest has the length of a key"))
    }

    fn from_bytes(network: u32, identity: Identity, htype: u8, bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_CLIENT_ID {
            return None;
        }
        let mut id = [0; CLIENT_ID_WORDS];
        for (word, chunk) in id.iter_mut().zip(bytes.chunks(8)) {
            let mut octets = [0; 8];
            octets[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(octets);
        }
        Some(Self::from_words(
            network,
            identity,
            htype,
            bytes.len() as u8,
            id,
        ))
    }

    pub const fn network(&self) -> u32 {
        self.scope as u32
    }

    /// The identifier's octets in little-endian words, the rest zero.
    #[inline(always)]
    pub const fn id_words(&self) -> [u64; CLIENT_ID_WORDS] {
        self.id
    }

    pub const fn identity(&self) -> Identity {
        match (self.scope >> 32) as u8 {
            1 => Identity::Hardware,
            2 => Identity::ClientId,
            _ => Identity::ClientIdDigest,
        }
    }

    pub const fn htype(&self) -> u8 {
        (self.scope >> 40) as u8
    }

    /// The identifier: the first `len` octets of the array.
    pub fn id(&self) -> ([u8; MAX_CLIENT_ID], usize) {
        let mut octets = [0; MAX_CLIENT_ID];
        for (chunk, word) in octets.chunks_exact_mut(8).zip(self.id) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let len = usize::from((self.scope >> 48) as u8);
        (octets, len.min(MAX_CLIENT_ID))
    }

    /// The key as stored on disk; [`ClientKey::from_octets`] is the way back.
    pub fn to_octets(&self) -> [u8; size_of::<Self>()] {
        let mut octets = [0; size_of::<Self>()];
        octets[..8].copy_from_slice(&self.scope.to_le_bytes());
        octets[8..].copy_from_slice(&self.id().0);
        octets
    }

    /// `None` for octets that no [`ClientKey::to_octets`] gives.
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

/// State of a [`Binding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BindingState {
    /// Offered, not committed: answers a repeated DISCOVER until `expires_ns`.
    Offered = 1,
    /// Leased, and durable until `durable_until_ns`.
    Bound = 2,
    /// Revoked: a REQUEST for the address gets a NAK.
    Revoked = 3,
}

impl BindingState {
    #[inline(always)]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Offered),
            2 => Some(Self::Bound),
            3 => Some(Self::Revoked),
            _ => None,
        }
    }
}

/// Value of `LEASES`: what the controller has decided for a client, and made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Binding {
    /// [`Binding::seal_for`] of the key and all other fields. The kernel reuses elements of a hash
    /// map at once, while a program may still read them, and copies values in no set order; a copy
    /// whose seal does not fit its key was torn, or is another client's by now.
    pub seal: u64,
    pub address: Be32,
    /// Index into `GRANTS`.
    pub slot: u32,
    /// Which rendered answers are this client's, see [`TemplateKey`].
    pub profile: u32,
    /// [`BindingState`].
    pub state: u8,
    pub reserved: u8,
    /// Which use of the slot this is; a grant with another epoch is of a former one.
    pub epoch: u16,
    /// The end of the lease, or of the offer, when this was published; a grant may have extended it.
    pub expires_ns: u64,
    /// The horizon: until then the address is this client's on disk, and no ACK may promise more.
    pub durable_until_ns: u64,
}

impl Binding {
    /// Chained multiplication by an odd constant: each step is a bijection, so that a difference in
    /// a single word always shows, and one in several but for a chance of 2^-64.
    #[inline(always)]
    pub const fn seal_for(&self, key: &ClientKey) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let words = [
            key.scope,
            key.id[0],
            key.id[1],
            key.id[2],
            key.id[3],
            self.address.raw() as u64 | (self.slot as u64) << 32,
            self.profile as u64 | (self.state as u64) << 32 | (self.epoch as u64) << 48,
            self.expires_ns,
            self.durable_until_ns,
        ];
        let mut seal = 0u64;
        let mut i = 0;
        while i < words.len() {
            seal = (seal ^ words[i]).wrapping_mul(ODD);
            seal ^= seal >> 32;
            i += 1;
        }
        seal
    }

    #[must_use]
    pub const fn sealed_for(mut self, key: &ClientKey) -> Self {
        self.seal = self.seal_for(key);
        self
    }

    #[inline(always)]
    pub const fn is_sealed_for(&self, key: &ClientKey) -> bool {
        self.seal == self.seal_for(key)
    }
}

/// By how much the program's time may be ahead, and never behind, so that it extends no lease that has
/// ended, and notes none to end before it does.
///
/// It reads the clock once in a tick of the kernel's timer. A tick takes up to 10 ms (`CONFIG_HZ`), and
/// another CPU takes over when the one that counts them has missed five (`MAX_STALLED_JIFFIES` in
/// kernel/time/tick-sched.c).
pub const CLOCK_LEAD_NS: u64 = 100_000_000;

/// Value of `GRANTS`: what the program tells the controller about one slot.
///
/// Each word holds a time, rounded up to 2^16 ns, and in its low 16 bits the epoch of the binding for
/// which it was written, so that it is read and written whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Grant {
    /// The latest end of lease that the program has acknowledged.
    pub granted: u64,
    /// The horizon that the program has asked to extend, or [`Grant::CLOSED`].
    pub asked: u64,
}

impl Grant {
    const EPOCH_MASK: u64 = 0xffff;
    const LAST: u64 = !Self::EPOCH_MASK;
    /// In `asked`: the client has released or declined; nothing is answered from the entry any more.
    pub const CLOSED: u64 = FOREVER_NS;

    /// A time and an epoch in a word. The time is rounded up, so that it never shortens a promise.
    #[inline(always)]
    pub const fn pack(time_ns: u64, epoch: u16) -> u64 {
        let rounded = if time_ns > Self::LAST {
            Self::LAST
        } else {
            (time_ns + Self::EPOCH_MASK) & !Self::EPOCH_MASK
        };
        rounded | epoch as u64
    }

    /// The time in a word, if the word was written for this epoch; at least the time packed.
    #[inline(always)]
    pub const fn unpack(word: u64, epoch: u16) -> Option<u64> {
        if word == 0 || (word & Self::EPOCH_MASK) != epoch as u64 {
            return None;
        }
        let time = word & !Self::EPOCH_MASK;
        Some(if time == Self::LAST { FOREVER_NS } else { time })
    }

    #[inline(always)]
    pub const fn is_closed(&self, epoch: u16) -> bool {
        matches!(Self::unpack(self.asked, epoch), Some(Self::CLOSED))
    }

    /// The end of lease granted to the binding of this epoch.
    #[inline(always)]
    pub const fn granted_for(&self, epoch: u16) -> Option<u64> {
        Self::unpack(self.granted, epoch)
    }
}

/// What a template is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct TemplateKey {
    /// See [`crate::fingerprint`]; zero for a NAK, which is the same for every request.
    pub fingerprint: [u64; 2],
    /// Drawn by the controller for each set of answers; never used again for another.
    pub profile: u32,
    /// Message type of the reply.
    pub reply: u32,
}

impl TemplateKey {
    /// The first of the [`TEMPLATE_WAYS`] elements of `TEMPLATE_INDEX` where this key may stand.
    #[inline(always)]
    pub const fn first_cell(&self) -> u32 {
        // Fibonacci hashing; fingerprints are keyed, so that nobody can aim at a cell.
        let what = self.profile as u64 | (self.reply as u64) << 32;
        let hash = (self.fingerprint[0] ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let set = hash >> (u64::BITS - (TEMPLATE_CELLS / TEMPLATE_WAYS).ilog2());
        set as u32 * TEMPLATE_WAYS
    }
}

/// Value of `TEMPLATE_INDEX`. Two arrays are the program's hash table of templates: it looks into an array
/// without a call, and each call costs it as much as some fifty instructions.
///
/// A cell is written once, with the template in its place before, and not used for another key before a
/// fence. A reader that sees the key and not yet the element takes it for a free one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TemplateCell {
    pub key: TemplateKey,
    /// Index into `TEMPLATES`, or zero in a free cell.
    pub element: u32,
    pub reserved: u32,
}

/// `sname` to the last option.
pub const IMAGE_LEN: usize = 512;

/// Value of `TEMPLATES`: a reply from `sname` on, as the controller would encode it.
///
/// A template is never changed in place, and the element of a withdrawn one is not used again before a
/// fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Template {
    /// [`crate::checksum::sum`] of `image[..len]`.
    pub sum: u32,
    /// Octets of `image` that precede the echoed options 61 and 82.
    pub len: u16,
    /// Octets of `image` that are sent: with END and the padding to the shortest BOOTP message.
    pub padded_len: u16,
    /// Option 51, or zero in a NAK.
    pub lease_secs: u32,
    /// The server identifier, which is also the reply's source.
    pub server_id: Be32,
    pub siaddr: Be32,
    /// The longest BOOTP message that this client takes (option 57).
    pub max_len: u16,
    pub reserved: u16,
    /// The options begin at `SNAME_LEN + FILE_LEN + 4`; END follows `len`, zeros follow END.
    pub image: [u8; IMAGE_LEN],
}

/// Key of `LINKS`: where a frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct LinkKey {
    pub ifindex: u32,
    /// VLAN id of the outer tag, or zero.
    pub outer: u16,
    /// VLAN id of the inner tag, or zero.
    pub inner: u16,
}

/// A network: the set of subnets that share a link, and the scope of a client's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct NetworkRef {
    /// Not zero.
    pub id: u32,
    pub flags: u32,
}

/// Value of `LINKS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Link {
    /// The network of clients that send here directly; its id is zero where there is none.
    pub network: NetworkRef,
    /// See the `LINK_*` constants.
    pub flags: u32,
    /// First index of the interface's sockets in `SLOW`.
    pub slow_base: u32,
    pub mac: [u8; 6],
    /// How many of `addresses` are in use.
    pub address_count: u16,
    /// Ours on this link, unused ones zero.
    pub addresses: [Be32; MAX_LINK_ADDRESSES],
}

impl Link {
    #[inline(always)]
    pub fn has_address(&self, address: Be32) -> bool {
        !address.is_zero()
            && (self.addresses[0] == address
                || self.addresses[1] == address
                || self.addresses[2] == address
                || self.addresses[3] == address
                || self.addresses[4] == address
                || self.addresses[5] == address
                || self.addresses[6] == address
                || self.addresses[7] == address)
    }
}

/// Option 82 is taken from clients' links (`giaddr` zero): a switch there adds it.
pub const LINK_TRUSTS_RELAY_INFO: u32 = 1;

/// Key data of `RELAYS`, a trie over prefixes in network order; its value is [`NetworkRef`]. Beside the
/// subnets each address of ours stands in it, on whichever link it is, with [`NETWORK_IS_OURS`].
pub type RelayKey = Be32;

/// In [`NetworkRef::flags`]: the prefix is one address, and ours. The id is that of the network that it
/// lies in, or zero.
pub const NETWORK_IS_OURS: u32 = 1;

const _: () = assert!(
    2 * MAX_SUBNETS as usize + MAX_LINKS as usize * MAX_LINK_ADDRESSES <= MAX_RELAYS as usize,
    "each subnet has a prefix and a server identifier"
);

/// What happened in the program that the controller must learn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// The horizon of `slot` is near the granted time.
    HorizonLow = 1,
}

/// An entry of the ring `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// [`EventKind`].
    pub kind: u32,
    pub slot: u32,
    pub epoch: u32,
    pub reserved: u32,
    pub granted_ns: u64,
    pub durable_until_ns: u64,
}

macro_rules! layout {
    ($($type:ty: $size:expr, align $align:expr;)+) => {
        $(const _: () = {
            assert!(size_of::<$type>() == $size, stringify!($type));
            assert!(align_of::<$type>() == $align, stringify!($type));
        };)+

        #[cfg(feature = "user")]
        mod pod {
            use super::*;
            // SAFETY: each is `repr(C)` or `repr(transparent)`, holds integers only, and its size,
            // asserted above, is the sum of its fields: no padding, and every bit pattern is a value.
            $(unsafe impl aya::Pod for $type {})+
        }
    };
}

layout! {
    Meta: 8 + 8 * fingerprint::KEY_WORDS + 32, align 8;
    Limit: 16, align 8;
    ClientKey: 40, align 8;
    Binding: 40, align 8;
    Grant: 16, align 8;
    TemplateKey: 24, align 8;
    TemplateCell: 32, align 8;
    Template: 24 + IMAGE_LEN, align 4;
    LinkKey: 8, align 4;
    NetworkRef: 8, align 4;
    Link: 56, align 4;
    Event: 32, align 8;
    Be32: 4, align 4;
}

const _: () = assert!(
    TEMPLATE_CELLS.is_power_of_two() && TEMPLATE_WAYS.is_power_of_two(),
    "a set of cells is found by the high bits of a hash"
);

const _: () = assert!(
    MAX_LINK_ADDRESSES == 8,
    "Link::has_address compares each of them, without a loop that the verifier would have to walk"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ClientKey {
        ClientKey::client_id(7, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap()
    }

    fn binding() -> Binding {
        Binding {
            seal: 0,
            address: Be32::new(0x0a00_0001),
            slot: 3,
            profile: 4,
            state: BindingState::Bound as u8,
            reserved: 0,
            epoch: 9,
            expires_ns: 1_000,
            durable_until_ns: 2_000,
        }
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

    #[test]
    fn a_seal_shows_any_change() {
        let sealed = binding().sealed_for(&key());
        assert!(sealed.is_sealed_for(&key()));
        let other = ClientKey::client_id(8, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        assert!(!sealed.is_sealed_for(&other));
        let changes: [fn(&mut Binding); 7] = [
            |b| b.address = Be32::new(1),
            |b| b.slot += 1,
            |b| b.profile += 1,
            |b| b.state = BindingState::Offered as u8,
            |b| b.epoch += 1,
            |b| b.expires_ns += 1,
            |b| b.durable_until_ns += 1,
        ];
        for change in changes {
            let mut torn = sealed;
            change(&mut torn);
            assert!(!torn.is_sealed_for(&key()), "{torn:?}");
        }
    }

    #[test]
    fn a_grant_is_never_earlier_than_promised_and_only_its_epochs() {
        for time in [
            1,
            0xffff,
            0x10000,
            0x10001,
            1 << 40,
            FOREVER_NS - 1,
            FOREVER_NS,
        ] {
            let word = Grant::pack(time, 5);
            assert!(Grant::unpack(word, 5).unwrap() >= time);
            assert_eq!(Grant::unpack(word, 6), None);
        }
        assert_eq!(Grant::unpack(0, 0), None);
        let grant = Grant {
            granted: 0,
            asked: Grant::pack(Grant::CLOSED, 2),
        };
        assert!(grant.is_closed(2));
        assert!(!grant.is_closed(3));
    }

    #[test]
    fn a_bucket_admits_its_burst_and_then_its_rate() {
        let limit = Limit::per_second(10, 5);
        let mut bucket = 0;
        let now = 1_000 * NS_PER_SEC;
        let mut admitted = 0;
        while let Some(next) = limit.admit(bucket, now) {
            bucket = next;
            admitted += 1;
        }
        assert_eq!(admitted, 6, "five saved up and the one due");
        assert!(limit.admit(bucket, now + NS_PER_SEC / 10).is_some());
    }
}
