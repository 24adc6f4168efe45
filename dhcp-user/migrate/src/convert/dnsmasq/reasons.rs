//! What dnsmasq has and there is no counterpart of.

/// Why what is about DHCP has no counterpart; `None` for what is about something else.
pub fn reason(key: &str) -> Option<&'static str> {
    Some(match key {
        "dhcp-leasefile" | "dhcp-leasefile-ro" | "leasefile-ro" => {
            "leases are kept in an SQLite file; `xdhcpd import` takes those of dnsmasq"
        }
        "dhcp-lease-max" => "see `server.max-leases` and the size of the pools",
        "dhcp-script" | "dhcp-luascript" | "dhcp-scriptuser" | "script-on-renewal"
        | "script-arp" => "there are no hooks; what the script did is not done",
        "dhcp-name-match" => "host names tell no class",
        "dhcp-relay" => "there is no relay agent here",
        "dhcp-broadcast" | "dhcp-sequential-ip" | "no-ping" | "dhcp-no-override"
        | "dhcp-reply-delay" | "dhcp-duid" | "log-dhcp" | "quiet-dhcp" | "dhcp-option-pxe" => {
            "there is nothing to set here"
        }
        "bootp-dynamic" => "BOOTP is not served",
        "pxe-service" | "pxe-prompt" | "dhcp-pxe-vendor" => {
            "boot menus are not served; give `boot-file` by architecture"
        }
        "dhcp-proxy" => "clients renew with the server itself",
        "dhcp-alternate-port"
        | "dhcp-ttl"
        | "dhcp-fqdn"
        | "dhcp-generate-names"
        | "dhcp-ignore-names" => "there is no such setting",
        "read-ethers" => "give reservations for what is in /etc/ethers",
        "shared-network" => "put the subnets into one [[network]]",
        "except-interface" | "no-dhcp-interface" | "no-dhcpv4-interface" | "listen-address" => {
            "the interfaces that are served are those under [[interface]]"
        }
        key if key.starts_with("dhcp-") => "not known here",
        _ => return None,
    })
}
