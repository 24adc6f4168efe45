//! The connection of a command to the running server.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use dhcp_common::defaults;
use dhcp_config::file;
use dhcp_control::Request;

use super::{failure::Failure, output};
use crate::control::client::Client;

/// The options that select a running server and the output format.
#[derive(Debug, Args)]
pub struct Server {
    /// Control socket of the server [default: from the configuration]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Configuration that names the control socket [default: /etc/xdhcpd/xdhcpd.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Server {
    /// Connects to the server.
    pub fn connect(&self) -> Result<Client, Failure> {
        let path = match (&self.socket, &self.config) {
            (Some(socket), _) => socket.clone(),
            (None, Some(config)) => file::server_of(config)?.control_socket,
            (None, None) if Path::new(defaults::CONFIG).exists() => {
                file::server_of(Path::new(defaults::CONFIG))?.control_socket
            }
            (None, None) => defaults::CONTROL_SOCKET.into(),
        };
        Ok(Client::connect(&path)?)
    }

    /// Prints a list, or `nothing` if it is empty.
    pub fn list(
        &self,
        request: &Request,
        nothing: &str,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut rows = Vec::new();
        self.connect()?.list(request, |row| rows.push(row))?;
        if self.json {
            return Ok(output::json(&rows, out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(out, "{nothing}")?);
        }
        Ok(output::leases(&rows, out)?)
    }

    /// Sends a command, and prints `done` if it succeeds.
    pub fn command(
        &self,
        request: &Request,
        done: &str,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        self.connect()?.command(request)?;
        if self.json {
            return Ok(output::json(&serde_json::json!({ "ok": true }), out)?);
        }
        Ok(writeln!(out, "{done}")?)
    }
}
