//! Adoption by a controller of the maps and links that an earlier one has left.

use std::{fs, os::unix::fs::DirBuilderExt, path::Path};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData},
    programs::Xdp,
};
use dhcp_common::abi::{META_INDEX, Meta, PROGRAM, map};
use dhcp_datapath::{
    Datapath, DatapathError, LinkMode, OBJECT, Options, detach_all, host::Interface,
};

use crate::{
    entries,
    lab::{self, Lab, ip},
    link_ids, options, pins, publish, published,
};

#[test]
fn the_next_controller_adopts_entries_key_and_link() {
    lab::run(|lab| {
        lab.veth("srv", "cli");
        let interface = Interface::find("srv").unwrap();
        let pin = lab
            .pin_dir()
            .join(format!("link-{}-native", interface.ifindex));

        let mut first = Datapath::open(&options(lab)).unwrap();
        assert!(!first.adopted);
        let expected = entries(1024, first.fingerprint_key, 0..3);
        publish(&mut first.maps.leases, &expected);
        let mode = first.links.attach(&interface, false).unwrap();
        assert_eq!(mode, LinkMode::Native);
        first.links.settle().unwrap();
        let fingerprint_key = first.fingerprint_key;
        drop(first);
        let (link, program) = link_ids(&pin);
        assert!(
            ip("link show dev srv").contains("prog/xdp"),
            "still attached"
        );

        let mut second = Datapath::open(&options(lab)).unwrap();
        assert!(second.adopted);
        assert_eq!(second.fingerprint_key, fingerprint_key);
        let mut published = published(&second.maps.leases);
        published.sort_by_key(|(_, binding)| binding.address.get());
        assert_eq!(published, expected);
        assert_eq!(link_ids(&pin), (link, program), "not touched by opening");
        second.links.attach(&interface, false).unwrap();
        let (link_now, program_now) = link_ids(&pin);
        assert_eq!(link_now, link, "the same link");
        assert_ne!(program_now, program, "with another program");
        second.links.settle().unwrap();
        assert_eq!(
            pins(lab),
            [
                "current",
                &format!("link-{}-native", interface.ifindex),
                "maps-1"
            ]
        );
    });
}

#[test]
fn every_key_is_drawn_anew_with_the_maps() {
    lab::run(|lab| {
        let first = Datapath::open(&options(lab)).unwrap().fingerprint_key;
        let second = Datapath::open(&options(lab)).unwrap().fingerprint_key;
        assert_ne!(first, second, "the first was never settled");
    });
}

