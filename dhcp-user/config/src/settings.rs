//! Settings that `[defaults]`, networks and subnets have in common. The innermost value applies.

use std::{collections::HashSet, time::Duration};

use dhcp_common::wire::INFINITE_SECS;
use dhcp_model::LeaseTimes;

use super::{
    boot::Boot,
    options,
    raw::{Node, Section},
    types::{OptionValue, Overrides, Presence},
};

/// Applies to a whole network: the subnets of a shared network cannot set it.
pub(super) const MATCH_CLIENT_ID: &str = "match-client-id";

/// The keys of `[defaults]`, networks and subnets.
pub(super) const KNOWN: [&str; 20] = [
    "lease-time",
    "min-lease-time",
    "max-lease-time",
    "renewal-time",
    "rebinding-time",
    "horizon-leases",
    "offer-time",
    "probe-time",
    "decline-time",
    "authoritative",
    "rapid-commit",
    "bootp",
    "ipv6-mostly",
    MATCH_CLIENT_ID,
    "options",
    "always",
    "never",
    "next-server",
    "boot-file",
    "server-name",
];

/// The keys of pools, classes and reservations.
pub(super) const OVERRIDES: [&str; 12] = [
    "lease-time",
    "min-lease-time",
    "max-lease-time",
    "renewal-time",
    "rebinding-time",
    "ipv6-mostly",
    "options",
    "always",
    "never",
    "next-server",
    "boot-file",
    "server-name",
];

const DEFAULT_LEASE_SECS: u32 = 3600;
const DEFAULT_HORIZON_LEASES: u32 = 2;
const DEFAULT_OFFER_TIME: Duration = Duration::from_secs(60);
const DEFAULT_PROBE_TIME: Duration = Duration::from_millis(500);
const DEFAULT_DECLINE_TIME: Duration = Duration::from_secs(24 * 3600);
/// A year as humantime counts it.
const YEAR_SECS: u32 = 31_557_600;
/// With at most [`MAX_HORIZON_LEASES`], every horizon fits into the 292 years that an `i64` of
/// nanoseconds holds.
const MAX_LEASE_SECS: u32 = 10 * YEAR_SECS;
const MAX_HORIZON_LEASES: i64 = 8;
const MAX_OFFER_TIME: Duration = Duration::from_secs(3600);
/// A host on the same link answers faster than this; a client retransmits after about 4 s (RFC 2131
/// §4.1).
const MIN_PROBE_TIME: Duration = Duration::from_millis(10);
const MAX_PROBE_TIME: Duration = Duration::from_secs(10);
const MAX_DECLINE_TIME: Duration = Duration::from_secs(YEAR_SECS as u64);

/// The settings of one table; `None` for those that it does not set.
#[derive(Clone, Default)]
pub(super) struct Settings<'a> {
    lease: Option<Seconds<'a>>,
    min_lease: Option<Seconds<'a>>,
    max_lease: Option<Seconds<'a>>,
    renewal: Option<Seconds<'a>>,
    rebinding: Option<Seconds<'a>>,
    horizon_leases: Option<u32>,
    offer_time: Option<Duration>,
    probe_time: Option<Duration>,
    decline_time: Option<Duration>,
    authoritative: Option<bool>,
    rapid_commit: Option<bool>,
    bootp: Option<bool>,
    ipv6_mostly: Option<bool>,
    match_client_id: Option<bool>,
    options: Vec<OptionValue>,
    presence: Presence,
    boot: Boot,
}

#[derive(Clone)]
struct Seconds<'a> {
    secs: u32,
    node: Node<'a>,
}

