//! What the integration tests share.

use dhcp_testkit::fixtures::program::Program;
use dhcp_user::datapath::OBJECT;

/// The loaded program with room for some leases. It takes root.
pub fn program(leases: u32) -> Program {
    Program::load(OBJECT, leases).expect("the kernel takes the program")
}
