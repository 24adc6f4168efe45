//! Layering of the engine: its files form no cycle of calls or imports.
//!
//! The sources are read as text. Imports are `use crate::…` and `use super::…`; calls are those of
//! methods of `Engine` by `self.…` among the files that implement it. A folder's `mod.rs` is a file
//! like any other, and its module declarations do not count as uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

type Graph = BTreeMap<String, BTreeSet<String>>;

fn sources() -> BTreeMap<String, String> {
    fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("the sources are there") {
            let path = entry.expect("the sources are there").path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let named = paths.into_iter().map(|path| {
        let name = path
            .strip_prefix(&root)
            .expect("it is below")
            .with_extension("");
        let name = name.to_string_lossy().replace('/', "::");
        let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
        let text = fs::read_to_string(&path).expect("it is readable");
        // Unit tests may use any file.
        let text = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        (name, text.to_owned())
    });
    named
        .filter(|(name, _)| name != "lib" && !name.ends_with("tests"))
        .collect()
}

/// Returns the paths of a `use`, with its braces expanded.
fn paths(text: &str) -> Vec<String> {
    fn expand(prefix: &str, tree: &str, into: &mut Vec<String>) {
        let tree = tree.trim();
        let Some((head, rest)) = tree.split_once('{') else {
            into.push(format!("{prefix}{tree}"));
            return;
        };
        let rest = rest.strip_suffix('}').unwrap_or(rest);
        let prefix = format!("{prefix}{}", head.trim());
        let (mut depth, mut start) = (0, 0);
        for (at, octet) in rest.bytes().enumerate() {
            match octet {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b',' if depth == 0 => {
                    expand(&prefix, &rest[start..at], into);
                    start = at + 1;
                }
                _ => {}
            }
        }
        expand(&prefix, &rest[start..], into);
    }
    let mut all = Vec::new();
    for part in text.split("\nuse ").skip(1) {
        let tree = part.split(';').next().unwrap_or_default();
        let tree: String = tree.split_whitespace().collect();
        expand("", &tree, &mut all);
    }
    all
}

/// Returns the file that a path in the file `from` refers to.
fn target(path: &str, from: &str, files: &BTreeMap<String, String>) -> Option<String> {
    let mut base: Vec<&str> = from.split("::").collect();
    let mut parts = path.split("::").peekable();
    match parts.peek() {
        Some(&"crate") => base.clear(),
        Some(&"super") => {}
        _ => return None,
    }
    while let Some(part) = parts.next_if(|part| ["crate", "super"].contains(part)) {
        if part == "super" {
            base.pop();
        }
    }
    let mut found = None;
    for part in parts {
        base.push(part);
        let name = base.join("::");
        if files.contains_key(&name) {
            found = Some(name);
        }
    }
    found
}

/// Returns a cycle, as the files on it.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn visit(
        at: &str,
        graph: &Graph,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|earlier| earlier == at) {
            return Some(way[start..].to_vec());
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        for next in graph.get(at).into_iter().flatten() {
            if let Some(cycle) = visit(next, graph, way, done) {
                return Some(cycle);
            }
        }
        way.pop();
        None
    }
    let mut done = BTreeSet::new();
    graph
        .keys()
        .find_map(|file| visit(file, graph, &mut Vec::new(), &mut done))
}

/// Returns the methods of `impl Engine`, each with its file.
fn methods(files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut methods = BTreeMap::new();
    for (name, text) in files.iter().filter(|(name, _)| name.starts_with("engine")) {
        for part in text.split("\nimpl Engine {").skip(1) {
            let body = part.split("\n}\n").next().unwrap_or_default();
            for declaration in body.split("fn ").skip(1) {
                let method = declaration.split(['(', '<']).next().unwrap_or_default();
                methods.insert(method.to_owned(), name.clone());
            }
        }
    }
    methods
}

#[test]
fn no_file_of_the_engine_imports_itself_by_any_way() {
    let files = sources();
    let mut graph = Graph::new();
    for (name, text) in &files {
        let uses = graph.entry(name.clone()).or_default();
        for path in paths(text) {
            // A type of the folder itself, `super::X`, is not an import of one of its files.
            let other = target(&path, name, &files).filter(|other| other != name);
            uses.extend(other);
        }
    }
    assert!(graph.len() > 40, "{} files", graph.len());
    // A folder's declarations and re-exports are its interface; the files in it use their siblings
    // directly, or the folder's own types.
    assert_eq!(cycle(&graph), None);
}

#[test]
fn no_file_of_the_engine_calls_itself_by_any_way() {
    let files = sources();
    let methods = methods(&files);
    assert!(methods.len() > 50, "{} methods", methods.len());
    let mut graph = Graph::new();
    for (name, text) in files.iter().filter(|(name, _)| name.starts_with("engine")) {
        let uses = graph.entry(name.clone()).or_default();
        for receiver in ["self.", "engine."] {
            for call in text.split(receiver).skip(1) {
                let method = call.split('(').next().unwrap_or_default();
                let other = methods.get(method).filter(|other| *other != name);
                uses.extend(other.cloned());
            }
        }
    }
    assert_eq!(cycle(&graph), None);
}

#[test]
fn the_state_of_a_lease_is_assigned_in_one_place() {
    let files = sources();
    let assigned: Vec<_> = files
        .iter()
        .flat_map(|(name, text)| text.match_indices(".state = ").map(move |_| name.as_str()))
        .collect();
    assert_eq!(assigned, ["lease_table::apply"]);
}

#[test]
fn effects_are_emitted_in_two_files() {
    let files = sources();
    let emitting: BTreeSet<_> = files
        .iter()
        .filter(|(_, text)| text.contains("out.push(Effect::"))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        emitting,
        BTreeSet::from(["engine::execute", "engine::respond"])
    );
}

#[test]
fn no_policy_uses_another_one_and_none_changes_anything() {
    let files = sources();
    for (name, text) in files
        .iter()
        .filter(|(name, _)| name.starts_with("policy::"))
    {
        for path in paths(text) {
            let other = target(&path, name, &files).unwrap_or_default();
            assert!(!other.starts_with("policy"), "{name} imports {path}");
            assert!(!other.starts_with("engine"), "{name} imports {path}");
        }
        let is_own_state = name == "policy::probes";
        assert!(
            is_own_state || !text.contains("&mut self"),
            "{name} changes something"
        );
    }
}
