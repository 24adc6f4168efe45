//! The JSON of messages, for addresses of both families and for prefixes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::Debug,
    net::{IpAddr, Ipv6Addr},
};

use serde::de::DeserializeOwned;

use super::*;

/// A prefix as DHCPv6 delegates it (RFC 8415 §21.22).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix(Ipv6Addr, u8);

impl Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/{}", self.0, self.1))
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let prefix = text.split_once('/');
        let prefix = prefix.and_then(|(first, len)| Some((first.parse().ok()?, len.parse().ok()?)));
        let (first, len) = prefix.ok_or_else(|| serde::de::Error::custom("no prefix"))?;
        Ok(Self(first, len))
    }
}

/// An address of either family, or a prefix, as a server of both families leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Leased {
    Address(IpAddr),
    Prefix(Prefix),
}

fn row<A>(address: A) -> Response<A> {
    Response::Lease(LeaseRow {
        address,
        state: "bound".to_owned(),
        network: 9,
        hardware_type: 1,
        hardware_address: "02:00:00:00:00:05".to_owned(),
        client_id: Some("01:ab".to_owned()),
        host_name: None,
        relay_info: None,
        since: None,
        expires: "2026-11-24T20:15:00Z".to_owned(),
        remaining_secs: Some(90),
    })
}

/// Returns the line of [`row`] with this address.
fn line(address: &str) -> String {
    format!(
        "{{\"response\":\"lease\",\"address\":\"{address}\",\"state\":\"bound\",\"network\":9,\
         \"hardware_type\":1,\"hardware_address\":\"02:00:00:00:00:05\",\"client_id\":\"01:ab\",\
         \"host_name\":null,\"relay_info\":null,\"since\":null,\
         \"expires\":\"2026-11-24T20:15:00Z\",\"remaining_secs\":90}}"
    )
}

/// Checks that a message has this JSON, and is parsed from it.
#[track_caller]
fn is_line<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T, line: &str) {
    assert_eq!(serde_json::to_string(message).unwrap(), line);
    assert_eq!(&serde_json::from_str::<T>(line).unwrap(), message);
}

#[test]
fn rows_are_of_an_address_of_either_family_or_of_a_prefix() {
    let v4 = Ipv4Addr::new(10, 0, 0, 5);
    let v6: Ipv6Addr = "2001:db8::5".parse().unwrap();
    let prefix = Prefix("2001:db8:0:100::".parse().unwrap(), 56);
    is_line(&row(v4), &line("10.0.0.5"));
    is_line(&row(v6), &line("2001:db8::5"));
    is_line(&row(prefix.clone()), &line("2001:db8:0:100::/56"));
    // One list may have all of them.
    for (leased, text) in [
        (Leased::Address(v4.into()), "10.0.0.5"),
        (Leased::Address(v6.into()), "2001:db8::5"),
        (Leased::Prefix(prefix), "2001:db8:0:100::/56"),
    ] {
        is_line(&row(leased), &line(text));
    }
}

#[test]
fn requests_name_an_address_of_either_family_or_a_prefix() {
    let v4 = Ipv4Addr::new(10, 0, 0, 5);
    is_line::<Request>(
        &Request::LeasesDelete { address: v4 },
        "{\"request\":\"leases-delete\",\"address\":\"10.0.0.5\"}",
    );
    is_line::<Request>(
        &Request::LeasesList {
            address: None,
            state: Some("bound".to_owned()),
        },
        "{\"request\":\"leases-list\",\"state\":\"bound\"}",
    );
    let v6: IpAddr = "2001:db8::5".parse().unwrap();
    is_line(
        &Request::LeasesRevoke { address: v6 },
        "{\"request\":\"leases-revoke\",\"address\":\"2001:db8::5\"}",
    );
    let prefix = Prefix("2001:db8:0:100::".parse().unwrap(), 56);
    is_line(
        &Request::LeasesList {
            address: Some(prefix),
            state: None,
        },
        "{\"request\":\"leases-list\",\"address\":\"2001:db8:0:100::/56\"}",
    );
}

#[test]
fn a_report_of_a_reload_names_addresses_of_either_family() {
    let report = |address: IpAddr| {
        Response::Reloaded(ReloadReport {
            untouched: 1,
            kept: 2,
            moved: 1,
            moved_addresses: vec![address],
            ended: 0,
            ended_addresses: vec![],
        })
    };
    for address in ["10.0.0.5", "2001:db8::5"] {
        let line = format!(
            "{{\"response\":\"reloaded\",\"untouched\":1,\"kept\":2,\"moved\":1,\
             \"moved_addresses\":[\"{address}\"],\"ended\":0,\"ended_addresses\":[]}}"
        );
        is_line(&report(address.parse().unwrap()), &line);
    }
}

#[test]
fn unknown_fields_of_a_request_are_refused() {
    for line in [
        "{\"request\":\"stats\",\"colour\":1}",
        "{\"request\":\"leases-delete\",\"address\":\"10.0.0.5\",\"colour\":1}",
    ] {
        assert!(serde_json::from_str::<Request>(line).is_err(), "{line}");
    }
}
