//! The point in a frame's path at which the program runs.

/// The mode in which the program is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkMode {
    /// In the driver, before the kernel makes a socket buffer.
    Native,
    /// Behind the driver.
    Generic,
}

impl LinkMode {
    pub(crate) const ALL: [Self; 2] = [Self::Native, Self::Generic];

    /// Returns the word for tables and names.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }

    pub(crate) fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.label() == label)
    }
}
