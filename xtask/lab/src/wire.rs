//! Frames on a link: sending and receiving them, and the headers of a DHCP message.

use std::{
    io::IoSliceMut,
    net::Ipv4Addr,
    os::fd::{AsFd as _, AsRawFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use dhcp_common::wire::{CLIENT_PORT, MAC_BROADCAST, SERVER_PORT};
use etherparse::{
    Ethernet2Header, Ipv4Header, LinkHeader, NetHeaders, PacketHeaders, TransportHeader, UdpHeader,
};
use nix::{
    cmsg_space,
    errno::Errno,
    ifaddrs::getifaddrs,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        socket::{
            AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, bind,
            recv, recvmsg, send, setsockopt, socket,
            sockopt::{RcvBufForce, ReceiveTimeout, ReceiveTimestampns},
        },
        time::{TimeSpec, TimeVal},
    },
};

use super::Namespace;

const POLL_MICROS: i64 = 20_000;
const LARGEST_FRAME: usize = 2048;
/// Large enough for the frames of a test in some seconds during which nothing reads them.
const BUFFER: usize = 64 << 20;

/// A packet socket on an interface, independent of the namespace's IP stack.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
}

impl Wire {
    /// Opens a socket that receives the interface's incoming IPv4 packets.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace.enter(|| Self::bound(interface, SockProtocol::EthIp))
    }

    /// Opens a socket that also receives outgoing packets, in the order in which they pass.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn open_both_ways(namespace: &Namespace, interface: &str) -> Result<Self> {
        let wire = namespace.enter(|| Self::bound(interface, SockProtocol::EthAll))?;
        setsockopt(&wire.socket, ReceiveTimestampns, &true)?;
        Ok(wire)
    }

    fn bound(interface: &str, protocol: SockProtocol) -> Result<Self> {
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            protocol,
        )
        .context("cannot open a packet socket")?;
        let link = getifaddrs()?
            .filter(|address| address.interface_name == interface)
            .find_map(|address| address.address?.as_link_addr().copied())
            .with_context(|| format!("there is no interface {interface}"))?;
        setsockopt(&socket, RcvBufForce, &BUFFER)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, POLL_MICROS))?;
        bind(socket.as_raw_fd(), &link).with_context(|| format!("cannot bind to {interface}"))?;
        Ok(Self { socket })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).context("cannot send a frame")?;
        Ok(())
    }

    /// Sends a frame unless the link is down or has no room. Returns whether the frame was sent.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn send_if_up(&self, frame: &[u8]) -> Result<bool> {
        match send(self.socket.as_raw_fd(), frame, MsgFlags::empty()) {
            Ok(_) => Ok(true),
            Err(Errno::ENETDOWN | Errno::ENOBUFS) => Ok(false),
            Err(error) => Err(error).context("cannot send a frame"),
        }
    }

    /// Returns the next frame, or `None` if there is none at the moment.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn receive(&self) -> Result<Option<Vec<u8>>> {
        self.received(MsgFlags::empty())
    }

    /// Returns the next frame if it arrives within a time.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn receive_within(&self, time: Duration) -> Result<Option<Vec<u8>>> {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::try_from(time)?) {
            Ok(0) | Err(Errno::EINTR) => Ok(None),
            Ok(_) => self.received(MsgFlags::MSG_DONTWAIT),
            Err(error) => Err(error).context("cannot wait for frames"),
        }
    }

    fn received(&self, flags: MsgFlags) -> Result<Option<Vec<u8>>> {
        let mut frame = vec![0; LARGEST_FRAME];
        match recv(self.socket.as_raw_fd(), &mut frame, flags) {
            Ok(len) => {
                frame.truncate(len);
                Ok(Some(frame))
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(error) => Err(error).context("cannot receive frames"),
        }
    }

    /// Returns the next frame and the time at which it passed the interface, since the Unix epoch.
    /// Available only for sockets from [`Wire::open_both_ways`].
    ///
    /// # Errors
    /// The interface is gone.
    pub fn receive_stamped(&self) -> Result<Option<(Duration, Vec<u8>)>> {
        let mut frame = vec![0; LARGEST_FRAME];
        let mut space = cmsg_space!(TimeSpec);
        let (len, stamp) = {
            let mut parts = [IoSliceMut::new(&mut frame)];
            let socket = self.socket.as_raw_fd();
            let received =
                match recvmsg::<()>(socket, &mut parts, Some(&mut space), MsgFlags::empty()) {
                    Ok(received) => received,
                    Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
                    Err(error) => return Err(error).context("cannot receive frames"),
                };
            let stamp = received.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                _ => None,
            });
            (received.bytes, stamp)
        };
        frame.truncate(len);
        Ok(Some((stamp.context("a frame has no timestamp")?, frame)))
    }

    /// Returns the number of frames lost for lack of room since the last call.
    ///
    /// # Errors
    /// The kernel does not report it.
    pub fn missed(&self) -> Result<u32> {
        missed(&self.socket)
    }
}

