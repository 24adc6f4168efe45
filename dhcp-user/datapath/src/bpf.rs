//! The `bpf(2)` commands that aya does not provide.
//!
//! Each takes its own prefix of `union bpf_attr`; the kernel treats the rest of a shorter one as
//! zero.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
};

use aya::Pod;
use nix::NixPath;

// include/uapi/linux/bpf.h, enum bpf_cmd.
const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_MAP_UPDATE_BATCH: libc::c_int = 26;
const BPF_LINK_DETACH: libc::c_int = 34;

// include/uapi/linux/bpf.h, enum bpf_map_type.
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
}

#[repr(C)]
struct MapUpdate {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ObjGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

#[repr(C)]
struct MapBatch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[repr(C)]
struct LinkDetach {
    link_fd: u32,
}

/// Calls `bpf(2)`.
///
/// # Safety
/// `attr` must be what the kernel expects for `command`, and the addresses in it must be valid for
/// it.
unsafe fn bpf<Attr>(command: libc::c_int, attr: &mut Attr) -> io::Result<libc::c_long> {
    // SAFETY: `attr` is a live object of the size passed; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<Attr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, close-on-exec like all of bpf(2), and it
    // has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns a descriptor as bpf(2) takes it; open ones are never negative.
fn raw(fd: &impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd().cast_unsigned()
}

/// Opens the object that is pinned at `path`.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let fd = path.with_nix_path(|path| {
        let mut attr = ObjGet {
            pathname: path.as_ptr() as u64,
            bpf_fd: 0,
            file_flags: 0,
        };
        // SAFETY: BPF_OBJ_GET reads the string at `pathname`, which outlives the call.
        unsafe { bpf(BPF_OBJ_GET, &mut attr) }
    })??;
    owned(fd)
}

/// Detaches a link from its interface; its pin stays.
pub fn detach_link(link: &OwnedFd) -> io::Result<()> {
    let mut attr = LinkDetach { link_fd: raw(link) };
    // SAFETY: BPF_LINK_DETACH takes a descriptor and no address.
    unsafe { bpf(BPF_LINK_DETACH, &mut attr) }.map(|_| ())
}

/// Largest number of entries that one call writes.
pub const BATCH: usize = 4096;

/// Writes entries into a map from `K` to `V`.
///
/// # Errors
/// One of them was refused, and those after it were not tried.
pub fn update_batch<K: Pod, V: Pod>(map: &impl AsFd, keys: &[K], values: &[V]) -> io::Result<()> {
    assert_eq!(keys.len(), values.len(), "each key has a value");
    let mut attr = MapBatch {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_ptr() as u64,
        values: values.as_ptr() as u64,
        count: u32::try_from(keys.len()).map_err(io::Error::other)?,
        map_fd: raw(map),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: there are `count` keys and values, of the map's sizes, which the kernel only reads.
    unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attr) }.map(|_| ())
}

/// An array of one map, which is updated for the sake of [`MapOfMaps::wait_for_programs`].
#[derive(Debug)]
pub struct MapOfMaps {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl MapOfMaps {
    /// Makes both maps.
    pub fn create() -> io::Result<Self> {
        let inner = create_array(BPF_MAP_TYPE_ARRAY, 0)?;
        let outer = create_array(BPF_MAP_TYPE_ARRAY_OF_MAPS, raw(&inner))?;
        Ok(Self { outer, inner })
    }

    /// Waits until every XDP program run has ended that was under way when this was called.
    ///
    /// An update of a map of maps guarantees that, so that the caller may treat the replaced inner
    /// map as unused (`maybe_wait_bpf_programs` in kernel/bpf/syscall.c): it waits for an RCU grace
    /// period, and XDP programs run in RCU read-side critical sections.
    pub fn wait_for_programs(&self) -> io::Result<()> {
        let key = 0u32;
        let value = raw(&self.inner);
        let mut attr = MapUpdate {
            map_fd: raw(&self.outer),
            reserved: 0,
            key: std::ptr::from_ref(&key) as u64,
            value: std::ptr::from_ref(&value) as u64,
            flags: 0,
        };
        // SAFETY: key and value are four octets each, as `create_array` has told the kernel, and
        // outlive the call, which only reads them.
        unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(|_| ())
    }
}

fn create_array(map_type: u32, inner_map_fd: u32) -> io::Result<OwnedFd> {
    let mut attr = MapCreate {
        map_type,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        map_flags: 0,
        inner_map_fd,
    };
    // SAFETY: BPF_MAP_CREATE takes numbers and no address here.
    owned(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?)
}
