//! The server on its link, the events, and the recording of messages.

use std::{
    fmt,
    net::Ipv4Addr,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use xtask_lab::{
    Lab,
    disk::Disk,
    napi,
    server::Server,
    topology::{CLIENT_INTERFACE, Direct, SERVER_INTERFACE},
    wait,
    witness::Witness,
};

use super::{
    accounts::Accounts,
    conditions::{Moment, Trouble},
    fleet::{Fleet, Order},
    machine::Link,
    plan::{Event, HEADLESS, Kill, LEASING},
    scene::{GUARANTEE, PREFIX_LEN, SERVER, Scene, Variant},
};

/// Holds the store and its WAL before a checkpoint.
const DISK_KIB: u32 = 32 * 1024;
/// Longest pause before the store is tried again, plus the commit of queued changes.
const RECOVERY: Duration = Duration::from_secs(7);
/// Shortest pause after SIGHUP, in which clients ask while the published answers are replaced.
const RELOADING: Duration = Duration::from_secs(1);
/// What the daemon logs when a reload has ended, in either way.
const RELOADED: &str = "reloaded";
/// Time from `ip link set up` until frames pass.
const LINK_UP: Duration = Duration::from_millis(500);

/// Number of events by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub kills: u32,
    pub stops: u32,
    pub disks_full: u32,
    pub links_down: u32,
    pub reloads: u32,
    pub headless: u32,
}

#[derive(Debug)]
pub struct Stage {
    pub net: Direct,
    pub server: Server,
    pub witness: Witness<Accounts>,
    scene: Scene,
    disk: Disk,
    variant: Variant,
    began: Instant,
    /// When the store is reliable again after the disk was full.
    recovers_at: Option<Moment>,
    tally: Tally,
}

