//! Which crate may import which, by what `cargo metadata` and `Cargo.lock` say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use serde::Deserialize;

use super::tree;

/// The crates that tools may import: the shared formats and the client, but not the code that
/// decides.
const SPOKEN: [&str; 5] = [
    "dhcp-common",
    "dhcp-client",
    "dhcp-model",
    "dhcp-config",
    "dhcp-control",
];

/// Each crate, and the crates of the workspace that it may import outside of its tests. The tools,
/// whose names begin with `xtask`, may import each other and [`SPOKEN`].
const MAY_IMPORT: [(&str, &[&str]); 16] = [
    ("dhcp-common", &[]),
    ("dhcp-client", &["dhcp-common"]),
    ("dhcp-ebpf", &["dhcp-common"]),
    ("dhcp-model", &["dhcp-common"]),
    ("dhcp-config", &["dhcp-common", "dhcp-model"]),
    ("dhcp-engine", &["dhcp-common", "dhcp-model", "dhcp-config"]),
    ("dhcp-store", &["dhcp-common", "dhcp-model"]),
    (
        "dhcp-datapath",
        &["dhcp-common", "dhcp-model", "dhcp-engine"],
    ),
    ("dhcp-frames", &["dhcp-common", "dhcp-model", "dhcp-engine"]),
    ("dhcp-control", &["dhcp-common", "dhcp-model"]),
    (
        "dhcp-migrate",
        &["dhcp-common", "dhcp-model", "dhcp-config", "dhcp-store"],
    ),
    (
        "xdhcpd",
        &[
            "dhcp-common",
            "dhcp-model",
            "dhcp-config",
            "dhcp-engine",
            "dhcp-store",
            "dhcp-datapath",
            "dhcp-control",
            "dhcp-frames",
            "dhcp-migrate",
            "xtask-tune",
        ],
    ),
    // Tests' support sees what it supports.
    (
        "dhcp-testkit",
        &[
            "dhcp-common",
            "dhcp-client",
            "dhcp-ebpf",
            "dhcp-model",
            "dhcp-config",
            "dhcp-engine",
            "dhcp-store",
            "dhcp-frames",
        ],
    ),
    (
        "dhcp-fuzz",
        &[
            "dhcp-common",
            "dhcp-ebpf",
            "dhcp-model",
            "dhcp-config",
            "dhcp-engine",
            "dhcp-store",
            "dhcp-control",
            "dhcp-testkit",
            "xdhcpd",
            "dhcp-datapath",
        ],
    ),
    ("dhcp-restore-ebpf", &["dhcp-common"]),
    (
        "dhcp-benches",
        &[
            "dhcp-common",
            "dhcp-ebpf",
            "dhcp-model",
            "dhcp-config",
            "dhcp-engine",
            "dhcp-store",
            "dhcp-datapath",
            "dhcp-testkit",
            "dhcp-restore-ebpf",
        ],
    ),
];

/// Crates that tests of the tools may not import. No other test may import those of [`SERVER`].
const NEVER_IN_TESTS_OF_TOOLS: [&str; 6] = [
    "xdhcpd",
    "dhcp-engine",
    "dhcp-store",
    "dhcp-datapath",
    "dhcp-migrate",
    "dhcp-fuzz",
];
const SERVER: [&str; 3] = ["xdhcpd", "dhcp-fuzz", "dhcp-benches"];

/// Crates that are built and tested without bpf-linker and without the sources of `core`.
const WITHOUT_BPF: [&str; 10] = [
    "dhcp-common",
    "dhcp-client",
    "dhcp-ebpf",
    "dhcp-model",
    "dhcp-config",
    "dhcp-engine",
    "dhcp-store",
    "dhcp-frames",
    "dhcp-control",
    "dhcp-migrate",
];
/// Crates whose build scripts compile a program for the BPF target.
const BUILD_BPF: [&str; 3] = ["dhcp-datapath", "dhcp-benches", "xtask-load"];
/// The build dependency that does it.
const BPF_BUILDER: &str = "aya-build";

