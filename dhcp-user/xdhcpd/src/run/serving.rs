//! The present configuration and interfaces, which the controller changes and others read.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dhcp_config::Config;
use dhcp_datapath::LinkMode;

use super::links::SlowBases;

/// An interface that the program is attached to.
#[derive(Clone, Debug)]
pub struct AttachedInterface {
    pub name: String,
    pub ifindex: u32,
    /// The index of its first socket in the map `SLOW`.
    pub slow_base: u32,
    pub mode: LinkMode,
    pub sockets: usize,
}

#[derive(Debug)]
struct Inner {
    config: Arc<Config>,
    interfaces: Vec<AttachedInterface>,
}

/// The present configuration and interfaces.
#[derive(Debug)]
pub struct Serving(RwLock<Inner>);

impl Serving {
    /// Starts with a configuration and no interfaces.
    pub fn new(config: Arc<Config>) -> Self {
        Self(RwLock::new(Inner {
            config,
            interfaces: Vec::new(),
        }))
    }

    /// Returns the present configuration.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.read().config)
    }

    /// Returns the attached interfaces.
    pub fn interfaces(&self) -> Vec<AttachedInterface> {
        self.read().interfaces.clone()
    }

    /// Returns the index of the first socket of each attached interface.
    pub fn slow_bases(&self) -> SlowBases {
        let inner = self.read();
        let interfaces = inner.interfaces.iter();
        interfaces
            .map(|interface| (interface.ifindex, interface.slow_base))
            .collect()
    }

    /// Adds an interface that has been attached.
    pub fn add(&self, interface: AttachedInterface) {
        self.write().interfaces.push(interface);
    }

    /// Removes an interface that has been detached.
    pub fn remove(&self, ifindex: u32) {
        self.write()
            .interfaces
            .retain(|interface| interface.ifindex != ifindex);
    }

    /// Replaces the configuration.
    pub fn set_config(&self, config: Arc<Config>) {
        self.write().config = config;
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // A panic cannot leave a partial change: each change is one assignment.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
