//! The fast path's traits over the kernel: frame, maps and helpers. The program's unsafe code is
//! here and in `verifier.rs`.

use core::{arch::asm, ptr};

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG},
    helpers::{
        bpf_csum_diff, bpf_jiffies64, bpf_ktime_get_boot_ns, bpf_xdp_adjust_head,
        bpf_xdp_adjust_tail, bpf_xdp_load_bytes, bpf_xdp_store_bytes,
    },
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf, XskMap, lpm_trie::Key},
    programs::XdpContext,
};
use dhcp_common::{
    abi::{
        Binding, Bucket, CLOCK_LEAD_NS, Cell, ClientDigest, ClientKey, DEFAULT_LEASES,
        EVENTS_BYTES, Event, Grant, IMAGE_LEN, Link, LinkKey, MAX_LIMITS, MAX_LINKS, MAX_RELAYS,
        MAX_SLOW_SOCKETS, META_INDEX, Meta, NetworkRef, PROBES, RelayKey, TEMPLATE_CELLS,
        TEMPLATE_ELEMENTS, TEMPLATE_WAYS, Template, TemplateCell, TemplateKey, WAYS, lease_buckets,
        lease_slots,
    },
    outcome::Outcome,
    wire::{Be32, ETHERNET_LEN, IPV4_LEN, MAX_FRAME_LEN, MAX_VLAN_TAGS, VLAN_TAG_LEN},
};

use crate::{
    frame::Frame,
    packet::{FIXED_UDP_LEN, Fixed, Head, MIN_IMAGE_LEN, MIN_OPTIONS_LEN, Mac, Options, Packet},
    scratch::Scratch,
    tables::Tables,
    verifier::{Rounds, opaque, repeat},
};

#[map]
static META: Array<Meta> = Array::with_max_entries(1, BPF_F_RDONLY_PROG);
#[map]
static LEASES: Array<Bucket> = Array::with_max_entries(
    lease_buckets(DEFAULT_LEASES),
    BPF_F_RDONLY_PROG | BPF_F_MMAPABLE,
);
#[map]
static GRANTS: Array<Grant> = Array::with_max_entries(lease_slots(DEFAULT_LEASES), BPF_F_MMAPABLE);
/// The client of each slot. The program searches by digest and never reads it; the next controller
/// does.
#[map]
static CLIENTS: Array<ClientKey> =
    Array::with_max_entries(lease_slots(DEFAULT_LEASES), BPF_F_MMAPABLE);
#[map]
static TEMPLATE_INDEX: Array<TemplateCell> =
    Array::with_max_entries(TEMPLATE_CELLS, BPF_F_RDONLY_PROG);
#[map]
static TEMPLATES: Array<Template> = Array::with_max_entries(TEMPLATE_ELEMENTS, BPF_F_RDONLY_PROG);
#[map]
static LINKS: HashMap<LinkKey, Link> = HashMap::with_max_entries(MAX_LINKS, BPF_F_RDONLY_PROG);
#[map]
static RELAYS: LpmTrie<RelayKey, NetworkRef> =
    LpmTrie::with_max_entries(MAX_RELAYS, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
#[map]
static LIMITS: LruHashMap<u64, u64> = LruHashMap::with_max_entries(MAX_LIMITS, 0);
#[map]
static OUTCOMES: PerCpuArray<u64> = PerCpuArray::with_max_entries(Outcome::COUNT as u32, 0);
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);
#[map]
static SLOW: XskMap = XskMap::with_max_entries(MAX_SLOW_SOCKETS, 0);
/// Memory of the current run: no other run preempts it on the same CPU.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// The last reading of the clock.
#[map]
static CLOCK: PerCpuArray<Reading> = PerCpuArray::with_max_entries(1, 0);

/// A reading of `CLOCK_BOOTTIME`, and the tick of the kernel's timer in which it was taken.
#[repr(C)]
struct Reading {
    tick: u64,
    ns: u64,
}

/// Octets of both addresses of a link header.
const MACS_LEN: usize = 12;
/// The types and tags that may follow them.
type TypeAndTags = [u8; ETHERNET_LEN + MAX_VLAN_TAGS * VLAN_TAG_LEN - MACS_LEN];

/// The frame of a run.
#[expect(
    missing_debug_implementations,
    reason = "nothing in the kernel prints it"
)]
pub struct XdpFrame<'a> {
    ctx: &'a XdpContext,
}

impl<'a> XdpFrame<'a> {
    pub fn new(ctx: &'a XdpContext) -> Self {
        Self { ctx }
    }