/// Crates that the engine must not reach, directly or through others: runtimes, the kernel, disks.
const NOT_IN_THE_ENGINE: [&str; 6] = ["tokio", "aya", "rusqlite", "nix", "mio", "xdpilone"];

/// What cargo knows about the workspace.
#[derive(Debug)]
pub struct Workspace {
    packages: BTreeMap<String, Package>,
    /// The dependencies of each package in the lock file.
    locked: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
    #[serde(default)]
    targets: Vec<Target>,
    /// Features by name, each with the items that it switches on.
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
}

impl Package {
    /// Returns whether one of these features, or one behind them, switches an optional dependency
    /// on.
    fn activates(&self, dependency: &str, features: &BTreeSet<&str>) -> bool {
        let mut open: Vec<&str> = features.iter().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(feature) = open.pop() {
            let name = feature.trim_start_matches("dep:");
            let name = name.split(['/', '?']).next().unwrap_or_default();
            if name == dependency {
                return true;
            }
            if seen.insert(feature) {
                let behind = self.features.get(feature).into_iter().flatten();
                open.extend(behind.map(String::as_str));
            }
        }
        false
    }
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or none for a normal one.
    kind: Option<String>,
    #[serde(default)]
    optional: bool,
    /// Features of the other package that this dependency switches on.
    #[serde(default)]
    features: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

impl Workspace {
    /// Asks cargo, which needs no network for it.
    pub fn read() -> Self {
        let root = tree::root();
        let metadata = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        let lock = fs::read_to_string(root.join("Cargo.lock")).expect("Cargo.lock can be read");
        Self::parse(&String::from_utf8_lossy(&metadata.stdout), &lock)
    }

    /// Reads the output of `cargo metadata --no-deps`, and the lock file.
    pub fn parse(metadata: &str, lock: &str) -> Self {
        let metadata: Metadata = serde_json::from_str(metadata).expect("cargo describes itself");
        let packages = metadata.packages.into_iter();
        Self {
            packages: packages
                .map(|package| (package.name.clone(), package))
                .collect(),
            locked: locked(lock),
        }
    }

    /// Returns whether a crate of the workspace, or one that it depends on, has this name.
    pub fn has_package(&self, name: &str) -> bool {
        self.packages.contains_key(name) || self.locked.contains_key(name)
    }

    /// Returns whether a crate has a test, bench, example or executable of this name.
    pub fn has_target(&self, package: &str, target: &str) -> bool {
        let package = self.packages.get(package);
        package.is_some_and(|package| package.targets.iter().any(|found| found.name == target))
    }

    /// Returns the crates of the workspace that one depends on, with the kinds of the dependencies.
    fn imports(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let package = self.packages.get(name);
        let dependencies = package.map_or(&[][..], |package| &package.dependencies);
        dependencies
            .iter()
            .map(|found| {
                (
                    found.name.as_str(),
                    found.kind.as_deref().unwrap_or("normal"),
                )
            })
            .filter(|(name, _)| self.packages.contains_key(*name))
    }

    /// Returns the crates that one is built from, itself among them; with its own tests, if asked
    /// for.
    fn closure<'a>(&'a self, name: &'a str, with_tests: bool) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::from([name]);
        let mut open = vec![(name, with_tests)];
        while let Some((name, with_tests)) = open.pop() {
            for (import, kind) in self.imports(name) {
                if (kind != "dev" || with_tests) && found.insert(import) {
                    open.push((import, false));
                }
            }
        }
        found
    }

