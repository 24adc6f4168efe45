//! The fuzz target for what a client of the control socket sends.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| dhcp_fuzz::control(octets));
