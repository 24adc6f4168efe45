//! The page: tables between two markers are written here, and the rest is kept.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{
    measured::Measured,
    plan::Plan,
    row::{DuringFlood, Row, find},
    subject::{Scenario, Server},
};

const BEGIN: &str = "<!-- written by `cargo xtask bench compare` -->";
const END: &str = "<!-- end of what is written -->";

/// Returns the page with other tables.
///
/// # Errors
/// The page lacks the markers.
pub fn with_table(page: &str, table: &str) -> Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) =
        parts.with_context(|| format!("the page lacks the lines `{BEGIN}` and `{END}`"))?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// Returns everything between the markers.
pub fn table(measured: &Measured, plan: &Plan, machine: &str) -> String {
    let command = if *plan == Plan::QUICK {
        "cargo xtask bench compare --quick"
    } else {
        "cargo xtask bench compare"
    };
    let versions = measured.versions.iter();
    let mut said: Vec<String> = versions
        .map(|(contender, version)| format!("{contender} {version}"))
        .collect();
    let absent = measured.absent.iter();
    said.extend(absent.map(|contender| format!("{contender} was not installed")));
    let mut text = format!(
        "By `{command}` on {machine}: {}. Medians; {} s a run.\n",
        said.join(", "),
        plan.time.as_secs_f64()
    );
    for (scenario, title) in [
        (
            Scenario::NewClients,
            "New clients, DISCOVER to ACK".to_owned(),
        ),
        (
            Scenario::NewClientsAtHalf,
            "New clients, at half of that rate".to_owned(),
        ),
        (Scenario::Renewals, "Renewals".to_owned()),
        (
            Scenario::RenewalsOnOneProcessor,
            "Renewals, both ends of the wire on one processor".to_owned(),
        ),
        (
            Scenario::NewClientsAtOneDepth,
            format!("New clients, {} under way for each", plan.depth()),
        ),
        (
            Scenario::RenewalsAtOneDepth,
            format!("Renewals, {} under way for each", plan.depth()),
        ),
        (Scenario::Storm, "A storm of known clients".to_owned()),
        (
            Scenario::RenewalsOfAMillion,
            "Renewals among many leases".to_owned(),
        ),
        (
            Scenario::StormOfManyClients,
            "A storm of many known clients".to_owned(),
        ),
        (
            Scenario::Flood,
            format!(
                "Renewals during a flood of {} bogus DISCOVERs a second",
                grouped(plan.flood.map_or(0, |flood| flood.per_second).into())
            ),
        ),
    ] {
        let rows = measured.rows.iter().filter(|row| row.workload == scenario);
        write_rows(&mut text, &title, &rows.collect::<Vec<_>>(), measured);
    }
    text.push('\n');
    for ratio in ratios(measured, plan) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {ratio}");
    }
    text
}

fn write_rows(text: &mut String, title: &str, rows: &[&Row], measured: &Measured) {
    if rows.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n| {title} | clients | a second | lost | p50 | p99 | under way | runs |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} % | {} | {} | {} | {} |",
            row.server,
            grouped(row.clients.into()),
            grouped(row.per_s as u64),
            row.loss * 100.0,
            time(row.p50_us),
            time(row.p99_us),
            under_way(measured, row),
            row.runs
        );
    }
}

/// Returns the number of exchanges in flight, where the generator determines it.
fn under_way(measured: &Measured, row: &Row) -> String {
    let mut in_flight = measured.in_flight.iter();
    let of_row =
        in_flight.find(|(server, scenario, _)| (*server, *scenario) == (row.server, row.workload));
    of_row.map_or_else(String::new, |(_, _, in_flight)| in_flight.to_string())
}