/// Name, new options, and what happens to the maps meanwhile.
type Misfit = (&'static str, Options, fn(&Path));

/// Returns the ways in which maps may not fit.
fn misfits(lab: &Lab) -> [Misfit; 3] {
    let more = Options {
        max_leases: 2048,
        ..options(lab)
    };
    [
        ("another capacity", more, |_| {}),
        ("another version", options(lab), |maps| {
            let data = MapData::from_pin(maps.join(map::META)).unwrap();
            let mut array = Array::<_, Meta>::try_from(Map::Array(data)).unwrap();
            let mut meta = array.get(&META_INDEX, 0).unwrap();
            meta.abi_version += 1;
            array.set(META_INDEX, meta, 0).unwrap();
        }),
        ("a map missing", options(lab), |maps| {
            fs::remove_file(maps.join(map::TEMPLATES)).unwrap();
        }),
    ]
}

#[test]
fn maps_that_do_not_fit_are_built_anew_beside_the_old() {
    for case in 0..3 {
        lab::run(|lab| {
            let (name, options_now, spoil) = misfits(lab).into_iter().nth(case).unwrap();
            lab.veth("srv", "cli");
            let interface = Interface::find("srv").unwrap();
            let link_name = format!("link-{}-native", interface.ifindex);
            let pin = lab.pin_dir().join(&link_name);
            let mut first = Datapath::open(&options(lab)).unwrap();
            let entries = entries(1024, first.fingerprint_key, 0..3);
            publish(&mut first.maps.leases, &entries);
            first.links.attach(&interface, false).unwrap();
            first.links.settle().unwrap();
            drop(first);
            let before = link_ids(&pin);
            spoil(&lab.pin_dir().join("maps-1"));

            let mut second = Datapath::open(&options_now).unwrap();
            assert!(!second.adopted, "{name}");
            assert_eq!(published(&second.maps.leases), [], "{name}");
            assert_eq!(
                pins(lab),
                ["current", &link_name, "maps-1", "maps-2"],
                "{name}"
            );
            assert_eq!(link_ids(&pin), before, "{name}: the old program answers on");
            second.links.attach(&interface, false).unwrap();
            second.links.settle().unwrap();
            assert_eq!(pins(lab), ["current", &link_name, "maps-2"], "{name}");
            let after = link_ids(&pin);
            assert_eq!(after.0, before.0, "{name}: the same link");
            assert_ne!(after.1, before.1, "{name}: with another program");
            drop(second);
            assert!(Datapath::open(&options_now).unwrap().adopted, "{name}");
        });
    }
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    lab::run(|lab| {
        drop(Datapath::open(&options(lab)).unwrap());
        let before = pins(lab);
        let foreign_program = |path: &Path| {
            let mut ebpf = Ebpf::load(OBJECT).unwrap();
            let program: &mut Xdp = ebpf.program_mut(PROGRAM).unwrap().try_into().unwrap();
            program.load().unwrap();
            program.pin(path).unwrap();
        };
        let directory = |path: &Path| {
            fs::DirBuilder::new().mode(0o700).create(path).unwrap();
        };
        type Make<'a> = &'a dyn Fn(&Path);
        let cases: [(&str, Make, &str); 5] = [
            ("other", &foreign_program, "a name that xdhcpd does not use"),
            ("other", &directory, "a name that xdhcpd does not use"),
            ("link-7-native", &foreign_program, "a pinned program"),
            ("maps-7", &foreign_program, "not a directory"),
            (
                "maps-1/other",
                &foreign_program,
                "a name that xdhcpd does not use",
            ),
        ];
        for (name, make, found) in cases {
            let path = lab.pin_dir().join(name);
            make(&path);
            for result in [
                Datapath::open(&options(lab)).map(drop),
                detach_all(&lab.pin_dir()).map(drop),
            ] {
                let error = result.unwrap_err();
                let text = error.to_string();
                assert!(matches!(error, DatapathError::Foreign { .. }), "{text}");
                assert!(text.contains(&path.display().to_string()), "{text}");
                assert!(text.contains(found), "{text}");
            }
            assert!(path.exists(), "{name}");
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir(&path))
                .unwrap();
            assert_eq!(pins(lab), before, "{name}");
        }
        let path = lab.pin_dir().join("maps-1").join(map::LEASES);
        fs::remove_file(&path).unwrap();
        foreign_program(&path);
        let error = Datapath::open(&options(lab)).unwrap_err();
        assert!(matches!(error, DatapathError::Foreign { .. }), "{error}");
        assert!(path.exists());
    });
}

#[test]
fn a_second_controller_is_refused_while_the_first_runs() {
    lab::run(|lab| {
        let first = Datapath::open(&options(lab)).unwrap();
        for result in [
            Datapath::open(&options(lab)).map(drop),
            detach_all(&lab.pin_dir()).map(drop),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, DatapathError::Locked { .. }), "{error}");
        }
        drop(first);
        Datapath::open(&options(lab)).unwrap();
    });
}

#[test]
fn without_capabilities_nothing_is_touched_and_the_missing_are_named() {
    lab::run(|lab| {
        drop_capabilities();
        let error = Datapath::open(&options(lab)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "missing CAP_NET_ADMIN (to attach the XDP program), CAP_NET_RAW (to open AF_XDP sockets), \
             CAP_PERFMON (to have the XDP program verified), CAP_BPF (to load the XDP program and its \
             maps): run as root, or give them to the service (AmbientCapabilities= in its systemd unit)"
        );
        assert!(!lab.pin_dir().exists());
    });
}

/// Drops all capabilities of this thread, permanently.
fn drop_capabilities() {
    // _LINUX_CAPABILITY_VERSION_3 of capget(2), for this thread.
    let header = [0x2008_0522u32, 0];
    let sets = [0u32; 6];
    // SAFETY: version 3 reads a header of two words and two times three words of sets.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    assert_eq!(result, 0);
}
