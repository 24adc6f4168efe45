//! The fuzz target for sequences of inputs to the engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| dhcp_fuzz::engine(octets));
