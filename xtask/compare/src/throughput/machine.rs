//! The machine on which the measurement ran.

use std::{collections::BTreeSet, fs, thread};

use anyhow::{Context as _, Result};
use xtask_lab::command::{self, command};

/// Describes processors, kernel, and the file system of the lab, in one sentence.
///
/// # Errors
/// The kernel does not report them.
pub fn describe() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let cpus = thread::available_parallelism()?;
    let kernel = command::read(&mut command("uname", ["-sr"]))?;
    let dir = std::env::temp_dir();
    let arguments = ["--noheadings", "--output=FSTYPE", "--target"];
    let disk = command::read(command("findmnt", arguments).arg(&dir))
        .unwrap_or_else(|_| "unknown file system".to_owned());
    Ok(format!(
        "{cpus} processors of {}, {}, leases on {}",
        model(&info),
        kernel.trim(),
        disk.trim()
    ))
}

/// Returns the name of the processors from `/proc/cpuinfo`.
fn model(info: &str) -> String {
    let models: BTreeSet<&str> = info
        .lines()
        .filter(|line| line.starts_with("model name"))
        .filter_map(|line| Some(line.split_once(':')?.1.trim()))
        .collect();
    if models.is_empty() {
        return "an unnamed kind".to_owned();
    }
    models.into_iter().collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_named_once() {
        let info = "processor : 0\nmodel name\t: A 1\nprocessor : 1\nmodel name\t: A 1\n";
        assert_eq!(model(info), "A 1");
        assert_eq!(model("processor : 0\n"), "an unnamed kind");
    }
}
