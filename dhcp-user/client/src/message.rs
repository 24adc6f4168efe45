//! What goes into a client and what comes out of it.

use core::net::Ipv4Addr;

use crate::{Lease, State};

/// A message of a client, with what differs between states (RFC 2131 table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// DISCOVER. The hint is the address of a lease that the client still has.
    Discover { hint: Option<Ipv4Addr> },
    /// REQUEST in REQUESTING: to all servers, names the chosen one.
    Select { address: Ipv4Addr, server: Ipv4Addr },
    /// REQUEST in REBOOTING: to all servers, names none.
    Reboot { address: Ipv4Addr },
    /// REQUEST in RENEWING: from the address to the server of the lease.
    Renew { address: Ipv4Addr, server: Ipv4Addr },
    /// REQUEST in REBINDING: from the address to all servers.
    Rebind { address: Ipv4Addr },
    /// DECLINE, which is not answered.
    Decline { address: Ipv4Addr, server: Ipv4Addr },
    /// RELEASE, which is not answered.
    Release { address: Ipv4Addr, server: Ipv4Addr },
}

/// A message to be sent, and when the client acts again if nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    pub message: Message,
    pub xid: u32,
    pub wakes_at_ns: u64,
}

/// What a client does when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Send(Sending),
    /// Nobody has answered, and the client continues with its lease (RFC 2131 §3.2): it is in
    /// BOUND.
    Continue(Lease),
    /// The client is in INIT. How long it pauses is the caller's choice.
    StartAgain(Reason),
}

/// Why a client starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The attempts are used up.
    NoAnswer,
    LeaseEnded,
}

/// An answer of a server, as far as it concerns the state of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// One of [`dhcp_common::wire::message_type`].
    pub kind: u8,
    pub xid: u32,
    /// `yiaddr`.
    pub address: Ipv4Addr,
    /// Option 54.
    pub server: Ipv4Addr,
    /// Option 51; zero for none.
    pub lease_secs: u32,
}

/// What an answer means to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client can accept this, or wait for other offers.
    Offered {
        address: Ipv4Addr,
        server: Ipv4Addr,
    },
    /// The client is in BOUND; it was in `state`.
    Acknowledged {
        lease: Lease,
        state: State,
    },
    /// A NAK: the client is in INIT and has no lease.
    Refused,
    Ignored(Ignored),
}

/// Why an answer changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// No message of the client that waits for an answer has this transaction id.
    OtherTransaction,
    /// The client does not wait for this kind of answer.
    OtherState,
    /// An ACK without a lease time, such as that of an INFORM.
    NoLease,
}
