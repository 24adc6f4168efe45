//! Numbers and layouts of the wire: Ethernet, 802.1Q, IPv4, UDP, BOOTP and DHCP.

use core::fmt;

macro_rules! big_endian {
    ($(#[$doc:meta])* $name:ident, $native:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(transparent)]
        pub struct $name($native);

        impl $name {
            pub const fn new(value: $native) -> Self {
                Self(value.to_be())
            }

            pub const fn get(self) -> $native {
                <$native>::from_be(self.0)
            }

            /// Returns the value in memory order, for arithmetic that does not depend on the order
            /// of octets, such as the Internet checksum (RFC 1071 §2.B).
            pub const fn raw(self) -> $native {
                self.0
            }

            pub const fn from_raw(raw: $native) -> Self {
                Self(raw)
            }

            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.get())
            }
        }
    };
}

big_endian!(
    /// A 16-bit number in network order with the alignment of `u16`.
    Be16,
    u16
);
big_endian!(
    /// A 32-bit number in network order with the alignment of `u32`.
    Be32,
    u32
);

impl From<core::net::Ipv4Addr> for Be32 {
    fn from(address: core::net::Ipv4Addr) -> Self {
        Self::new(u32::from(address))
    }
}

impl From<Be32> for core::net::Ipv4Addr {
    fn from(raw: Be32) -> Self {
        Self::from(raw.get())
    }
}

pub const ETHERNET_LEN: usize = 14;
/// Octets of the longest IP datagram of a link without jumbo frames.
pub const ETHERNET_MTU: usize = 1500;
pub const VLAN_TAG_LEN: usize = 4;
/// Tags of a frame that is answered: 802.1Q within 802.1ad is the deepest nesting.
pub const MAX_VLAN_TAGS: usize = 2;
pub const MAC_BROADCAST: [u8; 6] = [0xff; 6];

/// Octets of the longest frame of a link without jumbo frames, with all tags.
pub const MAX_FRAME_LEN: usize = ETHERNET_LEN + MAX_VLAN_TAGS * VLAN_TAG_LEN + ETHERNET_MTU;

pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// Customer tag, IEEE 802.1Q.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// Service tag, IEEE 802.1ad (QinQ).
pub const ETHERTYPE_QINQ: u16 = 0x88a8;
pub const VLAN_ID_MASK: u16 = 0x0fff;

pub const IPV4_LEN: usize = 20;
/// Version 4 and a header of five words, the only first octet that the fast path accepts.
pub const IPV4_VERSION_IHL: u8 = 0x45;
pub const IPV4_BROADCAST: Be32 = Be32::new(0xffff_ffff);
/// More-fragments flag and fragment offset, RFC 791 §3.1.
pub const IPV4_FRAGMENT_MASK: u16 = 0x3fff;
pub const IPV4_DONT_FRAGMENT: u16 = 0x4000;
pub const IPV4_PROTOCOL_UDP: u8 = 17;
pub const REPLY_TTL: u8 = 64;

pub const UDP_LEN: usize = 8;
/// RFC 2131 §4.1.
pub const SERVER_PORT: u16 = 67;
/// RFC 2131 §4.1.
pub const CLIENT_PORT: u16 = 68;
/// Boot servers of PXE 2.1 §2.2.1, beside the server's port.
pub const BOOT_SERVER_PORT: u16 = 4011;

/// `op` of a request, RFC 2131 §2.
pub const BOOTREQUEST: u8 = 1;
/// `op` of a reply, RFC 2131 §2.
pub const BOOTREPLY: u8 = 2;
pub const HTYPE_ETHERNET: u8 = 1;
/// IEEE 802 networks, whose addresses are those of Ethernet.
pub const HTYPE_IEEE802: u8 = 6;
/// InfiniBand. `chaddr` is empty, and option 61 identifies the client (RFC 4390 §2).
pub const HTYPE_INFINIBAND: u8 = 32;
/// The length of the GUID of an InfiniBand port.
pub const GUID_LEN: usize = 8;
pub const MAX_HLEN: u8 = 16;
/// The BROADCAST bit of `flags`, RFC 2131 §2 figure 2.
pub const FLAG_BROADCAST: u16 = 0x8000;
/// RFC 2131 §3.
pub const MAGIC_COOKIE: Be32 = Be32::new(0x6382_5363);

/// Octets of a BOOTP message before `sname`, from `op` to `chaddr`.
pub const BOOTP_HEAD_LEN: usize = 44;
pub const SNAME_LEN: usize = 64;
pub const FILE_LEN: usize = 128;
/// Offset of the first option, after BOOTP's fixed fields and the magic cookie.
pub const BOOTP_FIXED_LEN: usize = BOOTP_HEAD_LEN + SNAME_LEN + FILE_LEN + 4;
/// Octets to which a reply is padded for RFC 951 clients (RFC 1542 §2.1).
pub const BOOTP_MIN_LEN: usize = 300;
/// Octets of the largest BOOTP message that any client must accept, in an IP datagram of 576 (RFC
/// 2131 §2).
pub const BOOTP_DEFAULT_MAX_LEN: usize = 576 - IPV4_LEN - UDP_LEN;

