//! The files of the workspace, read once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold nothing written by hand.
const SKIPPED: [&str; 5] = ["target", ".git", "corpus", "regressions", "node_modules"];

/// The workspace's files, by their paths from its root.
#[derive(Debug)]
pub struct Tree {
    paths: BTreeSet<String>,
    texts: BTreeMap<String, String>,
}

/// Returns the folder of the workspace's `Cargo.lock`.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ancestors = manifest.ancestors();
    let root = ancestors.find(|folder| folder.join("Cargo.lock").is_file());
    root.unwrap_or(manifest).to_owned()
}

/// Returns whether a file is written for, or by, another program, so that its lines are not ours to
/// wrap.
pub fn is_of_another_program(name: &str) -> bool {
    name.contains("/tests/migrate/") && !name.ends_with(".rs")
}

impl Tree {
    /// Reads all files that are UTF-8; of the others only the paths are known.
    pub fn read() -> Self {
        let root = root();
        let mut tree = Self {
            paths: BTreeSet::new(),
            texts: BTreeMap::new(),
        };
        tree.add(&root, &root);
        tree
    }

    fn add(&mut self, root: &Path, folder: &Path) {
        let entries = fs::read_dir(folder).expect("a folder of the workspace can be read");
        for entry in entries {
            let path = entry.expect("an entry of it can be read").path();
            let relative = path.strip_prefix(root).expect("it is below the root");
            let name = relative.to_string_lossy().into_owned();
            let last = path.file_name().unwrap_or_default().to_string_lossy();
            self.paths.insert(name.clone());
            if path.is_dir() {
                if !SKIPPED.contains(&&*last) {
                    self.add(root, &path);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                self.texts.insert(name, text);
            }
        }
    }

    /// Returns whether a file or a folder has this path.
    pub fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.paths.contains(path) || root().join(path).exists()
    }

    /// Returns the text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Returns the paths below a folder.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        let paths = self.paths.iter().map(String::as_str);
        paths.filter(move |path| path.starts_with(folder))
    }

    /// Returns the files whose names have one of these endings, with their texts.
    pub fn ending_in<'a>(
        &'a self,
        endings: &'a [&str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let texts = self.texts.iter();
        let texts = texts.map(|(name, text)| (name.as_str(), text.as_str()));
        texts.filter(|(name, _)| endings.iter().any(|ending| name.ends_with(ending)))
    }
}
