//! Length and end of replies.

use dhcp_common::wire::{BOOTP_MIN_LEN, ETHERNET_MTU, option};
use dhcp_testkit::world::*;

use crate::replies::with_options;

/// Returns a reply with `count` options of 200 octets to a client with this maximum message size.
fn reply(count: u8, max: u16) -> Received {
    let options = (0..count).map(|i| (224 + i, vec![i; 200])).collect();
    let message = discover(1).option(option::MAX_MESSAGE_SIZE, &max.to_be_bytes());
    with_options(options).ask(&message)
}

#[test]
fn c091_no_reply_is_longer_than_an_ethernet_frame_carries() {
    let datagram = reply(8, u16::MAX).payload.len() + 28;
    assert!(datagram <= ETHERNET_MTU, "{datagram}");
    assert!(datagram > ETHERNET_MTU - 202, "{datagram}");
}

#[test]
fn c097_end_closes_the_options_and_only_padding_follows() {
    let short = reply(0, 576).payload;
    assert_eq!(short.len(), BOOTP_MIN_LEN);
    let end = short.iter().rposition(|octet| *octet != 0).unwrap();
    // 240 octets precede the options; lease and server options take 27, the mask 6.
    assert_eq!((end, short[end]), (240 + 27 + 6, option::END));
    let long = reply(2, 1500).payload;
    assert_eq!(long.len(), 240 + 27 + 6 + 2 * 202 + 1);
    assert_eq!(long.last(), Some(&option::END));
}