    /// Returns a pointer to a value inside the frame.
    #[inline(always)]
    fn at<V>(&self, offset: usize) -> Option<*mut V> {
        let start = opaque(self.ctx.data() + offset);
        if start + size_of::<V>() > self.ctx.data_end() {
            return None;
        }
        Some(start as *mut V)
    }

    /// Returns the same as [`Self::at`], for an offset of which the verifier knows nothing.
    #[inline(always)]
    fn at_any<V>(&self, offset: usize) -> Option<*mut V> {
        let offset = opaque(offset);
        if offset > MAX_FRAME_LEN {
            return None;
        }
        // Each is computed once, in this order: for the verifier another sum of frame and offset is
        // an unrelated pointer, and comparing a pointer itself proves nothing about it.
        let to = opaque(self.ctx.data() + offset);
        if opaque(to + size_of::<V>()) > self.ctx.data_end() {
            return None;
        }
        Some(to as *mut V)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        // Computed as one: the verifier knows the difference of the two, but no other sum with the
        // end.
        opaque(self.ctx.data_end() - self.ctx.data())
    }

    #[inline(always)]
    fn octet_at(&self, offset: usize) -> Option<u8> {
        // SAFETY: `at` has compared the range with the frame's end.
        self.at::<u8>(offset).map(|octet| unsafe { *octet })
    }

    #[inline(always)]
    fn be16_at(&self, offset: usize) -> Option<u16> {
        self.at::<[u8; 2]>(offset)
            // SAFETY: `at` has compared the range with the frame's end; octets need no alignment.
            .map(|octets| u16::from_be_bytes(unsafe { *octets }))
    }

    #[inline(always)]
    fn raw32_at(&self, offset: usize) -> Option<u32> {
        self.at::<[u8; 4]>(offset)
            // SAFETY: `at` has compared the range with the frame's end; octets need no alignment.
            .map(|octets| u32::from_ne_bytes(unsafe { *octets }))
    }

    #[inline(always)]
    fn load(&self, network_offset: usize, options_len: usize, packet: &mut Packet) -> Option<()> {
        if options_len >= Options::CAPACITY {
            return None;
        }
        let fixed = self.at::<Fixed>(network_offset)?;
        // SAFETY: `at` has compared the range with the frame's end, and nothing writes meanwhile.
        unsafe {
            packet.head = ptr::addr_of!((*fixed).head).read_unaligned();
            packet.cookie = ptr::addr_of!((*fixed).cookie).read_unaligned();
        }
        let mut from = network_offset + size_of::<Fixed>();
        let mut to = ptr::from_mut(&mut packet.options).cast::<u8>();
        let mut rest = options_len;
        // Most requests have exactly the shortest message's room for options. Copying it word by
        // word is cheaper than the helper, whose copy is microcode and whose output is slow to read
        // at once.
        if rest >= MIN_OPTIONS_LEN {
            let options = self.at::<[u8; MIN_OPTIONS_LEN]>(from)?;
            // SAFETY: as above.
            unsafe { to.cast::<[u8; MIN_OPTIONS_LEN]>().write(*options) };
            from += MIN_OPTIONS_LEN;
            // SAFETY: the options' capacity is more.
            to = unsafe { to.byte_add(MIN_OPTIONS_LEN) };
            rest -= MIN_OPTIONS_LEN;
        }
        let rest = opaque(rest) & (Options::CAPACITY - 1);
        if rest == 0 {
            return Some(());
        }
        // SAFETY: the options have room for their capacity, and slack.
        let read = unsafe { bpf_xdp_load_bytes(self.ctx.ctx, from as u32, to.cast(), rest as u32) };
        (read == 0).then_some(())
    }

    #[inline(always)]
    fn sum_datagram(
        &self,
        network_offset: usize,
        options_len: usize,
        packet: &Packet,
    ) -> Option<u64> {
        const SHORTEST: usize = FIXED_UDP_LEN + MIN_OPTIONS_LEN;
        let udp = network_offset + IPV4_LEN;
        // Most requests have exactly this length, and each call of the helper takes time.
        if options_len >= MIN_OPTIONS_LEN {
            let datagram = self.at::<[u8; SHORTEST]>(udp)?;
            // SAFETY: `at` has compared the range with the frame's end.
            let sum = unsafe { sum_of(datagram.cast(), SHORTEST) };
            return Some(sum + sum_options_from(MIN_OPTIONS_LEN, options_len, packet));
        }
        let datagram = self.at::<[u8; FIXED_UDP_LEN]>(udp)?;
        // SAFETY: as above.
        let sum = unsafe { sum_of(datagram.cast(), FIXED_UDP_LEN) };
        Some(sum + sum_options_from(0, options_len, packet))
    }