/// Returns the number of frames that a packet socket had no room for since the last call.
///
/// # Errors
/// The kernel does not report it.
pub fn missed(socket: &impl AsRawFd) -> Result<u32> {
    let mut stats = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut len = libc::socklen_t::try_from(size_of_val(&stats))?;
    // SAFETY: the kernel writes at most `len` octets, which is the size of `stats`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            std::ptr::from_mut(&mut stats).cast(),
            &raw mut len,
        )
    };
    Errno::result(result).context("cannot read the statistics of a packet socket")?;
    Ok(stats.tp_drops)
}

/// The addresses and ports of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub destination_mac: [u8; 6],
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub source_port: u16,
    pub destination_port: u16,
}

impl Path {
    /// Path of a client without an address.
    pub const BROADCAST: Self = Self {
        destination_mac: MAC_BROADCAST,
        source: Ipv4Addr::UNSPECIFIED,
        destination: Ipv4Addr::BROADCAST,
        source_port: CLIENT_PORT,
        destination_port: SERVER_PORT,
    };

    /// Returns the path of a client in REBINDING.
    pub const fn broadcast_from(source: Ipv4Addr) -> Self {
        Self {
            source,
            ..Self::BROADCAST
        }
    }

    /// Returns the path of a client in RENEWING, to a host or to the router towards it.
    pub const fn unicast(
        source: Ipv4Addr,
        destination: Ipv4Addr,
        destination_mac: [u8; 6],
    ) -> Self {
        Self {
            destination_mac,
            source,
            destination,
            ..Self::BROADCAST
        }
    }
}

/// A UDP datagram and its headers.
#[derive(Clone, Debug)]
pub struct Datagram {
    pub source_mac: [u8; 6],
    pub path: Path,
    pub payload: Vec<u8>,
    ip: Ipv4Header,
    udp: UdpHeader,
}

impl Datagram {
    /// Parses a frame. Returns `None` for anything but a UDP datagram.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let headers = PacketHeaders::from_ethernet_slice(frame).ok()?;
        let PacketHeaders {
            link:
                Some(LinkHeader::Ethernet2(Ethernet2Header {
                    source,
                    destination,
                    ..
                })),
            net: Some(NetHeaders::Ipv4(ip, _)),
            transport: Some(TransportHeader::Udp(udp)),
            payload,
            ..
        } = headers
        else {
            return None;
        };
        Some(Self {
            source_mac: source,
            path: Path {
                destination_mac: destination,
                source: ip.source.into(),
                destination: ip.destination.into(),
                source_port: udp.source_port,
                destination_port: udp.destination_port,
            },
            payload: payload.slice().to_vec(),
            ip,
            udp,
        })
    }

    /// Returns whether one of the ports is `port`.
    pub const fn is_of(&self, port: u16) -> bool {
        self.path.source_port == port || self.path.destination_port == port
    }

    /// Verifies the checksums. Those of frames that this host sends may be left to the hardware.
    ///
    /// # Errors
    /// A checksum is wrong.
    pub fn verify(&self) -> Result<()> {
        ensure!(
            self.ip.header_checksum == self.ip.calc_header_checksum(),
            "the checksum of the IPv4 header is wrong: {:?}",
            self.ip
        );
        let checksum = self.udp.calc_checksum_ipv4(&self.ip, &self.payload)?;
        ensure!(
            [0, checksum].contains(&self.udp.checksum),
            "the UDP checksum is {:#06x} instead of {checksum:#06x}",
            self.udp.checksum
        );
        Ok(())
    }
}
