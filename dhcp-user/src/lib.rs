//! The controller of xdhcpd, as a library for its binary and its tests.

pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod datapath;
pub mod engine;
pub mod live;
pub mod migrate;
pub mod pool;
pub mod run;
pub mod slowpath;
pub mod store;
pub mod timers;
