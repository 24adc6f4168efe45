//! The options of an answer, in the order in which they are sent.

use dhcp_common::wire::{FILE_LEN, SNAME_LEN, option};
use dhcp_config::{Boot, Presence};
use dhcproto::{
    Encoder,
    v4::{OptionCode, encode_long_opt_bytes},
};
use smallvec::SmallVec;

use super::answer::Answer;
use crate::{
    networks::Terms,
    request::{BootClass, Octets, Shape},
};

/// Options that only the server or the client itself sets, or that are placed separately: never
/// sent just because a client lists them (RFC 2131 table 3).
const NOT_CONFIGURED: [u8; 16] = [
    option::PAD,
    option::SUBNET_MASK,
    option::REQUESTED_ADDRESS,
    option::LEASE_TIME,
    option::OVERLOAD,
    option::MESSAGE_TYPE,
    option::SERVER_ID,
    option::PARAMETER_LIST,
    option::MESSAGE,
    option::MAX_MESSAGE_SIZE,
    option::RENEWAL_TIME,
    option::REBINDING_TIME,
    option::CLIENT_ID,
    option::RELAY_INFO,
    option::V6_ONLY_PREFERRED,
    option::END,
];
/// Never sent to a client that has not listed it: such a client would install routes twice
/// (MS-DHCPE §2.2.8).
const ONLY_LISTED: u8 = option::MS_CLASSLESS_ROUTES;
/// Configured options that BOOTP does not have (RFC 2132 §9, RFC 1534 §2).
const DHCP_ONLY: [u8; 4] = [
    option::VENDOR_CLASS,
    option::TFTP_SERVER_NAME,
    option::BOOTFILE_NAME,
    option::CLIENT_MACHINE_ID,
];
const STATIC_ROUTES: u8 = 33;

/// Options that an answer has only together with others, or only without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Whether classless routes replace the router and static routes of a client that asks for both
    /// (RFC 3442 §5).
    pub classless: bool,
    /// Whether PXE firmware gets its class back although the configuration does not set option 60.
    pub pxe_class: bool,
}

impl Choice {
    /// Returns the choice for an answer in which everything has room.
    pub fn of(terms: &Terms, shape: &Shape) -> Self {
        Self {
            classless: true,
            pxe_class: BootClass::of(shape) == Some(BootClass::Pxe)
                && is_wanted(terms, shape, option::VENDOR_OPTIONS),
        }
    }

    /// Returns the choice after an attempt that sends these options: what was left out replaces
    /// nothing, and firmware takes an offer with its class and without option 43 for one that sends
    /// it to a boot server (PXE 2.1 §2.2.3).
    pub fn after(self, terms: &Terms, shape: &Shape, sent: &[u8]) -> Self {
        let has = |code| sent.contains(&code);
        Self {
            classless: self.classless
                && (has(option::CLASSLESS_ROUTES) || !has_routes(terms, shape)),
            pxe_class: self.pxe_class && has(option::VENDOR_OPTIONS),
        }
    }
}

/// The options of an answer; most lists need no memory of their own.
pub(super) type List = SmallVec<[Encoded; 16]>;

/// An encoded option.
pub(super) struct Encoded {
    pub code: u8,
    /// Never left out, and in the options field.
    pub is_required: bool,
    /// Consecutive instances of the code, each with its length.
    pub octets: Octets,
}

/// An option that a reply has no room for, and the length of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub code: u8,
    pub len: usize,
}

impl Encoded {
    /// Returns the value, without codes and lengths.
    pub fn value(&self) -> Octets {
        let mut value = Octets::new();
        let mut rest = &*self.octets;
        while let [_, len, tail @ ..] = rest
            && let Some((part, tail)) = tail.split_at_checked(usize::from(*len))
        {
            value.extend_from_slice(part);
            rest = tail;
        }
        value
    }

    pub fn left_out(&self) -> LeftOut {
        LeftOut {
            code: self.code,
            len: self.value().len(),
        }
    }
}

