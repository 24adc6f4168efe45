//! Settings that Kea supports at several levels.

use super::{json::Node, reader::Reader};
use crate::convert::draft::Settings;

impl Reader<'_> {
    /// Reads a member, and returns whether it is such a setting.
    pub(super) fn setting(
        &mut self,
        settings: &mut Settings,
        key: &str,
        node: Node<'_>,
        line: usize,
    ) -> bool {
        let number = || node.number();
        match key {
            "valid-lifetime" => settings.lease_secs = number(),
            "min-valid-lifetime" => settings.min_lease_secs = number(),
            "max-valid-lifetime" => settings.max_lease_secs = number(),
            "renew-timer" => settings.renewal_secs = number().filter(|secs| *secs > 0),
            "rebind-timer" => settings.rebinding_secs = number().filter(|secs| *secs > 0),
            "decline-probation-period" => settings.decline_secs = number(),
            "offer-lifetime" => settings.offer_secs = number().filter(|secs| *secs > 0),
            "authoritative" => settings.authoritative = node.boolean(),
            "match-client-id" => settings.match_client_id = node.boolean(),
            "next-server" => settings.next_server = node.address(),
            "boot-file-name" => {
                settings.boot_file = node
                    .string()
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            }
            "server-hostname" => {
                settings.server_name = node
                    .string()
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            }
            "option-data" => {
                for option in node.elements().filter(|option| !option.is_null()) {
                    self.option(settings, option);
                }
            }
            "calculate-tee-times" | "t1-percent" | "t2-percent" => {
                self.notes.changed(
                    line,
                    key,
                    "renewal and rebinding times default to 1/2 and 7/8 of the lease time",
                );
            }
            _ => return false,
        }
        true
    }
}
