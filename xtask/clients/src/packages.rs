//! The Debian packages of the clients.

use std::path::PathBuf;

use anyhow::Result;

use crate::installed;

/// Packages that `cargo xtask setup` unpacks into a folder and does not install, and what they are
/// used for.
///
/// Debian would start `NetworkManager` and connman at the next boot and let them take over the
/// machine's own network; the others bring no service, but dozens of libraries.
pub const UNPACKED: [(&str, &str); 8] = [
    ("network-manager", "client"),
    ("connman", "client"),
    ("vpcs", "client"),
    ("qemu-system-x86", "runs firmware"),
    ("qemu-system-arm", "runs firmware"),
    ("ovmf", "firmware: UEFI"),
    ("ipxe-qemu", "firmware: iPXE's ROM"),
    ("u-boot-qemu", "firmware: U-Boot"),
];

/// Returns the folder into which they are unpacked.
///
/// # Errors
/// Cargo does not say where it builds.
pub fn folder() -> Result<PathBuf> {
    installed::unpacked()
}
