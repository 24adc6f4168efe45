//! Names in the object and in the directory of pins.

/// Names of the maps and of their pins.
pub mod map {
    pub const META: &str = "META";
    pub const LEASES: &str = "LEASES";
    pub const GRANTS: &str = "GRANTS";
    pub const CLIENTS: &str = "CLIENTS";
    pub const TEMPLATE_INDEX: &str = "TEMPLATE_INDEX";
    pub const TEMPLATES: &str = "TEMPLATES";
    pub const LINKS: &str = "LINKS";
    pub const RELAYS: &str = "RELAYS";
    pub const LIMITS: &str = "LIMITS";
    pub const OUTCOMES: &str = "OUTCOMES";
    pub const EVENTS: &str = "EVENTS";
    pub const SLOW: &str = "SLOW";

    /// All maps that are pinned and adopted.
    pub const ALL: [&str; 12] = [
        META,
        LEASES,
        GRANTS,
        CLIENTS,
        TEMPLATE_INDEX,
        TEMPLATES,
        LINKS,
        RELAYS,
        LIMITS,
        OUTCOMES,
        EVENTS,
        SLOW,
    ];
}

/// Name of the program in the object.
pub const PROGRAM: &str = "xdhcpd";

/// Name of the entry in the directory of pins that points to the maps that the next controller
/// adopts.
pub const CURRENT: &str = "current";
