//! Other DHCP servers beside xdhcpd, on the same wire: what they answer to the same requests ([`answers`]), and how
//! fast they are under the same load ([`throughput`]).

pub mod answers;
pub mod throughput;
