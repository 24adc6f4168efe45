//! What `ethtool` reads and sets, over netlink, where the kernel reports why it refuses.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use netlink_bindings::{
    ethtool::{IterableBitset, Request},
    traits::NetlinkRequest,
};
use netlink_socket2::{NetlinkSocket, ReplyError};

use crate::readings::{Channels, Coalescing, Feature, Rings};

/// include/uapi/linux/ethtool_netlink_generated.h. netlink-bindings 0.3 counts notifications among
/// the requests, which the kernel does not, so its numbers are too high.
mod number {
    pub const FEATURES_GET: u8 = 11;
    pub const FEATURES_SET: u8 = 12;
    pub const RINGS_GET: u8 = 15;
    pub const RINGS_SET: u8 = 16;
    pub const CHANNELS_GET: u8 = 17;
    pub const CHANNELS_SET: u8 = 18;
    pub const COALESCE_GET: u8 = 19;
    pub const COALESCE_SET: u8 = 20;
}

/// An interface in the kernel's netlink family `ethtool`.
pub struct Ethtool {
    socket: NetlinkSocket,
    ifindex: u32,
}

/// A number that can be set separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    RxRing,
    TxRing,
    Combined,
    RxChannels,
    AdaptiveRx,
    RxUsecs,
}

/// Builds a request about the interface, with the kernel's number for it.
macro_rules! request {
    ($self:ident, $op:ident, $number:ident) => {{
        let mut request = Request::new().$op();
        request.header_mut().cmd = number::$number;
        request
            .encode()
            .nested_header()
            .push_dev_index($self.ifindex)
            .end_nested();
        request
    }};
}

impl Ethtool {
    pub fn new(ifindex: u32) -> Self {
        Self {
            socket: NetlinkSocket::new(),
            ifindex,
        }
    }

    /// Returns `None` where the driver does not support it, as do the functions below.
    pub fn rings(&mut self) -> Option<Rings> {
        let request = request!(self, op_rings_get_do, RINGS_GET);
        let mut reply = self.socket.request(&request).ok()?;
        let rings = reply.recv_one().ok()?;
        Some(Rings {
            rx: rings.get_rx().ok()?,
            rx_max: rings.get_rx_max().ok()?,
            tx: rings.get_tx().ok()?,
            tx_max: rings.get_tx_max().ok()?,
        })
    }

    pub fn channels(&mut self) -> Option<Channels> {
        let request = request!(self, op_channels_get_do, CHANNELS_GET);
        let mut reply = self.socket.request(&request).ok()?;
        let channels = reply.recv_one().ok()?;
        // What the driver does not have is left out.
        Some(Channels {
            combined: channels.get_combined_count().unwrap_or(0),
            combined_max: channels.get_combined_max().unwrap_or(0),
            rx: channels.get_rx_count().unwrap_or(0),
            rx_max: channels.get_rx_max().unwrap_or(0),
        })
    }

    pub fn coalescing(&mut self) -> Option<Coalescing> {
        let request = request!(self, op_coalesce_get_do, COALESCE_GET);
        let mut reply = self.socket.request(&request).ok()?;
        let coalescing = reply.recv_one().ok()?;
        Some(Coalescing {
            adaptive_rx: coalescing.get_use_adaptive_rx().ok().map(|is| is != 0),
            rx_usecs: coalescing.get_rx_usecs().ok(),
        })
    }

    pub fn features(&mut self) -> Option<BTreeMap<String, Feature>> {
        let request = request!(self, op_features_get_do, FEATURES_GET);
        let mut reply = self.socket.request(&request).ok()?;
        let features = reply.recv_one().ok()?;
        let changeable = names(features.get_hw().ok()?);
        let active = names(features.get_active().ok()?);
        let fixed = names(features.get_nochange().ok()?);
        let all = changeable.iter().chain(&active).chain(&fixed);
        let feature = |name: &String| Feature {
            is_on: active.contains(name),
            is_fixed: fixed.contains(name) || !changeable.contains(name),
        };
        Some(all.map(|name| (name.clone(), feature(name))).collect())
    }

    /// Sets a number.
    ///
    /// # Errors
    /// The kernel or the driver refused; the error has the reason.
    pub fn set(&mut self, parameter: Parameter, value: u32) -> Result<()> {
        match parameter {
            Parameter::RxRing | Parameter::TxRing => {
                let mut request = request!(self, op_rings_set_do, RINGS_SET);
                match parameter {
                    Parameter::RxRing => request.encode().push_rx(value),
                    _ => request.encode().push_tx(value),
                };
                self.carry_out(&request)
            }
            Parameter::Combined | Parameter::RxChannels => {
                let mut request = request!(self, op_channels_set_do, CHANNELS_SET);
                match parameter {
                    Parameter::Combined => request.encode().push_combined_count(value),
                    _ => request.encode().push_rx_count(value),
                };
                self.carry_out(&request)
            }
            Parameter::AdaptiveRx | Parameter::RxUsecs => {
                let mut request = request!(self, op_coalesce_set_do, COALESCE_SET);
                match parameter {
                    Parameter::AdaptiveRx => {
                        request.encode().push_use_adaptive_rx(u8::from(value != 0))
                    }
                    _ => request.encode().push_rx_usecs(value),
                };
                self.carry_out(&request)
            }
        }
    }