/// Returns the options of an answer: 53, 54, 51, 58, 59, except in BOOTP; option 108, and what
/// firmware looks for; the mask, which every client needs; then what the client lists, in its
/// order, or everything that is configured if it sends no list.
pub(super) fn options(answer: Answer, terms: &Terms, shape: &Shape, choice: Choice) -> List {
    let mut options = List::new();
    let mut seen = [false; 256];
    match answer.message_type() {
        Some(message_type) => options.extend([
            octets(option::MESSAGE_TYPE, &[message_type]),
            octets(option::SERVER_ID, &terms.server_id.octets()),
        ]),
        None => {
            for code in DHCP_ONLY {
                seen[usize::from(code)] = true;
            }
        }
    }
    if let Answer::Nak(reason) = answer {
        options.push(octets(option::MESSAGE, reason.text().as_bytes()));
        return options;
    }
    if !matches!(answer, Answer::Inform | Answer::Bootp(_)) {
        let lease = &terms.lease;
        options.extend([
            secs(option::LEASE_TIME, lease.lease_secs),
            secs(option::RENEWAL_TIME, lease.renewal_secs),
            secs(option::REBINDING_TIME, lease.rebinding_secs),
        ]);
    }
    let ipv6_only = is_ipv6_only(terms, shape).then(|| v6_only_preferred(terms));
    for option in ipv6_only.into_iter().chain(firmware(terms, shape, choice)) {
        if !std::mem::replace(&mut seen[usize::from(option.code)], true) {
            options.push(option);
        }
    }
    let has_routes = has_routes(terms, shape);
    for code in order(terms, shape, seen) {
        let is_replaced = if choice.classless {
            has_routes && matches!(code, option::ROUTER | STATIC_ROUTES)
        } else {
            code == option::CLASSLESS_ROUTES
        };
        if !is_replaced {
            options.extend(configured(terms, shape, code));
        }
    }
    options
}

/// Returns the options that a network boot client needs even if it does not list them: its class,
/// if boot parameters are configured (UEFI §24.7), and the machine's id (RFC 4578 §2.3).
fn firmware(terms: &Terms, shape: &Shape, choice: Choice) -> List {
    let mut options = List::new();
    if let Some(class) = BootClass::of(shape)
        && terms.option(option::BOOTFILE_NAME).is_some()
    {
        let own = Some(class.name()).filter(|_| class == BootClass::Http || choice.pxe_class);
        let class = terms.option(option::VENDOR_CLASS).or(own);
        let is_never_sent = terms.presence.never.contains(&option::VENDOR_CLASS);
        let class = class.filter(|class| !class.is_empty() && !is_never_sent);
        options.extend(class.map(|class| optional(option::VENDOR_CLASS, class)));
    }
    if let Some(id) = &shape.machine_id {
        options.push(optional(option::CLIENT_MACHINE_ID, id));
    }
    options
}

/// Returns whether classless routes are configured, and listed by the client.
fn has_routes(terms: &Terms, shape: &Shape) -> bool {
    let code = option::CLASSLESS_ROUTES;
    lists(shape, code) && is_wanted(terms, shape, code)
}

/// Returns whether a client gets a configured option: it lists it, or sends no list, unless the
/// configuration decides otherwise.
fn is_wanted(terms: &Terms, shape: &Shape, code: u8) -> bool {
    let Presence { always, never } = &terms.presence;
    let is_listed = shape.parameters.is_none() || lists(shape, code) || always.contains(&code);
    is_listed && !never.contains(&code) && terms.option(code).is_some()
}

/// Returns whether an answer has option 108, with which its client does without IPv4 (RFC 8925
/// §3.3).
pub fn is_ipv6_only(terms: &Terms, shape: &Shape) -> bool {
    terms.ipv6_mostly && lists(shape, option::V6_ONLY_PREFERRED)
}

/// Returns option 108, in seconds; if no time is configured the client uses its own (RFC 8925
/// §3.4). It is never left out, because it is the reason why such an OFFER has no address.
fn v6_only_preferred(terms: &Terms) -> Encoded {
    let code = option::V6_ONLY_PREFERRED;
    Encoded {
        is_required: true,
        ..optional(code, terms.option(code).unwrap_or(&[0; 4]))
    }
}

pub(super) fn lists(shape: &Shape, code: u8) -> bool {
    shape
        .parameters
        .as_ref()
        .is_some_and(|list| list.contains(&code))
}

