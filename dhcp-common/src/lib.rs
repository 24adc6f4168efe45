//! The contract between the XDP program and the controller.
//!
//! Everything on which both sides must agree is defined here once: keys, values, names and
//! capacities of the maps ([`abi`]), how a run ends ([`outcome`]), the numbers of the wire
//! protocols ([`wire`]), and the arithmetic that both sides do ([`fingerprint`], [`checksum`],
//! [`fqdn`]). [`defaults`] holds the default configuration. Start with [`abi`]; `dhcp-ebpf` reads
//! the maps, and `dhcp-user/datapath` writes them.
#![no_std]

pub mod abi;
pub mod checksum;
pub mod defaults;
pub mod fingerprint;
pub mod fqdn;
pub mod outcome;
pub mod wire;
