//! Boot parameters of a client.

use std::net::Ipv4Addr;

use super::{
    raw::{Node, Section},
    value::host_address,
};

/// The longest value of one option.
const MAX_OCTETS: usize = 255;

/// The boot parameters in the fixed fields of a reply (RFC 2131 §2, table 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// `siaddr`.
    pub next_server: Option<Ipv4Addr>,
    /// `file`, or option 67: a path, or a URL for UEFI HTTP boot.
    pub file: Option<String>,
    /// `sname`, or option 66.
    pub server_name: Option<String>,
}

impl Boot {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let get = |key| section.get(key);
        Self {
            next_server: get("next-server").and_then(|node| host_address(&node)),
            file: get("boot-file").and_then(|node| text(&node, "pxelinux.0")),
            server_name: get("server-name").and_then(|node| text(&node, "boot.example.net")),
        }
    }

    /// Returns these parameters, with those of `parent` where these are unset.
    #[must_use]
    pub fn over(&self, parent: &Self) -> Self {
        Self {
            next_server: self.next_server.or(parent.next_server),
            file: self.file.as_ref().or(parent.file.as_ref()).cloned(),
            server_name: self
                .server_name
                .as_ref()
                .or(parent.server_name.as_ref())
                .cloned(),
        }
    }
}

/// Reads text for a field that is terminated by a zero octet (RFC 2131 §2).
fn text(node: &Node<'_>, such_as: &str) -> Option<String> {
    let text = node.string(such_as)?;
    if !(1..=MAX_OCTETS).contains(&text.len()) || text.contains(char::is_control) {
        node.refuse(format_args!(
            "invalid text; give 1 to {MAX_OCTETS} printable octets such as {such_as:?}, or remove it"
        ));
        return None;
    }
    Some(text.to_owned())
}