const _: () = assert!(BOOTP_FIXED_LEN == 240);

/// DHCP message types, option 53 (RFC 2132 §9.6).
pub mod message_type {
    pub const DISCOVER: u8 = 1;
    pub const OFFER: u8 = 2;
    pub const REQUEST: u8 = 3;
    pub const DECLINE: u8 = 4;
    pub const ACK: u8 = 5;
    pub const NAK: u8 = 6;
    pub const RELEASE: u8 = 7;
    pub const INFORM: u8 = 8;
    /// RFC 4388 §6.1, as the next three.
    pub const LEASEQUERY: u8 = 10;
    pub const LEASE_UNASSIGNED: u8 = 11;
    pub const LEASE_UNKNOWN: u8 = 12;
    pub const LEASE_ACTIVE: u8 = 13;
    /// The last type assigned (RFC 7724 §6.2); higher numbers are malformed.
    pub const LAST_ASSIGNED: u8 = 18;
}

/// Option codes that the server handles (RFC 2132 and as noted).
pub mod option {
    pub const PAD: u8 = 0;
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const HOST_NAME: u8 = 12;
    /// RFC 2132 §8.4.
    pub const VENDOR_OPTIONS: u8 = 43;
    pub const REQUESTED_ADDRESS: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER_ID: u8 = 54;
    pub const PARAMETER_LIST: u8 = 55;
    pub const MESSAGE: u8 = 56;
    pub const MAX_MESSAGE_SIZE: u8 = 57;
    pub const RENEWAL_TIME: u8 = 58;
    pub const REBINDING_TIME: u8 = 59;
    pub const VENDOR_CLASS: u8 = 60;
    pub const CLIENT_ID: u8 = 61;
    pub const TFTP_SERVER_NAME: u8 = 66;
    pub const BOOTFILE_NAME: u8 = 67;
    /// RFC 3004.
    pub const USER_CLASS: u8 = 77;
    /// RFC 4039.
    pub const RAPID_COMMIT: u8 = 80;
    /// RFC 4702.
    pub const FQDN: u8 = 81;
    /// RFC 3046.
    pub const RELAY_INFO: u8 = 82;
    /// RFC 4388 §6.1.
    pub const CLIENT_LAST_TRANSACTION_TIME: u8 = 91;
    /// RFC 4388 §6.1.
    pub const ASSOCIATED_IP: u8 = 92;
    /// RFC 4578 §2.1.
    pub const ARCHITECTURE: u8 = 93;
    /// RFC 4578 §2.3.
    pub const CLIENT_MACHINE_ID: u8 = 97;
    /// RFC 8925.
    pub const V6_ONLY_PREFERRED: u8 = 108;
    /// RFC 3011.
    pub const SUBNET_SELECTION: u8 = 118;
    /// RFC 3442.
    pub const CLASSLESS_ROUTES: u8 = 121;
    /// RFC 3925 §3.
    pub const VI_VENDOR_CLASS: u8 = 124;
    /// MS-DHCPE §2.2.8.
    pub const MS_CLASSLESS_ROUTES: u8 = 249;
    pub const END: u8 = 255;
}

/// Sub-options of option 82 that the server handles; all others are only echoed.
pub mod relay_suboption {
    /// RFC 3046 §3.1.
    pub const CIRCUIT_ID: u8 = 1;
    /// RFC 3046 §3.2.
    pub const REMOTE_ID: u8 = 2;
    /// RFC 3993.
    pub const SUBSCRIBER_ID: u8 = 6;
    /// RFC 3527.
    pub const LINK_SELECTION: u8 = 5;
    /// RFC 5107.
    pub const SERVER_ID_OVERRIDE: u8 = 11;
    /// RFC 8357.
    pub const SOURCE_PORT: u8 = 19;
}

/// Sub-options of option 43 for PXE clients (PXE 2.1 §2.2, table 2-1).
pub mod pxe_suboption {
    pub const DISCOVERY_CONTROL: u8 = 6;
    pub const BOOT_SERVERS: u8 = 8;
    pub const BOOT_MENU: u8 = 9;
    pub const MENU_PROMPT: u8 = 10;
    pub const BOOT_ITEM: u8 = 71;
    pub const END: u8 = 255;
}

/// Lease time of an infinite lease, RFC 2131 §3.3.
pub const INFINITE_SECS: u32 = u32::MAX;
