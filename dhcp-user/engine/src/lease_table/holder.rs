//! The client of a lease and its origin, in one piece of memory.

use dhcp_common::abi::ClientKey;

use dhcp_model::{ClientOrigin, ClientOriginRef, Hardware};

/// A [`ClientKey`] and a [`ClientOrigin`] in little memory, because a server may have millions of
/// them: a key that repeats the hardware address or option 61, as most do, takes no memory of its
/// own.
///
/// ```text
/// scope of the key (8) | htype | hlen | octets of chaddr | parts | chaddr
///     | the parts, each after its length (2)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(Box<[u8]>);

/// Octets of [`ClientKey::scope`]; the rest of a key is the identifier.
const SCOPE: usize = 8;
const HTYPE: usize = SCOPE;
const HLEN: usize = SCOPE + 1;
const CHADDR_LEN: usize = SCOPE + 2;
const PARTS: usize = SCOPE + 3;
const HEAD: usize = SCOPE + 4;

/// Flags of the parts that are present, in this order.
const CLIENT_ID: u8 = 1;
const HOST_NAME: u8 = 1 << 1;
const RELAY_INFO: u8 = 1 << 2;
/// The identifier of the key, if it repeats neither of these.
const ID: u8 = 1 << 3;
const ALL: [u8; 4] = [CLIENT_ID, HOST_NAME, RELAY_INFO, ID];
const ID_IS_CHADDR: u8 = 1 << 4;
const ID_IS_CLIENT_ID: u8 = 1 << 5;

