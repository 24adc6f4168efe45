//! What the fast path needs of a frame, in the kernel or in a test.

use crate::packet::Packet;

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

    /// Copies the first `len` octets, of which `network_offset` come before the IP header, to where
    /// [`Packet`] wants them.
    fn load(&self, network_offset: usize, len: usize, packet: &mut Packet) -> Option<()>;

    /// Makes the frame `len` octets long, at whichever end there is room: what it holds may have moved.
    /// On failure it is as it was.
    fn resize(&mut self, len: usize) -> Option<()>;

    /// Writes link header and [`Packet::head`] to the front of the frame.
    fn store_front(&mut self, network_offset: usize, packet: &Packet) -> Option<()>;

    /// Writes the first `len` octets of `bytes` at an offset.
    fn store<const N: usize>(&mut self, offset: usize, bytes: &[u8; N], len: usize) -> Option<()>;

    /// Writes `len` octets that stand at `from` in the options of `packet`.
    fn store_options(
        &mut self,
        offset: usize,
        packet: &Packet,
        from: usize,
        len: usize,
    ) -> Option<()>;
}
