//! The load generator's programs. They keep the state of clients in the kernel, so that the
//! generator is faster than the servers it measures.
//!
//! [`emit`] runs over live frames of BPF_PROG_TEST_RUN and turns each into the first request of the
//! next client. [`follow`] runs at the clients' interface: it turns each OFFER into its REQUEST,
//! and each ACK into the first request of the next client. [`reflect`] returns every frame, which
//! no server can outrun. `xtask/load/src/kernel.rs` is the other side.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

use core::{arch::asm, mem, ptr};

use aya_ebpf::{
    bindings::{BPF_F_RDONLY_PROG, xdp_action},
    helpers::{
        bpf_get_prandom_u32, bpf_ktime_get_ns, bpf_xdp_adjust_head, bpf_xdp_adjust_tail,
        bpf_xdp_load_bytes, bpf_xdp_store_bytes,
    },
    macros::{map, xdp},
    maps::{Array, PerCpuArray},
    programs::XdpContext,
};
use dhcp_common::wire::{
    BOOTP_FIXED_LEN, BOOTP_HEAD_LEN, BOOTREPLY, CLIENT_PORT, ETHERNET_LEN, ETHERTYPE_IPV4,
    IPV4_LEN, IPV4_PROTOCOL_UDP, IPV4_VERSION_IHL, SERVER_PORT, UDP_LEN, message_type, option,
};
use opaque::opaque;
use xtask_load_abi::{
    ASKS, Ask, BUCKETS, Client, Count, FRAME_LEN, Own, Plan, Stage, Template, Wait, bucket, word,
};

mod opaque;

#[map]
static PLAN: Array<Plan> = Array::with_max_entries(1, BPF_F_RDONLY_PROG);
/// User space sets the size of this map and the next two when it loads them.
#[map]
static TEMPLATES: Array<Template> = Array::with_max_entries(1, BPF_F_RDONLY_PROG);
#[map]
static CLIENTS: Array<Client> = Array::with_max_entries(1, 0);
/// By address in the range: one plus the index of the client that holds the address.
#[map]
static HOLDERS: Array<u32> = Array::with_max_entries(1, 0);
/// See [`word`].
#[map]
static NEXT: Array<u64> = Array::with_max_entries(word::COUNT, 0);
#[map]
static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Count::COUNT as u32, 0);
#[map]
static LATENCIES: PerCpuArray<u64> =
    PerCpuArray::with_max_entries((Stage::COUNT * BUCKETS) as u32, 0);
/// Scratch memory of the current run.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// IP header to `chaddr`.
const HEAD_LEN: usize = IPV4_LEN + UDP_LEN + BOOTP_HEAD_LEN;
/// Octets of options that are read, and a mask for offsets among them.
const OPTIONS_LEN: usize = 256;
const OPTIONS_MASK: usize = OPTIONS_LEN - 1;
/// Number of options that are read.
const MAX_OPTIONS: usize = 32;
/// Busy clients that are skipped in search of a free one.
const MAX_PASSED_OVER: usize = 16;
/// Length of the longest option that is read, including its code and length.
const SLACK: usize = 8;
const FRAME_MASK: usize = FRAME_LEN - 1;
const _: () = assert!(FRAME_LEN.is_power_of_two() && OPTIONS_LEN.is_power_of_two());

#[repr(C)]
struct Scratch {
    head: [u8; HEAD_LEN],
    options: [u8; OPTIONS_LEN + SLACK],
}

