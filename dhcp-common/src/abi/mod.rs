//! The maps that the XDP program and the controller share.
//!
//! Layouts are `repr(C)` without padding; `layout.rs` asserts their sizes. A change to any of them,
//! or to the meaning of a field, raises [`ABI_VERSION`]: the loader refuses to adopt maps of
//! another version.
//!
//! Times are nanoseconds of `CLOCK_BOOTTIME`; [`FOREVER_NS`] means never.
//!
//! Continue with `dhcp-ebpf/src/respond.rs`, the life of a frame in the kernel.

mod binding;
mod capacity;
mod client;
mod digest;
mod event;
mod layout;
mod lease_index;
mod link;
mod meta;
mod names;
mod template;
mod time;

pub use binding::*;
pub use capacity::*;
pub use client::*;
pub use digest::*;
pub use event::*;
pub use lease_index::*;
pub use link::*;
pub use meta::*;
pub use names::*;
pub use template::*;
pub use time::*;