impl<'a> Settings<'a> {
    /// Reads the settings of a table.
    pub fn read(section: &Section<'a>) -> Self {
        let seconds = |key| section.get(key).and_then(Seconds::read);
        let duration = |key, such_as, max| {
            let node = section.get(key)?;
            read_duration(&node, such_as, max)
        };
        Self {
            lease: seconds("lease-time"),
            min_lease: seconds("min-lease-time"),
            max_lease: seconds("max-lease-time"),
            renewal: seconds("renewal-time"),
            rebinding: seconds("rebinding-time"),
            horizon_leases: section
                .get("horizon-leases")
                .and_then(|node| node.integer(1..=MAX_HORIZON_LEASES)),
            offer_time: duration("offer-time", "60s", MAX_OFFER_TIME),
            probe_time: section
                .get("probe-time")
                .and_then(|node| read_probe_time(&node)),
            decline_time: duration("decline-time", "24h", MAX_DECLINE_TIME),
            authoritative: section.get("authoritative").and_then(|node| node.boolean()),
            rapid_commit: section.get("rapid-commit").and_then(|node| node.boolean()),
            bootp: section.get("bootp").and_then(|node| node.boolean()),
            ipv6_mostly: section.get("ipv6-mostly").and_then(|node| node.boolean()),
            match_client_id: section.get(MATCH_CLIENT_ID).and_then(|node| node.boolean()),
            options: section
                .get("options")
                .map(|node| options::read(&node))
                .unwrap_or_default(),
            presence: Presence::read(section),
            boot: Boot::read(section),
        }
    }

    /// Reads the table `[defaults]`.
    pub fn defaults(root: &Section<'a>) -> Self {
        root.get("defaults")
            .and_then(|node| node.section(&KNOWN))
            .map(|section| Self::read(&section))
            .unwrap_or_default()
            .over(&Settings::default())
    }

    /// Returns the settings that clients get on links where another server gives the addresses.
    pub fn of_proxy(&self) -> Overrides {
        Overrides {
            options: self.options.clone(),
            boot: self.boot.clone(),
            ..Overrides::default()
        }
    }

    /// Returns these settings, with those of `parent` where these are unset. Checks the times,
    /// because subnets that set no times rely on it.
    pub fn over(self, parent: &Self) -> Self {
        self.lease_times(parent);
        Self {
            options: self.options(parent),
            lease: self.lease.or_else(|| parent.lease.clone()),
            min_lease: self.min_lease.or_else(|| parent.min_lease.clone()),
            max_lease: self.max_lease.or_else(|| parent.max_lease.clone()),
            renewal: self.renewal.or_else(|| parent.renewal.clone()),
            rebinding: self.rebinding.or_else(|| parent.rebinding.clone()),
            horizon_leases: self.horizon_leases.or(parent.horizon_leases),
            offer_time: self.offer_time.or(parent.offer_time),
            probe_time: self.probe_time.or(parent.probe_time),
            decline_time: self.decline_time.or(parent.decline_time),
            authoritative: self.authoritative.or(parent.authoritative),
            rapid_commit: self.rapid_commit.or(parent.rapid_commit),
            bootp: self.bootp.or(parent.bootp),
            ipv6_mostly: self.ipv6_mostly.or(parent.ipv6_mostly),
            match_client_id: self.match_client_id.or(parent.match_client_id),
            presence: self.presence.over(&parent.presence),
            boot: self.boot.over(&parent.boot),
        }
    }

