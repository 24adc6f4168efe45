//! What dhcpd has and there is no counterpart of.

/// Why there is no counterpart.
pub fn reason(keyword: &str) -> &'static str {
    match keyword {
        "include" => "put what is in it into the file, and convert that",
        "allow" | "deny" | "ignore" => {
            "a client is served or not by its classes (`refuse`), and everybody may have addresses of pools"
        }
        "failover" | "mclt" | "split" | "load" => "there is no failover",
        "key" | "zone" | "omapi-port" | "omapi-key" => "DNS is not updated, and there is no OMAPI",
        "lease-file-name" => {
            "leases are kept in an SQLite file; `xdhcpd import` takes those of dhcpd"
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
        | "check-secs-byte-order" => "there is nothing to set here",
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
        | "dynamic-bootp-lease-length" => "there is no such setting",
        "set" | "unset" | "on" | "execute" | "eval" | "switch" | "case" | "default" | "add"
        | "define" | "return" | "send" | "supersede" | "append" | "prepend" => {
            "statements are not executed when a client comes"
        }
        "range6" | "fixed-address6" | "prefix6" => "only DHCPv4 is served",
        "range" => "give it a first and a last address, inside a subnet",
        "match" | "spawn" | "lease" => "classes are made of simple tests only",
        keyword
            if keyword.starts_with("ddns-")
                || keyword.starts_with("update-")
                || keyword == "do-forward-updates" =>
        {
            "DNS is not updated"
        }
        keyword if keyword.starts_with("ldap-") => "the configuration is a file",
        _ => "not understood here",
    }
}
