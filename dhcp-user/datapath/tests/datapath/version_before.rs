//! Adoption of the pinned maps of the previous version, with its entries, which then serve answers.
//!
//! The maps are made from a recording (`dhcp-user/testkit/src/version_before/README.md`), with the
//! shapes and the octets that the kernel reported of them.

use std::{
    ffi::CString,
    fs::{self, DirBuilder},
    io,
    net::Ipv4Addr,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::DirBuilderExt, fs::symlink},
    },
    path::Path,
};

use dhcp_common::abi::{ABI_VERSION, CURRENT, Link, LinkKey, TemplateCell, TemplateKey, map};
use dhcp_datapath::{Datapath, Options, host::Interface};
use dhcp_engine::effect::Grants;
use dhcp_testkit::{
    fixtures::program::{TEST_IFINDEX, XDP_TX},
    version_before::{self, PinnedMap, Recording},
};

use crate::{Lab, lab, link_ids, options, published};

// include/uapi/linux/bpf.h, enum bpf_cmd.
const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;

/// Calls bpf(2) with the words of a prefix of `union bpf_attr`.
///
/// # Safety
/// The words must be what the kernel expects for `command`, and addresses among them valid for it.
unsafe fn bpf(command: libc::c_int, words: &mut [u64]) -> io::Result<i32> {
    let (attr, len) = (words.as_mut_ptr(), size_of_val(words));
    // SAFETY: the attribute is as long as passed; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr, len) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as i32)
}

/// Returns two neighbouring members of four octets each, as one word.
fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) | u64::from(second) << 32
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made the descriptor, which has no other owner.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Makes a map as it was recorded and pins it.
fn pin(map: &PinnedMap, directory: &Path) {
    let mut words = [
        pair(map.map_type, map.key_size),
        pair(map.value_size, map.max_entries),
        pair(map.flags, 0),
    ];
    // SAFETY: BPF_MAP_CREATE takes numbers and no address here.
    let fd = owned(unsafe { bpf(BPF_MAP_CREATE, &mut words) }.expect(map.name));
    let raw = fd.as_raw_fd().cast_unsigned();
    for (key, value) in &map.entries {
        assert_eq!(key.len(), map.key_size as usize);
        assert_eq!(value.len(), map.value_size as usize);
        let mut words = [
            u64::from(raw),
            key.as_ptr() as u64,
            value.as_ptr() as u64,
            0,
        ];
        // SAFETY: key and value have the map's sizes, as just compared, and outlive the call.
        unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut words) }.expect(map.name);
    }
    let path = CString::new(directory.join(map.name).as_os_str().as_bytes()).unwrap();
    let mut words = [path.as_ptr() as u64, u64::from(raw)];
    // SAFETY: BPF_OBJ_PIN reads the path, which outlives the call.
    unsafe { bpf(BPF_OBJ_PIN, &mut words) }.expect(map.name);
}

/// Makes the pin directory as the version before has left it, without its links.
fn leave(lab: &Lab, recording: &Recording) {
    let directory = lab.pin_dir().join("maps-1");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .unwrap();
    for map in &recording.maps {
        pin(map, &directory);
    }
    symlink("maps-1", lab.pin_dir().join(CURRENT)).unwrap();
}

/// Runs a program once over a frame. Returns its verdict and the frame that it leaves.
fn run(program_id: u32, frame: &[u8]) -> (u32, Vec<u8>) {
    let mut words = [u64::from(program_id)];
    // SAFETY: BPF_PROG_GET_FD_BY_ID takes numbers and no address.
    let program = owned(unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut words) }.unwrap());
    let mut out = vec![0; 4096];
    let mut words = [
        u64::from(program.as_raw_fd().cast_unsigned()),
        pair(frame.len() as u32, out.len() as u32),
        frame.as_ptr() as u64,
        out.as_mut_ptr() as u64,
        pair(1, 0),
    ];
    // SAFETY: both buffers have the lengths passed and outlive the call.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut words) }.unwrap();
    let verdict = (words[0] >> 32) as u32;
    out.truncate((words[1] >> 32) as usize);
    (verdict, out)
}

fn options_then(lab: &Lab) -> Options {
    Options {
        max_leases: 64,
        ..options(lab)
    }
}

