//! What the tests and benchmarks of all crates share. Depend on it for tests only.

pub mod fixtures;
