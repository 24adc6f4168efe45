//! The engine: decides on every message, without I/O and without a clock.
//!
//! Messages, times and the results of earlier effects go in ([`Input`]), effects come out
//! ([`Effect`]). The same inputs give the same effects. [`Engine`] passes each input to the policy
//! that decides about it. A decision changes leases through events of [`lease_table`], whose table
//! has RFC 2131's states.
//!
//! Start with `policy/protocol.rs`, the one dispatch over message and state in the words of RFC
//! 2131; then `lease_table/transition.rs`, how a lease begins, goes on and ends; then
//! `engine/execute.rs`, how that becomes effects.

mod counters;
pub mod effect;
mod engine;
mod fqdn;
mod journal;
pub mod lease_table;
mod left_behind;
mod networks;
mod policy;
pub mod pool;
mod publisher;
mod queriers;
mod recovery;
mod relay_info;
mod relays;
mod reply;
mod request;
mod template;
mod timers;

pub use self::{
    counters::{Counter, Counters, Silence},
    effect::{
        Command, CommandId, CommandOutcome, Effect, Egress, FenceId, Grants, Ingress, Input, Probe,
        ProbeAnswer, ProbeWay,
    },
    engine::{
        Engine, Setup,
        reload::{Fates, Preview},
        startup::{Reconciliation, Restoration},
    },
    lease_table::NO_SLOT,
    networks::{Link, LinkTable, Networks},
    recovery::unrecorded,
    relays::{NO_NETWORK, network_ref, relays},
};
