//! Real DHCP clients, each with state of its own.

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyhow::{Context as _, Result};

use super::{Namespace, wait};

mod dhclient;
mod dhcpcd;
mod networkd;
mod udhcpc;

pub use dhclient::Dhclient;
pub use dhcpcd::Dhcpcd;
pub use networkd::Networkd;
pub use udhcpc::Udhcpc;

/// What a client says has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has got this address, be it again.
    Bound(Ipv4Addr),
    /// It has extended the lease of this address.
    Renewed(Ipv4Addr),
    /// It has no address any more: NAK, expiry or release.
    Lost,
}

/// A real client, running. It ends with its handle, and does not release its lease by that.
pub trait Client {
    /// All that happened since it was started, oldest first.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn events(&self) -> Result<Vec<Event>>;

    /// Makes it extend its lease now, where it can be told to; others do it when T1 has come.
    ///
    /// # Errors
    /// It has ended.
    fn renew(&mut self) -> Result<()>;

    /// Makes it give its lease up.
    ///
    /// # Errors
    /// It has ended.
    fn release(&mut self) -> Result<()>;

    /// Waits until it has an address, the first or the next after `Lost`.
    ///
    /// # Errors
    /// It has none within the limit.
    fn wait_bound(&self) -> Result<Ipv4Addr> {
        wait::until("the client to get an address", wait::PATIENCE, || {
            Ok(match self.events()?.last() {
                Some(Event::Bound(address) | Event::Renewed(address)) => {
                    self.has_recorded(*address)?.then_some(*address)
                }
                Some(Event::Lost) | None => None,
            })
        })
    }

    /// Whether it would know this address again, were it killed now.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn has_recorded(&self, _: Ipv4Addr) -> Result<bool> {
        Ok(true)
    }

    /// Waits until it has extended its lease as often, since it was started.
    ///
    /// # Errors
    /// It has not within the limit.
    fn wait_renewals(&self, times: usize) -> Result<()> {
        let what = format!("the client to have renewed {times} times");
        wait::until(&what, wait::PATIENCE, || {
            Ok((self.renewals()? >= times).then_some(()))
        })
    }

    /// How often it has extended its lease.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn renewals(&self) -> Result<usize> {
        let events = self.events()?;
        let renewed = |event: &&Event| matches!(event, Event::Renewed(_));
        Ok(events.iter().filter(renewed).count())
    }

    /// REQUESTs that it has sent. Some open the socket for the answer only after they have sent a
    /// renewal, miss an answer that comes too fast for that, and ask once more.
    ///
    /// # Errors
    /// Its records cannot be read.
    fn requests(&self) -> Result<usize> {
        Ok(1 + self.renewals()?)
    }

    /// Waits until it has lost its address as often, since it was started.
    ///
    /// # Errors
    /// It has not within the limit.
    fn wait_lost(&self, times: usize) -> Result<()> {
        wait::until("the client to lose its address", wait::PATIENCE, || {
            let events = self.events()?;
            let lost = events.iter().filter(|event| **event == Event::Lost);
            Ok((lost.count() >= times).then_some(()))
        })
    }

    /// Makes it renew once, and waits until it has.
    ///
    /// # Errors
    /// It was not answered within the limit.
    fn renew_and_wait(&mut self) -> Result<()> {
        let before = self.renewals()?;
        self.renew()?;
        self.wait_renewals(before + 1)
    }
}

/// The script that clients run on each event. It sets the interface up as the clients' own scripts
/// would, and writes a line `<reason> <address>`.
///
/// udhcpc gives the reason as an argument, dhclient and dhcpcd in the environment; dhcpcd sets the
/// interface up by itself. A file `refuse` makes it fail once, by which dhclient takes the address for
/// one that is in use.
#[derive(Debug)]
struct Hook {
    script: PathBuf,
    record: PathBuf,
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
    fn write(namespace: &Namespace, name: &str, sets_up: bool) -> Result<Self> {
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

    fn events(&self) -> Result<Vec<Event>> {
        let text = fs::read_to_string(&self.record)
            .with_context(|| format!("cannot read {}", self.record.display()))?;
        Ok(text.lines().filter_map(event).collect())
    }

    /// Fails at the next address.
    fn refuse_once(&self) -> Result<()> {
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