    /// Grows the frame at its end or else at its beginning: veth leaves a frame from a local sender
    /// hardly any tailroom (skb_pp_cow_data in net/core/skbuff.c), but like every driver some
    /// headroom.
    #[inline(always)]
    fn resize(&mut self, len: usize) -> Option<()> {
        let delta = len as i32 - self.len() as i32;
        // SAFETY: no pointer into the frame is kept over this call, here and below.
        if unsafe { bpf_xdp_adjust_tail(self.ctx.ctx, delta) } == 0 {
            return Some(());
        }
        // Types and tags between the addresses and the IP header move with the beginning.
        // SAFETY: `at` compares the range with the frame's end, here and below; octets need no
        // alignment.
        let types = unsafe { *self.at::<TypeAndTags>(MACS_LEN)? };
        // SAFETY: as at the beginning.
        if unsafe { bpf_xdp_adjust_head(self.ctx.ctx, -delta) } != 0 {
            return None;
        }
        // SAFETY: as above.
        self.at::<TypeAndTags>(MACS_LEN)
            .map(|to| unsafe { *to = types })
    }

    #[inline(always)]
    fn store_head(
        &mut self,
        network_offset: usize,
        destination: Mac,
        source: Mac,
        head: &Head,
    ) -> Option<()> {
        let macs = self.at::<[[u8; 6]; 2]>(0)?;
        let to = self.at::<Head>(network_offset)?;
        // SAFETY: `at` has compared both ranges with the frame's end; octets need no alignment.
        unsafe {
            *macs = [destination.octets(), source.octets()];
            to.write_unaligned(*head);
        }
        Some(())
    }

    #[inline(always)]
    fn store_image(&mut self, offset: usize, image: &[u8; IMAGE_LEN], len: usize) -> Option<()> {
        if !(MIN_IMAGE_LEN..=IMAGE_LEN).contains(&len) {
            return None;
        }
        let to = self.at::<[u64; MIN_IMAGE_LEN / 8]>(offset)?.cast::<u64>();
        let from = ptr::from_ref(image).cast::<u64>();
        for i in 0..MIN_IMAGE_LEN / 8 {
            // Faster than the helper, whose copy is microcode. Volatile: otherwise LLVM loads
            // everything first and runs out of registers.
            // SAFETY: `at` has compared the range with the frame's end; the image is longer, and
            // the kernel aligns values to eight.
            unsafe { to.add(i).write_unaligned(from.add(i).read_volatile()) };
        }
        let rest = opaque(len - MIN_IMAGE_LEN) & (IMAGE_LEN - MIN_IMAGE_LEN - 1);
        if rest == 0 {
            return Some(());
        }
        // SAFETY: `len` octets of the image are there, as just compared.
        let written = unsafe {
            bpf_xdp_store_bytes(
                self.ctx.ctx,
                (offset + MIN_IMAGE_LEN) as u32,
                ptr::from_ref(image)
                    .cast_mut()
                    .byte_add(MIN_IMAGE_LEN)
                    .cast(),
                rest as u32,
            )
        };
        (written == 0).then_some(())
    }

    #[inline(always)]
    fn store_octet(&mut self, offset: usize, octet: u8) -> Option<()> {
        // SAFETY: `at_any` has compared the range with the frame's end.
        self.at_any::<u8>(offset).map(|to| unsafe { *to = octet })
    }

    #[inline(always)]
    fn store_word(&mut self, offset: usize, word: u64) -> Option<()> {
        self.at_any::<u64>(offset)
            // SAFETY: `at_any` has compared the range with the frame's end.
            .map(|to| unsafe { to.write_unaligned(word.to_le()) })
    }

    #[inline(always)]
    fn store_options(
        &mut self,
        offset: usize,
        packet: &Packet,
        from: usize,
        len: usize,
    ) -> Option<()> {
        let from = opaque(from) & (Options::CAPACITY - 1);
        let len = opaque(len);
        if len > 2 + 255 || len == 0 {
            return None;
        }
        // SAFETY: an option at any offset below the capacity is inside, see `packet::SLACK`.
        let written = unsafe {
            bpf_xdp_store_bytes(
                self.ctx.ctx,
                offset as u32,
                ptr::from_ref(&packet.options)
                    .byte_add(from)
                    .cast_mut()
                    .cast(),
                len as u32,
            )
        };
        (written == 0).then_some(())
    }
}

/// The maps of the program.
#[derive(Debug)]
pub struct Maps;

