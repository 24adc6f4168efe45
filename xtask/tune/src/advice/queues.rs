//! Receive queues, the distribution of packets over them, and their lengths.

use dhcp_common::abi::{
    MAX_QUEUES, SLOW_RX_FRAMES, SLOW_TX_FRAMES, slow_rx_frames, slow_socket_bytes,
};

use super::setting::Setting;
use crate::{
    knob::{Knob, table_text},
    readings::{Channels, Readings},
};

/// Drivers that reserve half of their queues for transmission by an XDP program, and otherwise
/// attach none.
const HALF_FOR_XDP: [&str; 2] = ["ena", GVNIC];
const GVNIC: &str = "gve";

pub(super) fn advise(readings: &Readings, settings: &mut Vec<Setting>) {
    settings.push(channels(readings));
    rss(readings, settings);
    rings(readings, settings);
}

fn channels(readings: &Readings) -> Setting {
    const NAME: &str = "receive queues";
    let Some(channels) = &readings.channels else {
        return Setting::unavailable(
            NAME,
            "1",
            "the driver has one, so one CPU does all the work",
        );
    };
    let Channels {
        combined_max,
        rx_max,
        ..
    } = *channels;
    let (knob, is, max) = if combined_max > 0 {
        (Knob::CombinedChannels, channels.combined, combined_max)
    } else {
        (Knob::RxChannels, channels.rx, rx_max)
    };
    let usable = match readings.link.driver.as_deref() {
        Some(driver) if HALF_FOR_XDP.contains(&driver) => (max / 2).max(1),
        _ => max,
    };
    let should = usable.min(readings.cpu_count()).min(MAX_QUEUES);
    if max <= 1 {
        return Setting::unavailable(
            NAME,
            is.to_string(),
            format!(
                "{} has no more here, so one CPU does all the work",
                readings.driver()
            ),
        );
    }
    let why = format!(
        "one for each CPU, up to the driver's limit ({usable}): the controller opens a socket \
         for each, of {} MiB; restart xdhcpd after a change{}",
        slow_socket_bytes(should) >> 20,
        remark(readings, usable),
    );
    if readings.driver() == GVNIC && is != should {
        let set = format!("ethtool -L {} rx {should} tx {should}", readings.interface);
        let why =
            format!("the number of transmit queues must be equal, for this driver only; {why}");
        return Setting::by_hand(NAME, is.to_string(), &should.to_string(), Some(set), why);
    }
    Setting::of(
        readings,
        NAME,
        knob,
        (&is.to_string(), &should.to_string()),
        why,
    )
}

fn remark(readings: &Readings, usable: u32) -> &'static str {
    match readings.driver() {
        "veth" => {
            "; there must be at least as many as the peer has for sending, or no program is \
             attached"
        }
        "virtio_net" if usable < readings.cpu_count().saturating_mul(2) => {
            "; with fewer than two for each CPU, CPUs share a queue for what the program sends, \
             under a lock"
        }
        _ => "",
    }
}

/// Advises on receive-side scaling, which assigns packets to queues.
fn rss(readings: &Readings, settings: &mut Vec<Setting>) {
    if readings.queues() < 2 {
        settings.push(Setting::right(
            "spread of UDP",
            "-",
            "there is one receive queue",
        ));
        return;
    }
    settings.push(udp_hash(readings));
    settings.push(table(readings));
}

fn udp_hash(readings: &Readings) -> Setting {
    const NAME: &str = "hash of UDP";
    const WHY: &str = "relay agents and renewing clients differ in their addresses only, since DHCP's ports \
         are fixed; broadcasts of clients on the link always go to one queue";
    match readings.udp_hash.as_deref() {
        None if readings.is_veth() => Setting::unavailable(
            NAME,
            "-",
            "veth delivers a frame to the queue with the number of the one it was sent from",
        ),
        None => Setting::unavailable(
            NAME,
            "-",
            "the driver does not support reading or setting it",
        ),
        Some(hash) if hash.contains('s') => Setting::right(NAME, hash, WHY),
        Some(hash) => Setting::of(readings, NAME, Knob::UdpHash, (hash, "sd"), WHY),
    }
}

fn table(readings: &Readings) -> Setting {
    const NAME: &str = "RSS table";
    let Some(table) = &readings.rss_table else {
        return Setting::unavailable(NAME, "-", "the driver has none");
    };
    let queues = readings.queues();
    let is_used = |queue| table.contains(&queue);
    let used = (0..queues).filter(|queue| is_used(*queue)).count();
    let entries = u32::try_from(table.len()).unwrap_or(u32::MAX);
    let why = "a queue that is missing in it receives no packets";
    let is = format!("{used} of {queues} queues");
    if (0..queues.min(entries)).all(is_used) {
        return Setting::right(NAME, is, why);
    }
    let even: Vec<u32> = (0..entries).map(|entry| entry % queues).collect();
    let values = (table_text(table), table_text(&even));
    Setting {
        is,
        should_be: "all queues".to_owned(),
        ..Setting::of(readings, NAME, Knob::RssTable, (&values.0, &values.1), why)
    }
}

fn rings(readings: &Readings, settings: &mut Vec<Setting>) {
    let Some(rings) = &readings.rings else {
        let why = if readings.is_veth() {
            "veth has fixed rings of 256 frames"
        } else {
            "the driver does not support reading or setting them"
        };
        settings.push(Setting::unavailable("rings", "-", why));
        return;
    };
    let rx = rings.rx_max.min(SLOW_RX_FRAMES);
    let why = if readings.has_zero_copy() {
        format!(
            "at most the number of frames of the controller's socket ({}), because they are the \
             same without copies, and the rest is queued for reuse; enough for a burst",
            slow_rx_frames(readings.queues())
        )
    } else {
        format!(
            "at least {SLOW_RX_FRAMES}, or the driver's maximum ({}): holds the frames of a burst",
            rings.rx_max
        )
    };
    // A ring longer than the socket is useful only if its frames are not the socket's.
    let rx = if readings.has_zero_copy() {
        rx
    } else {
        rx.max(rings.rx)
    };
    let values = (rings.rx.to_string(), rx.to_string());
    settings.push(Setting::of(
        readings,
        "ring for receiving",
        Knob::RxRing,
        (&values.0, &values.1),
        why,
    ));
    let tx = rings.tx_max.min(SLOW_TX_FRAMES).max(rings.tx);
    let values = (rings.tx.to_string(), tx.to_string());
    let why = format!(
        "at least the number of frames that the controller may send at once ({SLOW_TX_FRAMES}), \
         or the driver's maximum"
    );
    settings.push(Setting::of(
        readings,
        "ring for sending",
        Knob::TxRing,
        (&values.0, &values.1),
        why,
    ));
}
