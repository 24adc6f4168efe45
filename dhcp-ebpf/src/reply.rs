//! Writes the reply over the request.
//!
//! Lengths are checked and the frame is resized before the first write. After that nothing can
//! fail, so no half-written frame is sent.

use dhcp_common::{
    abi::{IMAGE_LEN, Identity},
    checksum, fqdn,
    outcome::Silence,
    wire::{
        BOOTP_HEAD_LEN, BOOTP_MIN_LEN, BOOTREPLY, Be16, Be32, CLIENT_PORT, FLAG_BROADCAST,
        HTYPE_ETHERNET, IPV4_BROADCAST, IPV4_DONT_FRAGMENT, IPV4_LEN, IPV4_PROTOCOL_UDP,
        IPV4_VERSION_IHL, REPLY_TTL, SERVER_PORT, UDP_LEN, option,
    },
};

use crate::{
    decide::Decision,
    frame::Frame,
    ingress::Ingress,
    packet::{BootpHead, HEAD_LEN, Ipv4, MIN_IMAGE_LEN, Mac, Packet, Udp, pseudo_header_sum},
    scratch::{Scratch, Span},
    tables::Tables,
    verifier::forgotten,
};

/// Destination of a reply (RFC 2131 §4.1).
struct Destination {
    mac: Mac,
    address: Be32,
    port: u16,
    flags: u16,
}

#[inline(always)]
fn destination(
    ingress: &Ingress<'_>,
    request: &BootpHead,
    decision: &Decision<'_>,
) -> Result<Destination, Silence> {
    let flags = request.flags.get() & FLAG_BROADCAST;
    if !request.giaddr.is_zero() {
        return Ok(Destination {
            mac: ingress.source_mac,
            address: request.giaddr,
            port: SERVER_PORT,
            // The relay agent must broadcast a NAK (RFC 2131 §4.3.2).
            flags: if decision.is_nak() {
                FLAG_BROADCAST
            } else {
                flags
            },
        });
    }
    let (mac, address) = if decision.is_nak() {
        (Mac::BROADCAST, IPV4_BROADCAST)
    } else if !request.ciaddr.is_zero() {
        (ingress.source_mac, request.ciaddr)
    } else if flags != 0 {
        (Mac::BROADCAST, IPV4_BROADCAST)
    } else if request.htype == HTYPE_ETHERNET && request.hlen == 6 {
        (request.ethernet(), decision.yiaddr)
    } else {
        return Err(Silence::Hardware);
    };
    Ok(Destination {
        mac,
        address,
        port: CLIENT_PORT,
        flags,
    })
}

/// Turns the request in the frame into the reply.
///
/// # Errors
/// The reply is too large, its destination has no Ethernet address, or a write failed.
#[inline(always)]
pub fn reply<F: Frame, T: Tables>(
    frame: &mut F,
    ingress: &Ingress<'_>,
    scratch: &mut Scratch,
    decision: &Decision<'_>,
    tables: &T,
) -> Result<(), Silence> {
    let template = decision.template;
    let mut fqdn = fqdn_of(scratch, decision);
    let client_id = scratch.walk.client_id;
    let relay_info = scratch.walk.relay_info;
    let destination = destination(ingress, &scratch.packet.head.bootp, decision)?;

    let image_len = usize::from(template.len);
    let padded_len = usize::from(template.padded_len);
    let end = BOOTP_HEAD_LEN + image_len + fqdn.len + client_id.len + relay_info.len;
    let bootp_len = (end + 1).max(BOOTP_MIN_LEN);
    if end + 1 > usize::from(template.max_len) || !(MIN_IMAGE_LEN..=IMAGE_LEN).contains(&padded_len)
    {
        return Err(Silence::ReplyTooLarge);
    }

    let udp_len = UDP_LEN + bootp_len;
    let network = ingress.network_offset;
    let image = network + HEAD_LEN;
    let len = network + IPV4_LEN + udp_len;
    if frame.len() != len {
        frame.resize(len).ok_or(Silence::ReplyTooLarge)?;
    }

    let mut sum = u64::from(template.sum);
    if fqdn.is_present() {
        answer_fqdn(&mut scratch.packet, fqdn);
        sum += at_offset(option_sum(&scratch.packet, fqdn, tables), image_len);
    }
    // Otherwise everything that follows is verified twice, with option 81 and without.
    fqdn.len = forgotten(&mut scratch.number, fqdn.len);
    let echoed = image_len + fqdn.len;
    sum += at_offset(client_id_sum(scratch, client_id, tables), echoed);
    sum += at_offset(
        option_sum(&scratch.packet, relay_info, tables),
        echoed + client_id.len,
    );
    sum += at_offset(checksum::sum_octet(option::END), end);

    let head = &mut scratch.packet.head;
    head.ip = Ipv4 {
        version_ihl: IPV4_VERSION_IHL,
        tos: 0,
        total_len: Be16::new((IPV4_LEN + udp_len) as u16),
        ident: Be16::new(0),
        fragment: Be16::new(IPV4_DONT_FRAGMENT),
        ttl: REPLY_TTL,
        protocol: IPV4_PROTOCOL_UDP,
        checksum: 0,
        source: template.server_id,
        destination: destination.address,
    };
    head.udp = Udp {
        source: Be16::new(SERVER_PORT),
        destination: Be16::new(destination.port),
        len: Be16::new(udp_len as u16),
        checksum: 0,
    };
    // htype, hlen, xid, giaddr and chaddr stay as in the request (RFC 2131 §4.3.1, table 3).
    head.bootp.op = BOOTREPLY;
    head.bootp.hops = 0;
    head.bootp.secs = Be16::new(0);
    head.bootp.flags = Be16::new(destination.flags);
    head.bootp.ciaddr = decision.ciaddr;
    head.bootp.yiaddr = decision.yiaddr;
    head.bootp.siaddr = template.siaddr;

    let ip: &[u32; IPV4_LEN / 4] = bytemuck::must_cast_ref(&head.ip);
    let ip_sum = ip.iter().map(|&word| u64::from(word)).sum();
    let udp: &[u32; UDP_LEN / 4] = bytemuck::must_cast_ref(&head.udp);
    let bootp: &[u32; BOOTP_HEAD_LEN / 4] = bytemuck::must_cast_ref(&head.bootp);
    sum += udp.iter().map(|&word| u64::from(word)).sum::<u64>();
    sum += bootp.iter().map(|&word| u64::from(word)).sum::<u64>();
    sum += pseudo_header_sum(template.server_id, destination.address, udp_len as u16);
    head.ip.checksum = checksum::finish(ip_sum);
    head.udp.checksum = checksum::finish_udp(sum);

    let written = (|| {
        frame.store_head(
            network,
            destination.mac,
            Mac::new(ingress.link.mac),
            &scratch.packet.head,
        )?;
        frame.store_image(image, &template.image, padded_len)?;
        if !fqdn.is_present() && !client_id.is_present() && !relay_info.is_present() {
            return Some(());
        }
        let mut at = image + echoed;
        for span in [client_id, relay_info] {
            if span.is_present() {
                echo(frame, at, &scratch.packet, span)?;
                at += span.len;
            }
        }
        frame.store_octet(at, option::END)?;
        // Option 81 comes first and is written last, where nothing is left to be verified twice.
        if fqdn.is_present() {
            echo(frame, image + image_len, &scratch.packet, fqdn)?;
        }
        Some(())
    })();
    written.ok_or(Silence::WriteFailed)
}

