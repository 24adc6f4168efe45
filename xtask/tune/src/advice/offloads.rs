//! Offloads, which the NIC applies to frames before the program sees them.

use super::setting::{Setting, on_off};
use crate::{knob::Knob, readings::Readings};

const MERGED: [(&str, &str); 2] = [
    (
        "rx-lro",
        "merges packets into larger ones, which programs do not support; many drivers then \
         attach none",
    ),
    (
        "rx-gro-hw",
        "merges packets in the NIC; drivers that can disable it while a program is attached",
    ),
];

const TAGS: [(&str, &str); 2] = [
    (
        "rx-vlan-hw-parse",
        "the NIC would remove VLAN tags, and clients of a VLAN would appear untagged",
    ),
    (
        "rx-vlan-stag-hw-parse",
        "the same for outer tags of 802.1ad",
    ),
];

pub(super) fn advise(readings: &Readings, settings: &mut Vec<Setting>) {
    settings.extend(
        MERGED
            .iter()
            .filter_map(|(name, why)| off(readings, name, why)),
    );
    if readings.is_veth() {
        settings.extend(peer_tags(readings));
    } else {
        settings.extend(
            TAGS.iter()
                .filter_map(|(name, why)| off(readings, name, why)),
        );
        if readings.wanted.has_vlans {
            settings.extend(off(
                readings,
                "rx-vlan-filter",
                "the NIC would drop frames of VLANs for which the host has no device; the \
                 configuration serves VLANs here",
            ));
        }
    }
    settings.extend(hashing(readings));
    settings.extend(gro(readings));
}

/// Advises on the peer of a veth end, which passes a tag beside the frame.
fn peer_tags(readings: &Readings) -> Option<Setting> {
    readings.wanted.has_vlans.then(|| {
        Setting::by_hand(
            "VLAN tags of the peer",
            "unknown",
            "in the frame",
            Some("ethtool -K PEER txvlan off".to_owned()),
            "the program does not see a tag that the peer's stack passes beside the frame; the \
             configuration serves VLANs here",
        )
    })
}

/// Advises to switch a feature off. Returns `None` where the kernel does not know it.
fn off(readings: &Readings, name: &str, why: &str) -> Option<Setting> {
    let feature = readings.features.get(name)?;
    let is = on_off(feature.is_on);
    if feature.is_on && feature.is_fixed {
        let why = format!("{} does not support changing it; {why}", readings.driver());
        return Some(Setting::unavailable(name, is, why));
    }
    let knob = Knob::Feature(name.to_owned());
    Some(Setting::of(readings, name, knob, (is, "off"), why))
}

fn hashing(readings: &Readings) -> Option<Setting> {
    const NAME: &str = "rx-hashing";
    let feature = readings.features.get(NAME)?;
    if readings.queues() < 2 || feature.is_fixed {
        return None;
    }
    let knob = Knob::Feature(NAME.to_owned());
    let why = "the hash that distributes packets over the queues";
    Some(Setting::of(
        readings,
        NAME,
        knob,
        (on_off(feature.is_on), "on"),
        why,
    ))
}

fn gro(readings: &Readings) -> Option<Setting> {
    let is = on_off(readings.features.get("rx-gro")?.is_on);
    let why = if readings.is_veth() {
        "runs after the program; when on, this end is polled even while no program is attached"
    } else {
        "runs after the program and does not affect it"
    };
    Some(Setting::right("rx-gro", is, why))
}
