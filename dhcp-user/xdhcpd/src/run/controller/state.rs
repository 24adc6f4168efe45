//! The state of the controller's loop.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use dhcp_common::abi::{Binding, ClientKey, NetworkRef};
use dhcp_config::Config;
use dhcp_datapath::{
    KernelGrants, Links, Maps,
    events::Events,
    fence::{Fence, Fenced},
    probe_socket::ProbeSocket,
    xsk::XskSocket,
};
use dhcp_engine::{
    Command, CommandId, CommandOutcome, Effect, Egress, Engine, FenceId, Networks, Preview,
};
use dhcp_frames::probe::Prober;
use dhcp_store::committer::{Committed, Committer, TicketChanges};
use ipnet::Ipv4Net;
use tokio::{
    io::unix::AsyncFd,
    sync::{mpsc, oneshot},
};

use crate::run::{links::ServedInterface, serving::Serving};

/// The delay before the kernel or a device is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(10);

/// The parts that the loop connects.
pub struct Parts {
    pub engine: Engine,
    pub grants: KernelGrants,
    pub maps: Maps,
    pub fence: Fence,
    pub fenced: Fenced,
    pub committer: Committer,
    pub committed: mpsc::UnboundedReceiver<Vec<Committed>>,
    pub events: Events,
    pub commands: mpsc::Receiver<(Command, oneshot::Sender<CommandOutcome>)>,
    pub changes: mpsc::Receiver<Change>,
    pub links: Links,
    pub serving: Arc<Serving>,
}

/// A configuration for the running controller.
pub struct Change {
    pub config: Arc<Config>,
    pub networks: Networks,
    pub interfaces: Vec<ServedInterface>,
    pub relays: Vec<(Ipv4Net, NetworkRef)>,
    /// Reports the consequences, and changes nothing.
    pub is_preview: bool,
    pub answer: oneshot::Sender<anyhow::Result<Preview>>,
}

/// An AF_XDP socket of one receive queue.
pub(super) struct QueueSocket {
    pub(super) ifindex: u32,
    pub(super) mac: [u8; 6],
    pub(super) socket: AsyncFd<XskSocket>,
    /// Whether the device has not accepted all replies yet.
    pub(super) is_pending: bool,
}

/// The socket for answers to probes on one interface.
pub(super) struct ProbeListener {
    pub(super) ifindex: u32,
    pub(super) socket: AsyncFd<ProbeSocket>,
}

/// The controller: the engine, its inputs, and what executes its effects.
pub struct Controller {
    pub(super) parts: Parts,
    pub(super) slow: Vec<QueueSocket>,
    pub(super) prober: Prober,
    pub(super) probe_listeners: Vec<ProbeListener>,
    /// The channels of operators that wait for an outcome.
    pub(super) operators: HashMap<CommandId, oneshot::Sender<CommandOutcome>>,
    pub(super) last_command: u64,
    /// Entries that could not be withdrawn, to be tried again.
    pub(super) stuck: VecDeque<(FenceId, ClientKey)>,
    /// Withdrawn entries that no fence has been started for.
    pub(super) withdrawn: Vec<FenceId>,
    /// Results of commits that have not been handled.
    pub(super) results: VecDeque<Committed>,
    pub(super) effects: Vec<Effect>,
    pub(super) batch: Batch,
}

/// Effects that are executed together at the end of a turn.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commits: Vec<TicketChanges>,
    pub(super) bindings: Vec<(ClientKey, Binding)>,
    pub(super) replies: Vec<(Egress, Vec<u8>)>,
}

impl Controller {
    /// Connects the parts, without interfaces.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            slow: Vec::new(),
            prober: Prober::new(rand::random()),
            probe_listeners: Vec::new(),
            operators: HashMap::new(),
            last_command: 0,
            stuck: VecDeque::new(),
            withdrawn: Vec::new(),
            results: VecDeque::new(),
            effects: Vec::new(),
            batch: Batch::default(),
        }
    }
}
