//! What is served at present: read by whoever shows it, changed by the controller.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dhcp_config::Config;
use dhcp_datapath::LinkMode;

use super::links::SlowBases;

/// An interface that the program is attached to.
#[derive(Clone, Debug)]
pub struct ServedPort {
    pub name: String,
    pub ifindex: u32,
    /// Index of its first socket in `SLOW`.
    pub slow_base: u32,
    pub mode: LinkMode,
    pub sockets: usize,
}

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    ports: Vec<ServedPort>,
}

#[derive(Debug)]
pub struct Serving(RwLock<Inner>);

impl Serving {
    pub fn new(config: Arc<Config>) -> Self {
        Self(RwLock::new(Inner {
            config,
            ports: Vec::new(),
        }))
    }

    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.read().config)
    }

    pub fn ports(&self) -> Vec<ServedPort> {
        self.read().ports.clone()
    }

    pub fn slow_bases(&self) -> SlowBases {
        let inner = self.read();
        let ports = inner.ports.iter();
        ports.map(|port| (port.ifindex, port.slow_base)).collect()
    }

    pub fn add(&self, port: ServedPort) {
        self.write().ports.push(port);
    }

    pub fn remove(&self, ifindex: u32) {
        self.write().ports.retain(|port| port.ifindex != ifindex);
    }

    pub fn set_config(&self, config: Arc<Config>) {
        self.write().config = config;
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // Nobody panics while writing: each change is one step.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
