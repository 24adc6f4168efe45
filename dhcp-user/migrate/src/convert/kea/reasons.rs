//! What Kea has and there is no counterpart of.

/// Why there is no counterpart.
pub fn reason(key: &str) -> &'static str {
    match key {
        "lease-database" | "lease-databases" => {
            "leases are kept in an SQLite file; `xdhcpd import` takes those of a memfile"
        }
        "hosts-database" | "hosts-databases" | "config-control" => {
            "reservations and configuration stand in one file here"
        }
        "hooks-libraries" => "there are no hooks; what a hook did is not done",
        "loggers" => "RUST_LOG says what is logged, to standard error",
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
        | "stash-agent-options" => "there is nothing to set here",
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
        | "enable-updates" => "DNS is not updated",
        "reservation-mode"
        | "reservations-global"
        | "reservations-in-subnet"
        | "reservations-out-of-pool"
        | "reservations-lookup-first"
        | "ip-reservations-unique"
        | "early-global-reservations-lookup" => {
            "reservations are those of a subnet, always looked up, in a pool or not"
        }
        "require-client-classes"
        | "evaluate-additional-classes"
        | "only-if-required"
        | "only-in-additional-list" => "classes are looked at for every client",
        "allocator" => "addresses are given out in one way",
        "4o6-interface" | "4o6-interface-id" | "4o6-subnet" | "dhcp4o6-port" => {
            "DHCPv4 over DHCPv6 is not served"
        }
        "echo-client-id" => "the identifier is always returned (RFC 6842)",
        "store-extended-info" => "option 82 is always kept with a lease",
        "template-test" => "there are no classes that are made as clients come",
        "user-context" | "comment" => "a comment",
        "compatibility" => "there are no such exceptions",
        _ => "not known here",
    }
}
