//! Compiles the XDP program for the BPF target, for the daemon to carry inside.

use std::env;

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    // The BPF target has no prebuilt `core`, and building it is not yet stable: allow it to the one
    // crate that needs it, on the pinned stable toolchain.
    // SAFETY: a build script's `main` has started no thread.
    unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    // Everything that the inner build prints is shown as a warning, so it must not show progress.
    // SAFETY: as above.
    unsafe { env::set_var("CARGO_TERM_QUIET", "true") };
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "stable".to_owned());
    let root_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dhcp-ebpf");
    println!("cargo:rerun-if-changed={root_dir}/../dhcp-common/src");
    aya_build::build_ebpf(
        [Package {
            name: "dhcp-ebpf",
            root_dir,
            features: &["program"],
            ..Package::default()
        }],
        Toolchain::Custom(&toolchain),
    )
}
