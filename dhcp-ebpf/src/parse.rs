//! Reads a request: headers, options in one walk, and from them the client and its network.

use dhcp_common::{
    abi::{
        ClientKey, Identity, LINK_TRUSTS_RELAY_INFO, Link, MAX_CLIENT_ID, Meta,
        NETWORK_IGNORES_CLIENT_ID, NetworkRef,
    },
    checksum,
    fingerprint::{self, MAX_WORDS},
    outcome::Silence,
    wire::{
        BOOTREPLY, BOOTREQUEST, Be16, ETHERNET_MTU, IPV4_LEN, MAGIC_COOKIE, MAX_HLEN, SERVER_PORT,
        message_type, option, relay_suboption,
    },
};

use crate::{
    frame::Frame,
    ingress::Ingress,
    packet::{FIXED_UDP_LEN, Options, Packet, pseudo_header_sum},
    scratch::{Scratch, Span, Walk},
    tables::Tables,
    verifier::{Rounds, opaque, repeat},
};

/// Rounds of the walk, of [`STEPS`] steps each: one step for an option, a padding octet or a
/// further word of the fingerprint.
const MAX_ROUNDS: u32 = (96 + MAX_WORDS as u32) / STEPS;
/// Steps in a round. A round keeps the offset in a register, while between rounds it must be in
/// memory. The verifier looks at each step of a round.
const STEPS: u32 = 8;
/// Sub-options of option 82 that the walk takes; a request with more goes to the controller.
const MAX_SUBOPTIONS: u32 = 16;
const MAX_UDP_LEN: usize = ETHERNET_MTU - IPV4_LEN;

/// Copies the frame and checks its headers.
///
/// # Errors
/// The frame is malformed, a reply, or too long for the fast path.
#[inline(always)]
pub fn load(
    frame: &impl Frame,
    ingress: &Ingress<'_>,
    scratch: &mut Scratch,
) -> Result<(), Silence> {
    let ip_len = frame
        .be16_at(ingress.network_offset + 2)
        .ok_or(Silence::Truncated)?;
    let ip_len = usize::from(ip_len);
    if frame.len() < ingress.network_offset + ip_len {
        return Err(Silence::Truncated);
    }
    if ip_len < IPV4_LEN + FIXED_UDP_LEN {
        return Err(Silence::Truncated);
    }
    if ip_len > IPV4_LEN + MAX_UDP_LEN {
        return Err(Silence::Oversized);
    }
    // Checked before the copy, which has room for no more; but errors of the headers take
    // precedence.
    let options_len = ip_len - IPV4_LEN - FIXED_UDP_LEN;
    let fits = options_len < Options::CAPACITY;
    let copied = if fits { options_len } else { 0 };
    frame
        .load(ingress.network_offset, copied, &mut scratch.packet)
        .ok_or(Silence::Truncated)?;

    let udp_len = ip_len - IPV4_LEN;
    let head = &scratch.packet.head;
    if usize::from(head.udp.len.get()) > udp_len {
        return Err(Silence::LengthMismatch);
    }
    if usize::from(head.udp.len.get()) < udp_len {
        return Err(Silence::ShortDatagram);
    }
    if checksum::fold(ip_sum(&scratch.packet)) != 0xffff {
        return Err(Silence::BadIpChecksum);
    }
    if !fits {
        return Err(Silence::ManyOptions);
    }
    check_udp(frame, ingress.network_offset, &mut scratch.packet, udp_len)?;
    check_bootp(&scratch.packet)?;
    scratch.walk.end = options_len;
    Ok(())
}

#[inline(always)]
fn ip_sum(packet: &Packet) -> u64 {
    let words: &[u32; IPV4_LEN / 4] = bytemuck::must_cast_ref(&packet.head.ip);
    words.iter().map(|&word| u64::from(word)).sum()
}

