//! The contract between the XDP program and the controller.
//!
//! Everything that both sides must agree on stands here once: the maps' keys, values, names and
//! capacities ([`abi`]), what can become of a frame ([`outcome`]), the wire's numbers ([`wire`]), and
//! the arithmetic that both sides do ([`fingerprint`], [`checksum`], [`fqdn`]). What a host has unless its
//! configuration says otherwise is in [`defaults`]. Start with [`abi`]; the reader of the maps is `dhcp-ebpf/src/lib.rs`, their writer `dhcp-user/datapath/`.
#![no_std]

pub mod abi;
pub mod checksum;
pub mod defaults;
pub mod fingerprint;
pub mod fqdn;
pub mod outcome;
pub mod wire;
