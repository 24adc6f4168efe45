//! The identity of a client (RFC 2131 §4.2).

use dhcp_common::abi::{ClientKey, MAX_CLIENT_ID};
use sha2::{Digest, Sha256};

use crate::Hardware;

/// Returns the key of a client with this option 61, or without one.
pub fn client_key(network: u32, client_id: Option<&[u8]>, hardware: &Hardware) -> ClientKey {
    let Some(id) = client_id else {
        let Hardware { htype, len, .. } = *hardware;
        return ClientKey::hardware(network, htype, hardware.octets())
            .unwrap_or_else(|| unreachable!("{len} octets of chaddr are at most {MAX_CLIENT_ID}"));
    };
    ClientKey::client_id(network, id)
        .unwrap_or_else(|| ClientKey::client_id_digest(network, Sha256::digest(id).into()))
}
