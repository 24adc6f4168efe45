//! A column of the table.

use super::contender::Contender;

/// The answers of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub contender: Contender,
    pub version: String,
    /// A cell for each case, in the order of the cases.
    pub cells: Vec<String>,
}
