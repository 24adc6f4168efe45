//! Rendered answers for the kernel to replay.

use dhcp_common::{
    abi::{IMAGE_LEN, Template, TemplateKey},
    checksum,
    wire::{self, message_type, option},
};
use smallvec::SmallVec;

use crate::{
    networks::{Profile, Terms},
    reply::{self, Answer, NakReason},
    request::Shape,
};

/// The fingerprint of a NAK, which is the same for all requests.
const NO_FINGERPRINT: [u64; 2] = [0; 2];

/// Returns the shape that a NAK is rendered for. A NAK does not depend on the client's shape.
fn nak_shape() -> Shape {
    Shape {
        parameters: None,
        rapid_commit: false,
        max_len: wire::BOOTP_DEFAULT_MAX_LEN,
        lease_secs: None,
        vendor_class: None,
        vi_vendor_class: None,
        user_class: None,
        architectures: SmallVec::new(),
        machine_id: None,
        boot_item: None,
    }
}

/// Renders the kernel's NAK, which is for revoked leases only.
pub fn nak(profile: &Profile, id: u64) -> Option<(TemplateKey, Box<Template>)> {
    template(
        Answer::Nak(NakReason::Revoked),
        id,
        &profile.terms(std::iter::empty()),
        &nak_shape(),
        NO_FINGERPRINT,
    )
}

/// Renders an answer for the kernel: without echoes, which the kernel adds itself if they fit. If
/// they do not fit it hands the request on, so that the options do not depend on them. Returns
/// `None` if the answer is too long for the map, or contains the id of one machine.
pub fn template(
    answer: Answer,
    profile: u64,
    terms: &Terms,
    shape: &Shape,
    fingerprint: [u64; 2],
) -> Option<(TemplateKey, Box<Template>)> {
    const OPTIONS: usize = wire::BOOTP_FIXED_LEN - wire::BOOTP_HEAD_LEN;
    let room = shape.max_len.checked_sub(wire::BOOTP_FIXED_LEN + 1)?;
    if shape.machine_id.is_some() {
        return None;
    }
    let fields = reply::render(answer, terms, shape, room)?.fields;
    let len = OPTIONS + fields.options.len();
    let padded_len = (len + 1).max(wire::BOOTP_MIN_LEN - wire::BOOTP_HEAD_LEN);
    let mut image = [0; IMAGE_LEN];
    *image.get_mut(len)? = option::END;
    image[..wire::SNAME_LEN].copy_from_slice(&fields.sname);
    image[wire::SNAME_LEN..OPTIONS - 4].copy_from_slice(&fields.file);
    image[OPTIONS - 4..OPTIONS].copy_from_slice(&wire::MAGIC_COOKIE.get().to_be_bytes());
    image[OPTIONS..len].copy_from_slice(&fields.options);
    let reply = answer.message_type()?;
    let key = TemplateKey::new(fingerprint, profile, reply);
    let template = Template {
        sum: u32::try_from(checksum::sum(&image[..len])).ok()?,
        len: u16::try_from(len).ok()?,
        padded_len: u16::try_from(padded_len).ok()?,
        lease_secs: if reply == message_type::NAK {
            0
        } else {
            terms.lease.lease_secs
        },
        server_id: terms.server_id.into(),
        siaddr: answer.siaddr(terms).into(),
        max_len: u16::try_from(shape.max_len).ok()?,
        reserved: 0,
        image,
    };
    Some((key, Box::new(template)))
}
