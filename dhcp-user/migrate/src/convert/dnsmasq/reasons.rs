//! Settings of dnsmasq that have no equivalent.

/// Returns why a setting of DHCP has no equivalent, or `None` if it does not concern DHCP.
pub fn reason(key: &str) -> Option<&'static str> {
    Some(match key {
        "dhcp-leasefile" | "dhcp-leasefile-ro" | "leasefile-ro" => {
            "leases are stored in an SQLite file; `xdhcpd import` imports existing ones"
        }
        "dhcp-lease-max" => "see `server.max-leases` and the size of the pools",
        "dhcp-script" | "dhcp-luascript" | "dhcp-scriptuser" | "script-on-renewal"
        | "script-arp" => "hooks are not supported",
        "dhcp-name-match" => "classes cannot test host names",
        "dhcp-relay" => "the server contains no relay agent",
        "dhcp-broadcast" | "dhcp-sequential-ip" | "no-ping" | "dhcp-no-override"
        | "dhcp-reply-delay" | "dhcp-duid" | "log-dhcp" | "quiet-dhcp" | "dhcp-option-pxe" => {
            "no such setting is needed"
        }
        "bootp-dynamic" => "BOOTP clients get reserved addresses only (`bootp`)",
        "pxe-service" | "pxe-prompt" | "dhcp-pxe-vendor" => {
            "boot menus are not supported; set `boot-file` by architecture"
        }
        "dhcp-proxy" => "clients renew directly with the server",
        "dhcp-alternate-port"
        | "dhcp-ttl"
        | "dhcp-fqdn"
        | "dhcp-generate-names"
        | "dhcp-ignore-names" => "not supported",
        "read-ethers" => "add reservations for the entries of /etc/ethers",
        "shared-network" => "put the subnets into one [[network]]",
        "except-interface" | "no-dhcp-interface" | "no-dhcpv4-interface" | "listen-address" => {
            "only the interfaces in [[interface]] are served"
        }
        key if key.starts_with("dhcp-") => "unknown",
        _ => return None,
    })
}
