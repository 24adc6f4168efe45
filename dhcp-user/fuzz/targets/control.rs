//! The fuzz target for messages of a client of the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| dhcp_fuzz::control(octets));
