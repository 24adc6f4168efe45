//! What the fast path needs of a frame, in the kernel or in a test.

use dhcp_common::abi::IMAGE_LEN;

#[cfg(doc)]
use crate::packet::MIN_IMAGE_LEN;
use crate::packet::{Head, Mac, Packet};

/// A frame under the program's hands. Every access is checked; `None` means that it lies outside.
pub trait Frame {
    /// Octets from the destination MAC address to the end.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn octet_at(&self, offset: usize) -> Option<u8>;

    /// The number in network order at an offset.
    fn be16_at(&self, offset: usize) -> Option<u16>;

    /// The four octets at an offset as they lie in memory.
    fn raw32_at(&self, offset: usize) -> Option<u32>;

    /// Copies a request whose IP header begins at an offset: headers, cookie, and so many octets of
    /// options.
    fn load(&self, network_offset: usize, options_len: usize, packet: &mut Packet) -> Option<()>;

    /// The unfolded sum, as in [`dhcp_common::checksum`], of a UDP datagram with so many octets of options,
    /// which `packet` has, too; there the four octets that follow them are zero.
    fn sum_datagram(
        &self,
        network_offset: usize,
        options_len: usize,
        packet: &Packet,
    ) -> Option<u64>;

    /// Makes the frame `len` octets long, at whichever end there is room: what it holds may have moved.
    /// On failure it is as it was.
    fn resize(&mut self, len: usize) -> Option<()>;

    /// Sets destination and source address of the link, and all from the IP header to `chaddr`.
    fn store_head(
        &mut self,
        network_offset: usize,
        destination: Mac,
        source: Mac,
        head: &Head,
    ) -> Option<()>;

    /// Writes the first `len` octets of a template's image, [`MIN_IMAGE_LEN`] or more, at an offset.
    fn store_image(&mut self, offset: usize, image: &[u8; IMAGE_LEN], len: usize) -> Option<()>;

    fn store_octet(&mut self, offset: usize, octet: u8) -> Option<()>;

    /// Writes eight octets, given in little-endian order.
    fn store_word(&mut self, offset: usize, word: u64) -> Option<()>;

    /// Writes `len` octets that stand at `from` in the options of `packet`.
    fn store_options(
        &mut self,
        offset: usize,
        packet: &Packet,
        from: usize,
        len: usize,
    ) -> Option<()>;
}