#[test]
fn maps_of_the_version_before_are_adopted_and_answered_from() {
    lab::run(|lab| {
        let recording = Recording::read().in_the_present_contract();
        leave(lab, &recording);
        let mut datapath = Datapath::open(&options_then(lab)).unwrap();
        let meta = recording.meta();
        assert!(datapath.adopted);
        assert_eq!(datapath.fingerprint_key, meta.fingerprint_key);

        let mut found: Vec<_> = published(&datapath.maps.leases)
            .iter()
            .map(|(_, binding)| Ipv4Addr::from(binding.address.get()))
            .collect();
        found.sort_unstable();
        let expected = version_before::published().into_iter();
        let expected: Vec<_> = expected.map(|(address, _)| address).collect();
        assert_eq!(found, expected);
        for (slot, grant) in recording.elements::<u32, _>(map::GRANTS) {
            assert_eq!(datapath.grants.grant(slot), grant);
        }

        // Interfaces have other numbers; the rest of the link's entry stays.
        let (_, link) = recording.elements::<LinkKey, Link>(map::LINKS)[0];
        let key = LinkKey {
            ifindex: TEST_IFINDEX,
            outer: 0,
            inner: 0,
        };
        datapath.maps.sync_links(&[(key, link)]).unwrap();
        lab.veth("srv", "cli");
        let interface = Interface::find("srv").unwrap();
        datapath.links.attach(&interface, false).unwrap();
        datapath.links.settle().unwrap();
        let pinned = lab
            .pin_dir()
            .join(format!("link-{}-native", interface.ifindex));
        let (_, program) = link_ids(&pinned);
        // The first client has an infinite lease, so that the answer does not depend on the clock.
        let (request, answer) = &recording.exchanges[0];
        let (verdict, frame) = run(program, request);
        assert_eq!(verdict, XDP_TX);
        assert_eq!(frame, *answer);

        // Its templates are known, and its published entries can be withdrawn.
        let mut known = Vec::new();
        let keep = |key: &TemplateKey| {
            known.push(*key);
            false
        };
        datapath.maps.retain_templates(keep).unwrap();
        let recorded = recording.elements::<u32, TemplateCell>(map::TEMPLATE_INDEX);
        let recorded: Vec<_> = recorded.iter().map(|(_, cell)| cell.key).collect();
        assert_eq!(known, recorded);
        for (client, _) in published(&datapath.maps.leases) {
            datapath.maps.leases.withdraw(&client).unwrap();
        }
        assert_eq!(published(&datapath.maps.leases), []);
        let (verdict, _) = run(program, request);
        assert_ne!(verdict, XDP_TX);
    });
}

#[test]
fn maps_of_another_contract_are_built_anew() {
    lab::run(|lab| {
        let recording = Recording::read();
        assert_ne!(recording.meta().abi_version, ABI_VERSION);
        leave(lab, &recording);
        let datapath = Datapath::open(&options_then(lab)).unwrap();
        assert!(!datapath.adopted);
        assert_eq!(published(&datapath.maps.leases), []);
    });
}

/// The map, and what happens to its recorded octets.
type Damage = (&'static str, fn(&mut PinnedMap));

/// Each damage represents a change of the contract without a new ABI version.
#[test]
fn a_change_of_the_contract_is_noticed() {
    lab::run(|lab| {
        let recording = Recording::read().in_the_present_contract();
        let of =
            |name: &str, maps: &[PinnedMap]| maps.iter().position(|map| map.name == name).unwrap();
        // A seal, a tag above its flag, a client's key and the digests' key: entries are removed.
        let damages: [Damage; 4] = [
            (map::LEASES, |map| map.entries[0].1[8] ^= 1),
            (map::LEASES, |map| map.entries[0].1[1] ^= 1),
            (map::CLIENTS, |map| {
                for (_, client) in &mut map.entries {
                    client[0] ^= 1;
                }
            }),
            (map::META, |map| map.entries[0].1[16] ^= 1),
        ];
        let whole = {
            leave(lab, &recording);
            let datapath = Datapath::open(&options_then(lab)).unwrap();
            published(&datapath.maps.leases).len()
        };
        for (number, (name, damage)) in damages.into_iter().enumerate() {
            fs::remove_file(lab.pin_dir().join(CURRENT)).unwrap();
            dhcp_datapath::detach_all(&lab.pin_dir()).unwrap();
            let mut recording = recording.clone();
            let index = of(name, &recording.maps);
            damage(&mut recording.maps[index]);
            leave(lab, &recording);
            let datapath = Datapath::open(&options_then(lab)).unwrap();
            assert!(datapath.adopted, "{number}");
            let left = published(&datapath.maps.leases).len();
            assert!(left < whole, "{number}: {left} of {whole}");
        }
        // A shape: nothing is adopted.
        fs::remove_file(lab.pin_dir().join(CURRENT)).unwrap();
        dhcp_datapath::detach_all(&lab.pin_dir()).unwrap();
        let mut recording = recording.clone();
        let index = of(map::OUTCOMES, &recording.maps);
        recording.maps[index].max_entries += 1;
        leave(lab, &recording);
        assert!(!Datapath::open(&options_then(lab)).unwrap().adopted);
    });
}
