//! Every field that an answer depends on changes the id.

use std::{collections::BTreeMap, sync::Arc};

use super::*;

const TIMES: LeaseTimes = LeaseTimes {
    lease_secs: 600,
    renewal_secs: 300,
    rebinding_secs: 525,
    horizon_leases: 2,
    range: None,
};

fn option(code: u8, data: &[u8]) -> OptionValue {
    OptionValue {
        code,
        data: data.to_vec(),
    }
}

fn terms() -> Terms {
    Terms {
        server_id: Ipv4Addr::new(10, 0, 0, 1),
        mask: Ipv4Addr::new(255, 255, 255, 0),
        lease: TIMES,
        ipv6_mostly: false,
        options: Arc::new([option(3, &[10, 0, 0, 1])]),
        presence: Presence::default(),
        boot: Arc::default(),
        host_name: None,
    }
}

fn pattern(octets: &[u8], is_prefix: bool) -> Pattern {
    Pattern {
        octets: octets.to_vec(),
        is_prefix,
    }
}

fn class() -> Class {
    Class {
        name: "phones".into(),
        when: Condition::Is(Field::VendorClass, vec![pattern(b"phone", false)]),
        refuse: false,
        overrides: Overrides::default(),
    }
}

/// Changes one field at a time, each named, and asserts that no two digests are the same. The macro
/// takes the fields by a pattern without `..`, so that a test of a type that gets a new field does
/// not compile.
macro_rules! each_field {
    ($type:ident { $($field:ident = $value:expr),+ $(,)? } of $base:expr) => {{
        let $type { $($field: _),+ } = $base;
        let mut digests = BTreeMap::new();
        digests.insert(Encoder::digest(&$base), "as it was");
        $(
            let changed = $type { $field: $value, ..$base };
            let earlier = digests.insert(Encoder::digest(&changed), stringify!($field));
            assert_eq!(earlier, None, "{} changes nothing", stringify!($field));
        )+
    }};
}

#[test]
fn each_field_of_what_a_client_is_told_changes_the_id() {
    each_field!(Terms {
        server_id = Ipv4Addr::new(10, 0, 0, 2),
        mask = Ipv4Addr::new(255, 255, 0, 0),
        lease = LeaseTimes { lease_secs: 601, ..TIMES },
        ipv6_mostly = true,
        options = Arc::new([option(3, &[10, 0, 0, 2])]),
        presence = Presence { always: [210].into(), ..Presence::default() },
        boot = Arc::new(Boot { file: Some("pxe".into()), ..Boot::default() }),
        host_name = Some("printer".into()),
    } of terms());
    each_field!(LeaseTimes {
        lease_secs = 601,
        renewal_secs = 301,
        rebinding_secs = 526,
        horizon_leases = 3,
        range = Some([300, 600]),
    } of TIMES);
    each_field!(OptionValue { code = 6, data = vec![1] } of option(3, &[10, 0, 0, 1]));
    each_field!(Boot {
        next_server = Some(Ipv4Addr::new(10, 0, 0, 9)),
        file = Some("pxe".into()),
        server_name = Some("pxe".into()),
    } of Boot::default());
    each_field!(Presence { always = [6].into(), never = [6].into() } of Presence::default());
    each_field!(Overrides {
        lease = Some(TIMES),
        ipv6_mostly = Some(false),
        options = vec![option(3, &[])],
        presence = Presence { never: [6].into(), ..Presence::default() },
        boot = Boot { file: Some(String::new()), ..Boot::default() },
    } of Overrides::default());
}

#[test]
fn each_field_of_a_class_changes_the_digest() {
    each_field!(Class {
        name = "printers".into(),
        when = Condition::All(Vec::new()),
        refuse = true,
        overrides = Overrides { ipv6_mostly: Some(true), ..Overrides::default() },
    } of class());
    each_field!(Pattern { octets = b"p".to_vec(), is_prefix = true } of pattern(b"phone", false));
}

#[test]
fn each_condition_and_each_field_is_another_one() {
    let patterns = || vec![pattern(b"a", false)];
    let fields = [
        Field::VendorClass,
        Field::UserClass,
        Field::HardwareAddress,
        Field::CircuitId,
        Field::RemoteId,
        Field::SubscriberId,
    ];
    let of_fields = fields.map(|field| Condition::Is(field, patterns()));
    let conditions = [
        Condition::All(Vec::new()),
        Condition::All(vec![Condition::In(1)]),
        Condition::Any(Vec::new()),
        Condition::Any(vec![Condition::In(1)]),
        Condition::Not(Box::new(Condition::In(1))),
        Condition::Is(Field::VendorClass, Vec::new()),
        Condition::Enterprise(9, patterns()),
        Condition::Enterprise(10, patterns()),
        Condition::Enterprise(9, Vec::new()),
        Condition::Architecture(vec![7]),
        Condition::Architecture(vec![7, 9]),
        Condition::BootItem(vec![7]),
        Condition::BootItem(vec![7, 9]),
        Condition::In(1),
        Condition::In(2),
        Condition::Option(43, OptionTest::Present),
        Condition::Option(44, OptionTest::Present),
        Condition::Option(43, OptionTest::Matches(0, patterns())),
        Condition::Option(43, OptionTest::Matches(1, patterns())),
        Condition::Option(43, OptionTest::Matches(0, vec![pattern(b"b", false)])),
        Condition::Option(43, OptionTest::Contains(0, vec![b"a".to_vec()])),
        Condition::Option(43, OptionTest::Contains(1, vec![b"a".to_vec()])),
        Condition::Option(43, OptionTest::Contains(0, vec![b"b".to_vec()])),
        Condition::HostName(patterns()),
        Condition::HostName(Vec::new()),
        Condition::Giaddr(vec!["10.0.0.0/8".parse().unwrap()]),
        Condition::Giaddr(vec!["10.0.0.0/9".parse().unwrap()]),
        Condition::Giaddr(vec!["11.0.0.0/8".parse().unwrap()]),
        Condition::Known,
        Condition::Secs(4),
        Condition::Secs(5),
    ];
    let all: Vec<_> = of_fields.into_iter().chain(conditions).collect();
    let mut digests: Vec<_> = all.iter().map(Encoder::digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), all.len());
}

#[test]
fn neighbours_do_not_run_into_each_other() {
    let options =
        |lists: &[&[u8]]| -> Vec<_> { lists.iter().map(|data| option(1, data)).collect() };
    assert_ne!(
        Encoder::digest(&options(&[b"ab", b"c"])),
        Encoder::digest(&options(&[b"a", b"bc"]))
    );
    assert_ne!(
        Encoder::digest(&[Some(1u8), None]),
        Encoder::digest(&[None, Some(1u8)])
    );
}