/// Verifies the UDP checksum (RFC 1122 §4.1.3.4). Zero means that none was computed; the bare sum
/// of the pseudo-header means that it was left to hardware, which a virtual link does not have.
#[inline(always)]
fn check_udp(
    frame: &impl Frame,
    network_offset: usize,
    packet: &mut Packet,
    len: usize,
) -> Result<(), Silence> {
    let head = &packet.head;
    if head.udp.checksum == 0 {
        return Ok(());
    }
    let pseudo = pseudo_header_sum(head.ip.source, head.ip.destination, len as u16);
    if head.udp.checksum == checksum::fold(pseudo) {
        return Ok(());
    }
    let options_len = len - FIXED_UDP_LEN;
    packet.options.clear_after(options_len);
    let datagram = frame
        .sum_datagram(network_offset, options_len, packet)
        .ok_or(Silence::Truncated)?;
    if checksum::fold(pseudo + datagram) != 0xffff {
        return Err(Silence::BadUdpChecksum);
    }
    Ok(())
}

#[inline(always)]
fn check_bootp(packet: &Packet) -> Result<(), Silence> {
    let bootp = &packet.head.bootp;
    match bootp.op {
        BOOTREQUEST => {}
        BOOTREPLY => return Err(Silence::BootReply),
        _ => return Err(Silence::BadOp),
    }
    if bootp.hlen > MAX_HLEN {
        return Err(Silence::BadHlen);
    }
    if packet.cookie != MAGIC_COOKIE {
        // A client of RFC 951 knows no options and leaves the field zero.
        return Err(if packet.cookie.is_zero() {
            Silence::Bootp
        } else {
            Silence::BadCookie
        });
    }
    Ok(())
}

/// Walks the options and determines the client and its network. Returns the message type.
///
/// # Errors
/// The options are malformed, or the controller has to read them.
#[inline(always)]
pub fn parse<T: Tables>(
    ingress: &Ingress<'_>,
    meta: &Meta,
    tables: &T,
    scratch: &mut Scratch,
) -> Result<u8, Silence> {
    scratch.walk = Walk {
        end: scratch.walk.end,
        ..Walk::default()
    };
    repeat(
        MAX_ROUNDS,
        &mut OptionWalk {
            options: &scratch.packet.options,
            key: &meta.fingerprint_key,
            walk: &mut scratch.walk,
        },
    );
    match scratch.walk.ended {
        Some(ended) => ended?,
        None => return Err(Silence::ManyOptions),
    }
    let message_type = check_message_type(scratch.walk.message_type)?;
    check_relay_info(ingress.link, scratch)?;
    let network = network(ingress, tables, &scratch.packet)?;
    scratch.client = client_key(network, scratch)?;
    Ok(message_type)
}

/// Checks option 53 (RFC 2132 §9.6); a message without it is BOOTP (RFC 1534).
#[inline(always)]
fn check_message_type(received: Option<u8>) -> Result<u8, Silence> {
    match received {
        None => Err(Silence::Bootp),
        Some(message_type::OFFER | message_type::ACK | message_type::NAK) => {
            Err(Silence::BadMessageType)
        }
        Some(known @ message_type::DISCOVER..=message_type::LAST_ASSIGNED) => Ok(known),
        Some(_) => Err(Silence::BadMessageType),
    }
}

/// Returns the network of the relay agent's subnet or, in a unicast renewal, of the client's, or
/// else that of the link (RFC 2131 §4.3.1, §4.3.2).
#[inline(always)]
fn network<T: Tables>(
    ingress: &Ingress<'_>,
    tables: &T,
    packet: &Packet,
) -> Result<NetworkRef, Silence> {
    let bootp = &packet.head.bootp;
    // A boot server gives no addresses (PXE 2.1 §2.2.4).
    if packet.head.udp.destination != Be16::new(SERVER_PORT) {
        return Err(Silence::UnknownNetwork);
    }
    if !bootp.giaddr.is_zero() {
        return tables.network_of(bootp.giaddr).ok_or(Silence::UnknownRelay);
    }
    if !bootp.ciaddr.is_zero()
        && !packet.head.ip.is_broadcast()
        && let Some(network) = tables.network_of(bootp.ciaddr)
    {
        return Ok(network);
    }
    if ingress.link.network.id == 0 {
        return Err(Silence::UnknownNetwork);
    }
    Ok(ingress.link.network)
}

