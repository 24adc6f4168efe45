//! Notifications from the program to the controller.

/// Kind of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// The granted time of `slot` approaches its horizon.
    HorizonLow = 1,
}

/// An entry of the ring `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// [`EventKind`].
    pub kind: u32,
    pub slot: u32,
    pub epoch: u32,
    pub reserved: u32,
    pub granted_ns: u64,
    pub durable_until_ns: u64,
}