/// Returns comparisons of the rows of one run, as far as they exist.
pub fn ratios(measured: &Measured, plan: &Plan) -> Vec<String> {
    let rows = &measured.rows;
    let rate = |server, scenario| find(rows, server, scenario).map(|row| row.per_s);
    let mut said = Vec::new();
    for (scenario, ends) in [
        (Scenario::Renewals, "each end of the wire on a processor"),
        (
            Scenario::RenewalsOnOneProcessor,
            "both ends on one processor",
        ),
    ] {
        let rates = [Server::XDHCPD, Server::Reflector].map(|server| rate(server, scenario));
        if let [Some(ours), Some(ceiling)] = rates {
            said.push(format!(
                "renewals by xdhcpd, {ends}: {:.0} % of the bare reflector's",
                ours / ceiling * 100.0
            ));
        }
    }
    let ours = rate(Server::XDHCPD, Scenario::Renewals);
    for (scenario, what) in [
        (Scenario::Renewals, "renewals"),
        (Scenario::NewClients, "new clients, durable before the ACK,"),
    ] {
        if let (Some(ours), Some(fastest)) = (
            rate(Server::XDHCPD, scenario),
            fastest_other(rows, scenario),
        ) {
            said.push(format!(
                "{what} by xdhcpd: {:.1} times those of {}, the fastest other server here",
                ours / fastest.per_s,
                fastest.server
            ));
        }
    }
    if let Some(row) = find(rows, Server::XDHCPD, Scenario::NewClientsAtHalf) {
        said.push(format!(
            "new clients at half of what xdhcpd manages: 99 of 100 have their lease within {}",
            time(row.p99_us)
        ));
    }
    if let (Some(ours), Some(many)) = (ours, rate(Server::XDHCPD, Scenario::RenewalsOfAMillion)) {
        let ceilings = [Scenario::RenewalsOfAMillion, Scenario::Renewals];
        let ceilings = ceilings.map(|scenario| rate(Server::Reflector, scenario));
        let by_reflector = match ceilings {
            [Some(many), Some(few)] => format!(
                "; with as many clients the bare reflector has {:.0} % of what it has with few",
                many / few * 100.0
            ),
            _ => String::new(),
        };
        said.push(format!(
            "renewals by xdhcpd among {} leases: {:.0} % of those among {}{by_reflector}",
            grouped(plan.renewing_many.unwrap_or(0).into()),
            many / ours * 100.0,
            grouped(plan.renewing.into())
        ));
    }
    let measured_maps = rows.iter().filter(|row| row.octets.is_some());
    if let Some(row) = measured_maps.max_by_key(|row| row.clients) {
        said.push(format!(
            "memory of the kernel for xdhcpd's maps: {:.0} octets a lease, with {}",
            row.octets.unwrap_or_default(),
            grouped(row.clients.into())
        ));
    }
    if let Some(row) = find(rows, Server::XDHCPD, Scenario::StormOfManyClients) {
        let clients = f64::from(plan.storm_many.unwrap_or(0)) * (1.0 - row.loss);
        let slow = measured.storm_slow.map_or_else(String::new, |slow| {
            format!("; frames answered by the controller: {slow}")
        });
        said.push(format!(
            "a storm of {} known clients: {} served {} after the first frame{slow}",
            grouped(plan.storm_many.unwrap_or(0).into()),
            grouped(clients.round() as u64),
            time(clients / row.per_s * 1e6)
        ));
    }
    if let Some(row) = find(rows, Server::XDHCPD, Scenario::Flood)
        && let Some(during) = row.during_flood
    {
        said.extend(what_a_flood_leaves(row, during));
    }
    said
}

fn what_a_flood_leaves(row: &Row, during: DuringFlood) -> [String; 3] {
    let bogus = grouped(during.bogus_per_s.round() as u64);
    let flood = format!("during a flood of {bogus} bogus DISCOVERs a second");
    let [by_controller, new_clients] = [
        (during.by_controller, "are acknowledged"),
        (during.new_clients, "get a lease"),
    ]
    .map(|(tried, what)| {
        let [completed, begun] = [tried.completed, tried.begun].map(|count| grouped(count as u64));
        let mut said = format!("{completed} of {begun} {what}");
        if tried.completed > 0.0 {
            let [half, most] = [tried.p50_us, tried.p99_us].map(time);
            // Writing to a string cannot fail.
            let _ = write!(
                said,
                ", half of them within {half}, 99 of 100 within {most}"
            );
        }
        said
    });
    [
        format!(
            "{flood}: {:.2} % of the renewals that the kernel answers are lost; of those that need the controller \
             {by_controller}",
            row.loss * 100.0
        ),
        format!("{flood}: of new clients {new_clients}"),
        format!(
            "{flood}: the controller answers its socket within {}, 99 of 100 times within {}",
            time(during.asked_p50_us),
            time(during.asked_p99_us)
        ),
    ]
}

/// Returns the fastest of the other servers.
fn fastest_other(rows: &[Row], scenario: Scenario) -> Option<&Row> {
    rows.iter()
        .filter(|row| row.workload == scenario)
        .filter(|row| !matches!(row.server, Server::Reflector | Server::XDHCPD))
        .max_by(|a, b| a.per_s.total_cmp(&b.per_s))
}