/// Returns the codes in the order in which they are sent, each once, except for those seen before.
/// The mask goes before the router (RFC 2132 §3.3), and first if the client does not list it. The
/// boot file is sent in any case, in an option if its field is too short; options that the
/// configuration always sends come last.
fn order(terms: &Terms, shape: &Shape, mut seen: [bool; 256]) -> Octets {
    let mut wanted: Octets = match &shape.parameters {
        Some(list) => Octets::from_slice(list),
        None => {
            let configured = terms.options.iter().map(|option| option.code);
            configured.filter(|code| *code != ONLY_LISTED).collect()
        }
    };
    wanted.extend(without_room(&terms.boot));
    wanted.extend(terms.presence.always.iter().copied());
    let mut codes = Octets::new();
    if !wanted.contains(&option::SUBNET_MASK) {
        codes.push(option::SUBNET_MASK);
        seen[usize::from(option::SUBNET_MASK)] = true;
    }
    for code in wanted {
        if code == option::ROUTER && !seen[usize::from(option::SUBNET_MASK)] {
            codes.push(option::SUBNET_MASK);
            seen[usize::from(option::SUBNET_MASK)] = true;
        }
        if !std::mem::replace(&mut seen[usize::from(code)], true) {
            codes.push(code);
        }
    }
    codes
}

/// Returns the option that a client with these terms gets for a code, if there is one.
pub(super) fn configured(terms: &Terms, shape: &Shape, code: u8) -> Option<Encoded> {
    if code == option::SUBNET_MASK {
        return Some(optional(code, &terms.mask.octets()));
    }
    if NOT_CONFIGURED.contains(&code) || terms.presence.never.contains(&code) {
        return None;
    }
    if let (option::HOST_NAME, Some(name)) = (code, &terms.host_name) {
        return Some(optional(code, name.as_bytes()));
    }
    let mut data = terms.option(code);
    // For clients that know only this code for classless routes; others get them once.
    if code == option::MS_CLASSLESS_ROUTES && !lists(shape, option::CLASSLESS_ROUTES) {
        data = data.or_else(|| terms.option(option::CLASSLESS_ROUTES));
    }
    // Option 60 without octets is not sent at all.
    let data = data.filter(|data| !data.is_empty());
    Some(optional(code, data?))
}

/// Returns a required option of a few octets.
pub(super) fn octets(code: u8, data: &[u8]) -> Encoded {
    Encoded {
        is_required: true,
        ..optional(code, data)
    }
}

pub(super) fn optional(code: u8, data: &[u8]) -> Encoded {
    Encoded {
        code,
        is_required: false,
        octets: split(code, data),
    }
}

/// Returns a required option that is a time.
pub(super) fn secs(code: u8, secs: u32) -> Encoded {
    octets(code, &secs.to_be_bytes())
}

/// Encodes an option. Values over 255 octets become consecutive instances of the code (RFC 3396
/// §6).
pub(super) fn split(code: u8, data: &[u8]) -> Octets {
    if let Ok(len) = u8::try_from(data.len()) {
        let mut octets = Octets::from_slice(&[code, len]);
        octets.extend_from_slice(data);
        return octets;
    }
    let mut octets = Vec::with_capacity(data.len() + 2 * data.len().div_ceil(usize::from(u8::MAX)));
    encode_long_opt_bytes(OptionCode::from(code), data, &mut Encoder::new(&mut octets))
        .expect("octets in a vector encode");
    octets.into()
}

/// Returns the codes of the options that replace fields which are too short for their values.
fn without_room(boot: &Boot) -> impl Iterator<Item = u8> {
    let too_long =
        |text: &Option<String>, len| text.as_ref().is_some_and(|text| !fits_field(text, len));
    let file = too_long(&boot.file, FILE_LEN).then_some(option::BOOTFILE_NAME);
    let name = too_long(&boot.server_name, SNAME_LEN).then_some(option::TFTP_SERVER_NAME);
    file.into_iter().chain(name)
}

/// Returns whether a string fits into a field, with the zero octet at its end (RFC 2131 §2).
pub(super) const fn fits_field(text: &str, len: usize) -> bool {
    text.len() < len
}
