//! A column of the table.

use super::contender::Contender;

/// What one server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub contender: Contender,
    pub version: String,
    /// A cell for each case, in their order.
    pub cells: Vec<String>,
}
