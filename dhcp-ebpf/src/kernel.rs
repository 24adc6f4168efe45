//! The fast path's traits over the kernel: frame, maps and helpers. All of the program's unsafe code.

use core::{ffi::c_void, hint::black_box, ptr};

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG},
    helpers::{
        bpf_csum_diff, bpf_ktime_get_boot_ns, bpf_loop, bpf_xdp_adjust_head, bpf_xdp_adjust_tail,
        bpf_xdp_load_bytes, bpf_xdp_store_bytes,
    },
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf, XskMap, lpm_trie::Key},
    programs::XdpContext,
};
use dhcp_common::{
    abi::{
        Binding, ClientKey, DEFAULT_LEASES, EVENTS_BYTES, Event, Grant, Link, LinkKey, MAX_LIMITS,
        MAX_LINKS, MAX_RELAYS, MAX_SLOW_SOCKETS, MAX_TEMPLATES, META_INDEX, Meta, NetworkRef,
        RelayKey, Template, TemplateKey,
    },
    outcome::Outcome,
    wire::{Be32, UDP_LEN},
};

use crate::{
    frame::Frame,
    packet::{HEAD_LEN, LINK_LEN, Options, Packet},
    parse::Scratch,
    tables::{Rounds, Tables},
};

#[map]
static META: Array<Meta> = Array::with_max_entries(1, BPF_F_RDONLY_PROG);
#[map]
static LEASES: HashMap<ClientKey, Binding> =
    HashMap::with_max_entries(DEFAULT_LEASES, BPF_F_RDONLY_PROG);
