//! bpf-linker, which links the BPF objects with the LLVM version of the pinned rustc.

use anyhow::Result;
use xtask_lab::command::{self, command};

use super::progress::{missing, there};

/// The latest version for the LLVM of the pinned rustc (22).
const VERSION: &str = "0.10.3";

/// Returns a description of what [`ensure`] will install.
pub(super) fn to_install() -> Option<String> {
    let what = format!(
        "bpf-linker {VERSION}, built from source: two minutes on two processors, and a program of 50 MB"
    );
    (!is_there()).then_some(what)
}

fn is_there() -> bool {
    let installed = command::read(&mut command("bpf-linker", ["--version"]));
    installed.is_ok_and(|line| line.trim() == format!("bpf-linker {VERSION}"))
}

pub(super) fn ensure() -> Result<()> {
    let what = format!("bpf-linker {VERSION}");
    if is_there() {
        there(&what);
        return Ok(());
    }
    missing(&what, "building it, which takes about two minutes");
    command::run(&mut command(
        "cargo",
        ["install", "bpf-linker", "--version", VERSION, "--locked"],
    ))
}