    /// Returns the packages of others that a crate is built from, directly or through others.
    fn foreign<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        let members = self.closure(name, false);
        let normal = |member: &&str| {
            let package = self.packages.get(*member);
            let dependencies = package.map_or(&[][..], |package| &package.dependencies);
            dependencies.iter().filter(|found| found.kind.is_none())
        };
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = Vec::new();
        for member in &members {
            let importing = members.iter().flat_map(normal);
            let importing = importing.filter(|dependency| dependency.name == *member);
            let mut features: BTreeSet<&str> = importing
                .flat_map(|dependency| dependency.features.iter().map(String::as_str))
                .collect();
            features.insert("default");
            let package = self.packages.get(*member);
            open.extend(
                normal(member)
                    .filter(|dependency| {
                        !dependency.optional
                            || package.is_some_and(|package| {
                                package.activates(&dependency.name, &features)
                            })
                    })
                    .map(|dependency| dependency.name.as_str()),
            );
        }
        while let Some(name) = open.pop() {
            if !self.packages.contains_key(name) && found.insert(name) {
                let behind = self.locked.get(name);
                open.extend(behind.into_iter().flatten().map(String::as_str));
            }
        }
        found
    }
}

/// Reads the dependencies of a lock file.
fn locked(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut locked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let quoted = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
        let mut lines = package.lines();
        let name = lines.find(|line| line.starts_with("name = ")).map(quoted);
        let list = lines.skip_while(|line| !line.starts_with("dependencies = ["));
        let list = list.skip(1).take_while(|line| !line.starts_with(']'));
        // A version follows the name where there are several of them.
        let names = list.map(|line| quoted(line).split(' ').next().unwrap_or("").to_owned());
        locked
            .entry(name.unwrap_or_default())
            .or_default()
            .extend(names);
    }
    locked
}

fn is_tool(name: &str) -> bool {
    name == "xtask" || name.starts_with("xtask-")
}

/// Returns a problem for each import that the walls forbid.
pub fn problems(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for name in workspace.packages.keys() {
        let rule = MAY_IMPORT.iter().find(|(crate_name, _)| crate_name == name);
        if rule.is_none() && !is_tool(name) {
            problems.push(format!("no rule says what {name} may import; add one"));
        }
        for (import, kind) in workspace.imports(name) {
            let may = match (kind, rule) {
                ("dev", _) if is_tool(name) => !NEVER_IN_TESTS_OF_TOOLS.contains(&import),
                ("dev", _) => !SERVER.contains(&import),
                (_, Some((_, may))) => may.contains(&import),
                (_, None) => is_tool(import) || SPOKEN.contains(&import),
            };
            if !may {
                problems.push(format!("{name} must not import {import} ({kind})"));
            }
        }
    }
    problems
}

/// Returns a problem for each package that the engine must not be built from.
pub fn forbidden_packages(workspace: &Workspace) -> Vec<String> {
    let foreign = workspace.foreign("dhcp-engine");
    let forbidden = NOT_IN_THE_ENGINE
        .iter()
        .filter(|name| foreign.contains(*name));
    forbidden
        .map(|name| format!("dhcp-engine is built from {name}"))
        .collect()
}

