//! What the integration tests share.

use dhcp_ebpf::fixtures::program::Program;
use dhcp_user::datapath::OBJECT;

/// The loaded program with room for some leases, or `None`, with a word on standard error, without the
/// privileges to load it.
pub fn program(leases: u32) -> Option<Program> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: loading the program needs root");
        return None;
    }
    Some(Program::load(OBJECT, leases).expect("the kernel takes the program"))
}
