//! Records the messages on a link, independently of server and clients.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use dhcp_common::wire::SERVER_PORT;
use dhcproto::{Decodable as _, Decoder, v4::Message};

use super::{
    Namespace,
    ledger::Ledger,
    wire::{Datagram, Wire},
};

/// Accounts that are kept of the messages on a link.
pub trait Accounts: Send + 'static {
    /// Records a message that passed at a time since the Unix epoch. Messages are passed in the
    /// order in which they were sent.
    fn enter(&mut self, message: &Message, at: Duration);
}

impl Accounts for Ledger {
    fn enter(&mut self, message: &Message, _: Duration) {
        self.enter(message);
    }
}

#[derive(Debug)]
pub struct Witness<A = Ledger> {
    ledger: Arc<Mutex<A>>,
    is_over: Arc<AtomicBool>,
    listener: Option<JoinHandle<Result<()>>>,
}

impl Witness {
    /// Starts to keep a [`Ledger`].
    ///
    /// # Errors
    /// As [`Witness::keep`].
    pub fn start(namespace: &Namespace, interface: &str, own: Ipv4Addr) -> Result<Self> {
        Self::keep(Ledger::default(), namespace, interface, own)
    }
}

impl<A: Accounts> Witness<A> {
    /// Starts to record all DHCP messages at an interface, in both directions. Incoming messages
    /// must have correct checksums; `own` is the address of the sender on this host.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn keep(
        accounts: A,
        namespace: &Namespace,
        interface: &str,
        own: Ipv4Addr,
    ) -> Result<Self> {
        let wire = Wire::open_both_ways(namespace, interface)?;
        let ledger = Arc::new(Mutex::new(accounts));
        let is_over = Arc::new(AtomicBool::new(false));
        let listener = thread::spawn({
            let (ledger, is_over) = (Arc::clone(&ledger), Arc::clone(&is_over));
            move || listen(&wire, own, &ledger, &is_over)
        });
        Ok(Self {
            ledger,
            is_over,
            listener: Some(listener),
        })
    }

    /// Returns the accounts so far.
    pub fn ledger(&self) -> MutexGuard<'_, A> {
        locked(&self.ledger)
    }

    /// Ends the recording once no more messages pass.
    ///
    /// # Errors
    /// A malformed message passed, or frames were missed.
    pub fn stop(mut self) -> Result<()> {
        self.is_over.store(true, Relaxed);
        let Some(listener) = self.listener.take() else {
            return Ok(());
        };
        listener
            .join()
            .unwrap_or_else(|_| Err(anyhow!("the witness thread panicked")))
    }
}

impl<A> Drop for Witness<A> {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}

fn listen<A: Accounts>(
    wire: &Wire,
    own: Ipv4Addr,
    ledger: &Mutex<A>,
    is_over: &AtomicBool,
) -> Result<()> {
    loop {
        let Some((at, frame)) = wire.receive_stamped()? else {
            if is_over.load(Relaxed) {
                break;
            }
            continue;
        };
        let datagram = Datagram::parse(&frame).filter(|datagram| datagram.is_of(SERVER_PORT));
        let Some(datagram) = datagram else { continue };
        if datagram.path.source != own {
            datagram.verify()?;
        }
        let message = Message::decode(&mut Decoder::new(&datagram.payload))
            .context("the payload at port 67 is not a DHCP message")?;
        locked(ledger).enter(&message, at);
    }
    let missed = wire.missed()?;
    ensure!(missed == 0, "{missed} frames were missed");
    Ok(())
}

fn locked<A>(ledger: &Mutex<A>) -> MutexGuard<'_, A> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
