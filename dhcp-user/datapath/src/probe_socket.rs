//! A packet socket that receives answers to probes.
//!
//! The program passes ARP and ICMP to the host, and this socket listens beside the host's stack. A
//! filter in the kernel admits only ARP and echo replies: the host's other traffic costs some
//! instructions a packet there, and nothing in the controller.

use std::{
    io,
    mem::{self, MaybeUninit},
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use dhcp_common::wire;
use libc::sock_filter;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use tokio::io::{Interest, unix::AsyncFd};

/// Octets of a frame that are received: more than any answer has.
const FRAME_LEN: usize = 128;

/// Listens on one interface.
#[derive(Debug)]
pub struct ProbeSocket {
    socket: OwnedFd,
}

impl AsRawFd for ProbeSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl ProbeSocket {
    /// Opens a socket on an interface.
    ///
    /// # Errors
    /// There is no such interface, or the process may not listen on it.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        // Without a protocol, so that nothing arrives before the filter is attached.
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        attach_filter(&socket)?;
        let on: libc::c_int = 1;
        set(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
        set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
        bind(&socket, ifindex)?;
        Ok(Self { socket })
    }

    /// Registers the socket with the current runtime, to be awaited until it is readable.
    ///
    /// # Errors
    /// The runtime's poller refused it.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the socket owns its descriptor and does not close or exchange it.
        let watched = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        Ok(watched?)
    }

    /// Calls `each` with the next frame, and with the VLAN id that the kernel has taken out of it
    /// if there was a tag.
    ///
    /// # Errors
    /// There is none, or the interface went down.
    pub fn receive(&self, each: impl FnOnce(&[u8], Option<u16>)) -> io::Result<()> {
        let mut frame = [0; FRAME_LEN];
        let mut control = Control::new();
        let mut part = libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: frame.len(),
        };
        // SAFETY: a `msghdr` is integers and pointers, for which zero is a value.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.octets.as_mut_ptr().cast();
        header.msg_controllen = control.octets.len() as _;
        // SAFETY: the header names one part, `frame`, and `control`, each with its length; all
        // outlive the call.
        let len = unsafe { libc::recvmsg(self.as_raw_fd(), &raw mut header, 0) };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: the kernel has just filled the header and the control octets that it names.
        let vlan = unsafe { vlan(&header) };
        each(frame.get(..len).unwrap_or(&frame), vlan);
        Ok(())
    }
}

/// Room for [`libc::tpacket_auxdata`] with its header, aligned like that header.
#[repr(C)]
struct Control {
    align: [libc::cmsghdr; 0],
    octets: [u8; Self::LEN],
}

impl Control {
    // SAFETY: the macro only computes.
    const LEN: usize =
        unsafe { libc::CMSG_SPACE(size_of::<libc::tpacket_auxdata>() as u32) as usize };

    const fn new() -> Self {
        Self {
            align: [],
            octets: [0; Self::LEN],
        }
    }
}

/// Returns the VLAN id of the outermost tag. The kernel takes it out of each frame that it receives
/// and passes it beside the frame (`skb_vlan_untag` in net/core/skbuff.c; packet(7),
/// `PACKET_AUXDATA`).
///
/// # Safety
/// The header must be one that `recvmsg` has filled, with its control octets.
unsafe fn vlan(header: &libc::msghdr) -> Option<u16> {
    // SAFETY: the caller's promise; the macro checks the length before it returns a pointer.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    // SAFETY: the macro only computes.
    let needed = unsafe { libc::CMSG_LEN(size_of::<libc::tpacket_auxdata>() as u32) };
    if (control.cmsg_level, control.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA)
        || (control.cmsg_len as usize) < needed as usize
    {
        return None;
    }
    let mut auxiliary = MaybeUninit::<libc::tpacket_auxdata>::uninit();
    // SAFETY: the message is long enough to hold one, and any octets are a value of it: it is
    // integers.
    let auxiliary = unsafe {
        let data = libc::CMSG_DATA(control).cast();
        std::ptr::copy_nonoverlapping(data, auxiliary.as_mut_ptr(), 1);
        auxiliary.assume_init()
    };
    (auxiliary.tp_status & libc::TP_STATUS_VLAN_VALID != 0)
        .then_some(auxiliary.tp_vlan_tci & wire::VLAN_ID_MASK)
}

/// Binds to all protocols: a socket of a single one receives frames only after their tag has been
/// dropped (`__netif_receive_skb_core` in net/core/dev.c).
fn bind(socket: &OwnedFd, ifindex: u32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: ifindex.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the address is a live `sockaddr_ll` of the length passed.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    checked(result)
}

