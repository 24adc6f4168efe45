//! bpf-linker, which links the BPF objects with the LLVM version of the pinned rustc.

use anyhow::Result;
use xtask_lab::command::{self, command};

use super::progress::{missing, there};

/// The latest version for the LLVM of the pinned rustc (22).
const VERSION: &str = "0.10.3";

pub(super) fn ensure() -> Result<()> {
    let what = format!("bpf-linker {VERSION}");
    let installed = command::read(&mut command("bpf-linker", ["--version"]));
    if installed.is_ok_and(|line| line.trim() == what) {
        there(&what);
        return Ok(());
    }
    missing(&what, "building it, which takes about two minutes");
    command::run(&mut command(
        "cargo",
        ["install", "bpf-linker", "--version", VERSION, "--locked"],
    ))
}
