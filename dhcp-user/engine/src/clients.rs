//! Which address each client has, or had last.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_common::abi::ClientKey;
use hashbrown::HashTable;

use crate::live::Live;

/// Clients that have an address are told by the live table, so that here each takes a few octets; those whose address
/// is free again are kept here.
#[derive(Debug)]
pub(super) struct Clients {
    live: Arc<Live>,
    hasher: RandomState,
    /// A part of the client's hash, and where in the live table it is.
    current: HashTable<(u32, Ipv4Addr)>,
    /// Of those who had one.
    last: HashMap<ClientKey, Ipv4Addr>,
    /// Whose each free address was last.
    formers: HashMap<Ipv4Addr, ClientKey>,
}

/// The table takes its own bits from both ends.
const fn spread(hash: u32) -> u64 {
    hash as u64 | (hash as u64) << 32
}

impl Clients {
    pub fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            hasher: RandomState::new(),
            current: HashTable::new(),
            last: HashMap::new(),
            formers: HashMap::new(),
        }
    }

    /// The address that the client has, in whichever state, or had last.
    pub fn get(&self, client: &ClientKey) -> Option<Ipv4Addr> {
        let hash = self.hash(client);
        let has = |at: &(u32, Ipv4Addr)| at.0 == hash && self.has(client, at.1);
        match self.current.find(spread(hash), has) {
            Some((_, address)) => Some(*address),
            None => self.last.get(client).copied(),
        }
    }

    pub fn is_at(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        self.get(client) == Some(address)
    }

    /// Notes where a client is now, by its entry in the live table.
    pub fn insert(&mut self, client: &ClientKey, address: Ipv4Addr) {
        let hash = self.hash(client);
        match self.current.find(spread(hash), |at| at.0 == hash) {
            // It is there already.
            Some((_, at)) if *at == address => return self.forget_last(client),
            Some(_) => self.remove(client),
            None => self.forget_last(client),
        }
        let rehash = |at: &(u32, Ipv4Addr)| spread(at.0);
        self.current
            .insert_unique(spread(hash), (hash, address), rehash);
    }

    fn forget_last(&mut self, client: &ClientKey) {
        if !self.last.is_empty() {
            self.last.remove(client);
        }
    }

    /// To be called while the client is still in the live table.
    pub fn remove(&mut self, client: &ClientKey) {
        self.forget_last(client);
        let hash = self.hash(client);
        let Self { current, live, .. } = self;
        let is_its = |at: &(u32, Ipv4Addr)| at.0 == hash && has(live, client, at.1);
        if let Ok(entry) = current.find_entry(spread(hash), is_its) {
            entry.remove();
        }
    }

    /// Notes that the client may have the address again while that is free. To be called while it is still in the
    /// live table.
    pub fn leave(&mut self, client: &ClientKey, address: Ipv4Addr) {
        self.remove(client);
        self.set_former(address, *client);
        self.last.insert(*client, address);
    }

    /// As [`Clients::leave`] for one that is not in the live table. Of several addresses the last one counts.
    pub fn insert_former(&mut self, client: ClientKey, address: Ipv4Addr) {
        if let Some(earlier) = self.last.insert(client, address) {
            self.formers.remove(&earlier);
        }
        self.formers.insert(address, client);
    }

    /// The client whose address this was last.
    pub fn former(&self, address: Ipv4Addr) -> Option<&ClientKey> {
        self.formers.get(&address)
    }

    pub fn is_former(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        self.former(address) == Some(client)
    }

    pub fn set_former(&mut self, address: Ipv4Addr, client: ClientKey) {
        self.forget_former(address);
        self.formers.insert(address, client);
    }

    /// Forgets whose address this was.
    pub fn forget_former(&mut self, address: Ipv4Addr) {
        if let Some(client) = self.formers.remove(&address)
            && self.last.get(&client) == Some(&address)
        {
            self.last.remove(&client);
        }
    }

    fn hash(&self, client: &ClientKey) -> u32 {
        self.hasher.hash_one(client) as u32
    }

    fn has(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        has(&self.live, client, address)
    }
}

fn has(live: &Live, client: &ClientKey, address: Ipv4Addr) -> bool {
    live.get(&address)
        .is_some_and(|lease| lease.holder.client() == *client)
}
