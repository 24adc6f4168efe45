//! A configuration file as a whole.

use std::{fs, path::Path};

use super::{
    class,
    host::Host,
    interface, ipv6, options,
    problem::{Problem, Problems},
    proxy,
    raw::Document,
    reservation, server,
    settings::Settings,
    subnet,
    types::{Config, Server},
};

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All problems, each with line, field, value and a valid alternative.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        load(path, None)
    }

    /// Reads a file, and checks it together with the interfaces of a host.
    ///
    /// # Errors
    /// As [`Config::load`], and each interface that the host lacks.
    pub fn load_on(path: &Path, host: &Host) -> Result<Self, Problems> {
        load(path, Some(host))
    }
}

fn load(path: &Path, host: Option<&Host>) -> Result<Config, Problems> {
    parse(path, &text(path)?, host)
}

/// Reads only the table `[server]` of a file, so that the server can be reached while the rest of
/// its file is being edited.
///
/// # Errors
/// Syntax errors, and all problems of the table.
pub fn server_of(path: &Path) -> Result<Server, Problems> {
    let text = text(path)?;
    Document::new(path, &text).read(|root| server::read(root.get("server")))
}

fn text(path: &Path) -> Result<String, Problems> {
    fs::read_to_string(path).map_err(|error| {
        Problems(vec![Problem {
            file: path.into(),
            position: None,
            field: String::new(),
            value: None,
            message: format!("cannot be read: {error}; name a TOML file with `--config`"),
        }])
    })
}

/// Checks the text of a file, together with the interfaces of a host if one is given. Problems name
/// `file`.
///
/// # Errors
/// All problems, each with line, field, value and a valid alternative.
pub fn parse(file: &Path, text: &str, host: Option<&Host>) -> Result<Config, Problems> {
    Document::new(file, text).read(|root| {
        root.refuse_unknown(&[
            "server",
            "defaults",
            "interface",
            "class",
            "network",
            "subnet",
            "reservation",
        ]);
        let defaults = Settings::defaults(&root);
        let interfaces = interface::read(&root, &defaults, host);
        let ours = interface::own_addresses(&interfaces, host, |_| true);
        let named = class::ClassNames::read(&root);
        ipv6::refuse_unsent(&root);
        options::refuse_unset(&root);
        let has_proxies = proxy::check(&root, &interfaces, &named.classes, host);
        let mut lines = reservation::Lines::default();
        let networks = subnet::networks(&root, &defaults, &ours, &named, &mut lines, has_proxies);
        let reservations =
            reservation::of_all_networks(&root, &networks, &ours, &named, &mut lines);
        Config {
            server: server::read(root.get("server")),
            networks,
            classes: named.finish(lines.are_any()),
            interfaces,
            reservations,
        }
    })
}
