//! Finds the tests whose names contain numbers of checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Cases in this folder are tests whose names are strings; each runs on the host, in the kernel or
/// against the controller.
const CASES: &str = "dhcp-user/testkit/src/fixtures/";

/// A test with a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// The number as written, valid or not.
    pub number: String,
    /// The file, relative to the workspace, with slashes.
    pub file: String,
    /// The rest of the name, in words.
    pub name: String,
}

/// Returns all tests of the workspace with a number.
///
/// # Errors
/// A source file cannot be read.
pub fn of_workspace(root: &Path) -> Result<Vec<Evidence>> {
    let mut found = Vec::new();
    for file in sources(root)? {
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let relative = file.strip_prefix(root).unwrap_or(&file);
        found.extend(of_source(&relative.to_string_lossy(), &text));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Returns all Rust files that are neither generated nor hidden.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// Returns the tests of a file.
pub fn of_source(file: &str, text: &str) -> Vec<Evidence> {
    let mut found = Vec::new();
    let mut add = |name: &str, separator| {
        let (numbers, name) = numbers(name, separator);
        found.extend(numbers.into_iter().map(|number| Evidence {
            number,
            file: file.to_owned(),
            name: name.clone(),
        }));
    };
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if file.starts_with(CASES) {
            for string in line.split('"').skip(1).step_by(2) {
                add(string, ' ');
            }
        }
        if line == "#[test]" {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            if is_test {
                let end = rest
                    .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                    .unwrap_or(rest.len());
                add(&rest[..end], '_');
            }
            is_test = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
        }
    }
    found
}

/// Returns the numbers at the beginning of a name, and the remaining words.
fn numbers(name: &str, separator: char) -> (Vec<String>, String) {
    let parts: Vec<&str> = name.split(separator).collect();
    let is_number = |part: &&&str| {
        part.strip_prefix(['c', 'm'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|d| d.is_ascii_digit()))
    };
    let count = parts.iter().take_while(is_number).count();
    let (numbers, words) = parts.split_at(count);
    (
        numbers.iter().map(|&number| number.to_owned()).collect(),
        words.join(" "),
    )
}
