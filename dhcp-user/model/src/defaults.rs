//! Defaults of the configuration, in addition to [`dhcp_common::defaults`].

use std::time::Duration;

/// How long the history of addresses is kept.
pub const DEFAULT_HISTORY: Duration = Duration::from_secs(30 * 24 * 3600);
