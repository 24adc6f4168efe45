//! Queues of an interface and XDP features of its driver: the netlink family `netdev`, Linux 6.3
//! and later.

use netlink_bindings::netdev::{QueueType, Request, XdpAct};
use netlink_socket2::NetlinkSocket;

use crate::readings::Xdp;

/// The NAPI instance that polls a receive queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Poller {
    /// First, for the order. `None` where the driver does not report it, as veth's does not.
    pub queue: Option<u32>,
    id: u32,
    pub interrupt: Option<u32>,
    /// The thread that polls; without one, the interrupted CPU does.
    pub thread: Option<i32>,
}

pub fn xdp(ifindex: u32) -> Option<Xdp> {
    let mut socket = NetlinkSocket::new();
    let mut request = Request::new().op_dev_get_do();
    request.encode().push_ifindex(ifindex);
    let mut reply = socket.request(&request).ok()?;
    let features = reply.recv_one().ok()?.get_xdp_features().ok()?;
    Some(Xdp {
        native: features & XdpAct::Basic as u64 != 0,
        zero_copy: features & XdpAct::XskZerocopy as u64 != 0,
    })
}

/// Returns the pollers in the order of their queues. A queue without one is not polled, such as
/// veth's without a program.
pub fn pollers(ifindex: u32) -> Vec<Poller> {
    let mut socket = NetlinkSocket::new();
    let queues = queues(&mut socket, ifindex);
    let mut request = Request::new().op_napi_get_dump();
    request.encode().push_ifindex(ifindex);
    let mut pollers = Vec::new();
    if let Ok(mut reply) = socket.request(&request) {
        while let Some(Ok(napi)) = reply.recv() {
            let Ok(id) = napi.get_id() else {
                continue;
            };
            let mut of_this = queues.iter().filter(|(_, napi)| *napi == id);
            pollers.push(Poller {
                queue: of_this.next().map(|(queue, _)| *queue),
                id,
                interrupt: napi.get_irq().ok(),
                thread: napi.get_pid().ok().and_then(|pid| pid.try_into().ok()),
            });
        }
    }
    // Where the driver reports which queues are for receiving, the others are for sending.
    if !queues.is_empty() {
        pollers.retain(|poller| poller.queue.is_some());
    }
    pollers.sort_unstable();
    pollers
}

/// Returns receive queues with the id of their poller.
fn queues(socket: &mut NetlinkSocket, ifindex: u32) -> Vec<(u32, u32)> {
    let mut request = Request::new().op_queue_get_dump();
    request.encode().push_ifindex(ifindex);
    let mut queues = Vec::new();
    if let Ok(mut reply) = socket.request(&request) {
        while let Some(Ok(queue)) = reply.recv() {
            let is_rx = queue
                .get_type()
                .is_ok_and(|kind| kind == QueueType::Rx as u32);
            if let (true, Ok(queue), Ok(napi)) = (is_rx, queue.get_id(), queue.get_napi_id()) {
                queues.push((queue, napi));
            }
        }
    }
    queues
}
