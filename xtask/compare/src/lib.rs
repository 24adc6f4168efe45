//! xdhcpd and other DHCP servers on the same link: their answers to the same requests
//! ([`answers`]), and their speed under the same load ([`throughput`]).

pub mod answers;
pub mod throughput;