    /// Returns the lease times, and notes those that contradict each other.
    pub fn lease_times(&self, defaults: &Settings<'_>) -> LeaseTimes {
        let own = [&self.lease, &self.renewal, &self.rebinding];
        let lease = self.lease.as_ref().or(defaults.lease.as_ref());
        let renewal = self.renewal.as_ref().or(defaults.renewal.as_ref());
        let rebinding = self.rebinding.as_ref().or(defaults.rebinding.as_ref());
        let lease_secs = lease.map_or(DEFAULT_LEASE_SECS, |lease| lease.secs);
        // RFC 2131 §4.4.5. An infinite lease is not renewed unless the file sets a renewal time.
        let of_lease = |numerator: u64, denominator: u64| match lease_secs {
            INFINITE_SECS => INFINITE_SECS,
            secs => (u64::from(secs) * numerator / denominator) as u32,
        };
        let least = self.min_lease.as_ref().or(defaults.min_lease.as_ref());
        let most = self.max_lease.as_ref().or(defaults.max_lease.as_ref());
        for (setting, is_wrong, bound, relation) in [
            (
                &self.min_lease,
                least.is_some_and(|least| least.secs > lease_secs),
                "lower bound",
                "longer",
            ),
            (
                &self.max_lease,
                most.is_some_and(|most| most.secs < lease_secs),
                "upper bound",
                "shorter",
            ),
        ] {
            // A problem is noted at the table that sets a time; tables that inherit it do not
            // repeat it.
            let node = setting
                .as_ref()
                .or(self.lease.as_ref())
                .filter(|_| is_wrong);
            if let Some(time) = node {
                time.node.refuse(format_args!(
                    "the {bound} is {relation} than the lease time of {}; give min-lease-time ≤ lease-time ≤ max-lease-time",
                    text(lease_secs)
                ));
            }
        }
        let times = LeaseTimes {
            range: least
                .or(most)
                .map(|_| [least, most].map(|bound| bound.map_or(lease_secs, |bound| bound.secs))),
            lease_secs,
            renewal_secs: renewal.map_or(of_lease(1, 2), |time| time.secs),
            rebinding_secs: rebinding.map_or(of_lease(7, 8), |time| time.secs),
            horizon_leases: self
                .horizon_leases
                .or(defaults.horizon_leases)
                .unwrap_or(DEFAULT_HORIZON_LEASES),
        };
        // A problem is noted at the table that sets a time; tables that inherit it do not repeat
        // it.
        check_order(&times, own.map(|time| time.as_ref().map(|time| &time.node)));
        times
    }

    /// Returns the time that an offer is held, 60 s by default.
    pub fn offer_time(&self, defaults: &Settings<'_>) -> Duration {
        self.offer_time
            .or(defaults.offer_time)
            .unwrap_or(DEFAULT_OFFER_TIME)
    }

    /// Returns the time to wait for answers to probes, 500 ms by default.
    pub fn probe_time(&self, defaults: &Settings<'_>) -> Duration {
        self.probe_time
            .or(defaults.probe_time)
            .unwrap_or(DEFAULT_PROBE_TIME)
    }

    /// Returns the time that a declined address is out of service, 24 h by default.
    pub fn decline_time(&self, defaults: &Settings<'_>) -> Duration {
        self.decline_time
            .or(defaults.decline_time)
            .unwrap_or(DEFAULT_DECLINE_TIME)
    }

    /// Returns whether unknown clients get a NAK, by default not.
    pub fn authoritative(&self, defaults: &Settings<'_>) -> bool {
        self.authoritative
            .or(defaults.authoritative)
            .unwrap_or(false)
    }

    /// Returns whether option 80 is supported (RFC 4039), by default not.
    pub fn rapid_commit(&self, defaults: &Settings<'_>) -> bool {
        self.rapid_commit.or(defaults.rapid_commit).unwrap_or(false)
    }

    /// Returns whether BOOTP clients are answered (RFC 1534), by default not.
    pub fn bootp(&self, defaults: &Settings<'_>) -> bool {
        self.bootp.or(defaults.bootp).unwrap_or(false)
    }

    /// Returns whether the network is IPv6-mostly (RFC 8925), by default not.
    pub fn ipv6_mostly(&self, defaults: &Settings<'_>) -> bool {
        self.ipv6_mostly.or(defaults.ipv6_mostly).unwrap_or(false)
    }

    /// Returns whether clients are identified by option 61, by default so.
    pub fn match_client_id(&self, defaults: &Settings<'_>) -> bool {
        self.match_client_id
            .or(defaults.match_client_id)
            .unwrap_or(true)
    }

    /// Returns the boot parameters.
    pub fn boot(&self, defaults: &Settings<'_>) -> Boot {
        self.boot.over(&defaults.boot)
    }

    /// Returns which options are sent whatever a client lists.
    pub fn presence(&self, defaults: &Settings<'_>) -> Presence {
        self.presence.over(&defaults.presence)
    }

    /// Returns these options, followed by those of `defaults` that are not among them.
    pub fn options(&self, defaults: &Settings<'_>) -> Vec<OptionValue> {
        let own: HashSet<u8> = self.options.iter().map(|option| option.code).collect();
        let inherited = defaults.options.iter();
        let inherited = inherited.filter(|option| !own.contains(&option.code));
        self.options.iter().chain(inherited).cloned().collect()
    }
}

