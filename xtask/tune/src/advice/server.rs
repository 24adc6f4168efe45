//! Compares the running server with its configuration.

use dhcp_common::abi::slow_socket_bytes;

use super::setting::Setting;
use crate::{
    knob::{Knob, memlock_text},
    readings::{Process, Readings, Server},
};

const RESTART: &str = "systemctl restart xdhcpd";

pub(super) fn advise(readings: &Readings, settings: &mut Vec<Setting>) {
    if readings.server_is_hidden {
        settings.push(Setting::unavailable(
            "server",
            "hidden",
            "only root may read its maps, limits and memory: run this through sudo",
        ));
        return;
    }
    let Some(server) = &readings.server else {
        settings.push(Setting::right(
            "server",
            "none has run",
            "if one runs, its maps, limits and memory are checked too; `--config` names its \
             configuration",
        ));
        return;
    };
    settings.push(max_leases(readings, server));
    settings.push(limits(readings, server));
    match &server.process {
        Some(process) => {
            settings.push(memlock(readings, process));
            settings.extend(memory(server, process));
        }
        None => settings.push(Setting::right(
            "memory of the server",
            "-",
            "the controller is not running; the kernel answers from its maps",
        )),
    }
}

fn source(readings: &Readings) -> String {
    match &readings.wanted.file {
        Some(file) => file.clone(),
        None => "the defaults, without a configuration,".to_owned(),
    }
}

fn max_leases(readings: &Readings, server: &Server) -> Setting {
    const NAME: &str = "server.max-leases";
    let (is, wanted) = (server.max_leases, readings.wanted.max_leases);
    if is == wanted {
        return Setting::right(
            NAME,
            is.to_string(),
            "leases that the kernel can answer by itself: as configured",
        );
    }
    Setting {
        undo: Some(format!(
            "max-leases = {is} in the configuration, then {RESTART}"
        )),
        ..Setting::by_hand(
            NAME,
            is.to_string(),
            &wanted.to_string(),
            Some(RESTART.to_owned()),
            format!(
                "as {} says; the kernel cannot resize a map, but a restarted xdhcpd creates new \
                 ones and switches over, and no renewal is lost",
                source(readings)
            ),
        )
    }
}

fn limits(readings: &Readings, server: &Server) -> Setting {
    const NAME: &str = "client-, relay- and unknown-limit";
    let wanted = &readings.wanted;
    let is = server.limits.to_string();
    let should = wanted.limits.to_string();
    if is != should && server.process.is_none() {
        let why = "limits for the controller; it is not running, and reads the configuration when it \
             starts";
        return Setting::by_hand(
            NAME,
            is,
            &should,
            Some("systemctl start xdhcpd".to_owned()),
            why,
        );
    }
    let why = format!(
        "limits for the controller, as {} says; a reload applies them with all other changes: \
         `xdhcpd reload --dry-run` lists those",
        source(readings)
    );
    let setting = Setting::of(readings, NAME, Knob::Limits, (&is, &should), why);
    let undo = setting
        .set
        .as_ref()
        .map(|set| format!("the previous numbers in the configuration, then {set}"));
    Setting { undo, ..setting }
}

fn memlock(readings: &Readings, process: &Process) -> Setting {
    const NAME: &str = "memlock of the server";
    let is = memlock_text(process.memlock);
    let queues = readings.queues();
    let each = slow_socket_bytes(queues);
    let needed = u64::from(queues) * u64::from(each);
    if process.may_lock {
        return Setting::right(
            NAME,
            is,
            "it has CAP_IPC_LOCK, so its locked memory is not counted",
        );
    }
    let why = format!(
        "{} MiB for each receive queue ({queues} here) are counted when it opens sockets; \
         permanently: LimitMEMLOCK=infinity in its unit. Maps count here before Linux 5.11, and \
         as memory of the control group since then",
        each >> 20,
    );
    if process.memlock.0.is_none_or(|soft| soft >= needed) {
        return Setting::right(NAME, is, why);
    }
    let knob = Knob::Memlock(process.pid);
    Setting::of(readings, NAME, knob, (&is, "unlimited:unlimited"), why)
}

/// Returns `None` without a limit.
fn memory(server: &Server, process: &Process) -> Option<Setting> {
    const NAME: &str = "MemoryMax of the server";
    let max = process.memory_max?;
    let mib = |octets: u64| format!("{} MiB", octets >> 20);
    let why = format!(
        "its maps alone take {}, which count there since Linux 5.11; new ones exist beside them \
         for a while",
        mib(server.map_bytes)
    );
    let needed = server.map_bytes.saturating_mul(3);
    if max >= needed {
        return Some(Setting::right(NAME, mib(max), why));
    }
    Some(Setting::by_hand(
        NAME,
        mib(max),
        &format!("{} or more", mib(needed)),
        Some(format!("systemctl set-property xdhcpd MemoryMax={needed}")),
        why,
    ))
}