fn attach_filter(socket: &OwnedFd) -> io::Result<()> {
    let mut filter = filter();
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // The kernel copies the instructions before the call returns.
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn set<T>(socket: &OwnedFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the value is a live `T` of the length passed; the kernel checks by that length that
    // the option takes one.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as u32,
        )
    };
    checked(result)
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns the filter in classic BPF. It admits ARP replies, and ICMP echo replies that are not
/// fragments and have no IP options, untagged or with one tag more than the kernel has taken out.
/// The two numbers of a jump are how many instructions it skips if its condition holds, and if not.
fn filter() -> [sock_filter; 20] {
    const ARP: u32 = etherparse::EtherType::ARP.0 as u32;
    const ARP_REPLY: u32 = 2;
    const ICMP: u32 = 1;
    const ECHO_REPLY: u32 = 0;
    const TYPE: u32 = 12;
    // Offsets in packets without a tag; the index register adds its length.
    const PACKET: u32 = wire::ETHERNET_LEN as u32;
    const ARP_OPERATION: u32 = PACKET + 6;
    const IP_VERSION: u32 = PACKET;
    const IP_FRAGMENT: u32 = PACKET + 6;
    const IP_PROTOCOL: u32 = PACKET + 9;
    const ICMP_TYPE: u32 = PACKET + wire::IPV4_LEN as u32;

    let op = |code: u32, k: u32, jt: u8, jf: u8| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let index = |k: u32| op(libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM, k, 0, 0);
    let half = |at: u32| op(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, at, 0, 0);
    let octet = |at: u32| op(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, at, 0, 0);
    let equal = |k: u32, jt, jf| op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k, jt, jf);
    let any_bit = |k: u32, jt, jf| op(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, k, jt, jf);
    let take = |len: u32| op(libc::BPF_RET | libc::BPF_K, len, 0, 0);
    [
        index(0),
        half(TYPE),
        equal(wire::ETHERTYPE_VLAN.into(), 1, 0),
        equal(wire::ETHERTYPE_QINQ.into(), 0, 2),
        index(wire::VLAN_TAG_LEN as u32),
        half(TYPE),
        equal(ARP, 0, 2),
        half(ARP_OPERATION),
        equal(ARP_REPLY, 10, 9),
        equal(wire::ETHERTYPE_IPV4.into(), 0, 8),
        octet(IP_VERSION),
        equal(wire::IPV4_VERSION_IHL.into(), 0, 6),
        octet(IP_PROTOCOL),
        equal(ICMP, 0, 4),
        half(IP_FRAGMENT),
        any_bit(wire::IPV4_FRAGMENT_MASK.into(), 2, 0),
        octet(ICMP_TYPE),
        equal(ECHO_REPLY, 1, 0),
        take(0),
        take(FRAME_LEN as u32),
    ]
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// Returns whether the filter admits a frame. It works on datagrams of any family, so that this
    /// needs no root.
    fn passes(frame: &[u8]) -> bool {
        let (ours, kernels) = UnixDatagram::pair().expect("a pair of sockets");
        let ours = OwnedFd::from(ours);
        attach_filter(&ours).expect("the kernel takes the filter");
        let ours = UnixDatagram::from(ours);
        ours.set_nonblocking(true).expect("it can");
        kernels
            .send(frame)
            .expect("a frame that is refused is sent as well");
        ours.recv(&mut [0; FRAME_LEN]).is_ok()
    }

    fn frame(tags: &[u16], packet_type: u16, packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tpid in tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend([0, 7]);
        }
        frame.extend(packet_type.to_be_bytes());
        frame.extend(packet);
        frame
    }

    #[test]
    fn c001_only_answers_to_probes_reach_the_controller() {
        let arp_reply = [0, 1, 8, 0, 6, 4, 0, 2];
        let mut echo_reply = [0; 30];
        echo_reply[0] = 0x45;
        echo_reply[9] = 1;
        let changed = |at: usize, octet| {
            let mut packet = echo_reply;
            packet[at] = octet;
            packet
        };
        for tags in [&[][..], &[0x8100], &[0x88a8]] {
            assert!(passes(&frame(tags, 0x0806, &arp_reply)));
            assert!(!passes(&frame(tags, 0x0806, &[0, 1, 8, 0, 6, 4, 0, 1])));
            assert!(!passes(&frame(tags, 0x0806, &arp_reply[..7])), "cut");
            assert!(!passes(&frame(tags, 0x86dd, &arp_reply)));
            assert!(passes(&frame(tags, 0x0800, &echo_reply)));
            assert!(
                passes(&frame(tags, 0x0800, &changed(6, 0x40))),
                "must not be fragmented"
            );
            let others = [
                ("an echo request", changed(20, 8)),
                ("UDP", changed(9, 17)),
                ("options", changed(0, 0x46)),
                ("a fragment", changed(6, 0x20)),
                ("the rest of a fragment", changed(7, 1)),
            ];
            for (name, packet) in others {
                assert!(!passes(&frame(tags, 0x0800, &packet)), "{name}");
            }
        }
        assert!(
            !passes(&frame(&[0x88a8, 0x8100], 0x0806, &arp_reply)),
            "a tag too many"
        );
    }
}
