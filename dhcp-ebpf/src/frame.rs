//! The fast path's view of a frame, in the kernel or in a test.

use dhcp_common::abi::IMAGE_LEN;

#[cfg(doc)]
use crate::packet::MIN_IMAGE_LEN;
use crate::packet::{Head, Mac, Packet};

/// A frame that a run reads and rewrites. Every access is checked; `None` means outside the frame.
pub trait Frame {
    /// Returns the octets from the destination MAC address to the end.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the octet at an offset.
    fn octet_at(&self, offset: usize) -> Option<u8>;

    /// Returns the number in network order at an offset.
    fn be16_at(&self, offset: usize) -> Option<u16>;

    /// Returns the four octets at an offset in memory order.
    fn raw32_at(&self, offset: usize) -> Option<u32>;

    /// Copies a request whose IP header begins at `network_offset`: headers, cookie and
    /// `options_len` octets of options.
    fn load(&self, network_offset: usize, options_len: usize, packet: &mut Packet) -> Option<()>;

    /// Returns the unfolded sum, as in [`dhcp_common::checksum`], of a UDP datagram with
    /// `options_len` octets of options. `packet` holds a copy of them, followed by four octets of
    /// zero.
    fn sum_datagram(
        &self,
        network_offset: usize,
        options_len: usize,
        packet: &Packet,
    ) -> Option<u64>;

    /// Changes the length of the frame at the end that has room, so its contents may move. On
    /// failure the frame is unchanged.
    fn resize(&mut self, len: usize) -> Option<()>;

    /// Writes destination and source MAC address, and everything from the IP header to `chaddr`.
    fn store_head(
        &mut self,
        network_offset: usize,
        destination: Mac,
        source: Mac,
        head: &Head,
    ) -> Option<()>;

    /// Writes the first `len` octets of a template's image, [`MIN_IMAGE_LEN`] or more, at an
    /// offset.
    fn store_image(&mut self, offset: usize, image: &[u8; IMAGE_LEN], len: usize) -> Option<()>;

    /// Writes one octet.
    fn store_octet(&mut self, offset: usize, octet: u8) -> Option<()>;

    /// Writes eight octets, given in little-endian order.
    fn store_word(&mut self, offset: usize, word: u64) -> Option<()>;

    /// Writes `len` octets from offset `from` of the options of `packet`.
    fn store_options(
        &mut self,
        offset: usize,
        packet: &Packet,
        from: usize,
        len: usize,
    ) -> Option<()>;
}
