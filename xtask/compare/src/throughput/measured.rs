//! The figures of a comparison, from which page and chart are made.

use super::{
    row::Row,
    subject::{Scenario, Server},
};
use crate::answers::Contender;

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    pub rows: Vec<Row>,
    /// Versions of the installed servers.
    pub versions: Vec<(Contender, String)>,
    pub absent: Vec<Contender>,
    /// Exchanges in flight in the closed loops.
    pub in_flight: Vec<(Server, Scenario, u32)>,
    /// Frames of known clients in a storm that the controller had to answer, in the worst run;
    /// `None` without a run.
    pub storm_slow: Option<u64>,
}
