//! The fast path: answers DHCP requests from what the controller has published, before the kernel's
//! network stack sees them.
//!
//! A request goes through [`respond::respond`], which reads like the life of a frame: [`ingress`]
//! finds out whether it is DHCP for us, [`parse`] finds who asks for what, in one walk over
//! the options, [`decide`] looks at what is published for the client, and [`reply`] rewrites the frame.
//! Each step may end the run with an [`Outcome`](dhcp_common::outcome::Outcome); nothing is written
//! before everything has been checked.
//!
//! All of this is safe code over two traits, [`frame::Frame`] and [`tables::Tables`], and runs on the
//! host in tests as it does in the kernel. The program itself is `main.rs`; everything `unsafe` that it
//! needs is in `kernel.rs`.
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
