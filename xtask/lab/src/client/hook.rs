//! The script by which clients report events.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyhow::{Context as _, Result};

use super::running::Event;
use crate::Namespace;

/// Script that clients run on each event. It configures the interface as the clients' own scripts
/// would, and appends a line `<reason> <address>` to a record.
///
/// udhcpc passes the reason as an argument, dhclient and dhcpcd in the environment; dhcpcd
/// configures the interface by itself. A file `refuse` makes the script fail once, which dhclient
/// takes as a sign that the address is in use.
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

    /// Writes the script. `sets_up` is true where the script configures the interface.
    pub(super) fn write(namespace: &Namespace, name: &str, sets_up: bool) -> Result<Self> {
        let script = namespace.path(&format!("{name}.script"));
        let record = namespace.path(&format!("{name}.events"));
        let keep = if sets_up { "" } else { "1" };
        // Clients pass little of their environment on, so these values are written into the script.
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

    /// Makes the script fail at the next address.
    pub(super) fn refuse_once(&self) -> Result<()> {
        let mut refuse = self.record.clone().into_os_string();
        refuse.push(".refuse");
        Ok(fs::write(refuse, "")?)
    }
}

/// Parses a line of the record.
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
