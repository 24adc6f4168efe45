//! Boot parameters.

use std::net::Ipv4Addr;

use super::{good, problems::problems, subnet};
use crate::Boot;

#[test]
fn each_boot_setting_comes_from_the_nearest_table_that_has_it() {
    let text = format!(
        "[defaults]\nnext-server = '192.0.2.1'\nserver-name = 'a.example'\n\
         [[network]]\nname = 'campus'\nboot-file = 'campus.efi'\nserver-name = 'b.example'\n{}",
        subnet(
            "boot-file = 'lan.0'\n\
             [[subnet.reservation]]\nclient-id = '0102'\naddress = '10.0.0.5'\nboot-file = 'own.efi'\n\
             [[subnet]]\nprefix = '10.0.1.0/24'\nnetwork = 'campus'\nnext-server = '192.0.2.2'\n"
        )
    );
    let config = good(&text);
    let boot = |last: u8, file: &str, name: &str| Boot {
        next_server: Some(Ipv4Addr::new(192, 0, 2, last)),
        file: Some(file.to_owned()),
        server_name: Some(name.to_owned()),
    };
    let mut found: Vec<_> = config.subnets().map(|(_, subnet)| subnet).collect();
    found.sort_by_key(|subnet| subnet.prefix);
    assert_eq!(found[0].boot, boot(1, "lan.0", "a.example"));
    assert_eq!(found[1].boot, boot(2, "campus.efi", "b.example"));
    let own = &found[0].reservations[0].overrides.boot;
    assert_eq!(own.over(&found[0].boot), boot(1, "own.efi", "a.example"));
}

#[test]
fn boot_settings_that_no_field_holds_are_refused() {
    let long = "x".repeat(256);
    let cases = [
        (
            "next-server = '0.0.0.0'",
            "next-server = '0.0.0.0': not a host address; give a unicast address",
        ),
        (
            "boot-file = ''",
            "boot-file = '': invalid text; give 1 to 255 printable octets such as \"pxelinux.0\"",
        ),
        (
            "server-name = \"a\\u0000\"",
            "invalid text; give 1 to 255 printable octets such as \"boot.example.net\"",
        ),
        (&*format!("boot-file = '{long}'"), "give 1 to 255"),
    ];
    for (line, expected) in cases {
        let found = problems(&subnet(line));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    }
}
