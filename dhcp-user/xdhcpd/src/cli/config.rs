//! The configuration file of a command.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use dhcp_common::defaults;
use dhcp_config::{Config, Problem, Problems};

use super::{failure::Failure, output};

/// The option `--config`.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = defaults::CONFIG)]
    pub config: PathBuf,
}

/// Loads a configuration, and checks it together with the interfaces of this host.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let host = crate::host::probe().map_err(|error| {
        Problems(vec![Problem {
            file: path.into(),
            position: None,
            field: String::new(),
            value: None,
            message: format!("cannot read the interfaces of this host: {error}"),
        }])
    })?;
    Config::load_on(path, &host)
}

/// Executes `xdhcpd check` for a configuration.
pub fn check(path: &Path, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    match load(path) {
        Ok(config) if json => Ok(output::json(&output::Summary::of(&config), out)?),
        Ok(config) => Ok(output::summary(path, &output::Summary::of(&config), out)?),
        Err(problems) => refuse(problems, json, out),
    }
}

/// Reports problems as text or JSON.
pub fn refuse(problems: Problems, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if !json {
        return Err(problems.into());
    }
    output::json(&output::Refusal::of(&problems), out)?;
    Err(Failure::Shown)
}
