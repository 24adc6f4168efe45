//! Settings of Kea that have no equivalent.

/// Returns why a setting has no equivalent.
pub fn reason(key: &str) -> &'static str {
    match key {
        "lease-database" | "lease-databases" => {
            "leases are stored in an SQLite file; `xdhcpd import` imports existing ones"
        }
        "hosts-database" | "hosts-databases" | "config-control" => {
            "reservations and configuration are in one file"
        }
        "hooks-libraries" => "hooks are not supported",
        "loggers" => "the log goes to standard error; RUST_LOG sets its level",
        "control-socket" | "control-sockets" => "see `server.control-socket`",
        "expired-leases-processing"
        | "cache-threshold"
        | "cache-max-age"
        | "multi-threading"
        | "dhcp-queue-control"
        | "parked-packet-limit"
        | "statistic-default-sample-count"
        | "statistic-default-sample-age"
        | "sanity-checks"
        | "server-tag"
        | "stash-agent-options" => "no such setting is needed",
        "dhcp-ddns"
        | "ddns-send-updates"
        | "ddns-override-no-update"
        | "ddns-override-client-update"
        | "ddns-replace-client-name"
        | "ddns-generated-prefix"
        | "ddns-qualifying-suffix"
        | "ddns-update-on-renew"
        | "ddns-use-conflict-resolution"
        | "ddns-conflict-resolution-mode"
        | "ddns-ttl"
        | "ddns-ttl-percent"
        | "hostname-char-set"
        | "hostname-char-replacement"
        | "enable-updates" => "DNS updates are not supported",
        "reservation-mode"
        | "reservations-global"
        | "reservations-in-subnet"
        | "reservations-out-of-pool"
        | "reservations-lookup-first"
        | "ip-reservations-unique"
        | "early-global-reservations-lookup" => {
            "reservations belong to a subnet and always apply, inside and outside of pools"
        }
        "require-client-classes"
        | "evaluate-additional-classes"
        | "only-if-required"
        | "only-in-additional-list" => "all classes are evaluated for every client",
        "allocator" => "there is only one allocator",
        "4o6-interface" | "4o6-interface-id" | "4o6-subnet" | "dhcp4o6-port" => {
            "DHCPv4 over DHCPv6 is not supported"
        }
        "echo-client-id" => "the identifier is always returned (RFC 6842)",
        "store-extended-info" => "option 82 is always stored with a lease",
        "template-test" => "template classes are not supported",
        "user-context" | "comment" => "comments are not converted",
        "compatibility" => "compatibility flags are not supported",
        _ => "unknown",
    }
}