/// Returns the option 81 that is answered. A NAK has none (RFC 2131, table 3), and an option
/// shorter than its fixed part is ignored.
#[inline(always)]
fn fqdn_of(scratch: &Scratch, decision: &Decision<'_>) -> Span {
    let mut span = scratch.walk.fqdn;
    if span.len < 2 + fqdn::HEAD_LEN || decision.is_nak() {
        span.len = 0;
    }
    span
}

/// Turns the option 81 of the request into that of the reply.
#[inline(always)]
fn answer_fqdn(packet: &mut Packet, span: Span) {
    let at = span.offset + 2;
    let [flags, _] = packet.options.pair(at);
    packet.options.put(at, fqdn::answer(flags));
}

/// Returns the sum of option 61, from the words of the client's key where it is part of that.
#[inline(always)]
fn client_id_sum<T: Tables>(scratch: &Scratch, span: Span, tables: &T) -> u64 {
    if !span.is_present() {
        return 0;
    }
    if scratch.client.identity() != Identity::ClientId {
        return option_sum(&scratch.packet, span, tables);
    }
    let head = u16::from_ne_bytes([option::CLIENT_ID, (span.len - 2) as u8]);
    let id = scratch.client.id_words().map(u64::to_le);
    u64::from(head)
        + id.map(|word| (word & 0xffff_ffff) + (word >> 32))
            .iter()
            .sum::<u64>()
}

/// Returns the sum of an option of the request.
#[inline(always)]
fn option_sum<T: Tables>(packet: &Packet, span: Span, tables: &T) -> u64 {
    if !span.is_present() {
        return 0;
    }
    let whole = span.len & !3;
    let rest = packet.options.word(span.offset, whole, span.len & 3);
    // The rest is shorter than a word of 32 bits, in little-endian order.
    tables.sum_options(packet, span.offset, whole) + u64::from((rest as u32).to_le())
}

/// Writes an option of the request at an offset of the reply. Most options are short, and writing
/// two or four words, which may overlap, takes less time than a call of the kernel's helper.
#[inline(always)]
fn echo<F: Frame>(frame: &mut F, offset: usize, packet: &Packet, span: Span) -> Option<()> {
    let mut copy = |at: usize| {
        let word = packet.options.word(span.offset + at, 0, 8);
        frame.store_word(offset + at, word)
    };
    match span.len {
        8..=16 => {
            copy(0)?;
            copy(span.len - 8)
        }
        17..=32 => {
            copy(0)?;
            copy(8)?;
            copy(span.len - 16)?;
            copy(span.len - 8)
        }
        _ => frame.store_options(offset, packet, span.offset, span.len),
    }
}

/// Returns the sum of a piece at an offset of the image. Everything before the image has even
/// length.
#[inline(always)]
fn at_offset(sum: u64, offset: usize) -> u64 {
    if offset % 2 == 1 {
        checksum::at_odd_offset(sum)
    } else {
        sum
    }
}
