//! The XDP programs of xdhcpd. The fast path begins at [`xdhcpd`] and continues in `lib.rs`.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::{error, warn};
use dhcp_common::outcome::{Action, Outcome};
use dhcp_ebpf::{
    kernel::{Maps, XdpFrame, count, redirect, scratch},
    respond::respond,
};

/// Answers DHCP and passes everything else.
#[xdp]
pub fn xdhcpd(ctx: XdpContext) -> u32 {
    let Some(scratch) = scratch() else {
        return xdp_action::XDP_PASS;
    };
    let verdict = respond(
        &mut XdpFrame::new(&ctx),
        ctx.ingress_ifindex() as u32,
        ctx.rx_queue_index(),
        &Maps,
        scratch,
    );
    let mut outcome = verdict.outcome;
    let action = match outcome.action() {
        Action::Pass => xdp_action::XDP_PASS,
        Action::Transmit => xdp_action::XDP_TX,
        Action::Drop => xdp_action::XDP_DROP,
        Action::Slow => match redirect(verdict.slow_index) {
            Some(action) => action,
            None => {
                outcome = Outcome::Unserved;
                xdp_action::XDP_DROP
            }
        },
    };
    match outcome {
        Outcome::WriteFailed => error!(&ctx, "a checked reply could not be written"),
        Outcome::BadMeta => error!(&ctx, "the maps are not of this program's version"),
        Outcome::Torn => warn!(&ctx, "an entry changed while it was read"),
        _ => {}
    }
    count(outcome);
    action
}

/// Passes everything. The far end of a veth pair needs an XDP program to receive frames that this
/// end sends from XDP, and benchmarks measure the other program against this one.
#[xdp]
pub fn xdp_pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
