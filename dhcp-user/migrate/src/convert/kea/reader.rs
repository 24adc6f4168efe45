//! The state of the conversion while the file is read.

use super::{definitions::Definitions, identifiers::Identifiers};
use crate::convert::{draft::Draft, notes::Notes};

pub(super) struct Reader<'n> {
    pub(super) draft: Draft,
    pub(super) definitions: Definitions,
    pub(super) identifiers: Identifiers,
    pub(super) notes: &'n mut Notes,
}
