//! The script by which clients say what has happened.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyhow::{Context as _, Result};

use super::running::Event;
use crate::Namespace;

/// The script that clients run on each event. It sets the interface up as the clients' own scripts
/// would, and writes a line `<reason> <address>`.
///
/// udhcpc gives the reason as an argument, dhclient and dhcpcd in the environment; dhcpcd sets the
/// interface up by itself. A file `refuse` makes it fail once, by which dhclient takes the address for
/// one that is in use.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) script: PathBuf,
    pub(super) record: PathBuf,
}

impl Hook {
    const SCRIPT: &str = r#"#!/bin/sh
reason=${1:-$reason}
address=${ip:-$new_ip_address}
mask=${mask:-$new_subnet_mask}
router=${router:-$new_routers}
if [ -z "$keep_interface" ]; then
    case $reason in
    PREINIT) ip link set "$interface" up ;;
    bound | renew | BOUND | RENEW | REBIND | REBOOT)
        ip address replace "$address/$mask" dev "$interface"
        if [ -n "$router" ]; then
            ip route replace default via "${router%% *}" dev "$interface"
        fi
        ;;
    deconfig | EXPIRE | FAIL | RELEASE | STOP) ip -4 address flush dev "$interface" ;;
    esac
fi
echo "$reason $address" >>"$record"
if [ "$reason" = BOUND ] && rm "$record.refuse" 2>/dev/null; then
    exit 1
fi
exit 0
"#;

    /// `sets_up`: whether the interface is left to the script.
    pub(super) fn write(namespace: &Namespace, name: &str, sets_up: bool) -> Result<Self> {
        let script = namespace.path(&format!("{name}.script"));
        let record = namespace.path(&format!("{name}.events"));
        let keep = if sets_up { "" } else { "1" };
        // Clients hand down little of the environment, so that these go into the file.
        let head = format!(
            "#!/bin/sh\nrecord='{}'\nkeep_interface={keep}\n",
            record.display()
        );
        let text = Self::SCRIPT.replacen("#!/bin/sh\n", &head, 1);
        fs::write(&script, text)
            .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
            .and_then(|()| fs::write(&record, ""))
            .with_context(|| format!("cannot write {}", script.display()))?;
        Ok(Self { script, record })
    }

    pub(super) fn events(&self) -> Result<Vec<Event>> {
        let text = fs::read_to_string(&self.record)
            .with_context(|| format!("cannot read {}", self.record.display()))?;
        Ok(text.lines().filter_map(event).collect())
    }

    /// Fails at the next address.
    pub(super) fn refuse_once(&self) -> Result<()> {
        let mut refuse = self.record.clone().into_os_string();
        refuse.push(".refuse");
        Ok(fs::write(refuse, "")?)
    }
}

/// An event from a line of the hook's.
fn event(line: &str) -> Option<Event> {
    let (reason, address) = line.split_once(' ')?;
    let address = || address.trim().parse().ok();
    match reason {
        "bound" | "BOUND" | "REBOOT" => address().map(Event::Bound),
        "renew" | "RENEW" | "REBIND" => address().map(Event::Renewed),
        "deconfig" | "nak" | "NAK" | "EXPIRE" | "RELEASE" | "STOP" | "FAIL" => Some(Event::Lost),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn reads_what_each_client_calls_an_event() {
        let address = Ipv4Addr::new(10, 77, 0, 100);
        for (line, expected) in [
            ("deconfig ", Some(Event::Lost)),
            ("bound 10.77.0.100", Some(Event::Bound(address))),
            ("REBIND 10.77.0.100", Some(Event::Renewed(address))),
            ("PREINIT ", None),
            ("BOUND ", None),
        ] {
            assert_eq!(event(line), expected, "{line}");
        }
    }
}