/// Returns the key of the client: option 61 alone where it was sent and counts, else `htype` and
/// `chaddr` (RFC 2131 §4.2).
#[inline(always)]
fn client_key(network: NetworkRef, scratch: &Scratch) -> Result<ClientKey, Silence> {
    let ignores_client_id = network.flags & NETWORK_IGNORES_CLIENT_ID != 0;
    let network = network.id;
    let span = scratch.walk.client_id;
    if span.is_present() && !ignores_client_id {
        let len = span.len - 2;
        if len > MAX_CLIENT_ID {
            return Err(Silence::LongClientId);
        }
        let options = &scratch.packet.options;
        // Most identifiers are a hardware type and a MAC address.
        if len <= 8 {
            let id = [options.word(span.offset, 2, len), 0, 0, 0];
            return Ok(ClientKey::from_words(
                network,
                Identity::ClientId,
                0,
                len as u8,
                id,
            ));
        }
        let id = [
            options.word(span.offset, 2, len),
            options.word(span.offset, 10, len.saturating_sub(8)),
            options.word(span.offset, 18, len.saturating_sub(16)),
            options.word(span.offset, 26, len.saturating_sub(24)),
        ];
        let key = ClientKey::from_words(network, Identity::ClientId, 0, len as u8, id);
        return Ok(key);
    }
    let bootp = &scratch.packet.head.bootp;
    let [low, high] = bootp.chaddr_words();
    let id = [low, high, 0, 0];
    let key = ClientKey::from_words(network, Identity::Hardware, bootp.htype, bootp.hlen, id);
    Ok(key)
}

/// Returns whether option 82 counts: a relay agent has added it, or a device on a link that is
/// trusted to.
#[inline(always)]
pub fn is_relay_info_trusted(link: &Link, packet: &Packet) -> bool {
    !packet.head.bootp.giaddr.is_zero() || link.flags & LINK_TRUSTS_RELAY_INFO != 0
}

#[inline(always)]
fn check_relay_info(link: &Link, scratch: &mut Scratch) -> Result<(), Silence> {
    let span = scratch.walk.relay_info;
    if !span.is_present() {
        return Ok(());
    }
    // It is echoed, and nothing in it counts (RFC 3046 §2.1.1).
    if !is_relay_info_trusted(link, &scratch.packet) {
        return Ok(());
    }
    scratch.walk.offset = span.offset + 2;
    scratch.walk.end = span.offset + span.len;
    scratch.walk.ended = None;
    repeat(
        MAX_SUBOPTIONS,
        &mut SuboptionWalk {
            options: &scratch.packet.options,
            walk: &mut scratch.walk,
        },
    );
    scratch.walk.ended.unwrap_or(Err(Silence::RelaySuboption))
}

/// The walk over the options: one option a step (RFC 2132 §2), or one more word of a long one.
struct OptionWalk<'a> {
    options: &'a Options,
    key: &'a [u64; fingerprint::KEY_WORDS],
    walk: &'a mut Walk,
}

impl Rounds for OptionWalk<'_> {
    #[inline(always)]
    fn round(&mut self) -> bool {
        let mut offset = self.walk.offset;
        for _ in 0..STEPS {
            match self.step(offset) {
                Ok(Some(next)) => offset = next,
                ended => {
                    self.walk.ended = Some(ended.map(|_| ()));
                    return false;
                }
            }
        }
        self.walk.offset = offset;
        true
    }
}

