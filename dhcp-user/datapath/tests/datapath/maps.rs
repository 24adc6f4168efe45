//! The controller's writes to the maps, and its reads from them.

use aya::maps::{Array, Map, MapData};
use dhcp_common::{
    abi::{
        Grant, Link, LinkKey, META_INDEX, META_SLOW_ONLY, Meta, NetworkRef, TEMPLATE_WAYS,
        Template, TemplateCell, TemplateKey, map,
    },
    wire::Be32,
};
use dhcp_datapath::{Datapath, Options};
use dhcp_engine::effect::Grants;

use crate::{Lab, NETWORK, lab, link, options};

#[test]
fn the_program_is_told_whether_it_may_answer() {
    lab::run(|lab| {
        for fast_path in [true, false, true] {
            let options = Options {
                fast_path,
                ..options(lab)
            };
            let datapath = Datapath::open(&options).unwrap();
            datapath.links.settle().unwrap();
            let pin = lab.pin_dir().join("maps-1").join(map::META);
            let data = MapData::from_pin(pin).unwrap();
            let meta = Array::<_, Meta>::try_from(Map::Array(data)).unwrap();
            let flags = meta.get(&META_INDEX, 0).unwrap().flags;
            assert_eq!(flags, if fast_path { 0 } else { META_SLOW_ONLY });
        }
    });
}

#[test]
fn links_and_relays_are_kept_as_wanted() {
    lab::run(|lab| {
        let mut datapath = Datapath::open(&options(lab)).unwrap();
        let maps = &mut datapath.maps;
        let link_key = |ifindex| LinkKey {
            ifindex,
            outer: 0,
            inner: 0,
        };
        let link = |id| link([2, 0, 0, 0, 0, id]);
        maps.sync_links(&[(link_key(1), link(1)), (link_key(2), link(2))])
            .unwrap();
        maps.sync_links(&[(link_key(2), link(9)), (link_key(3), link(3))])
            .unwrap();
        let prefix = |text: &str| text.parse::<ipnet::Ipv4Net>().unwrap();
        let other = NetworkRef { id: 2, flags: 0 };
        maps.sync_relays(&[
            (prefix("10.1.0.0/16"), NETWORK),
            (prefix("0.0.0.0/0"), NETWORK),
        ])
        .unwrap();
        maps.sync_relays(&[
            (prefix("10.1.0.0/16"), other),
            (prefix("10.1.2.0/24"), NETWORK),
        ])
        .unwrap();
        datapath.links.settle().unwrap();

        let pinned = |name| MapData::from_pin(lab.pin_dir().join("maps-1").join(name)).unwrap();
        let links: aya::maps::HashMap<_, LinkKey, Link> =
            Map::HashMap(pinned(map::LINKS)).try_into().unwrap();
        let mut links: Vec<_> = links.iter().map(Result::unwrap).collect();
        links.sort_by_key(|(key, _)| key.ifindex);
        assert_eq!(links, [(link_key(2), link(9)), (link_key(3), link(3))]);
        let relays: aya::maps::lpm_trie::LpmTrie<_, Be32, NetworkRef> =
            Map::LpmTrie(pinned(map::RELAYS)).try_into().unwrap();
        let mut relays: Vec<_> = relays
            .iter()
            .map(|entry| {
                entry
                    .map(|(key, value)| (key.prefix_len(), key.data(), value))
                    .unwrap()
            })
            .collect();
        relays.sort_by_key(|(len, ..)| *len);
        let expected = [
            (16, Be32::new(0x0a01_0000), other),
            (24, Be32::new(0x0a01_0200), NETWORK),
        ];
        assert_eq!(relays, expected);
    });
}

fn template_key(n: u64) -> TemplateKey {
    TemplateKey::new([n, 2], 3, 5)
}

