//! The fields that hold an answer's options: the options field, and unused fields before it.

use dhcp_common::wire::{FILE_LEN, SNAME_LEN, option};
use dhcp_config::Boot;
use smallvec::SmallVec;

use super::{
    answer::Answer,
    options::{Choice, Encoded, LeftOut, List, fits_field, options, split},
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

/// The fields of a reply, and what became of each option.
#[derive(Debug)]
pub struct Placed {
    pub fields: Fields,
    /// The codes of the options that are sent.
    pub sent: SmallVec<[u8; 24]>,
    /// The others.
    pub left_out: Vec<LeftOut>,
}

/// Renders an answer without addresses and echoes. Options that do not fit into `room` are left
/// out. Returns `None` if not even the required ones fit.
pub fn render(answer: Answer, terms: &Terms, shape: &Shape, room: usize) -> Option<Placed> {
    // BOOTP knows no overload (RFC 951 §3).
    let may_overload = !matches!(answer, Answer::Bootp(_));
    let mut choice = Choice::of(terms, shape);
    loop {
        let options = options(answer, terms, shape, choice);
        let placed = fit(boot_fields(answer, terms), &options, room, may_overload)?;
        let next = choice.after(terms, shape, &placed.sent);
        if next == choice {
            return Some(placed);
        }
        choice = next;
    }
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

/// Puts options into the fields. If the options field has no room for all of them, unused fields
/// take options too, if more of them are sent that way (RFC 2131 §4.1).
pub(super) fn fit(
    mut fields: Fields,
    options: &List,
    room: usize,
    may_overload: bool,
) -> Option<Placed> {
    let (mut sent, mut left_out) = (SmallVec::new(), Vec::new());
    for option in options {
        if fields.options.len() + option.octets.len() <= room {
            fields.options.extend_from_slice(&option.octets);
            sent.push(option.code);
        } else {
            left_out.push(option.left_out());
        }
    }
    if left_out.is_empty() {
        return Some(Placed {
            fields,
            sent,
            left_out,
        });
    }
    if may_overload
        && let Some(overloaded) = overload(&fields, options, room)
        && overloaded.sent.len() > sent.len()
    {
        return Some(overloaded);
    }
    let is_out = |option: &Encoded| left_out.iter().any(|out| out.code == option.code);
    let all_required = !options
        .iter()
        .any(|option| option.is_required && is_out(option));
    all_required.then_some(Placed {
        fields,
        sent,
        left_out,
    })
}

/// Puts each of these options into the options field, `file` or `sname`, which is the order in
/// which a client reads them: whole into the first that has room for it, or else in parts, whose
/// values the client joins (RFC 3396 §5, §7).
///
/// The parts are as large as possible in `sname` and `file`, so that the options field keeps room
/// for echoes, without which the kernel could not repeat the answer.
fn overload(fields: &Fields, options: &List, room: usize) -> Option<Placed> {
    const FILE: u8 = 1;
    const SNAME: u8 = 2;
    const OPTION_LEN: usize = 3;
    // END needs an octet; a field in use has no room.
    let free = |field: &[u8]| {
        let is_unused = field.iter().all(|octet| *octet == 0);
        if is_unused { field.len() - 1 } else { 0 }
    };
    let mut required = Vec::new();
    let mut areas = [
        Area::new(room.checked_sub(OPTION_LEN)?),
        Area::new(free(&fields.file)),
        Area::new(free(&fields.sname)),
    ];
    let (mut sent, mut left_out) = (SmallVec::new(), Vec::new());
    for option in options {
        if option.is_required {
            let [area, ..] = &mut areas;
            area.room = area.room.checked_sub(option.octets.len())?;
            required.extend_from_slice(&option.octets);
        } else if !place(option, &mut areas) {
            left_out.push(option.left_out());
            continue;
        }
        sent.push(option.code);
    }
    let [rest, file, sname] = areas;
    let mut overloaded = Fields {
        options: SmallVec::new(),
        ..fields.clone()
    };
    let mut value = 0;
    for (field, area, bit) in [
        (&mut overloaded.file[..], file, FILE),
        (&mut overloaded.sname[..], sname, SNAME),
    ] {
        if let Some((start, after)) = field.split_at_mut_checked(area.octets.len())
            && !area.octets.is_empty()
        {
            start.copy_from_slice(&area.octets);
            *after.first_mut()? = option::END;
            value |= bit;
        }
    }
    let options = [required, vec![option::OVERLOAD, 1, value], rest.octets];
    overloaded.options = options.concat().into();
    Some(Placed {
        fields: overloaded,
        sent,
        left_out,
    })
}

/// Options in one field, and the room that is left there.
struct Area {
    octets: Vec<u8>,
    room: usize,
}

impl Area {
    const fn new(room: usize) -> Self {
        Self {
            octets: Vec::new(),
            room,
        }
    }

    /// Returns the length of the longest value for which there is room.
    const fn longest(&self) -> usize {
        const HEAD_LEN: usize = 2;
        const MAX_LEN: usize = u8::MAX as usize;
        let whole = self.room / (HEAD_LEN + MAX_LEN);
        let rest = self.room % (HEAD_LEN + MAX_LEN);
        whole * MAX_LEN + rest.saturating_sub(HEAD_LEN)
    }

    /// Adds an option that has room.
    fn add(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
        self.room = self.room.saturating_sub(octets.len());
    }
}

/// Puts an option whole into the first area with room for it, or else in parts into several.
/// Returns whether there was room.
fn place(option: &Encoded, areas: &mut [Area; 3]) -> bool {
    let octets = &option.octets;
    if let Some(area) = areas.iter_mut().find(|area| octets.len() <= area.room) {
        area.add(octets);
        return true;
    }
    let mut rest = &*option.value();
    if rest.len() > areas.iter().map(Area::longest).sum() {
        return false;
    }
    for area in areas.iter_mut().rev() {
        let before = rest.len().saturating_sub(area.longest());
        let (first, part) = rest.split_at(before);
        if !part.is_empty() {
            area.add(&split(option.code, part));
        }
        rest = first;
    }
    true
}