pub fn now() -> Moment {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

impl Stage {
    /// Starts the server and records everything on the link.
    ///
    /// # Errors
    /// The kernel refused, or the server did not start.
    pub fn set(lab: &Lab, scene: Scene) -> Result<Self> {
        let net = Direct::new(lab)?;
        net.server
            .add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;
        // No frame is dropped because a thread waits for a processor, however busy the machine is.
        napi::receive_at_once(&net.server, SERVER_INTERFACE)?;
        napi::receive_at_once(&net.client, CLIENT_INTERFACE)?;
        let disk = lab.disk(DISK_KIB)?;
        let variant = Variant::default();
        let mut server = Server::new(lab, &net.server, &scene.config(variant))?;
        server.keep_store_at(disk.path("leases.db"));
        server.configure(&scene.config(variant))?;
        // No address of this host sends: all checksums must be correct.
        let witness = Witness::keep(
            Accounts::new(GUARANTEE),
            &net.client,
            CLIENT_INTERFACE,
            Ipv4Addr::BROADCAST,
        )?;
        witness.ledger().conditions().begin(Trouble::Reload, now());
        server.start_again()?;
        witness.ledger().conditions().end(Trouble::Reload, now());
        Ok(Self {
            net,
            server,
            witness,
            scene,
            disk,
            variant,
            began: Instant::now(),
            recovers_at: None,
            tally: Tally::default(),
        })
    }

    /// Returns the properties of the link that clients must know.
    ///
    /// # Errors
    /// The interfaces are gone.
    pub fn link(&self) -> Result<Link> {
        Ok(Link {
            server_mac: self.net.server.mac(SERVER_INTERFACE)?,
            agent_mac: self.net.client.mac(CLIENT_INTERFACE)?,
        })
    }

    /// Returns the time from which printed times count.
    pub fn began(&self) -> Moment {
        now().saturating_sub(self.began.elapsed())
    }

    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Prints what happens, and when.
    pub fn say(&self, what: impl fmt::Display) {
        println!("{:8.3} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Waits for a time without any event.
    pub fn wait(&mut self, time: Duration) {
        let until = now() + time;
        if let Some(at) = self.recovers_at.filter(|at| *at <= until) {
            sleep(at.saturating_sub(now()));
            self.recovers_at = None;
            self.end(Trouble::DiskFull);
        }
        sleep(until.saturating_sub(now()));
    }

    /// Performs an event.
    ///
    /// # Errors
    /// The server does not start, or the lab fails.
    pub fn play(&mut self, event: Event, fleet: &Fleet) -> Result<()> {
        self.say(event);
        match event {
            Event::Kill { gone } => self.kill(gone),
            Event::Stop { gone } => {
                self.tally.stops += 1;
                self.begin(Trouble::ControllerGone);
                self.server.stop()?;
                self.wait(gone);
                self.start()
            }
            Event::Headless => self.headless(fleet),
            Event::DiskFull { lasts, kill } => self.disk_full(lasts, kill),
            Event::LinkDown { lasts, kill } => self.link_down(lasts, kill),
            Event::Reload { variant, kill } => self.reload(variant, kill),
        }
    }

    /// Ends all faults and restores the first configuration.
    ///
    /// # Errors
    /// The server does not run.
    pub fn repair(&mut self) -> Result<()> {
        if self.variant != Variant::default() {
            self.reload(Variant::default(), None)?;
        }
        self.wait(RECOVERY);
        Ok(())
    }

    /// Loads another configuration, and optionally kills the server during that.
    ///
    /// # Errors
    /// The server does not run, or the file cannot be written.
    pub fn reload(&mut self, variant: Variant, kill: Option<Kill>) -> Result<()> {
        self.tally.reloads += 1;
        self.begin(Trouble::Reload);
        self.variant = variant;
        self.server.configure(&self.scene.config(variant))?;
        let before = self.reloads()?;
        self.server.hang_up()?;
        if let Some(Kill { after, gone }) = kill {
            self.wait(after);
            self.kill(gone)?;
        } else {
            self.wait(RELOADING);
            wait::until("the daemon to reload", wait::PATIENCE, || {
                Ok((self.reloads()? > before).then_some(()))
            })?;
        }
        self.end(Trouble::Reload);
        Ok(())
    }

    /// Returns how many reloads the running daemon has ended.
    fn reloads(&self) -> Result<usize> {
        Ok(self.server.log()?.matches(RELOADED).count())
    }

    fn headless(&mut self, fleet: &Fleet) -> Result<()> {
        if self.variant.has_shorter_leases {
            let has_shorter_leases = false;
            let variant = Variant {
                has_shorter_leases,
                ..self.variant
            };
            self.reload(variant, None)?;
        }
        if self.recovers_at.is_some() {
            self.wait(RECOVERY);
        }
        self.tally.headless += 1;
        fleet.tell(Order::Restart)?;
        self.wait(LEASING);
        self.kill(HEADLESS)?;
        fleet.tell(Order::Wild)
    }

    fn disk_full(&mut self, lasts: Duration, kill: Option<Kill>) -> Result<()> {
        self.tally.disks_full += 1;
        if self.recovers_at.take().is_none() {
            self.begin(Trouble::DiskFull);
        }
        self.disk.fill()?;
        let until = Instant::now() + lasts;
        if let Some(Kill { after, gone }) = kill {
            self.wait(after);
            self.kill(gone)?;
        }
        self.wait(until.saturating_duration_since(Instant::now()));
        self.disk.make_room()?;
        self.recovers_at = Some(now() + RECOVERY);
        Ok(())
    }

    fn link_down(&mut self, lasts: Duration, kill: Option<Kill>) -> Result<()> {
        self.tally.links_down += 1;
        self.begin(Trouble::LinkDown);
        let set = |state| self.net.server.ip(["link", "set", SERVER_INTERFACE, state]);
        set("down")?;
        let until = Instant::now() + lasts;
        let mut gone = None;
        if let Some(kill) = kill {
            sleep(kill.after);
            gone = Some(kill.gone);
            self.gone();
        }
        sleep(until.saturating_duration_since(Instant::now()));
        self.net
            .server
            .ip(["link", "set", SERVER_INTERFACE, "up"])?;
        self.wait(LINK_UP);
        self.end(Trouble::LinkDown);
        if let Some(gone) = gone {
            self.wait(gone);
            self.start()?;
        }
        Ok(())
    }

    fn kill(&mut self, gone: Duration) -> Result<()> {
        self.gone();
        self.wait(gone);
        self.start()
    }

    fn gone(&mut self) {
        self.tally.kills += 1;
        self.begin(Trouble::ControllerGone);
        self.server.kill();
    }

    fn start(&mut self) -> Result<()> {
        self.server.start_again()?;
        self.end(Trouble::ControllerGone);
        Ok(())
    }

    fn begin(&self, trouble: Trouble) {
        self.witness.ledger().conditions().begin(trouble, now());
    }

    fn end(&self, trouble: Trouble) {
        self.witness.ledger().conditions().end(trouble, now());
    }
}
