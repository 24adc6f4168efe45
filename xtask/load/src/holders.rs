//! Which client holds each address, to detect duplicates.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The holders of the addresses of a range.
#[derive(Debug)]
pub struct Holders {
    range: Ipv4Net,
    by_offset: Vec<Option<Holder>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    index: u32,
    until_ns: u64,
}

impl Holders {
    pub fn new(range: Ipv4Net) -> Self {
        let addresses = u32::from(range.hostmask()) as usize + 1;
        Self {
            range,
            by_offset: vec![None; addresses],
        }
    }

    fn place(&mut self, address: Ipv4Addr) -> Option<&mut Option<Holder>> {
        let first = u32::from(self.range.network());
        let offset = u32::from(address).checked_sub(first)?;
        self.by_offset.get_mut(offset as usize)
    }

    /// Returns whether clients may take an address.
    pub fn has(&self, address: Ipv4Addr) -> bool {
        self.range.contains(&address)
    }

    /// Returns another client that holds an address at a time.
    pub fn other(&mut self, address: Ipv4Addr, index: u32, now_ns: u64) -> Option<u32> {
        let holder = (*self.place(address)?)?;
        (holder.index != index && now_ns < holder.until_ns).then_some(holder.index)
    }

    /// Returns the holder of an address.
    pub fn of(&mut self, address: Ipv4Addr) -> Option<u32> {
        (*self.place(address)?).map(|holder| holder.index)
    }

    pub fn take(&mut self, address: Ipv4Addr, index: u32, until_ns: u64) {
        if let Some(place) = self.place(address) {
            *place = Some(Holder { index, until_ns });
        }
    }

    /// Frees an address if this client holds it.
    pub fn free(&mut self, address: Ipv4Addr, index: u32) {
        if let Some(place) = self.place(address)
            && place.is_some_and(|holder| holder.index == index)
        {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_holder_until_its_lease_ends() {
        let mut holders = Holders::new("10.1.0.0/24".parse().unwrap());
        let address = Ipv4Addr::new(10, 1, 0, 255);
        assert_eq!(holders.other(address, 1, 0), None);
        holders.take(address, 1, 100);
        assert_eq!(holders.other(address, 1, 50), None);
        assert_eq!(holders.other(address, 2, 99), Some(1));
        assert_eq!(holders.other(address, 2, 100), None);
        holders.free(address, 2);
        assert_eq!(holders.of(address), Some(1));
        holders.free(address, 1);
        assert_eq!(holders.of(address), None);
        assert!(!holders.has(Ipv4Addr::new(10, 1, 1, 0)));
        assert_eq!(holders.other(Ipv4Addr::new(10, 0, 255, 255), 1, 0), None);
    }
}
