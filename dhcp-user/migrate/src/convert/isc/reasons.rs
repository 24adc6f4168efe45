//! Statements of dhcpd that have no equivalent.

/// Returns why a statement has no equivalent.
pub fn reason(keyword: &str) -> &'static str {
    match keyword {
        "include" => {
            "includes are not followed; insert its content into the file and convert again"
        }
        "allow" | "deny" | "ignore" => {
            "use classes with `refuse` to exclude clients; pools without classes are for all clients"
        }
        "failover" | "mclt" | "split" | "load" => "failover is not supported",
        "key" | "zone" | "omapi-port" | "omapi-key" => "DNS updates and OMAPI are not supported",
        "lease-file-name" => {
            "leases are stored in an SQLite file; `xdhcpd import` imports existing ones"
        }
        "log-facility"
        | "log"
        | "pid-file-name"
        | "db-time-format"
        | "dhcp-cache-threshold"
        | "delayed-ack"
        | "max-ack-delay"
        | "local-address"
        | "local-port"
        | "limited-broadcast-address"
        | "ping-check"
        | "ping-timeout"
        | "ping-timeout-ms"
        | "one-lease-per-client"
        | "stash-agent-options"
        | "remote-port"
        | "server-id-check"
        | "check-secs-byte-order" => "no such setting is needed",
        "always-broadcast"
        | "always-reply-rfc1048"
        | "boot-unknown-clients"
        | "get-lease-hostnames"
        | "infinite-is-reserved"
        | "min-secs"
        | "prefix-length-mode"
        | "adaptive-lease-time-threshold"
        | "site-option-space"
        | "vendor-option-space"
        | "use-lease-addr-for-default-route"
        | "echo-client-id"
        | "dynamic-bootp-lease-cutoff"
        | "dynamic-bootp-lease-length" => "not supported",
        "set" | "unset" | "on" | "execute" | "eval" | "switch" | "case" | "default" | "add"
        | "define" | "return" | "send" | "supersede" | "append" | "prepend" => {
            "statements are not executed for requests"
        }
        "range6" | "fixed-address6" | "prefix6" => "only DHCPv4 is supported",
        "range" => "give it a first and a last address, inside a subnet",
        "match" | "spawn" | "lease" => "classes support simple tests only",
        keyword
            if keyword.starts_with("ddns-")
                || keyword.starts_with("update-")
                || keyword == "do-forward-updates" =>
        {
            "DNS updates are not supported"
        }
        keyword if keyword.starts_with("ldap-") => "the configuration is read from a file only",
        _ => "not supported",
    }
}
