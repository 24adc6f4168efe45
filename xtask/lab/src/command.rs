//! Commands, printed before they run and quoted so that they can be pasted into a shell.

use std::{
    ffi::OsStr,
    fmt::{self, Write as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Displays a command as a shell command line.
#[derive(Debug)]
pub struct Line<'a>(pub &'a Command);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = self.0.get_current_dir() {
            write!(f, "cd {} && ", quoted(dir.as_os_str()))?;
        }
        for (key, value) in self.0.get_envs() {
            if let Some(value) = value {
                write!(f, "{}={} ", key.display(), quoted(value))?;
            }
        }
        f.write_str(&quoted(self.0.get_program()))?;
        for argument in self.0.get_args() {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    let mut quoted = String::with_capacity(word.len() + 2);
    let _ = write!(quoted, "'{}'", word.replace('\'', r"'\''"));
    quoted
}

/// Returns a command with arguments.
pub fn command<I>(program: impl AsRef<OsStr>, arguments: I) -> Command
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Prints a command and runs it; its output goes where that of this process goes.
///
/// # Errors
/// It could not be started or failed.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", Line(command));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", Line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", Line(command));
    }
    Ok(())
}

/// Runs a command without printing it and returns what it writes to stdout.
///
/// # Errors
/// It could not be started or failed; the error contains what it wrote to stderr.
pub fn read(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!(
            "`{}` failed: {}: {}",
            Line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` wrote something that is not UTF-8", Line(command)))
}

/// Runs a command without printing it, and returns its output and status.
///
/// # Errors
/// It could not be started.
pub fn output(command: &mut Command) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", Line(command)))
}

/// Returns the command unchanged for root, and through sudo for other users.
#[must_use]
pub fn privileged(command: Command) -> Command {
    if is_root() {
        return command;
    }
    let mut through = Command::new("sudo");
    // sudo clears the environment, so variables that were set on purpose are passed as arguments.
    let set = command.get_envs().filter_map(|(key, value)| {
        let mut pair = key.to_os_string();
        pair.push("=");
        pair.push(value?);
        Some(pair)
    });
    through
        .args(set)
        .arg(command.get_program())
        .args(command.get_args());
    through
}

/// Runs this program again through sudo: it is built as a user and run as root.
///
/// # Errors
/// sudo is not installed, or the program failed.
pub fn run_again_as_root<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    if !is_installed("sudo") {
        bail!("root is required and sudo is not installed: run this as root");
    }
    let own = std::env::current_exe().context("cannot determine the path of this executable")?;
    let mut again = Command::new("sudo");
    run(again.arg(own).args(arguments))
}

/// Makes cargo build as the user and run what it has built as root. Returns whether that is
/// possible.
pub fn as_root(cargo: &mut Command) -> bool {
    if is_root() {
        return true;
    }
    if !is_installed("sudo") {
        return false;
    }
    cargo.env(
        format!("CARGO_TARGET_{}_RUNNER", host_triple_variable()),
        "sudo --preserve-env",
    );
    true
}

/// Returns the triple of this machine as cargo spells it in names of variables.
fn host_triple_variable() -> String {
    let triple = read(&mut command("rustc", ["--print", "host-tuple"]));
    triple
        .unwrap_or_default()
        .trim()
        .replace('-', "_")
        .to_uppercase()
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Finds a program in `PATH` or in the folders where Debian installs system administration
/// programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

pub fn is_installed(program: &str) -> bool {
    find(program).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted_into_a_shell() {
        let mut cargo = command("cargo", ["test", "--", "a b", "it's", ""]);
        cargo.env("RUSTC_BOOTSTRAP", "1").current_dir("/tmp");
        assert_eq!(
            Line(&cargo).to_string(),
            r"cd /tmp && RUSTC_BOOTSTRAP=1 cargo test -- 'a b' 'it'\''s' ''"
        );
    }
}