impl OptionWalk<'_> {
    /// Reads the option at an offset. Returns the offset of the next one, or `None` at END or where
    /// the message ends without it.
    #[inline(always)]
    fn step(&mut self, offset: usize) -> Result<Option<usize>, Silence> {
        let walk = &mut *self.walk;
        if walk.unmixed != 0 {
            self.mix(offset);
            return Ok(Some(offset));
        }
        let [code, value_len] = if offset < walk.end {
            self.options.pair(offset)
        } else {
            [option::END, 0]
        };
        if code == option::PAD {
            return Ok(Some(offset + 1));
        }
        if code == option::END {
            return match walk.flaw {
                Some(flaw) => Err(flaw),
                None => Ok(None),
            };
        }
        let value_len = usize::from(value_len);
        let next = offset + 2 + value_len;
        if next > walk.end {
            return Err(Silence::OptionOverrun);
        }
        let span = Span {
            offset,
            len: value_len + 2,
        };
        self.note(code, span)?;
        if fingerprint::is_covered(code) {
            if self.walk.position + fingerprint::words_of(value_len) > MAX_WORDS {
                return Err(Silence::ManyOptions);
            }
            self.walk.unmixed = span.len;
            self.mix(next);
            // The second word as well, because a further step takes longer than the word.
            if self.walk.unmixed != 0 {
                self.mix(next);
            }
        }
        Ok(Some(next))
    }

    /// Stores an option that is used later.
    #[inline(always)]
    fn note(&mut self, code: u8, span: Span) -> Result<(), Silence> {
        let walk = &mut *self.walk;
        match code {
            option::MESSAGE_TYPE => {
                walk.demand(span.len == 2 + 1, Silence::BadMessageType);
                let value = self.options.word(span.offset, 2, 1) as u8;
                once(&mut walk.message_type, value)
            }
            option::REQUESTED_ADDRESS => {
                walk.demand_address(span);
                once(&mut walk.requested, self.options.address(span.offset))
            }
            option::SERVER_ID => {
                walk.demand_address(span);
                once(&mut walk.server_id, self.options.address(span.offset))
            }
            option::CLIENT_ID => {
                // RFC 2132 §9.14.
                walk.demand(span.len >= 2 + 2, Silence::ShortClientId);
                once_span(&mut walk.client_id, span)
            }
            option::FQDN => once_span(&mut walk.fqdn, span),
            option::RELAY_INFO => once_span(&mut walk.relay_info, span),
            option::OVERLOAD => Err(Silence::Overload),
            option::SUBNET_SELECTION => Err(Silence::SubnetSelection),
            _ => Ok(()),
        }
    }

    /// Mixes the next word of the option that ends at an offset into the fingerprint.
    #[inline(always)]
    fn mix(&mut self, end: usize) {
        const { assert!(MAX_WORDS.is_power_of_two()) };
        let walk = &mut *self.walk;
        let start = end.wrapping_sub(walk.unmixed);
        let word = self.options.word(start, 0, walk.unmixed);
        let at = opaque(walk.position) & (MAX_WORDS - 1);
        walk.fingerprint.mix(word, [self.key[at], self.key[at + 1]]);
        walk.position += 1;
        walk.unmixed = walk.unmixed.saturating_sub(8);
    }
}

/// Stores an option that must occur once. Repeated options are to be joined (RFC 3396), which the
/// controller does.
#[inline(always)]
fn once<V>(slot: &mut Option<V>, value: V) -> Result<(), Silence> {
    if slot.is_some() {
        return Err(Silence::SplitOption);
    }
    *slot = Some(value);
    Ok(())
}

#[inline(always)]
fn once_span(slot: &mut Span, span: Span) -> Result<(), Silence> {
    if slot.is_present() {
        return Err(Silence::SplitOption);
    }
    *slot = span;
    Ok(())
}

/// The walk over option 82: one sub-option a round (RFC 3046 §2.0).
struct SuboptionWalk<'a> {
    options: &'a Options,
    walk: &'a mut Walk,
}

impl Rounds for SuboptionWalk<'_> {
    #[inline(always)]
    fn round(&mut self) -> bool {
        let walk = &mut *self.walk;
        let offset = walk.offset;
        if offset >= walk.end {
            walk.ended = Some(Ok(()));
            return false;
        }
        let [code, value_len] = self.options.pair(offset);
        let next = offset + 2 + usize::from(value_len);
        let changes_the_answer = matches!(
            code,
            relay_suboption::LINK_SELECTION
                | relay_suboption::SERVER_ID_OVERRIDE
                | relay_suboption::SOURCE_PORT
        );
        if changes_the_answer || next > walk.end {
            walk.ended = Some(Err(Silence::RelaySuboption));
            return false;
        }
        walk.offset = next;
        true
    }
}
