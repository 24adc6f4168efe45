//! The fields that hold an answer's options: the options field, and unused fields before it.

use dhcp_common::wire::{FILE_LEN, SNAME_LEN, option};
use dhcp_config::Boot;
use smallvec::SmallVec;

use super::{
    answer::Answer,
    options::{Encoded, List, Routes, fits_field, lists, options},
};
use crate::{networks::Terms, request::Shape};

/// Octets of options that need no memory of their own; most answers have fewer.
const USUAL_LEN: usize = 256;

/// A reply from `sname` to the options before the echoes, without the magic cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub sname: [u8; SNAME_LEN],
    pub file: [u8; FILE_LEN],
    /// The options; most need no memory of their own.
    pub options: SmallVec<[u8; USUAL_LEN]>,
}

impl Fields {
    pub fn empty() -> Self {
        Self {
            sname: [0; SNAME_LEN],
            file: [0; FILE_LEN],
            options: SmallVec::new(),
        }
    }
}

/// Renders an answer without addresses and echoes. Options at the end that do not fit into `room`
/// are left out. Returns `None` if not even the required ones fit.
pub fn render(answer: Answer, terms: &Terms, shape: &Shape, room: usize) -> Option<Fields> {
    let place = |routes| {
        let options = options(answer, terms, shape, routes);
        // BOOTP knows no overload (RFC 951 §3).
        let may_overload = !matches!(answer, Answer::Bootp(_));
        fit(boot_fields(answer, terms), options, room, may_overload)
    };
    let (fields, sent) = place(Routes::Classless)?;
    let mut sent = sent.iter();
    let has_routes = sent.any(|option| option.code == option::CLASSLESS_ROUTES);
    if has_routes || !lists(shape, option::CLASSLESS_ROUTES) {
        return Some(fields);
    }
    // The options that RFC 3442 replaces are left out only if the replacement is sent.
    Some(place(Routes::Classful)?.0)
}

/// Returns the two fields as the configuration fills them; a NAK has nothing in them (RFC 2131
/// table 3).
fn boot_fields(answer: Answer, terms: &Terms) -> Fields {
    let mut fields = Fields::empty();
    if !answer.is_nak() {
        let Boot {
            file, server_name, ..
        } = &*terms.boot;
        fill(&mut fields.sname, server_name.as_deref());
        fill(&mut fields.file, file.as_deref());
    }
    fields
}

pub(super) fn fill(field: &mut [u8], text: Option<&str>) {
    if let Some(text) = text
        && fits_field(text, field.len())
        && let Some(start) = field.get_mut(..text.len())
    {
        start.copy_from_slice(text.as_bytes());
    }
}

/// Puts options into the fields, and returns both. If the options field has no room for all of
/// them, unused fields take options too, if more of them are sent that way (RFC 2131 §4.1).
pub(super) fn fit(
    fields: Fields,
    mut options: List,
    room: usize,
    may_overload: bool,
) -> Option<(Fields, List)> {
    let mut len = 0;
    let alone = options.iter().take_while(|option| {
        len += option.octets.len();
        len <= room
    });
    let alone = alone.count();
    let longest = if may_overload { options.len() } else { alone };
    let longer = (alone + 1..=longest).rev();
    let overloaded = longer
        .filter_map(|count| Some((overload(&fields, options.get(..count)?, room)?, count)))
        .next();
    let (fields, count) = match overloaded {
        Some(overloaded) => overloaded,
        None => {
            let mut fields = fields;
            for option in options.iter().take(alone) {
                fields.options.extend_from_slice(&option.octets);
            }
            (fields, alone)
        }
    };
    if options.iter().skip(count).any(|option| option.is_required) {
        return None;
    }
    options.truncate(count);
    Some((fields, options))
}

/// Puts each of these options whole into the first of the options field, `file` and `sname` that
/// has room for it, which is the order in which a client reads them.
///
/// An echo that leaves less room must not move any option, or the answer without echoes could not
/// be a template of the one with them. An option that did not fit into more room does not fit into
/// less.
fn overload(fields: &Fields, options: &[Encoded], room: usize) -> Option<Fields> {
    const FILE: u8 = 1;
    const SNAME: u8 = 2;
    const OPTION_LEN: usize = 3;
    let room = room.checked_sub(OPTION_LEN)?;
    // END needs an octet; a field in use has no room.
    let free = |field: &[u8]| {
        let is_unused = field.iter().all(|octet| *octet == 0);
        if is_unused { field.len() - 1 } else { 0 }
    };
    let (file_room, sname_room) = (free(&fields.file), free(&fields.sname));
    let (mut required, mut rest) = (Vec::new(), Vec::new());
    let (mut file, mut sname) = (Vec::new(), Vec::new());
    for option in options {
        let octets = &option.octets;
        if required.len() + rest.len() + octets.len() <= room {
            let part = if option.is_required {
                &mut required
            } else {
                &mut rest
            };
            part.extend_from_slice(octets);
        } else if option.is_required {
            return None;
        } else if file.len() + octets.len() <= file_room {
            file.extend_from_slice(octets);
        } else if sname.len() + octets.len() <= sname_room {
            sname.extend_from_slice(octets);
        } else {
            return None;
        }
    }
    let mut overloaded = fields.clone();
    let mut value = 0;
    for (field, octets, bit) in [
        (&mut overloaded.file[..], file, FILE),
        (&mut overloaded.sname[..], sname, SNAME),
    ] {
        if let Some((start, after)) = field.split_at_mut_checked(octets.len())
            && !octets.is_empty()
        {
            start.copy_from_slice(&octets);
            *after.first_mut()? = option::END;
            value |= bit;
        }
    }
    let options = [required, vec![option::OVERLOAD, 1, value], rest];
    overloaded.options = options.concat().into();
    Some(overloaded)
}
