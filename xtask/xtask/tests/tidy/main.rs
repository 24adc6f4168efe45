//! The tree, checked against those rules of CONTRIBUTING.md that a program can check.
//!
//! Each check is a function from text to problems, so that its own tests can show that it fails.

mod documents;
mod guide;
mod imports;
mod names;
mod prose;
mod sources;
mod tree;

use tree::Tree;

/// Fails with one problem a line.
#[track_caller]
fn none(problems: Vec<String>) {
    assert!(
        problems.is_empty(),
        "{} problems\n{}\n",
        problems.len(),
        problems.join("\n")
    );
}

#[test]
fn every_path_that_a_document_names_exists() {
    let tree = Tree::read();
    let documents = tree.ending_in(&[".md", ".yml", ".toml", ".service", ".rs"]);
    let exists = |path: &str| tree.exists(path);
    none(
        documents
            .flat_map(|(name, text)| documents::missing_paths(name, text, &exists))
            .collect(),
    );
}

#[test]
fn every_link_leads_somewhere() {
    let tree = Tree::read();
    let headings = |path: &str| tree.text(path).map(documents::anchors);
    none(
        tree.ending_in(&[".md"])
            .flat_map(|(name, text)| {
                documents::broken_links(name, text, &|path| tree.exists(path), &headings)
            })
            .collect(),
    );
}

#[test]
fn every_command_names_packages_and_tests_that_exist() {
    let tree = Tree::read();
    let workspace = imports::Workspace::read();
    none(
        tree.ending_in(&[".md", ".yml", ".rs"])
            .flat_map(|(name, text)| documents::unknown_targets(name, text, &workspace))
            .collect(),
    );
}

#[test]
fn every_decision_is_in_the_index() {
    let tree = Tree::read();
    let index = tree.text("docs/decisions/README.md").unwrap_or_default();
    let records = tree.below("docs/decisions/");
    none(documents::unlisted_decisions(index, records));
}

#[test]
fn source_files_are_short_and_say_what_they_are() {
    let tree = Tree::read();
    none(
        tree.ending_in(&[".rs"])
            .flat_map(|(name, text)| sources::problems(name, text))
            .collect(),
    );
}

#[test]
fn prose_wraps() {
    let tree = Tree::read();
    none(
        tree.ending_in(&[".md", ".rs", ".toml", ".yml", ".service"])
            .filter(|(name, _)| !tree::is_of_another_program(name))
            .flat_map(|(name, text)| prose::long_lines(name, text))
            .collect(),
    );
}

#[test]
fn no_old_names() {
    let tree = Tree::read();
    none(
        tree.ending_in(&[".rs", ".md"])
            .filter(|(name, _)| !name.starts_with("xtask/xtask/tests/tidy/"))
            .flat_map(|(name, text)| names::old(name, text))
            .collect(),
    );
}

#[test]
fn the_reading_guide_names_files_and_each_names_the_next() {
    let tree = Tree::read();
    let text = tree.text("docs/ARCHITECTURE.md").unwrap_or_default();
    none(guide::problems(text, &|path| {
        tree.text(path).map(str::to_owned)
    }));
}

#[test]
fn crates_import_only_what_they_may() {
    none(imports::problems(&imports::Workspace::read()));
}

#[test]
fn the_engine_and_its_neighbours_need_neither_a_kernel_nor_its_toolchain() {
    let workspace = imports::Workspace::read();
    none(imports::forbidden_packages(&workspace));
    none(imports::need_bpf_toolchain(&workspace));
}