impl Overrides {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let settings = Settings::read(section);
        let nothing = Settings::default();
        let of_lease = [
            &settings.min_lease,
            &settings.max_lease,
            &settings.renewal,
            &settings.rebinding,
        ];
        let has_lease = settings.lease.is_some();
        if let Some(time) = of_lease.into_iter().flatten().next()
            && !has_lease
        {
            let what = "depends on the lease time; add `lease-time = \"1h\"`";
            time.node.refuse(what);
        }
        Self {
            lease: has_lease.then(|| settings.lease_times(&nothing)),
            ipv6_mostly: settings.ipv6_mostly,
            options: settings.options(&nothing),
            presence: settings.presence(&nothing),
            boot: settings.boot(&nothing),
        }
    }
}

/// Notes times that are out of order: T1 must be before T2, and T2 before the end of the lease (RFC
/// 2131 §4.4.5).
fn check_order(times: &LeaseTimes, [lease, renewal, rebinding]: [Option<&Node<'_>>; 3]) {
    let (t1, t2) = (text(times.renewal_secs), text(times.rebinding_secs));
    let is_endless = times.lease_secs == INFINITE_SECS;
    let never_renews = is_endless && times.renewal_secs == INFINITE_SECS;
    if times.renewal_secs >= times.rebinding_secs
        && !never_renews
        && let Some(node) = renewal.or(rebinding).or(lease)
    {
        node.refuse(format_args!(
            "renewal after {t1} is not before rebinding after {t2}; give renewal-time < rebinding-time < lease-time, or set only lease-time, to at least \"3s\""
        ));
    }
    if times.rebinding_secs >= times.lease_secs
        && !is_endless
        && let Some(node) = rebinding.or(lease).or(renewal)
    {
        node.refuse(format_args!(
            "rebinding after {t2} is not before the end of a lease of {}; give renewal-time < rebinding-time < lease-time",
            text(times.lease_secs)
        ));
    }
}

/// Formats seconds, such as `1h 30m`.
fn text(secs: u32) -> String {
    match secs {
        INFINITE_SECS => "infinite time".to_owned(),
        secs => humantime::format_duration(Duration::from_secs(secs.into())).to_string(),
    }
}

impl<'a> Seconds<'a> {
    fn read(node: Node<'a>) -> Option<Self> {
        if node.string("1h")? == "infinite" {
            return Some(Self {
                secs: INFINITE_SECS,
                node,
            });
        }
        let max = Duration::from_secs(MAX_LEASE_SECS.into());
        let duration = read_duration(&node, "1h", max)?;
        let secs = u32::try_from(duration.as_secs()).ok()?;
        Some(Self { secs, node })
    }
}

fn parse_duration(node: &Node<'_>, such_as: &str) -> Option<Duration> {
    match humantime::parse_duration(node.string(such_as)?) {
        Ok(duration) => Some(duration),
        Err(error) => {
            node.refuse(format_args!(
                "not a duration ({error}); give one such as {such_as:?}"
            ));
            None
        }
    }
}

/// Reads a probe time. Zero disables probing.
fn read_probe_time(node: &Node<'_>) -> Option<Duration> {
    let duration = parse_duration(node, "500ms")?;
    if !duration.is_zero() && !(MIN_PROBE_TIME..=MAX_PROBE_TIME).contains(&duration) {
        node.refuse(format_args!(
            "out of range; give \"{}\" to \"{}\", or \"0s\" to disable probing",
            humantime::format_duration(MIN_PROBE_TIME),
            humantime::format_duration(MAX_PROBE_TIME)
        ));
        return None;
    }
    Some(duration)
}

/// Reads a duration of whole seconds, from one second to `max`.
pub(super) fn read_duration(node: &Node<'_>, such_as: &str, max: Duration) -> Option<Duration> {
    let duration = parse_duration(node, such_as)?;
    if duration.is_zero() || duration > max || duration.subsec_nanos() != 0 {
        node.refuse(format_args!(
            "out of range; give whole seconds from \"1s\" to \"{}\"",
            humantime::format_duration(max)
        ));
        return None;
    }
    Some(duration)
}