    /// Switches a feature on or off.
    ///
    /// # Errors
    /// The kernel refused. A driver may ignore the request, which only reading it again shows.
    pub fn set_feature(&mut self, name: &str, is_on: bool) -> Result<()> {
        let mut request = request!(self, op_features_set_do, FEATURES_SET);
        let encoder = request.encode();
        let bit = encoder.nested_wanted().nested_bits().nested_bit();
        let bit = bit.push_name_bytes(name.as_bytes());
        if is_on { bit.push_value(()) } else { bit }.end_nested();
        self.carry_out(&request)
    }

    /// Only some requests have an answer, which contains the result.
    fn carry_out<R: NetlinkRequest>(&mut self, request: &R) -> Result<()> {
        let mut reply = self.socket.request(request).context("sending")?;
        while let Some(answer) = reply.recv() {
            answer.map_err(|error| reason(&error))?;
        }
        Ok(())
    }
}

/// Returns the driver's message, if any, and the error.
pub fn reason(error: &ReplyError) -> anyhow::Error {
    let said = error.ext_ack().and_then(|attributes| {
        let message = attributes.get_msg().ok()?;
        Some(message.to_string_lossy().into_owned())
    });
    let errno = error.as_io_error();
    match said {
        Some(said) => anyhow!("{said} ({errno})"),
        None => anyhow!("{errno}"),
    }
}

/// Returns the names of the bits that are set. A list without a mask contains only these; with a
/// mask, a value marks them.
fn names(bitset: IterableBitset<'_>) -> Vec<String> {
    let has_mask = bitset.get_nomask().is_err();
    let bits = bitset
        .get_bits()
        .into_iter()
        .flat_map(|bits| bits.get_bit());
    let set = bits.filter(|bit| !has_mask || bit.get_value().is_ok());
    let names = set.filter_map(|bit| bit.get_name().ok());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Output},
        thread,
    };

    use anyhow::ensure;
    use nix::{
        net::if_::if_nametoindex,
        sched::{CloneFlags, unshare},
    };

    use super::*;

    const INTERFACE: &str = "tuned";

    fn output(program: &str, arguments: &str) -> Result<Output> {
        let output = Command::new(program)
            .args(arguments.split_whitespace())
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        ensure!(output.status.success(), "{program} {arguments}: {output:?}");
        Ok(output)
    }

    /// Runs a test on a thread in a temporary network namespace with one end of a veth pair.
    fn in_a_namespace(test: impl FnOnce() -> Result<()> + Send) -> Result<()> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET)?;
                let add = format!("link add {INTERFACE} type veth peer name peer");
                output("ip", &add)?;
                test()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    #[test]
    #[ignore = "needs root: cargo xtask test"]
    fn what_is_set_is_there_for_others_and_what_is_refused_says_why() -> Result<()> {
        in_a_namespace(|| {
            let as_others_see = || -> Result<bool> {
                let text = output("ethtool", &format!("-k {INTERFACE}"))?.stdout;
                Ok(String::from_utf8_lossy(&text).contains("generic-receive-offload: on"))
            };
            for is_on in [false, true] {
                let mut ethtool = Ethtool::new(if_nametoindex(INTERFACE)?);
                ethtool.set_feature("rx-gro", is_on)?;
                let set = ethtool.features().context("no features")?;
                assert_eq!(set["rx-gro"].is_on, is_on);
                assert!(!set["rx-gro"].is_fixed && set["vlan-challenged"].is_fixed);
                assert_eq!(as_others_see()?, is_on);
            }
            let mut ethtool = Ethtool::new(if_nametoindex(INTERFACE)?);
            let refused = ethtool.set(Parameter::RxChannels, 10_000);
            let refused = refused.err().context("veth has fewer queues")?.to_string();
            assert!(refused.contains("exceeds maximum"), "{refused}");
            let refused = ethtool.set(Parameter::RxRing, 512);
            let refused = refused.err().context("veth has no rings")?.to_string();
            assert!(refused.contains("not supported"), "{refused}");
            assert_eq!(ethtool.rings(), None);
            Ok(())
        })
    }
}
