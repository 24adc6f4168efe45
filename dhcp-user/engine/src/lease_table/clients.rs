//! The index of clients: which address each of them has, or had last.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use dhcp_common::abi::ClientKey;
use dhcp_model::Address;
use hashbrown::HashTable;

use super::leases::Leases;

/// Finds the address of a client. The key of a client that has an address is in its lease, so that
/// the index needs only a few octets for each; keys of clients whose address is free again are kept
/// here.
#[derive(Debug)]
pub(super) struct Clients<A: Address> {
    leases: Arc<Leases<A>>,
    hasher: RandomState,
    /// A part of the client's hash, and the address of its lease.
    current: HashTable<(u32, A)>,
    /// The last address of each client that had one.
    last: HashMap<ClientKey, A>,
    /// The last client of each free address.
    formers: HashMap<A, ClientKey>,
}

/// Spreads a hash, because the hash table uses bits from both ends.
const fn spread(hash: u32) -> u64 {
    hash as u64 | (hash as u64) << 32
}

impl<A: Address> Clients<A> {
    pub fn new(leases: Arc<Leases<A>>) -> Self {
        Self {
            leases,
            hasher: RandomState::new(),
            current: HashTable::new(),
            last: HashMap::new(),
            formers: HashMap::new(),
        }
    }

    /// Returns the address that the client has, in any state, or had last.
    pub fn get(&self, client: &ClientKey) -> Option<A> {
        let hash = self.hash(client);
        let has = |at: &(u32, A)| at.0 == hash && self.has(client, at.1);
        match self.current.find(spread(hash), has) {
            Some((_, address)) => Some(*address),
            None => self.last.get(client).copied(),
        }
    }

    pub fn is_at(&self, client: &ClientKey, address: A) -> bool {
        self.get(client) == Some(address)
    }

    /// Notes the address of a client, whose lease is in the table already.
    pub fn insert(&mut self, client: &ClientKey, address: A) {
        let hash = self.hash(client);
        match self.current.find(spread(hash), |at| at.0 == hash) {
            // It is noted already.
            Some((_, at)) if *at == address => return self.forget_last(client),
            Some(_) => self.remove(client),
            None => self.forget_last(client),
        }
        let rehash = |at: &(u32, A)| spread(at.0);
        self.current
            .insert_unique(spread(hash), (hash, address), rehash);
    }

    fn forget_last(&mut self, client: &ClientKey) {
        if !self.last.is_empty() {
            self.last.remove(client);
        }
    }

    /// Forgets a client, whose lease is still in the table.
    pub fn remove(&mut self, client: &ClientKey) {
        self.forget_last(client);
        let hash = self.hash(client);
        let Self {
            current, leases, ..
        } = self;
        let is_its = |at: &(u32, A)| at.0 == hash && has(leases, client, at.1);
        if let Ok(entry) = current.find_entry(spread(hash), is_its) {
            entry.remove();
        }
    }

    /// Notes that a client may have its address again while that is free. Its lease is still in the
    /// table.
    pub fn leave(&mut self, client: &ClientKey, address: A) {
        self.remove(client);
        self.set_former(address, *client);
        self.last.insert(*client, address);
    }

    /// Does the same as [`Clients::leave`] for a client without a lease. Of several addresses the
    /// last one counts.
    pub fn insert_former(&mut self, client: ClientKey, address: A) {
        if let Some(earlier) = self.last.insert(client, address) {
            self.formers.remove(&earlier);
        }
        self.formers.insert(address, client);
    }

    /// Returns the last client of a free address.
    pub fn former(&self, address: A) -> Option<&ClientKey> {
        self.formers.get(&address)
    }

    pub fn is_former(&self, client: &ClientKey, address: A) -> bool {
        self.former(address) == Some(client)
    }

    pub fn set_former(&mut self, address: A, client: ClientKey) {
        self.forget_former(address);
        self.formers.insert(address, client);
    }

    /// Forgets the last client of an address.
    pub fn forget_former(&mut self, address: A) {
        if let Some(client) = self.formers.remove(&address)
            && self.last.get(&client) == Some(&address)
        {
            self.last.remove(&client);
        }
    }

    fn hash(&self, client: &ClientKey) -> u32 {
        self.hasher.hash_one(client) as u32
    }

    fn has(&self, client: &ClientKey, address: A) -> bool {
        has(&self.leases, client, address)
    }
}

fn has<A: Address>(leases: &Leases<A>, client: &ClientKey, address: A) -> bool {
    leases
        .get(&address)
        .is_some_and(|lease| lease.holder.client() == *client)
}
