//! The fuzz target for any text as a configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| dhcp_fuzz::config(octets));
