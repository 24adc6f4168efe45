//! xdhcpd.
fn main() {}
