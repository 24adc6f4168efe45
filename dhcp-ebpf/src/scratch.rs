//! The memory of one run.
//!
//! The kernel's stack of 512 octets is too small for a request, and the verifier tracks everything
//! on it. It does not track the contents of a map's element, so all rounds of a loop over this
//! memory look the same to it.

use dhcp_common::{abi::ClientKey, fingerprint::Fingerprint, outcome::Silence, wire::Be32};

use crate::packet::Packet;

/// Memory of one run.
#[derive(Clone, Copy, Debug)]
pub struct Scratch {
    pub packet: Packet,
    pub walk: Walk,
    /// Memory for `verifier::forgotten`.
    pub number: usize,
    /// Memory for the digest of option 82.
    pub digest: OptionDigest,
    /// The client that sent the request, once it is known.
    pub client: ClientKey,
}

/// The place of an option in the options field. A length of zero means that the option is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub offset: usize,
    /// Octets of the option, including its code and length octets.
    pub len: usize,
}

impl Span {
    #[inline(always)]
    pub const fn is_present(&self) -> bool {
        self.len != 0
    }
}

/// The state and the results of the walk over the options.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    pub(crate) offset: usize,
    pub(crate) end: usize,
    /// Octets not yet mixed into the fingerprint of the option that ends at `offset`.
    pub(crate) unmixed: usize,
    /// Position of the fingerprint's next word.
    pub(crate) position: usize,
    pub(crate) fingerprint: Fingerprint,
    /// An error in an option that is complete in itself. Another instance may still complete the
    /// option (RFC 3396 §7), so the error counts only if no more options follow.
    pub(crate) flaw: Option<Silence>,
    /// How the walk ended; `None` while it continues, or if it ran out of rounds.
    pub(crate) ended: Option<Result<(), Silence>>,
    pub message_type: Option<u8>,
    pub requested: Option<Be32>,
    pub server_id: Option<Be32>,
    pub client_id: Span,
    pub fqdn: Span,
    pub relay_info: Span,
}

impl Walk {
    /// Returns the fingerprint of the options that were walked.
    pub fn fingerprint(&self) -> [u64; 2] {
        self.fingerprint.finish()
    }

    #[inline(always)]
    pub(crate) fn demand(&mut self, is_right: bool, flaw: Silence) {
        if !is_right {
            self.flaw = Some(flaw);
        }
    }

    /// Demands that an option holds an address.
    #[inline(always)]
    pub(crate) fn demand_address(&mut self, span: Span) {
        self.demand(span.len == 2 + 4, Silence::BadOptionLength);
        self.demand(span.len != 2, Silence::EmptyOption);
    }
}

/// A digest of one option that is being computed.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionDigest {
    pub(crate) offset: usize,
    pub(crate) left: usize,
    /// Position of the next word.
    pub(crate) position: usize,
    pub(crate) fingerprint: Fingerprint,
}
