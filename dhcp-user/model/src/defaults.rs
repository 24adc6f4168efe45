//! What the daemon does unless its configuration says otherwise, beside [`dhcp_common::defaults`].

use std::time::Duration;

/// How long it is kept who had which address, unless the configuration says otherwise.
pub const DEFAULT_HISTORY: Duration = Duration::from_secs(30 * 24 * 3600);