/// Returns a problem for each crate that needs the BPF toolchain and should not.
pub fn need_bpf_toolchain(workspace: &Workspace) -> Vec<String> {
    let builds_bpf = |name: &str| {
        let package = workspace.packages.get(name);
        package.is_some_and(|package| {
            let mut dependencies = package.dependencies.iter();
            dependencies
                .any(|found| found.name == BPF_BUILDER && found.kind.as_deref() == Some("build"))
        })
    };
    let mut problems = Vec::new();
    for name in workspace.packages.keys() {
        if builds_bpf(name) && !BUILD_BPF.contains(&name.as_str()) {
            problems.push(format!("{name} must not build a BPF program"));
        }
    }
    for name in WITHOUT_BPF {
        let needed = workspace.closure(name, true);
        for behind in needed.into_iter().filter(|behind| builds_bpf(behind)) {
            problems.push(format!(
                "{name} cannot be tested without {behind}, which builds a BPF program"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of crates, each with its imports as `name` or `kind:name`.
    fn workspace(crates: &[(&str, &[&str])], lock: &str) -> Workspace {
        let packages: Vec<String> = crates
            .iter()
            .map(|(name, imports)| {
                let dependencies: Vec<String> = imports
                    .iter()
                    .map(|import| match import.split_once(':') {
                        Some((kind, name)) => format!(r#"{{"name": "{name}", "kind": "{kind}"}}"#),
                        None => format!(r#"{{"name": "{import}", "kind": null}}"#),
                    })
                    .collect();
                let dependencies = dependencies.join(",");
                format!(r#"{{"name": "{name}", "dependencies": [{dependencies}]}}"#)
            })
            .collect();
        Workspace::parse(
            &format!(r#"{{"packages": [{}]}}"#, packages.join(",")),
            lock,
        )
    }

    #[test]
    fn a_forbidden_import_is_found() {
        let workspace = workspace(
            &[
                ("dhcp-common", &[]),
                ("dhcp-config", &["dhcp-common", "dhcp-store"]),
                ("dhcp-store", &["dev:xdhcpd"]),
                ("dhcp-new", &[]),
                ("xdhcpd", &["dhcp-store"]),
                ("xtask", &["dhcp-common", "xtask-lab", "dev:dhcp-store"]),
                ("xtask-lab", &["xdhcpd"]),
            ],
            "",
        );
        assert_eq!(
            problems(&workspace),
            [
                "dhcp-config must not import dhcp-store (normal)",
                "no rule says what dhcp-new may import; add one",
                "dhcp-store must not import xdhcpd (dev)",
                "xtask must not import dhcp-store (dev)",
                "xtask-lab must not import xdhcpd (normal)",
            ]
        );
    }

    #[test]
    fn a_runtime_behind_the_engine_is_found() {
        let lock = "\
            [[package]]\nname = \"humantime\"\ndependencies = [\n \"tokio 1.0\",\n]\n\n\
            [[package]]\nname = \"tokio\"\nversion = \"1\"\n";
        let through = |imports: &[&str]| {
            let crates = [("dhcp-engine", imports), ("dhcp-model", &["humantime"])];
            forbidden_packages(&workspace(&crates, lock))
        };
        assert_eq!(
            through(&["dhcp-model"]),
            ["dhcp-engine is built from tokio"]
        );
        assert_eq!(through(&["nix"]), ["dhcp-engine is built from nix"]);
        assert_eq!(through(&["dev:dhcp-model", "sha2"]), [""; 0]);
    }

    #[test]
    fn an_optional_dependency_counts_where_a_feature_switches_it_on() {
        let with = |features: &str| {
            let metadata = format!(
                r#"{{"packages": [
                    {{"name": "dhcp-engine", "dependencies": [
                        {{"name": "dhcp-common", "kind": null, "features": [{features}]}}]}},
                    {{"name": "dhcp-common", "features": {{"all": ["user"], "user": ["dep:aya"]}},
                      "dependencies": [{{"name": "aya", "kind": null, "optional": true}}]}}]}}"#
            );
            forbidden_packages(&Workspace::parse(&metadata, ""))
        };
        assert_eq!(with(""), [""; 0]);
        assert_eq!(with(r#""all""#), ["dhcp-engine is built from aya"]);
    }

    #[test]
    fn a_crate_that_needs_the_bpf_toolchain_is_found() {
        let workspace = workspace(
            &[
                ("dhcp-config", &["dev:dhcp-testkit"]),
                ("dhcp-testkit", &["dhcp-datapath"]),
                ("dhcp-datapath", &["build:aya-build"]),
                ("dhcp-ebpf", &["build:aya-build"]),
                ("dhcp-store", &["dhcp-model"]),
                ("dhcp-model", &["dev:dhcp-datapath"]),
            ],
            "",
        );
        assert_eq!(
            need_bpf_toolchain(&workspace),
            [
                "dhcp-ebpf must not build a BPF program",
                "dhcp-ebpf cannot be tested without dhcp-ebpf, which builds a BPF program",
                "dhcp-model cannot be tested without dhcp-datapath, which builds a BPF program",
                "dhcp-config cannot be tested without dhcp-datapath, which builds a BPF program",
            ]
        );
    }
}
