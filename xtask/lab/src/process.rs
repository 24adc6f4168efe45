//! A process that ends with its handle and whose output is kept in a file.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Namespace, wait};
use crate::command::Line;

#[derive(Debug)]
pub struct Process {
    label: String,
    child: Child,
    log: PathBuf,
    /// Length of what earlier runs with the same label have written.
    log_start: usize,
}

impl Process {
    /// Starts a command; its output goes to `<namespace>-<label>.log` in the lab's folder.
    ///
    /// # Errors
    /// It could not be started.
    pub fn spawn(namespace: &Namespace, label: &str, command: &mut Command) -> Result<Self> {
        let log = namespace.path(&format!("{label}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let log_start = usize::try_from(output.metadata()?.len())?;
        let child = command
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output)
            .spawn()
            .with_context(|| format!("cannot start `{}`", Line(command)))?;
        Ok(Self {
            label: label.to_owned(),
            child,
            log,
            log_start,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the output so far.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn output(&self) -> Result<String> {
        let log = fs::read(&self.log)?;
        let own = log.get(self.log_start..).unwrap_or_default();
        Ok(String::from_utf8_lossy(own).into_owned())
    }

    /// Checks that the process still runs.
    ///
    /// # Errors
    /// It has ended.
    pub fn expect_running(&mut self) -> Result<()> {
        if let Some(status) = self.ended()? {
            bail!("{} has ended: {status}", self.label);
        }
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.expect_running()?;
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, signal).with_context(|| format!("cannot send {signal} to {}", self.label))
    }

    /// Returns how the process ended, or `None` while it runs.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the process to end.
    ///
    /// # Errors
    /// It still runs after the limit.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.label);
        wait::until(&what, limit, || Ok(self.child.try_wait()?))
    }

    /// Sends SIGKILL and reaps the process.
    pub fn kill(&mut self) {
        // Both calls fail if the process has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Leaves the process running.
    pub fn leave(self) {
        // Dropping the handle of a child process does not affect the child.
        std::mem::forget(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
