//! Parsers for octets and times on the command line.

use std::time::Duration;

use dhcp_store::wall_clock::{Sample, Utc};

/// Octets in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

/// Parses octets in hexadecimal, with or without colons.
pub fn octets(text: &str) -> Result<Octets, String> {
    let octets = dhcp_model::hex::parse_hex(text).map(Octets);
    octets.ok_or_else(|| "give octets in hexadecimal, such as 02:00:5e:00:53:01".to_owned())
}

/// Parses a time in the past, in RFC 3339 or as `2h ago`.
pub fn past_time(text: &str) -> Result<Utc, String> {
    let now = Sample::now().utc;
    let time = time_at(text.trim(), now)?;
    if time > now {
        return Err(format!("{time} is in the future"));
    }
    Ok(time)
}

fn time_at(text: &str, now: Utc) -> Result<Utc, String> {
    if let Some(duration) = text.strip_suffix("ago") {
        let duration = humantime::parse_duration(duration.trim())
            .map_err(|error| format!("{error}; give a time such as \"2h 30m ago\""))?;
        return Ok(now.shifted(nanos(duration).saturating_neg()));
    }
    let (text, east_ns) = split_offset(text);
    let time = humantime::parse_rfc3339_weak(text).map_err(|error| {
        format!("{error}; give a time such as 2026-11-24T20:15:00Z, or \"2h ago\"")
    })?;
    // humantime parses only times after 1970.
    let since_1970 = time.duration_since(std::time::UNIX_EPOCH);
    let utc = Utc(nanos(since_1970.unwrap_or_default()));
    Ok(utc.shifted(-east_ns))
}

/// Splits off the offset from UTC (RFC 3339 §5.6), of which humantime supports only `Z`.
fn split_offset(text: &str) -> (&str, i64) {
    const MINUTE_NS: i64 = 60 * 1_000_000_000;
    let parse = || {
        let at = text.len().checked_sub("+00:00".len())?;
        let (time, offset) = (text.get(..at)?, text.get(at..)?);
        let sign = match offset.get(..1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let part = |digits: &str, below: i64| digits.parse().ok().filter(|&part| part < below);
        let (hours, minutes): (i64, i64) = (part(hours, 24)?, part(minutes, 60)?);
        // Dates contain hyphens too, but an offset follows a time.
        time.contains(':')
            .then_some((time, sign * (hours * 60 + minutes) * MINUTE_NS))
    };
    parse().unwrap_or((text, 0))
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Utc = Utc(1_800_000_000_000_000_000);

    fn shown(text: &str) -> String {
        time_at(text, NOW).map_or_else(|error| error, |time| time.to_string())
    }

    #[test]
    fn times_are_given_absolutely_or_from_now() {
        for (text, expected) in [
            ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z"),
            ("2027-01-15 08:00:00", "2027-01-15T08:00:00Z"),
            ("2027-01-15T08:00:00+02:30", "2027-01-15T05:30:00Z"),
            ("2027-01-15T08:00:00-05:00", "2027-01-15T13:00:00Z"),
            ("2h ago", "2027-01-15T06:00:00Z"),
            ("1day 30m ago", "2027-01-14T07:30:00Z"),
            ("0s ago", "2027-01-15T08:00:00Z"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_what_would_be() {
        for text in [
            "",
            "yesterday",
            "2027-01-15",
            "2027-01-15T08:00:00+99:00",
            "08:00:00Z",
        ] {
            let error = shown(text);
            assert!(
                error.ends_with("give a time such as 2026-11-24T20:15:00Z, or \"2h ago\""),
                "{text}: {error}"
            );
        }
        assert!(shown("two hours ago").ends_with("give a time such as \"2h 30m ago\""));
        let error = past_time("2199-01-01T00:00:00Z");
        assert_eq!(
            error,
            Err("2199-01-01T00:00:00Z is in the future".to_owned())
        );
    }

    #[test]
    fn octets_come_with_colons_or_without() {
        assert_eq!(octets("02:00:5e"), Ok(Octets(vec![2, 0, 0x5e])));
        assert_eq!(octets("02005E"), Ok(Octets(vec![2, 0, 0x5e])));
        for text in ["", "2", "0x02", "02:zz"] {
            assert!(octets(text).is_err(), "{text}");
        }
    }
}