impl Tables for Maps {
    #[inline(always)]
    fn meta(&self) -> Option<&Meta> {
        META.get(META_INDEX)
    }

    #[inline(always)]
    fn link(&self, key: &LinkKey) -> Option<&Link> {
        // SAFETY: the controller fences before it lets an element of this map be used again.
        unsafe { LINKS.get(key) }
    }

    #[inline(always)]
    fn relay(&self, address: Be32) -> Option<NetworkRef> {
        RELAYS.get(Key::new(32, address)).copied()
    }

    #[inline(always)]
    fn binding(&self, _client: &ClientKey, digest: ClientDigest, meta: &Meta) -> Option<Binding> {
        let home = digest.home(meta.lease_homes);
        // Read now, so it is fetched from memory together with the bucket.
        // SAFETY: elements of an array stay. Volatile: otherwise it is not read before it is used.
        unsafe {
            GRANTS
                .get_ptr(home * WAYS)
                .map(|grant| ptr::addr_of!((*grant).granted).read_volatile())
        };
        let mut search = Search {
            digest,
            bucket: home,
            slot: None,
        };
        if search.round() {
            repeat(PROBES - 1, &mut search);
        }
        let slot = opaque(search.slot? as usize) as u32;
        let bucket = LEASES.get_ptr(slot / WAYS)?;
        let way = opaque((slot % WAYS) as usize) & (WAYS as usize - 1);
        // SAFETY: elements of an array stay. The value may change while it is copied, into any
        // other value of integers, which the seal detects. Volatile: the copy is read once, not
        // again at its uses.
        unsafe {
            let cell = bucket.cast::<Cell>().add(way);
            Some(ptr::addr_of!((*cell).binding).read_volatile())
        }
    }

    #[inline(always)]
    fn template(&self, key: &TemplateKey) -> Option<&Template> {
        let first = key.first_cell();
        let mut element = 0;
        for way in 0..TEMPLATE_WAYS {
            let cell = TEMPLATE_INDEX.get_ptr(first + way)?;
            // SAFETY: elements of an array stay, and each word is read whole.
            let (found, its_element) = unsafe {
                (
                    ptr::addr_of!((*cell).key).read_volatile(),
                    ptr::addr_of!((*cell).element).read_volatile(),
                )
            };
            if found == *key {
                element = its_element;
                break;
            }
        }
        if element == 0 {
            return None;
        }
        TEMPLATES.get(element)
    }

    #[inline(always)]
    fn grant(&self, slot: u32) -> Option<Grant> {
        GRANTS
            .get_ptr(slot)
            // SAFETY: elements of an array stay; each word is read whole.
            .map(|grant| unsafe { grant.read_volatile() })
    }

    #[inline(always)]
    fn swap_granted(&self, slot: u32, before: u64, word: u64) -> bool {
        GRANTS
            .get_ptr_mut(slot)
            // SAFETY: elements of an array stay, and are aligned; only their addresses are used
            // here.
            .is_some_and(|grant| unsafe { swap(ptr::addr_of_mut!((*grant).granted), before, word) })
    }

    #[inline(always)]
    fn swap_asked(&self, slot: u32, before: u64, word: u64) {
        if let Some(grant) = GRANTS.get_ptr_mut(slot) {
            // SAFETY: as above.
            unsafe { swap(ptr::addr_of_mut!((*grant).asked), before, word) };
        }
    }

    #[inline(always)]
    fn set_asked(&self, slot: u32, word: u64) {
        if let Some(grant) = GRANTS.get_ptr_mut(slot) {
            // SAFETY: elements of an array stay; the word is written whole.
            unsafe { ptr::addr_of_mut!((*grant).asked).write_volatile(word) }
        }
    }

    #[inline(always)]
    fn bucket(&self, source: u64) -> Option<u64> {
        // SAFETY: a word is read whole; that of another source would only delay one packet.
        LIMITS
            .get_ptr(source)
            .map(|bucket| unsafe { bucket.read_volatile() })
    }

    #[inline(always)]
    fn set_bucket(&self, source: u64, bucket: u64) {
        // A full map evicts; a failure leaves the bucket as it was, which admits no more than
        // before.
        let _ = LIMITS.insert(source, bucket, 0);
    }

    #[inline(always)]
    fn notify(&self, event: &Event) -> bool {
        EVENTS.output::<Event>(event, 0).is_ok()
    }

    #[inline(always)]
    fn is_served(&self, slow_index: u32) -> bool {
        SLOW.get(slow_index).is_some()
    }

