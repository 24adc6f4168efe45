//! Options that are sent, or not sent, whatever a client lists.

use super::{good, problems::problems, subnet};
use crate::Presence;

fn presence(always: &[u8], never: &[u8]) -> Presence {
    Presence {
        always: always.iter().copied().collect(),
        never: never.iter().copied().collect(),
    }
}

#[test]
fn c093_the_innermost_table_that_names_an_option_decides() {
    let text = format!(
        "[defaults]\nalways = ['pxelinux-path-prefix', 150]\nnever = [6]\n\
         options = {{ pxelinux-path-prefix = '/p/', '150' = 'hex:0a000001' }}\n\
         [[class]]\nname = 'c'\nwhen = {{ user-class = 'x' }}\nnever = [210]\n{}",
        subnet(
            "never = ['150']\nalways = [6, 'host-name']\n\
             options = { domain-name-servers = ['10.0.0.53'] }\n\
             [[subnet.reservation]]\nclient-id = '0102'\naddress = '10.0.0.5'\nhost-name = 'a'\n\
             always = [150]\n"
        )
    );
    let config = good(&text);
    let subnet = &config.networks[0].subnets[0];
    assert_eq!(subnet.presence, presence(&[6, 12, 210], &[150]));
    let class = &config.classes[0].overrides.presence;
    assert_eq!(*class, presence(&[], &[210]));
    assert_eq!(
        class.over(&subnet.presence),
        presence(&[6, 12], &[150, 210])
    );
    let own = &subnet.reservations[0].overrides.presence;
    assert_eq!(
        own.over(&subnet.presence),
        presence(&[6, 12, 150, 210], &[])
    );
}

#[test]
fn options_that_nobody_can_choose_about_are_refused() {
    let cases = [
        (
            "never = ['mtuu']",
            "subnet[0].never[0] = 'mtuu': unknown option; did you mean `mtu`?",
        ),
        (
            "never = ['zzzzzzzz']",
            "unknown option; give it by number, such as 210",
        ),
        ("never = [255]", "out of range; give a number from 1 to 254"),
        (
            "never = [true]",
            "wrong type (boolean); give a number from 1 to 254",
        ),
        (
            "never = 6",
            "give a list of options such as \"pxelinux-path-prefix\" or 210",
        ),
        (
            "never = [51]",
            "never[0] = 51: whether option 51 is sent cannot be chosen: set `lease-time`; remove it",
        ),
        ("always = [108]", "cannot be chosen: set `ipv6-mostly`"),
        (
            "always = [26]\noptions = { mtu = 1400 }\nnever = ['mtu']",
            "never[0] = 'mtu': option 26 is also in subnet[0].always[0] (line ",
        ),
        (
            "always = [26]",
            "always[0] = 26: option 26 is set nowhere in the file; add `mtu` to `options`",
        ),
        (
            "always = ['224']",
            "option 224 is set nowhere in the file; add `\"224\"` to `options`, or remove it",
        ),
        (
            "always = ['host-name', 'bootfile-name']\nboot-file = 'a'",
            "option 12 is set nowhere in the file",
        ),
    ];
    for (lines, expected) in cases {
        let found = problems(&subnet(lines));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    }
}
