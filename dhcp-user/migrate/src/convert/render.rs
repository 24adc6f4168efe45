//! Output of a draft as TOML.

use std::{fmt::Write as _, time::Duration};

use dhcp_common::wire::{INFINITE_SECS, option};
use dhcp_config::{
    Field, Pattern, Presence,
    options::{label, string, written},
};

use super::draft::{Class, Condition, Draft, Owner, Pool, Reservation, Settings, Subnet};

/// Returns the file, with a comment that names its origin.
pub fn render(draft: &Draft, origin: &str) -> String {
    let mut out = format!(
        "# Converted from {origin}. `xdhcpd convert` lists what could not be converted.\n\
         # `xdhcpd check` shows what this means; dist/xdhcpd.example.toml describes all settings.\n"
    );
    table(&mut out, "[defaults]", "defaults", &draft.defaults, &[]);
    for interface in &draft.interfaces {
        let mut own = vec![format!("name = {}", string(&interface.name))];
        if !interface.addresses.is_empty() {
            let addresses: Vec<_> = interface.addresses.iter().map(string).collect();
            own.push(format!("addresses = [{}]", addresses.join(", ")));
        }
        table(&mut out, "[[interface]]", "", &Settings::default(), &own);
    }
    for class in &draft.classes {
        class_table(&mut out, class);
    }
    for network in &draft.networks {
        let name = format!("name = {}", string(&network.name));
        table(
            &mut out,
            "[[network]]",
            "network",
            &network.settings,
            &[name],
        );
    }
    for subnet in &draft.subnets {
        subnet_table(&mut out, subnet);
    }
    out
}

/// Writes a table with its own fields and its settings, unless both are empty.
fn table(out: &mut String, header: &str, name: &str, settings: &Settings, own: &[String]) {
    let lines: Vec<_> = own.iter().cloned().chain(fields(settings)).collect();
    let options = options(settings);
    if !lines.is_empty() {
        line(out, format_args!("\n{header}"));
    }
    for field in lines {
        line(out, field);
    }
    if !options.is_empty() {
        line(out, format_args!("\n[{name}.options]"));
    }
    for option in options {
        line(out, option);
    }
}

fn line(out: &mut String, text: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn fields(settings: &Settings) -> Vec<String> {
    let times = [
        ("lease-time", settings.lease_secs),
        ("min-lease-time", settings.min_lease_secs),
        ("max-lease-time", settings.max_lease_secs),
        ("renewal-time", settings.renewal_secs),
        ("rebinding-time", settings.rebinding_secs),
        ("offer-time", settings.offer_secs),
        ("decline-time", settings.decline_secs),
    ];
    let times = times
        .into_iter()
        .filter_map(|(key, secs)| Some(format!("{key} = {}", string(time(secs?)))));
    // Option 108 is only sent on IPv6-mostly networks.
    let has_v6_only = settings.options.contains_key(&option::V6_ONLY_PREFERRED);
    let switches = [
        ("authoritative", settings.authoritative),
        ("rapid-commit", settings.rapid_commit),
        ("ipv6-mostly", has_v6_only.then_some(true)),
        ("match-client-id", settings.match_client_id),
    ];
    let switches = switches
        .into_iter()
        .filter_map(|(key, is_on)| Some(format!("{key} = {}", is_on?)));
    let next_server = settings.next_server.map(|address| address.to_string());
    let texts = [
        ("next-server", &next_server),
        ("boot-file", &settings.boot_file),
        ("server-name", &settings.server_name),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(key, text)| Some(format!("{key} = {}", string(text.as_ref()?))));
    let Presence { always, never } = &settings.presence;
    let lists = [("always", always), ("never", never)];
    let lists = lists.into_iter().filter(|(_, codes)| !codes.is_empty());
    let lists = lists.map(|(key, codes)| {
        let labels: Vec<_> = codes.iter().map(|code| label(*code)).collect();
        format!("{key} = [{}]", labels.join(", "))
    });
    times.chain(switches).chain(texts).chain(lists).collect()
}

fn options(settings: &Settings) -> Vec<String> {
    let options = settings.options.iter();
    // `options::put` has checked each of them.
    options
        .filter_map(|(code, data)| written(*code, data).ok())
        .collect()
}

fn time(secs: u32) -> String {
    match secs {
        INFINITE_SECS => "infinite".to_owned(),
        secs => humantime::format_duration(Duration::from_secs(secs.into())).to_string(),
    }
}

fn class_table(out: &mut String, class: &Class) {
    let mut own = vec![
        format!("name = {}", string(&class.name)),
        format!("when = {}", condition(&class.when)),
    ];
    own.extend(class.refuse.then(|| "refuse = true".to_owned()));
    table(out, "[[class]]", "class", &class.settings, &own);
}

fn condition(when: &Condition) -> String {
    let list = |conditions: &[Condition]| {
        let conditions: Vec<_> = conditions.iter().map(condition).collect();
        format!("[{}]", conditions.join(", "))
    };
    let one_or_list = |items: Vec<String>| match &*items {
        [item] => item.clone(),
        items => format!("[{}]", items.join(", ")),
    };
    match when {
        Condition::Is(field, patterns) => {
            let patterns = patterns.iter().map(|pattern| string(text(*field, pattern)));
            format!(
                "{{ {} = {} }}",
                key(*field),
                one_or_list(patterns.collect())
            )
        }
        Condition::Architecture(numbers) => {
            let numbers = numbers.iter().map(ToString::to_string).collect();
            format!("{{ architecture = {} }}", one_or_list(numbers))
        }
        Condition::In(classes) => {
            format!(
                "{{ class = {} }}",
                one_or_list(classes.iter().map(string).collect())
            )
        }
        Condition::All(conditions) => format!("{{ all = {} }}", list(conditions)),
        Condition::Any(conditions) => format!("{{ any = {} }}", list(conditions)),
        Condition::Not(inner) => format!("{{ not = {} }}", condition(inner)),
    }
}

const fn key(field: Field) -> &'static str {
    match field {
        Field::VendorClass => "vendor-class",
        Field::UserClass => "user-class",
        Field::HardwareAddress => "hardware-address",
        Field::CircuitId => "circuit-id",
        Field::RemoteId => "remote-id",
        Field::SubscriberId => "subscriber-id",
    }
}