    /// Reads the clock once a tick, because reading it takes a tenth of the time of an answer.
    #[inline(always)]
    fn now_ns(&self) -> u64 {
        let Some(reading) = CLOCK.get_ptr_mut(0) else {
            return u64::MAX;
        };
        // SAFETY: the helpers take nothing, and one run at a time uses a CPU's entry.
        unsafe {
            let tick = bpf_jiffies64();
            if (*reading).tick != tick {
                *reading = Reading {
                    tick,
                    ns: bpf_ktime_get_boot_ns() + CLOCK_LEAD_NS,
                };
            }
            (*reading).ns
        }
    }

    #[inline(always)]
    fn sum_options(&self, packet: &Packet, offset: usize, len: usize) -> u64 {
        let offset = opaque(offset) & (Options::CAPACITY - 1);
        let len = opaque(len);
        // No more than the whole words of the longest option.
        if len > 2 + 255 {
            return 0;
        }
        // SAFETY: an option at any offset below the capacity is inside, see `packet::SLACK`.
        unsafe {
            sum_of(
                ptr::from_ref(&packet.options).cast::<u8>().byte_add(offset),
                len,
            )
        }
    }
}

/// The search for a client's binding from its home bucket on, one bucket a round.
struct Search {
    digest: ClientDigest,
    bucket: u32,
    slot: Option<u32>,
}

impl Rounds for Search {
    #[inline(always)]
    fn round(&mut self) -> bool {
        let Some(bucket) = LEASES.get_ptr(self.bucket) else {
            return false;
        };
        // SAFETY: elements of an array stay, and each word is read whole.
        let tags = unsafe {
            [0, 1, 2, 3].map(|way| ptr::addr_of!((*bucket).cells[way].tag).read_volatile())
        };
        for (way, tag) in (0..).zip(tags) {
            if Cell::is_of(tag, self.digest) {
                self.slot = Some(self.bucket * WAYS + way);
                return false;
            }
        }
        self.bucket += 1;
        tags[0] & Cell::PASSED != 0
    }
}

/// Returns the sum of the options from `from`, a multiple of four, to `len`, which zeros pad to the
/// next multiple.
#[inline(always)]
fn sum_options_from(from: usize, len: usize, packet: &Packet) -> u64 {
    const CHUNK: usize = 512;
    let start = ptr::from_ref(&packet.options).cast::<u8>();
    let padded = (len + 3) & !3;
    let mut sum = 0u64;
    let mut done = from;
    // Older kernels take up to 512 octets a call.
    while done < padded && done < Options::CAPACITY {
        let chunk = (padded - done).min(CHUNK);
        // SAFETY: `done + chunk` is at most the capacity, rounded up to a whole chunk.
        sum += unsafe { sum_of(start.byte_add(done), chunk) };
        done += CHUNK;
    }
    sum
}

/// Returns the sum of `len` octets, a multiple of four.
///
/// # Safety
/// The octets must be readable.
#[inline(always)]
unsafe fn sum_of(start: *const u8, len: usize) -> u64 {
    // SAFETY: as the caller guarantees. The helper fails only for other lengths.
    unsafe { bpf_csum_diff(ptr::null_mut(), 0, start.cast_mut().cast(), len as u32, 0) as u64 }
}

/// Returns the memory of this run.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: zeros are a value of every field, one run at a time uses a CPU's entry, and this is
    // called once a run.
    SCRATCH
        .get_ptr_mut(0)
        .map(|scratch| unsafe { &mut *scratch })
}

/// Counts an outcome.
#[inline(always)]
pub fn count(outcome: Outcome) {
    if let Some(counter) = OUTCOMES.get_ptr_mut(outcome as u32) {
        // SAFETY: each CPU has a counter of its own.
        unsafe { *counter += 1 }
    }
}

/// Redirects the frame to the controller's socket. Returns the verdict for the driver, or `None` if
/// there is no socket.
#[inline(always)]
pub fn redirect(slow_index: u32) -> Option<u32> {
    SLOW.redirect(slow_index, 0).ok()
}

/// Writes a word of a map unless it is no longer `before`. The target's `core` has no such
/// operation; the kernel has one since Linux 5.12.
///
/// # Safety
/// `word` is aligned and part of an element that stays, and nothing holds a reference to it.
#[inline(always)]
unsafe fn swap(word: *mut u64, before: u64, after: u64) -> bool {
    let found: u64;
    // SAFETY: the caller guarantees that the word may be written; one instruction reads and writes
    // it.
    unsafe {
        asm!(
            "r0 = cmpxchg_64({word} + 0, r0, {after})",
            word = in(reg) word,
            after = in(reg) after,
            inout("r0") before => found,
        );
    }
    found == before
}
