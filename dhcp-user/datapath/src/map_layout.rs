//! The layout of a map in the kernel, and the layout that the contract requires.

use std::{fmt, fs, io, os::fd::AsRawFd};

use aya::maps::{MapType, lpm_trie};
use dhcp_common::{
    abi::{self, map},
    outcome::Outcome,
};

// include/uapi/linux/bpf.h. Maps that differ in one of these flags cannot replace each other.
const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_F_RDONLY_PROG: u32 = 1 << 7;
const BPF_F_MMAPABLE: u32 = 1 << 10;
const FLAGS: u32 = BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG | BPF_F_MMAPABLE;

/// Type, sizes and flags of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapLayout {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

impl fmt::Display for MapLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "of type {} with {} entries, {} to {} octets, flags {:#x}",
            self.map_type, self.max_entries, self.key_size, self.value_size, self.flags
        )
    }
}

impl MapLayout {
    fn new<K, V>(map_type: MapType, max_entries: u32, flags: u32) -> Self {
        Self {
            map_type: map_type as u32,
            key_size: size_of::<K>() as u32,
            value_size: size_of::<V>() as u32,
            max_entries,
            flags,
        }
    }
}

/// Returns the layout of every pinned map. The program's object is checked against it as well, so
/// that program and controller cannot diverge unnoticed.
pub fn expected(max_leases: u32) -> [(&'static str, MapLayout); map::ALL.len()] {
    let rdonly = BPF_F_RDONLY_PROG;
    let outcomes = Outcome::COUNT as u32;
    let slots = abi::lease_slots(max_leases);
    [
        (
            map::META,
            MapLayout::new::<u32, abi::Meta>(MapType::Array, 1, rdonly),
        ),
        (
            map::LEASES,
            MapLayout::new::<u32, abi::Bucket>(
                MapType::Array,
                abi::lease_buckets(max_leases),
                rdonly | BPF_F_MMAPABLE,
            ),
        ),
        (
            map::GRANTS,
            MapLayout::new::<u32, abi::Grant>(MapType::Array, slots, BPF_F_MMAPABLE),
        ),
        (
            map::CLIENTS,
            MapLayout::new::<u32, abi::ClientKey>(MapType::Array, slots, BPF_F_MMAPABLE),
        ),
        (
            map::TEMPLATE_INDEX,
            MapLayout::new::<u32, abi::TemplateCell>(MapType::Array, abi::TEMPLATE_CELLS, rdonly),
        ),
        (
            map::TEMPLATES,
            MapLayout::new::<u32, abi::Template>(MapType::Array, abi::TEMPLATE_ELEMENTS, rdonly),
        ),
        (
            map::LINKS,
            MapLayout::new::<abi::LinkKey, abi::Link>(MapType::Hash, abi::MAX_LINKS, rdonly),
        ),
        (
            map::RELAYS,
            MapLayout::new::<lpm_trie::Key<abi::RelayKey>, abi::NetworkRef>(
                MapType::LpmTrie,
                abi::MAX_RELAYS,
                rdonly | BPF_F_NO_PREALLOC,
            ),
        ),
        (
            map::LIMITS,
            MapLayout::new::<u64, u64>(MapType::LruHash, abi::MAX_LIMITS, 0),
        ),
        (
            map::OUTCOMES,
            MapLayout::new::<u32, u64>(MapType::PerCpuArray, outcomes, 0),
        ),
        (
            map::EVENTS,
            MapLayout::new::<(), ()>(MapType::RingBuf, abi::EVENTS_BYTES, 0),
        ),
        (
            map::SLOW,
            MapLayout::new::<u32, u32>(MapType::XskMap, abi::MAX_SLOW_SOCKETS, 0),
        ),
    ]
}

/// A BPF object, as described by the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    Map(MapLayout),
    Program,
    /// `ifindex` is zero once the interface is gone.
    XdpLink {
        ifindex: u32,
    },
    Other,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(layout) => write!(f, "a map {layout}"),
            Self::Program => f.write_str("a pinned program"),
            Self::XdpLink { ifindex } => write!(f, "an XDP link of interface {ifindex}"),
            Self::Other => f.write_str("another kind of BPF object"),
        }
    }
}

/// Asks the kernel for a description of the object behind a descriptor.
///
/// BPF_OBJ_GET_INFO_BY_FD fills in the structure that fits the object and does not say which one;
/// procfs names the fields.
pub fn describe(fd: &impl AsRawFd) -> io::Result<Object> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    Ok(parse(&text))
}

fn parse(fdinfo: &str) -> Object {
    let field = |name: &str| {
        fdinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key == name).then_some(value.trim())
        })
    };
    let number = |name: &str| {
        let value = field(name)?;
        match value.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => value.parse().ok(),
        }
    };
    let layout = || {
        Some(MapLayout {
            map_type: number("map_type")?,
            key_size: number("key_size")?,
            value_size: number("value_size")?,
            max_entries: number("max_entries")?,
            flags: number("map_flags")? & FLAGS,
        })
    };
    if let Some(layout) = layout() {
        return Object::Map(layout);
    }
    match (field("link_type"), number("ifindex")) {
        (Some("xdp"), Some(ifindex)) => return Object::XdpLink { ifindex },
        (Some(_), _) => return Object::Other,
        (None, _) => {}
    }
    if field("prog_type").is_some() {
        return Object::Program;
    }
    Object::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_kinds_of_objects_apart() {
        let map = "pos:\t0\nflags:\t02\nmap_type:\t1\nkey_size:\t40\nvalue_size:\t40\n\
                   max_entries:\t131072\nmap_flags:\t0x1080\nmap_extra:\t0x0\n";
        let layout = MapLayout {
            map_type: 1,
            key_size: 40,
            value_size: 40,
            max_entries: 131072,
            flags: 0x80,
        };
        assert_eq!(parse(map), Object::Map(layout));
        let link = "link_type:\txdp\nlink_id:\t3\nprog_tag:\t00\nprog_id:\t9\nifindex:\t7\n";
        assert_eq!(parse(link), Object::XdpLink { ifindex: 7 });
        let other_link = "link_type:\ttcx\nlink_id:\t3\nprog_id:\t9\nifindex:\t7\n";
        assert_eq!(parse(other_link), Object::Other);
        assert_eq!(
            parse("prog_type:\t6\nprog_jited:\t1\nprog_id:\t2\n"),
            Object::Program
        );
        assert_eq!(parse("pos:\t0\n"), Object::Other);
    }

    #[test]
    fn every_pinned_map_has_an_expected_layout() {
        let names = expected(1).map(|(name, _)| name);
        assert_eq!(names, map::ALL);
    }
}
