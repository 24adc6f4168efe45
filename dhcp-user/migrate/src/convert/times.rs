//! Lease times of a draft, made consistent as RFC 2131 §4.4.5 and `dhcp-config` require.

use dhcp_common::wire::INFINITE_SECS;

use super::{
    draft::{Draft, Settings},
    notes::Notes,
};

/// The lease time if the file sets none.
const DEFAULT_LEASE_SECS: u32 = 3600;
/// In shorter leases, renewal and rebinding could be at the same second.
const MIN_LEASE_SECS: u32 = 8;
/// Ten years as humantime counts, as in `dhcp-config`.
const MAX_LEASE_SECS: u32 = 10 * 31_557_600;
const MAX_OFFER_SECS: u32 = 3600;
const MAX_DECLINE_SECS: u32 = 31_557_600;

/// Makes all times of a draft consistent, from the outermost table to the innermost.
pub fn settle(draft: &mut Draft, notes: &mut Notes) {
    bound(&mut draft.defaults, 1, notes);
    agree(&mut draft.defaults, &Settings::default(), 1, notes);
    let defaults = draft.defaults.clone();
    for network in &mut draft.networks {
        bound(&mut network.settings, network.line, notes);
        agree(&mut network.settings, &defaults, network.line, notes);
    }
    for class in &mut draft.classes {
        alone(&mut class.settings, &defaults, class.line, notes);
    }
    for subnet in &mut draft.subnets {
        let network = draft
            .networks
            .iter()
            .find(|network| Some(&network.name) == subnet.network.as_ref());
        let parent = network.map_or_else(
            || defaults.clone(),
            |network| network.settings.over(&defaults),
        );
        bound(&mut subnet.settings, subnet.line, notes);
        if subnet.network.is_some()
            && subnet
                .settings
                .match_client_id
                .take()
                .is_some_and(|own| own != parent.match_client_id.unwrap_or(true))
        {
            notes.left(
                subnet.line,
                "match-client-id of a subnet",
                "applies to the whole network",
            );
        }
        agree(&mut subnet.settings, &parent, subnet.line, notes);
        let own = subnet.settings.over(&parent);
        for pool in &mut subnet.pools {
            alone(&mut pool.settings, &own, pool.line, notes);
        }
        for reservation in &mut subnet.reservations {
            alone(&mut reservation.settings, &own, reservation.line, notes);
        }
    }
}

/// Limits each time to its valid range.
fn bound(settings: &mut Settings, line: usize, notes: &mut Notes) {
    for (what, secs) in [
        ("lease time", &mut settings.lease_secs),
        ("minimum lease time", &mut settings.min_lease_secs),
        ("maximum lease time", &mut settings.max_lease_secs),
    ] {
        if let Some(secs) = secs {
            let right = match *secs {
                INFINITE_SECS => INFINITE_SECS,
                finite => finite.clamp(MIN_LEASE_SECS, MAX_LEASE_SECS),
            };
            if *secs != right {
                notes.changed(
                    line,
                    format_args!("{what} of {secs} seconds"),
                    format_args!("set to {right} seconds, the nearest supported value"),
                );
                *secs = right;
            }
        }
    }
    for (secs, most) in [
        (&mut settings.offer_secs, MAX_OFFER_SECS),
        (&mut settings.decline_secs, MAX_DECLINE_SECS),
    ] {
        *secs = secs.map(|secs| secs.clamp(1, most));
    }
    for secs in [&mut settings.renewal_secs, &mut settings.rebinding_secs] {
        *secs =
            secs.filter(|secs| *secs > 0 && (*secs == INFINITE_SECS || *secs <= MAX_LEASE_SECS));
    }
}

/// Makes the times of a table consistent with those that it inherits.
fn agree(own: &mut Settings, parent: &Settings, line: usize, notes: &mut Notes) {
    let all = own.over(parent);
    let mut lease = all.lease_secs.unwrap_or(DEFAULT_LEASE_SECS);
    let (least, most) = (all.min_lease_secs, all.max_lease_secs);
    if let Some(most) = most
        && lease > most
    {
        notes.changed(
            line,
            format_args!("lease time of {lease} seconds"),
            format_args!("set to {most} seconds, the maximum lease time"),
        );
        lease = most;
        own.lease_secs = Some(lease);
    }
    if let Some(least) = least
        && lease < least
    {
        if most.is_some_and(|most| least > most) {
            notes.changed(
                line,
                format_args!("minimum lease time of {least} seconds"),
                format_args!("set to {lease} seconds, because it exceeds the maximum lease time"),
            );
            own.min_lease_secs = Some(lease);
        } else {
            notes.changed(
                line,
                format_args!("lease time of {lease} seconds"),
                format_args!("set to {least} seconds, the minimum lease time"),
            );
            lease = least;
            own.lease_secs = Some(lease);
        }
    }
    if all.renewal_secs.is_none() && all.rebinding_secs.is_none() {
        return;
    }
    let part = |numerator: u64, denominator: u64| match lease {
        INFINITE_SECS => INFINITE_SECS,
        lease => (u64::from(lease) * numerator / denominator) as u32,
    };
    let renewal = all.renewal_secs.unwrap_or_else(|| part(1, 2));
    let rebinding = all.rebinding_secs.unwrap_or_else(|| part(7, 8));
    let is_endless = lease == INFINITE_SECS;
    let are_in_order = renewal < rebinding || (is_endless && renewal == INFINITE_SECS);
    if are_in_order && (rebinding < lease || is_endless) {
        return;
    }
    let (right, last) = (part(1, 2), part(7, 8));
    notes.changed(
        line,
        format_args!("renewal after {renewal} and rebinding after {rebinding} seconds of a lease of {lease}"),
        format_args!("set to {right} and {last} seconds; renewal must precede rebinding, and both the end of the lease"),
    );
    own.renewal_secs = Some(right);
    own.rebinding_secs = Some(last);
}

/// Makes the times of a pool, a class or a reservation consistent, which do not inherit a lease
/// time.
fn alone(own: &mut Settings, around: &Settings, line: usize, notes: &mut Notes) {
    bound(own, line, notes);
    let depends = [
        own.min_lease_secs,
        own.max_lease_secs,
        own.renewal_secs,
        own.rebinding_secs,
    ];
    if own.lease_secs.is_none() && depends.iter().any(Option::is_some) {
        own.lease_secs = Some(around.lease_secs.unwrap_or(DEFAULT_LEASE_SECS));
        own.min_lease_secs = own.min_lease_secs.or(around.min_lease_secs);
        own.max_lease_secs = own.max_lease_secs.or(around.max_lease_secs);
    }
    // Such a table does not support these settings.
    let whole = [
        ("authoritative", own.authoritative.take().is_some()),
        ("rapid-commit", own.rapid_commit.take().is_some()),
        ("match-client-id", own.match_client_id.take().is_some()),
        ("offer time", own.offer_secs.take().is_some()),
        ("decline time", own.decline_secs.take().is_some()),
    ];
    for (what, is_there) in whole {
        if is_there {
            notes.left(line, what, "applies to whole subnets");
        }
    }
    if own.lease_secs.is_some() {
        agree(own, &Settings::default(), line, notes);
    }
}
