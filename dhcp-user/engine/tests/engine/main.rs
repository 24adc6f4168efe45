//! The engine as a table of (event, time) to effects.

mod allocation;
mod boot;
mod bootp;
mod classes;
mod commands;
mod crowds;
mod declines;
mod fences;
mod invariants;
mod ipv6;
mod leasequery;
mod lengths;
mod lifecycle;
mod names;
mod offers;
mod origins;
mod outage;
mod overrides;
mod probing;
mod rapid;
mod relays;
mod reload;
mod replies;
mod requests;
mod restart;
mod templates;
