//! `cargo xtask test --quick`: the checks that need only the Rust toolchain.

use std::collections::BTreeSet;

use anyhow::Result;
use xtask_lab::workspace::{Metadata, cargo};

use super::{check, count, tally::Tally};

/// What compiles a program for the BPF target when its crate is built.
const BPF_BUILD: &str = "aya-build";
/// The package of the tools, some of whose tests build the benches.
const TOOLS: &str = "xtask";
/// Those of its tests that do not.
const TESTS_OF_TOOLS: [&str; 4] = ["--lib", "--bins", "--test=tidy", "--test=conformance"];
/// The thousands of worlds of the simulation take minutes; others play the first ones.
const LONG: &str = "thousands_of_worlds";

/// Runs format, lints and tests of the crates that are built without the BPF toolchain.
pub(super) fn steps(metadata: &Metadata, filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let packages = packages(metadata);
    let selected = |packages: &mut dyn Iterator<Item = &&str>| -> Vec<String> {
        packages
            .map(|package| format!("--package={package}"))
            .collect()
    };
    if filter.is_none() {
        let mut lints = cargo(["clippy"]);
        lints
            .args(selected(&mut packages.iter()))
            .args(["--all-targets", "--", "-D", "warnings"]);
        check([cargo(["fmt", "--all", "--check"]), lints], tally);
    }
    let mut tests = cargo(["test", "--no-fail-fast"]);
    tests.args(selected(
        &mut packages.iter().filter(|package| **package != TOOLS),
    ));
    let mut tools = cargo(["test", "--no-fail-fast"]);
    tools.arg(format!("--package={TOOLS}")).args(TESTS_OF_TOOLS);
    for mut tests in [tests, tools] {
        tests.arg("--").args(filter).args(["--skip", LONG]);
        count(&mut tests, tally)?;
    }
    Ok(())
}

/// Returns the packages of the workspace that neither compile a program for the BPF target nor
/// depend on one that does, not even in their tests.
fn packages(metadata: &Metadata) -> BTreeSet<&str> {
    let mut excluded = BTreeSet::from([BPF_BUILD]);
    loop {
        let more: Vec<&str> = metadata
            .packages
            .iter()
            .filter(|package| !excluded.contains(&*package.name))
            .filter(|package| {
                let mut names = package.dependencies.iter().map(|other| &*other.name);
                names.any(|name| excluded.contains(name))
            })
            .map(|package| &*package.name)
            .collect();
        if more.is_empty() {
            break;
        }
        excluded.extend(more);
    }
    let all = metadata.packages.iter().map(|package| &*package.name);
    all.filter(|name| !excluded.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use xtask_lab::workspace;

    use super::*;

    #[test]
    fn what_the_crates_promise_to_build_without_the_bpf_toolchain_is_quick_and_the_loader_is_not() {
        let metadata = workspace::metadata().expect("cargo knows this workspace");
        let quick = packages(&metadata);
        for name in [
            "dhcp-client",
            "dhcp-common",
            "dhcp-config",
            "dhcp-control",
            "dhcp-ebpf",
            "dhcp-engine",
            "dhcp-frames",
            "dhcp-migrate",
            "dhcp-model",
            "dhcp-store",
            "dhcp-testkit",
            TOOLS,
        ] {
            assert!(
                quick.contains(name),
                "{name} needs the BPF toolchain: {quick:?}"
            );
        }
        for name in ["dhcp-benches", "dhcp-datapath", "dhcp-fuzz", "xdhcpd"] {
            assert!(!quick.contains(name), "{name}");
        }
    }
}