impl Holder {
    pub fn new<'a>(client: &ClientKey, origin: impl Into<ClientOriginRef<'a>>) -> Self {
        let origin = origin.into();
        let Hardware { htype, len, chaddr } = origin.hardware;
        let unused = chaddr.iter().rev().take_while(|octet| **octet == 0);
        let chaddr = chaddr.get(..chaddr.len() - unused.count());
        let chaddr = chaddr.unwrap_or_default();
        let (id, id_len) = client.id();
        let id = id.get(..id_len).unwrap_or(&id);
        let client_id = origin.client_id;
        let source = if id == chaddr {
            ID_IS_CHADDR
        } else if client_id == Some(id) {
            ID_IS_CLIENT_ID
        } else {
            ID
        };
        let parts = [
            client_id,
            origin.host_name.map(str::as_bytes),
            origin.relay_info,
            (source == ID).then_some(id),
        ];
        // No part is longer than the message that contained it.
        let parts = parts.map(|part| Some((u16::try_from(part?.len()).ok()?, part?)));
        let sizes = parts.iter().flatten().map(|(_, part)| 2 + part.len());
        let mut octets = Vec::with_capacity(HEAD + chaddr.len() + sizes.sum::<usize>());
        octets.extend_from_slice(&client.scope().to_le_bytes());
        let there = ALL
            .into_iter()
            .zip(&parts)
            .filter(|(_, part)| part.is_some());
        let there = there.fold(source, |bits, (bit, _)| bits | bit);
        octets.extend_from_slice(&[htype, len, chaddr.len() as u8, there]);
        octets.extend_from_slice(chaddr);
        for (len, part) in parts.into_iter().flatten() {
            octets.extend_from_slice(&len.to_le_bytes());
            octets.extend_from_slice(part);
        }
        Self(octets.into())
    }

    pub fn client(&self) -> ClientKey {
        let scope = self.0.first_chunk().copied().unwrap_or_default();
        let id = match self.octet(PARTS) {
            parts if parts & ID_IS_CHADDR != 0 => Some(self.chaddr()),
            parts if parts & ID_IS_CLIENT_ID != 0 => self.client_id(),
            _ => self.part(ID),
        };
        ClientKey::from_scope(u64::from_le_bytes(scope), id.unwrap_or_default())
            .unwrap_or_else(|| unreachable!("it was put together from a key"))
    }

    pub fn origin(&self) -> ClientOrigin {
        ClientOrigin {
            hardware: self.hardware(),
            client_id: self.client_id().map(Into::into),
            host_name: self.host_name().map(Into::into),
            relay_info: self.relay_info().map(Into::into),
        }
    }

    /// Returns the origin without a copy of its parts.
    pub fn origin_ref(&self) -> ClientOriginRef<'_> {
        ClientOriginRef {
            hardware: self.hardware(),
            client_id: self.client_id(),
            host_name: self.host_name(),
            relay_info: self.relay_info(),
        }
    }

    pub fn hardware(&self) -> Hardware {
        let mut chaddr = [0; 16];
        for (octet, from) in chaddr.iter_mut().zip(self.chaddr()) {
            *octet = *from;
        }
        Hardware {
            htype: self.octet(HTYPE),
            len: self.octet(HLEN),
            chaddr,
        }
    }

    pub fn client_id(&self) -> Option<&[u8]> {
        self.part(CLIENT_ID)
    }

    pub fn host_name(&self) -> Option<&str> {
        std::str::from_utf8(self.part(HOST_NAME)?).ok()
    }

    pub fn relay_info(&self) -> Option<&[u8]> {
        self.part(RELAY_INFO)
    }

    fn octet(&self, index: usize) -> u8 {
        self.0.get(index).copied().unwrap_or_default()
    }

    /// Returns `chaddr` without zeros at its end.
    fn chaddr(&self) -> &[u8] {
        let len = usize::from(self.octet(CHADDR_LEN));
        self.0.get(HEAD..HEAD + len).unwrap_or_default()
    }

    fn part(&self, wanted: u8) -> Option<&[u8]> {
        let parts = self.octet(PARTS);
        let mut rest = self.0.get(HEAD + self.chaddr().len()..)?;
        for part in ALL.into_iter().filter(|part| parts & part != 0) {
            let (len, from) = rest.split_first_chunk()?;
            let (octets, behind) = from.split_at_checked(u16::from_le_bytes(*len).into())?;
            if part == wanted {
                return Some(octets);
            }
            rest = behind;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn hardware(octets: &[u8]) -> Hardware {
        let mut chaddr = [0; 16];
        chaddr[..octets.len()].copy_from_slice(octets);
        Hardware {
            htype: 1,
            len: octets.len() as u8,
            chaddr,
        }
    }

    #[test]
    fn a_client_known_by_its_mac_address_takes_little_more_than_that() {
        let mac = [2, 0, 0, 0, 1, 7];
        let client = ClientKey::hardware(9, 1, &mac).unwrap();
        let origin = ClientOrigin {
            hardware: hardware(&mac),
            ..ClientOrigin::default()
        };
        let holder = Holder::new(&client, &origin);
        assert_eq!(holder.0.len(), HEAD + mac.len());
        assert_eq!((holder.client(), holder.origin()), (client, origin));
    }

    proptest! {
        /// A holder returns its key and origin unchanged, for arbitrary ones.
        #[test]
        fn comes_back_as_it_went_in(
            (htype, len) in (any::<u8>(), any::<u8>()),
            chaddr in any::<[u8; 16]>(),
            used in 0usize..=16,
            client_id in option::of(vec(any::<u8>(), 0..80)),
            host_name in option::of("\\PC{0,80}"),
            relay_info in option::of(vec(any::<u8>(), 0..300)),
            kind in 0..4,
        ) {
            let mut chaddr = chaddr;
            chaddr[used..].fill(0);
            let id = client_id.clone().unwrap_or_default();
            let client = match kind {
                0 => ClientKey::hardware(1, htype, &chaddr[..used]),
                1 => ClientKey::client_id(7, &id),
                2 => ClientKey::client_id(u32::MAX, &[htype, len, 0]),
                _ => Some(ClientKey::client_id_digest(3, [htype; 32])),
            };
            let client = client.unwrap_or(ClientKey::client_id_digest(0, [len; 32]));
            let origin = ClientOrigin {
                hardware: Hardware { htype, len, chaddr },
                client_id: client_id.map(Into::into),
                host_name: host_name.map(Into::into),
                relay_info: relay_info.map(Into::into),
            };
            let holder = Holder::new(&client, &origin);
            prop_assert_eq!(holder.client(), client);
            prop_assert_eq!(holder.origin(), origin);
        }
    }
}