/// Returns all templates that the program can find.
fn published_templates(lab: &Lab) -> Vec<(TemplateKey, Template)> {
    let pinned = |name| MapData::from_pin(lab.pin_dir().join("maps-1").join(name)).unwrap();
    let index: Array<_, TemplateCell> = Map::Array(pinned(map::TEMPLATE_INDEX)).try_into().unwrap();
    let templates: Array<_, Template> = Map::Array(pinned(map::TEMPLATES)).try_into().unwrap();
    let mut found: Vec<_> = index
        .iter()
        .map(Result::unwrap)
        .filter(|cell| cell.element != 0)
        .map(|cell| (cell.key, templates.get(&cell.element, 0).unwrap()))
        .collect();
    found.sort_by_key(|(key, _)| key.fingerprint);
    found
}

#[test]
fn templates_are_never_changed_in_place_and_found_again_after_a_restart() {
    lab::run(|lab| {
        let mut datapath = Datapath::open(&options(lab)).unwrap();
        datapath.links.settle().unwrap();
        let maps = &mut datapath.maps;
        for (n, secs) in [(1, 7), (2, 8), (1, 9)] {
            maps.publish_template(&template_key(n), &template(secs))
                .unwrap();
        }
        let expected = [
            (template_key(1), template(7)),
            (template_key(2), template(8)),
        ];
        assert_eq!(published_templates(lab), expected);

        drop(datapath);
        let mut datapath = Datapath::open(&options(lab)).unwrap();
        let maps = &mut datapath.maps;
        maps.retain_templates(|key| *key == template_key(2))
            .unwrap();
        for (n, secs) in [(2, 10), (3, 11)] {
            maps.publish_template(&template_key(n), &template(secs))
                .unwrap();
        }
        let expected = [
            (template_key(2), template(8)),
            (template_key(3), template(11)),
        ];
        assert_eq!(published_templates(lab), expected);
    });
}

#[test]
fn a_template_without_a_free_place_is_refused_and_the_others_stay() {
    lab::run(|lab| {
        let mut datapath = Datapath::open(&options(lab)).unwrap();
        datapath.links.settle().unwrap();
        let same_place = |n: &u64| template_key(*n).first_cell() == template_key(0).first_cell();
        let mut keys = (0..).filter(same_place).map(template_key);
        let fitting: Vec<_> = keys.by_ref().take(TEMPLATE_WAYS as usize).collect();
        let maps = &mut datapath.maps;
        for key in &fitting {
            maps.publish_template(key, &template(7)).unwrap();
        }
        let one_more = keys.next().unwrap();
        let refused = maps.publish_template(&one_more, &template(8)).unwrap_err();
        assert!(refused.to_string().contains("no room"), "{refused}");
        let expected: Vec<_> = fitting.iter().map(|key| (*key, template(7))).collect();
        assert_eq!(published_templates(lab), expected);

        maps.retain_templates(|key| *key != fitting[1]).unwrap();
        maps.publish_template(&one_more, &template(8)).unwrap();
        assert_eq!(published_templates(lab).len(), fitting.len());
    });
}

fn template(lease_secs: u32) -> Template {
    Template {
        sum: 0,
        len: 0,
        padded_len: 0,
        lease_secs,
        server_id: Be32::new(1),
        siaddr: Be32::new(0),
        max_len: 548,
        reserved: 0,
        image: [0; _],
    }
}

#[test]
fn a_grant_shows_as_soon_as_it_is_written() {
    lab::run(|lab| {
        let datapath = Datapath::open(&options(lab)).unwrap();
        datapath.links.settle().unwrap();
        let pin = lab.pin_dir().join("maps-1").join(map::GRANTS);
        let data = MapData::from_pin(pin).unwrap();
        let mut array = Array::<_, Grant>::try_from(Map::Array(data)).unwrap();
        for slot in [0, 7, 1023] {
            assert_eq!(datapath.grants.grant(slot), Grant::default());
            let grant = Grant {
                granted: Grant::pack(1 << 40, 3),
                asked: Grant::pack(Grant::CLOSED, 3),
            };
            array.set(slot, grant, 0).unwrap();
            assert_eq!(datapath.grants.grant(slot), grant);
        }
        for beyond in [1024, u32::MAX] {
            assert_eq!(datapath.grants.grant(beyond), Grant::default());
        }
    });
}
