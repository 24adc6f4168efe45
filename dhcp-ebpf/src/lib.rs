//! The fast path: answers DHCP requests from the controller's published entries, before the
//! kernel's network stack sees them.
//!
//! [`respond::respond`] follows a frame from its arrival to its outcome. [`ingress`] tells DHCP for
//! this server from other traffic, [`parse`] reads the request in one walk over the options,
//! [`decide`] looks up the client's published entry, and [`reply`] rewrites the frame. Each
//! step may end the run with a [`Silence`](dhcp_common::outcome::Silence); nothing is written
//! before everything has been checked.
//!
//! All of this is safe code over two traits, [`frame::Frame`] and [`tables::Tables`], and runs on
//! the host in tests as it does in the kernel. The program itself is `main.rs`; its unsafe code is
//! in `kernel.rs` and [`verifier`]. Continue with [`respond`].
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod decide;
pub mod frame;
pub mod ingress;
pub mod limit;
pub mod origin;
pub mod packet;
pub mod parse;
pub mod reply;
pub mod respond;
pub mod scratch;
pub mod tables;
pub mod verifier;

#[cfg(target_arch = "bpf")]
pub mod kernel;
