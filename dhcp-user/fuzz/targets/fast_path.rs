//! The fuzz target for frames in the fast path.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| dhcp_fuzz::fast_path(octets));