/// Turns the frame into the first request of the next client and sends it.
#[xdp]
pub fn emit(ctx: XdpContext) -> u32 {
    let Some(plan) = PLAN.get(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the helper has no preconditions.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    let is_flood = plan.bogus_each != 0;
    let sent = seen(if is_flood { word::FRAMES } else { word::NEXT });
    if plan.interval_ns != 0 {
        let due_ns = plan.started_ns + sent * plan.interval_ns;
        if now_ns < due_ns {
            return xdp_action::XDP_DROP;
        }
    }
    if is_flood {
        // Only one thread emits a flood.
        note(word::FRAMES, sent + 1);
        if !sent.is_multiple_of(u64::from(plan.bogus_each) + 1) {
            return send_bogus(&ctx, plan);
        }
    }
    begin(&ctx, plan, now_ns).unwrap_or(xdp_action::XDP_DROP)
}

/// Handles an answer and sends the request that follows. Passes frames that are not DHCP.
#[xdp]
pub fn follow(ctx: XdpContext) -> u32 {
    heard(&ctx).unwrap_or(xdp_action::XDP_PASS)
}

/// Returns the frame to its sender with hardware addresses, addresses and ports swapped, which
/// leaves both checksums unchanged. Anything more is the server's own cost.
#[xdp]
pub fn reflect(ctx: XdpContext) -> u32 {
    let from = opaque(ctx.data());
    if opaque(from + size_of::<Headers>()) > ctx.data_end() {
        return xdp_action::XDP_PASS;
    }
    // SAFETY: within the frame, as compared above, and no other reference to it is alive.
    let headers = unsafe { &mut *(from as *mut Headers) };
    if headers.ethertype != ETHERTYPE_IPV4.to_be_bytes()
        || headers.version_ihl != IPV4_VERSION_IHL
        || headers.protocol != IPV4_PROTOCOL_UDP
    {
        return xdp_action::XDP_PASS;
    }
    mem::swap(&mut headers.target_mac, &mut headers.source_mac);
    mem::swap(&mut headers.source, &mut headers.target);
    mem::swap(&mut headers.source_port, &mut headers.target_port);
    xdp_action::XDP_TX
}

/// Headers of a frame without tags, as octets, so that no alignment is required.
#[repr(C)]
struct Headers {
    target_mac: [u8; 6],
    source_mac: [u8; 6],
    ethertype: [u8; 2],
    version_ihl: u8,
    to_protocol: [u8; 8],
    protocol: u8,
    checksum: [u8; 2],
    source: [u8; 4],
    target: [u8; 4],
    source_port: [u8; 2],
    target_port: [u8; 2],
}
const _: () = assert!(size_of::<Headers>() == ETHERNET_LEN + IPV4_LEN + 4);

/// Turns the frame into the first request of the next exchange.
#[inline(always)]
fn begin(ctx: &XdpContext, plan: &Plan, now_ns: u64) -> Option<u32> {
    let serial = next(word::NEXT, 1);
    if serial >= plan.limit || plan.clients == 0 {
        return None;
    }
    if serial == 0 {
        note(word::FIRST_NS, now_ns);
    }
    let index = free_client(plan, now_ns);
    let client = CLIENTS.get_ptr_mut(index)?;
    let (ask, wait, counted) = if plan.begin == Ask::Renew as u32 {
        (Ask::Renew, Wait::Renewal, Count::Renewals)
    } else {
        (Ask::Discover, Wait::Offer, Count::Discovers)
    };
    // SAFETY: elements of an array are never freed. Two runs write the same client only if there
    // are fewer clients than exchanges in flight, and then one exchange is lost.
    let client = unsafe { &mut *client };
    client.began_ns = now_ns;
    client.asked_ns = now_ns;
    client.waits = wait as u32;
    send(ctx, plan, index, ask, client.address, counted)
}

/// Turns the frame into a DISCOVER from a random hardware address.
#[inline(always)]
fn send_bogus(ctx: &XdpContext, plan: &Plan) -> u32 {
    // SAFETY: the helpers have no preconditions.
    let [number, xid] = unsafe { [bpf_get_prandom_u32(), bpf_get_prandom_u32()] };
    let own = Own {
        number,
        xid,
        address: 0,
    };
    let written = TEMPLATES
        .get(plan.shapes * ASKS as u32)
        .and_then(|template| write(ctx, template, own));
    if written.is_none() {
        count(Count::Failed);
        return xdp_action::XDP_DROP;
    }
    count(Count::Bogus);
    xdp_action::XDP_TX
}

/// Returns the next client. A client that waits for an answer is skipped as long as one may come:
/// if a server answers some clients immediately and others after a commit, the answers to the
/// others would otherwise come too late.
#[inline(always)]
fn free_client(plan: &Plan, now_ns: u64) -> u32 {
    let mut index = 0;
    for _ in 0..MAX_PASSED_OVER {
        index = (next(word::CURSOR, 1) % u64::from(plan.clients)) as u32;
        let Some(client) = CLIENTS.get(index) else {
            break;
        };
        if plan.follow == 0
            || client.waits == Wait::Nothing as u32
            || now_ns.saturating_sub(client.asked_ns) > plan.patience_ns
        {
            break;
        }
    }
    index
}

/// Writes a client's frame over this one.
#[inline(always)]
fn send(
    ctx: &XdpContext,
    plan: &Plan,
    index: u32,
    ask: Ask,
    address: u32,
    counted: Count,
) -> Option<u32> {
    let number = plan.base.wrapping_add(index);
    let own = Own {
        number: number.to_be(),
        xid: (index ^ plan.xid_mask).to_be(),
        address,
    };
    let shape = number.checked_rem(plan.shapes);
    let written = shape
        .and_then(|shape| TEMPLATES.get(shape * ASKS as u32 + ask as u32))
        .and_then(|template| write(ctx, template, own));
    if written.is_none() {
        count(Count::Failed);
        return Some(xdp_action::XDP_DROP);
    }
    count(counted);
    Some(xdp_action::XDP_TX)
}

#[inline(always)]
fn write(ctx: &XdpContext, template: &Template, own: Own) -> Option<()> {
    let len = opaque(template.len.into());
    if !(ETHERNET_LEN..=FRAME_LEN).contains(&len) {
        return None;
    }
    if !resize(ctx, len) {
        return None;
    }
    let octets = ptr::from_ref(&template.octets).cast_mut().cast();
    // SAFETY: `len` octets of the template are there, as compared above.
    if unsafe { bpf_xdp_store_bytes(ctx.ctx, 0, octets, len as u32) } != 0 {
        return None;
    }
    let [first, second, third] = template.numbers;
    for at in [template.link_number, first, second, third] {
        fill(ctx, at, own.number)?;
    }
    fill(ctx, template.xid, own.xid)?;
    fill(ctx, template.source, own.address)?;
    fill(ctx, template.address, own.address)?;
    let network = usize::from(template.network);
    put(ctx, network + 10, template.ip_checksum(own))?;
    put(ctx, network + IPV4_LEN + 6, template.udp_checksum(own))
}

/// Sets the length of the frame, at its end if there is room. A frame goes back and forth in the
/// same memory; if the server changed its length at the end and this program at the front, it would
/// move until there is no room left.
#[inline(always)]
fn resize(ctx: &XdpContext, len: usize) -> bool {
    let shorter = frame_len(ctx) as i32 - len as i32;
    if shorter == 0 {
        return true;
    }
    // SAFETY: no pointer into the frame is kept across this call or the next.
    let at_end = unsafe { bpf_xdp_adjust_tail(ctx.ctx, -shorter) };
    // SAFETY: as above.
    at_end == 0 || unsafe { bpf_xdp_adjust_head(ctx.ctx, shorter) } == 0
}

/// Fills a gap, if there is one.
#[inline(always)]
fn fill(ctx: &XdpContext, at: u16, octets: u32) -> Option<()> {
    if at == 0 {
        return Some(());
    }
    put(ctx, at.into(), octets)
}

#[inline(always)]
fn put<V>(ctx: &XdpContext, at: usize, value: V) -> Option<()> {
    let to = opaque(ctx.data() + (opaque(at) & FRAME_MASK));
    if opaque(to + size_of::<V>()) > ctx.data_end() {
        return None;
    }
    // SAFETY: within the frame, as compared above.
    unsafe { (to as *mut V).write_unaligned(value) };
    Some(())
}

/// Handles an answer. Returns `None` if the frame is not for the generator.
#[inline(always)]
fn heard(ctx: &XdpContext) -> Option<u32> {
    let plan = PLAN.get(0)?;
    if plan.clients == 0 {
        // Without a plan, clients in user space receive the answers.
        return None;
    }
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the element belongs to this CPU, and no run interrupts another on the same CPU.
    let scratch = unsafe { &mut *scratch };
    let network = plan.network_offset as usize & 0x1f;
    // SAFETY: the buffer has room for this many octets.
    let loaded = unsafe {
        bpf_xdp_load_bytes(
            ctx.ctx,
            network as u32,
            scratch.head.as_mut_ptr().cast(),
            HEAD_LEN as u32,
        )
    };
    let head = &scratch.head;
    const BOOTP: usize = IPV4_LEN + UDP_LEN;
    let ports = [CLIENT_PORT, SERVER_PORT];
    if loaded != 0
        || head[0] != IPV4_VERSION_IHL
        || head[9] != IPV4_PROTOCOL_UDP
        || !ports.contains(&u16::from_be_bytes([
            head[IPV4_LEN + 2],
            head[IPV4_LEN + 3],
        ]))
        || (head[BOOTP] != BOOTREPLY && plan.is_reflected == 0)
        || type_before(ctx, network) != Some(ETHERTYPE_IPV4)
    {
        return None;
    }
    let number = u32::from_be_bytes([
        head[BOOTP + 30],
        head[BOOTP + 31],
        head[BOOTP + 32],
        head[BOOTP + 33],
    ]);
    let index = number.wrapping_sub(plan.base);
    let xid = u32::from_be_bytes([
        head[BOOTP + 4],
        head[BOOTP + 5],
        head[BOOTP + 6],
        head[BOOTP + 7],
    ]);
    let tag = u32::from(head[BOOTP + 29]);
    if plan.bogus_each != 0 && tag != plan.tag && tag != plan.bogus_tag {
        return None;
    }
    if head[BOOTP + 28] != 0x02
        || tag != plan.tag
        || index >= plan.clients
        || xid != index ^ plan.xid_mask
    {
        return dropped(Count::Strangers);
    }
    // SAFETY: the helper has no preconditions.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    note(word::LAST_NS, now_ns);
    let address = u32::from_ne_bytes([
        head[BOOTP + 16],
        head[BOOTP + 17],
        head[BOOTP + 18],
        head[BOOTP + 19],
    ]);
    let is_reflected = plan.is_reflected != 0;
    let (mut kind, mut server) = options(ctx, network, &mut scratch.options, is_reflected)?;
    if is_reflected {
        (kind, server) = (message_type::ACK, plan.server);
    }
    if server != plan.server {
        return dropped(Count::OtherServer);
    }
    let client = CLIENTS.get_ptr_mut(index)?;
    // SAFETY: as in `begin`.
    let client = unsafe { &mut *client };
    let waits = client.waits;
    let waited_ns = now_ns.saturating_sub(client.asked_ns);
    if kind == message_type::OFFER && waits == Wait::Offer as u32 {
        if address & plan.mask != plan.network {
            return dropped(Count::Outside);
        }
        count(Count::Offers);
        took(Stage::Offer, waited_ns);
        if plan.follow == 0 {
            client.waits = Wait::Nothing as u32;
            return Some(xdp_action::XDP_DROP);
        }
        client.address = address;
        client.asked_ns = now_ns;
        client.waits = Wait::Ack as u32;
        return send(ctx, plan, index, Ask::Select, address, Count::Selections);
    }
    let is_new = waits == Wait::Ack as u32;
    if !is_new && waits != Wait::Renewal as u32 {
        return dropped(Count::Unexpected);
    }
    match kind {
        message_type::ACK => {
            count(Count::Acks);
            count(Count::Completed);
            if is_new {
                took(Stage::Ack, waited_ns);
                took(Stage::Lease, now_ns.saturating_sub(client.began_ns));
                hold(plan, index, address);
            } else {
                took(Stage::Renewal, waited_ns);
            }
        }
        message_type::NAK => count(Count::Naks),
        _ => return dropped(Count::Unexpected),
    }
    client.waits = Wait::Nothing as u32;
    if plan.follow == 0 {
        return Some(xdp_action::XDP_DROP);
    }
    begin(ctx, plan, now_ns).or(Some(xdp_action::XDP_DROP))
}

/// Returns the length of the frame. The verifier treats it as a number only if it is exactly the
/// difference of the two ends.
#[inline(always)]
fn frame_len(ctx: &XdpContext) -> usize {
    opaque(ctx.data_end() - ctx.data())
}

#[inline(always)]
fn type_before(ctx: &XdpContext, network: usize) -> Option<u16> {
    let at = opaque(ctx.data() + (opaque(network.wrapping_sub(2)) & 0x1f));
    if opaque(at + 2) > ctx.data_end() {
        return None;
    }
    // SAFETY: within the frame, as compared above.
    Some(u16::from_be(unsafe { (at as *const u16).read_unaligned() }))
}

/// Returns option 53, and option 54 as it lies in memory; zero for an option that is missing. A
/// frame returned by [`reflect`] is read just as an answer is, although it has only option 53.
#[inline(always)]
fn options(
    ctx: &XdpContext,
    network: usize,
    octets: &mut [u8; OPTIONS_LEN + SLACK],
    is_reflected: bool,
) -> Option<(u8, u32)> {
    let from = network + IPV4_LEN + UDP_LEN + BOOTP_FIXED_LEN;
    let len = opaque(frame_len(ctx).wrapping_sub(from));
    if len > 2048 {
        return None;
    }
    let len = opaque(if len > OPTIONS_LEN { OPTIONS_LEN } else { len });
    if len == 0 {
        return None;
    }
    // SAFETY: the buffer has room for this many octets.
    let loaded =
        unsafe { bpf_xdp_load_bytes(ctx.ctx, from as u32, octets.as_mut_ptr().cast(), len as u32) };
    if loaded != 0 {
        return None;
    }
    let (mut kind, mut server) = (0, 0);
    let mut at = 0;
    for _ in 0..MAX_OPTIONS {
        // Masked, so that the offset is in range for any message.
        at = opaque(at) & OPTIONS_MASK;
        // SAFETY: `OPTIONS_LEN` plus `SLACK` octets are there.
        let option: [u8; 6] = unsafe { octets.as_ptr().add(at).cast::<[u8; 6]>().read() };
        let [code, value_len, a, b, c, d] = option;
        match code {
            option::END => break,
            option::PAD => {
                at += 1;
                continue;
            }
            option::MESSAGE_TYPE => kind = a,
            option::SERVER_ID => server = u32::from_ne_bytes([a, b, c, d]),
            _ => {}
        }
        if kind != 0 && (server != 0 || is_reflected) {
            break;
        }
        at += 2 + usize::from(value_len);
        if at >= OPTIONS_LEN {
            break;
        }
    }
    Some((kind, server))
}

/// Records the holder of an address, and counts it if another client held it.
#[inline(always)]
fn hold(plan: &Plan, index: u32, address: u32) {
    let offset = u32::from_be(address & !plan.mask);
    let Some(holder) = HOLDERS.get_ptr_mut(offset) else {
        return;
    };
    // SAFETY: elements of an array are never freed, and a word is read and written as a whole.
    let before = unsafe { *holder };
    if before != 0 && before != index + 1 {
        count(Count::Duplicates);
    }
    // SAFETY: as above.
    unsafe { *holder = index + 1 };
}

#[inline(always)]
fn dropped(why: Count) -> Option<u32> {
    count(why);
    Some(xdp_action::XDP_DROP)
}

#[inline(always)]
fn count(what: Count) {
    if let Some(count) = COUNTS.get_ptr_mut(what as u32) {
        // SAFETY: each CPU has its own element, and elements of an array are never freed.
        unsafe { *count += 1 };
    }
}

#[inline(always)]
fn took(stage: Stage, ns: u64) {
    let at = stage as usize * BUCKETS + bucket(ns);
    if let Some(count) = LATENCIES.get_ptr_mut(at as u32) {
        // SAFETY: as in `count`.
        unsafe { *count += 1 };
    }
}

/// Adds to a word that all CPUs share, and returns its previous value.
#[inline(always)]
fn next(word: u32, more: u64) -> u64 {
    let Some(word) = NEXT.get_ptr_mut(word) else {
        return u64::MAX;
    };
    let mut more = more;
    // SAFETY: elements of an array are aligned and never freed; one instruction reads and writes
    // this one.
    unsafe {
        asm!("{more} = atomic_fetch_add((u64 *)({word} + 0), {more})", word = in(reg) word, more = inout(reg) more);
    }
    more
}

/// Returns the current value of a word. Unlike [`next`] this does not take the cache line from
/// other processors.
#[inline(always)]
fn seen(word: u32) -> u64 {
    NEXT.get_ptr(word)
        // SAFETY: elements of an array are aligned and never freed, and a word is read as a whole.
        .map_or(u64::MAX, |word| unsafe { word.read_volatile() })
}

#[inline(always)]
fn note(word: u32, value: u64) {
    if let Some(word) = NEXT.get_ptr_mut(word) {
        // SAFETY: elements of an array are never freed, and a word is written as a whole.
        unsafe { *word = value };
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