/// Formats a time in a suitable unit.
fn time(micros: f64) -> String {
    match micros {
        ..1000.0 => format!("{micros:.0} µs"),
        ..1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// Formats a number with thousands separators.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        answers::Contender,
        throughput::row::tests::{during_flood, run},
    };

    fn row(server: Server, scenario: Scenario, per_s: f64) -> Row {
        Row::new(server, scenario, &[run(per_s)]).unwrap()
    }

    fn measured() -> Measured {
        Measured {
            rows: vec![
                row(Server::Reflector, Scenario::Renewals, 4_000_000.0),
                row(Server::XDHCPD, Scenario::Renewals, 3_000_000.0),
                row(Server::Kept(Contender::Kea), Scenario::Renewals, 20_000.0),
                row(Server::Kept(Contender::Dhcpd), Scenario::Renewals, 10_000.0),
            ],
            versions: vec![(Contender::Xdhcpd, "1.0".to_owned())],
            absent: vec![Contender::Dnsmasq],
            in_flight: vec![(Server::Kept(Contender::Kea), Scenario::Renewals, 32)],
            storm_slow: None,
        }
    }

    #[test]
    fn what_was_not_measured_is_named_and_has_no_row() {
        let text = table(&measured(), &Plan::QUICK, "two processors");
        assert!(
            text.contains("xdhcpd 1.0, dnsmasq was not installed"),
            "{text}"
        );
        assert!(!text.contains("| dnsmasq"), "{text}");
        assert!(
            text.contains("| Kea | 300 | 20,000 | 0.00 % | 50 µs | 100 µs | 32 | 1 |"),
            "{text}"
        );
        assert!(
            text.contains("bench compare --quick` on two processors"),
            "{text}"
        );
        assert!(!text.contains("storm"), "no storm was run: {text}");
    }

    #[test]
    fn ratios_are_those_of_rows_that_are_there() {
        let mut measured = measured();
        assert_eq!(
            ratios(&measured, &Plan::QUICK),
            [
                "renewals by xdhcpd, each end of the wire on a processor: 75 % of the bare reflector's",
                "renewals by xdhcpd: 150.0 times those of Kea, the fastest other server here",
            ]
        );
        let many = row(Server::XDHCPD, Scenario::RenewalsOfAMillion, 2_700_000.0);
        let reflected = row(Server::Reflector, Scenario::RenewalsOfAMillion, 2_000_000.0);
        let mut storm = row(Server::XDHCPD, Scenario::StormOfManyClients, 200_000.0);
        storm.loss = 0.5;
        measured.rows.extend([many, reflected, storm]);
        measured.storm_slow = Some(3);
        let said = ratios(&measured, &Plan::FULL);
        assert_eq!(
            said[2..],
            [
                "renewals by xdhcpd among 1,000,000 leases: 90 % of those among 1,000; with as many clients the bare \
                 reflector has 50 % of what it has with few",
                "a storm of 100,000 known clients: 50,000 served 250.0 ms after the first frame; \
                 frames answered by the controller: 3",
            ]
        );
        measured.rows.clear();
        let mut flood = row(Server::XDHCPD, Scenario::Flood, 50_000.0);
        flood.during_flood = Some(during_flood(590.0));
        flood.octets = Some(184.7);
        measured.rows.push(flood);
        assert_eq!(
            ratios(&measured, &Plan::FULL),
            [
                "memory of the kernel for xdhcpd's maps: 185 octets a lease, with 300",
                "during a flood of 1,000,000 bogus DISCOVERs a second: 0.00 % of the renewals that the kernel answers are lost; of those \
                 that need the controller 590 of 600 are acknowledged, half of them within 200 µs, 99 of 100 within 7.0 ms",
                "during a flood of 1,000,000 bogus DISCOVERs a second: of new clients 0 of 600 get a lease",
                "during a flood of 1,000,000 bogus DISCOVERs a second: the controller answers its socket within 1.0 ms, 99 of 100 times \
                 within 20.0 ms",
            ]
        );
        measured.rows.clear();
        assert!(ratios(&measured, &Plan::FULL).is_empty());
    }

    #[test]
    fn what_is_around_the_tables_stays() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let changed = with_table(&page, "new\n").unwrap();
        assert_eq!(changed, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert!(with_table("no markers", "new").is_err());
    }

    #[test]
    fn numbers_are_grouped_and_times_have_their_unit() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [3.2, 1500.0, 2_500_000.0].map(time),
            ["3 µs", "1.5 ms", "2.50 s"]
        );
    }
}