fn text(field: Field, pattern: &Pattern) -> String {
    let Pattern { octets, is_prefix } = pattern;
    let (value, star) = match field {
        Field::HardwareAddress => (colons(octets), if *is_prefix { ":*" } else { "" }),
        _ => (text_or_hex(octets, true), if *is_prefix { "*" } else { "" }),
    };
    format!("{value}{star}")
}

/// Returns octets as text if they can be read back from it, otherwise in hexadecimal.
fn text_or_hex(octets: &[u8], is_pattern: bool) -> String {
    let is_plain = |text: &&str| {
        let has_meaning = text.starts_with("hex:") || (is_pattern && text.ends_with('*'));
        !has_meaning && !text.is_empty() && !text.contains(char::is_control)
    };
    match str::from_utf8(octets).ok().filter(is_plain) {
        Some(text) => text.to_owned(),
        None => {
            let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("hex:{digits}")
        }
    }
}

fn colons(octets: &[u8]) -> String {
    let octets: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

fn subnet_table(out: &mut String, subnet: &Subnet) {
    let mut own = vec![format!("prefix = {}", string(subnet.prefix))];
    own.extend(
        subnet
            .network
            .as_ref()
            .map(|name| format!("network = {}", string(name))),
    );
    own.extend(
        subnet
            .server_id
            .map(|address| format!("server-id = {}", string(address))),
    );
    match &*subnet.pools {
        [] => {}
        [only] => own.push(format!("pools = [{}]", pool(only))),
        pools => {
            let pools: Vec<_> = pools
                .iter()
                .map(|one| format!("    {},\n", pool(one)))
                .collect();
            own.push(format!("pools = [\n{}]", pools.concat()));
        }
    }
    table(out, "[[subnet]]", "subnet", &subnet.settings, &own);
    for reservation in &subnet.reservations {
        reservation_table(out, reservation);
    }
}

fn pool(pool: &Pool) -> String {
    let range = string(format_args!("{}-{}", pool.first, pool.last));
    if pool.classes.is_empty() && pool.settings.is_empty() {
        return range;
    }
    let mut own = vec![format!("range = {range}")];
    if !pool.classes.is_empty() {
        let classes: Vec<_> = pool.classes.iter().map(string).collect();
        own.push(format!("classes = [{}]", classes.join(", ")));
    }
    own.extend(fields(&pool.settings));
    let options = options(&pool.settings);
    if !options.is_empty() {
        own.push(format!("options = {{ {} }}", options.join(", ")));
    }
    format!("{{ {} }}", own.join(", "))
}

fn reservation_table(out: &mut String, reservation: &Reservation) {
    let owner = match &reservation.owner {
        Owner::Hardware(octets) => format!("hardware-address = {}", string(colons(octets))),
        Owner::ClientId(octets) => format!("client-id = {}", string(colons(octets))),
        Owner::CircuitId(octets) => {
            format!("circuit-id = {}", string(text_or_hex(octets, false)))
        }
        Owner::RemoteId(octets) => format!("remote-id = {}", string(text_or_hex(octets, false))),
    };
    let mut own = vec![owner, format!("address = {}", string(reservation.address))];
    own.extend(
        reservation
            .host_name
            .as_ref()
            .map(|name| format!("host-name = {}", string(name))),
    );
    let name = "subnet.reservation";
    table(
        out,
        "[[subnet.reservation]]",
        name,
        &reservation.settings,
        &own,
    );
}
