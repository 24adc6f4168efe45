//! Where the options of an answer stand: in the options field, what fits of them.

use dhcp_common::wire::{FILE_LEN, SNAME_LEN, option};

use super::{
    super::{profile::Profile, request::Shape},
    Answer,
    options::{Encoded, Routes, lists, options},
};
use crate::config::Boot;

/// A reply from `sname` to the options before the echoes, without the magic cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub sname: [u8; SNAME_LEN],
    pub file: [u8; FILE_LEN],
    pub options: Vec<u8>,
}

/// What the answer says but for addresses and echoes, options at the end left out that `room` has no
/// place for. `None` where even the first ones do not fit.
pub fn render(answer: Answer, profile: &Profile, shape: &Shape, room: usize) -> Option<Fields> {
    let place = |routes| {
        let options = options(answer, profile, shape, routes);
        fit(boot_fields(answer, profile), options, room)
    };
    let (fields, sent) = place(Routes::Classless)?;
    let has_routes = sent.contains(&option::CLASSLESS_ROUTES);
    if has_routes || !lists(shape, option::CLASSLESS_ROUTES) {
        return Some(fields);
    }
    // What RFC 3442 replaces is left out only where the replacement is sent.
    Some(place(Routes::Classful)?.0)
}

/// The two fields as the configuration fills them; a NAK has nothing in them (RFC 2131 table 3).
fn boot_fields(answer: Answer, profile: &Profile) -> Fields {
    let mut fields = Fields {
        sname: [0; SNAME_LEN],
        file: [0; FILE_LEN],
        options: Vec::new(),
    };
    if !answer.is_nak() {
        let Boot {
            file, server_name, ..
        } = &profile.boot;
        fill(&mut fields.sname, server_name.as_deref());
        fill(&mut fields.file, file.as_deref());
    }
    fields
}

/// A string ends with a zero octet (RFC 2131 §2).
const fn fits_field(text: &str, len: usize) -> bool {
    text.len() < len
}

fn fill(field: &mut [u8], text: Option<&str>) {
    if let Some(text) = text
        && fits_field(text, field.len())
        && let Some(start) = field.get_mut(..text.len())
    {
        start.copy_from_slice(text.as_bytes());
    }
}

/// The options that stand for fields which have no room for their values.
pub(super) fn without_room(boot: &Boot) -> impl Iterator<Item = u8> {
    let too_long =
        |text: &Option<String>, len| text.as_ref().is_some_and(|text| !fits_field(text, len));
    let file = too_long(&boot.file, FILE_LEN).then_some(option::BOOTFILE_NAME);
    let name = too_long(&boot.server_name, SNAME_LEN).then_some(option::TFTP_SERVER_NAME);
    file.into_iter().chain(name)
}

/// The fields with the options, and the codes of those.
fn fit(mut fields: Fields, mut options: Vec<Encoded>, room: usize) -> Option<(Fields, Vec<u8>)> {
    let mut len: usize = options.iter().map(|option| option.octets.len()).sum();
    while len > room {
        let dropped = options.pop().filter(|option| !option.is_required)?;
        len -= dropped.octets.len();
    }
    let codes = options.iter().map(|option| option.code).collect();
    fields.options = options
        .into_iter()
        .flat_map(|option| option.octets)
        .collect();
    Some((fields, codes))
}