#[map]
static GRANTS: Array<Grant> = Array::with_max_entries(DEFAULT_LEASES, BPF_F_MMAPABLE);
#[map]
static TEMPLATES: HashMap<TemplateKey, Template> =
    HashMap::with_max_entries(MAX_TEMPLATES, BPF_F_RDONLY_PROG);
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
/// Memory of the run under way: a program is not preempted by another one on the same CPU.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

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

    /// Pointer to a value inside the frame.
    #[inline(always)]
    fn at<V>(&self, offset: usize) -> Option<*mut V> {
        let start = self.ctx.data() + offset;
        if start + size_of::<V>() > self.ctx.data_end() {
            return None;
        }
        Some(start as *mut V)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        // Kept whole: the verifier knows the difference of the two, but no other sum with the end.
        black_box(self.ctx.data_end() - self.ctx.data())
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
    fn load(&self, network_offset: usize, len: usize, packet: &mut Packet) -> Option<()> {
        let start = Packet::frame_offset(network_offset)?;
        // What lies behind the fixed fields is bounded by the options' capacity.
        const MAX: usize =
            LINK_LEN + size_of::<Packet>() - size_of::<Options>() - LINK_LEN + Options::CAPACITY;
        if len > MAX {
            return None;
        }
        // SAFETY: `start` is at most LINK_LEN, and that with MAX is less than a Packet.
        let read = unsafe {
            bpf_xdp_load_bytes(
                self.ctx.ctx,
                0,
                ptr::from_mut(packet).byte_add(start).cast(),
                len as u32,
            )
        };
        (read == 0).then_some(())
    }

    /// veth gives a frame from a local sender hardly any room behind its end (skb_pp_cow_data in
    /// net/core/skbuff.c), but like every driver some before its beginning.
    #[inline(always)]
    fn resize(&mut self, len: usize) -> Option<()> {
        let delta = len as i32 - self.len() as i32;
        // SAFETY: no pointer into the frame is kept over this call, here and below.
        if unsafe { bpf_xdp_adjust_tail(self.ctx.ctx, delta) } == 0 {
            return Some(());
        }
        // SAFETY: as above.
        (unsafe { bpf_xdp_adjust_head(self.ctx.ctx, -delta) } == 0).then_some(())
    }

    #[inline(always)]
    fn store_front(&mut self, network_offset: usize, packet: &Packet) -> Option<()> {
        let start = Packet::frame_offset(network_offset)?;
        // SAFETY: from `start` to the end of the head are as many octets, inside the packet.
        let written = unsafe {
            bpf_xdp_store_bytes(
                self.ctx.ctx,
                0,
                ptr::from_ref(packet).byte_add(start).cast_mut().cast(),
                (network_offset + HEAD_LEN) as u32,
            )
        };
        (written == 0).then_some(())
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, offset: usize, bytes: &[u8; N], len: usize) -> Option<()> {
        if len > N || len == 0 {
            return None;
        }
        // SAFETY: `len` octets of `bytes` are there, as just compared.
        let written = unsafe {
            bpf_xdp_store_bytes(
                self.ctx.ctx,
                offset as u32,
                bytes.as_ptr().cast_mut().cast(),
                len as u32,
            )
        };
        (written == 0).then_some(())
    }

    #[inline(always)]
    fn store_options(
        &mut self,
        offset: usize,
        packet: &Packet,
        from: usize,
        len: usize,
    ) -> Option<()> {
        let from = black_box(from) & (Options::CAPACITY - 1);
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
    fn binding(&self, key: &ClientKey) -> Option<Binding> {
        // SAFETY: the value may change while it is copied, into any other value of integers; the seal
        // tells. Volatile: the copy is read once, not again where it is used.
        LEASES
            .get_ptr(key)
            .map(|binding| unsafe { binding.read_volatile() })
    }

    #[inline(always)]
    fn template(&self, key: &TemplateKey) -> Option<&Template> {
        // SAFETY: templates are never changed in place, and the controller fences before it lets an
        // element of this map be used again.
        unsafe { TEMPLATES.get(key) }
    }

    #[inline(always)]
    fn grant(&self, slot: u32) -> Option<Grant> {
        GRANTS
            .get_ptr(slot)
            // SAFETY: elements of an array stay; each word is read whole.
            .map(|grant| unsafe { grant.read_volatile() })
    }

    #[inline(always)]
    fn set_granted(&self, slot: u32, word: u64) {
        if let Some(grant) = GRANTS.get_ptr_mut(slot) {
            // SAFETY: elements of an array stay; the word is written whole.
            unsafe { ptr::addr_of_mut!((*grant).granted).write_volatile(word) }
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
        // A full map evicts; a failure leaves the bucket as it was, which admits no more than before.
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

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        // SAFETY: the helper takes nothing.
        unsafe { bpf_ktime_get_boot_ns() }
    }

    #[inline(always)]
    fn sum_datagram(&self, packet: &Packet, len: usize) -> u64 {
        const CHUNK: usize = 512;
        const MAX: usize = UDP_LEN + size_of::<Packet>() - size_of::<Options>() + Options::CAPACITY;
        let start = ptr::from_ref(&packet.head.udp).cast::<u8>();
        let padded = (len + 3) & !3;
        let mut sum = 0u64;
        let mut done = 0;
        // Older kernels take 512 octets a call.
        while done < padded && done < MAX {
            let chunk = (padded - done).min(CHUNK);
            // SAFETY: `done + chunk` stays inside the packet, whose datagram `load` has bounded.
            sum += unsafe { sum_of(start.byte_add(done), chunk) };
            done += CHUNK;
        }
        sum
    }

    #[inline(always)]
    fn sum_options(&self, packet: &Packet, offset: usize, len: usize) -> u64 {
        let offset = black_box(offset) & (Options::CAPACITY - 1);
        let len = black_box(len) & 0xff;
        // SAFETY: an option at any offset below the capacity is inside, see `packet::SLACK`.
        unsafe {
            sum_of(
                ptr::from_ref(&packet.options).cast::<u8>().byte_add(offset),
                len,
            )
        }
    }
}

/// The sum of `len` octets, a multiple of four.
///
/// # Safety
/// They must be readable.
#[inline(always)]
unsafe fn sum_of(start: *const u8, len: usize) -> u64 {
    // SAFETY: as the caller assures. The helper fails only for other lengths.
    unsafe { bpf_csum_diff(ptr::null_mut(), 0, start.cast_mut().cast(), len as u32, 0) as u64 }
}

/// The memory of this run.
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

/// Hands the frame to the controller's socket, the verdict for the driver; `None` if there is none.
#[inline(always)]
pub fn redirect(slow_index: u32) -> Option<u32> {
    SLOW.redirect(slow_index, 0).ok()
}

/// See [`crate::tables::repeat`].
#[inline(always)]
pub fn repeat<R: Rounds>(limit: u32, rounds: &mut R) {
    unsafe extern "C" fn body<R: Rounds>(_round: u64, rounds: *mut c_void) -> i64 {
        // SAFETY: `bpf_loop` hands on the pointer that it was given below.
        let rounds = unsafe { &mut *rounds.cast::<R>() };
        i64::from(!rounds.round())
    }
    // SAFETY: `rounds` outlives the call, and `body` is its only user meanwhile.
    unsafe {
        bpf_loop(
            limit,
            body::<R> as *mut c_void,
            ptr::from_mut(rounds).cast(),
            0,
        )
    };
}
