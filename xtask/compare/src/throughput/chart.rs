//! The chart: a bar for each row, on a logarithmic scale.

use anyhow::{Result, anyhow};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    page,
    row::{Row, find},
    subject::{Scenario, Server},
};

const SIZE: (u32, u32) = (900, 420);
/// Workloads that run with all servers.
const SCENARIOS: [(Scenario, &str); 3] = [
    (Scenario::NewClients, "new clients, DISCOVER to ACK"),
    (Scenario::Renewals, "renewals"),
    (Scenario::Storm, "a storm of known clients"),
];
/// The lowest rate that a bar shows.
const LOWEST: f64 = 10.0;
/// Space for the number above the highest bar.
const HEADROOM: f64 = 5.0;

fn color(server: Server) -> RGBColor {
    use crate::answers::Contender;
    match server {
        Server::Reflector => RGBColor(170, 170, 170),
        Server::Kept(Contender::Xdhcpd) => RGBColor(200, 60, 40),
        Server::Kept(Contender::Kea) => RGBColor(50, 110, 180),
        Server::Kept(Contender::Dnsmasq) => RGBColor(70, 150, 90),
        Server::Kept(Contender::Dhcpd) => RGBColor(140, 100, 170),
    }
}

/// Draws exchanges a second by workload and server. Pairs without a row have no bar.
///
/// # Errors
/// The chart cannot be drawn.
pub fn svg(rows: &[Row]) -> Result<String> {
    let mut text = String::new();
    draw(rows, &mut text).map_err(|error| anyhow!("cannot draw the chart: {error}"))?;
    text.push('\n');
    Ok(text)
}

fn draw(rows: &[Row], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let highest = rows.iter().map(|row| row.per_s).fold(LOWEST, f64::max);
    let width = Server::ALL.len() as f64 + 1.0;
    let mut chart = ChartBuilder::on(&root)
        .caption("Exchanges a second (logarithmic)", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(80)
        .build_cartesian_2d(
            0.0..width * SCENARIOS.len() as f64,
            (LOWEST..highest * HEADROOM).log_scale(),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .max_light_lines(0)
        .y_label_formatter(&|rate| page::grouped(*rate as u64))
        .label_style(("sans-serif", 13))
        .draw()?;
    let centered = |size, vertical| {
        let style = TextStyle::from(("sans-serif", size).into_font());
        style.pos(Pos::new(HPos::Center, vertical))
    };
    for server in Server::ALL {
        let bars = SCENARIOS
            .iter()
            .enumerate()
            .filter_map(|(group, (scenario, _))| {
                let row = find(rows, server, *scenario)?;
                // Side by side, in the middle of their group.
                let mut shown = Server::ALL.to_vec();
                shown.retain(|other| find(rows, *other, *scenario).is_some());
                let place = shown.iter().position(|other| *other == server)?;
                let first = (group as f64 + 0.5) * width - shown.len() as f64 / 2.0;
                Some((first + place as f64, row.per_s.max(LOWEST)))
            });
        let bars: Vec<(f64, f64)> = bars.collect();
        if bars.is_empty() {
            continue;
        }
        let fill = color(server).filled();
        let rectangles = bars
            .iter()
            .map(|(x, rate)| Rectangle::new([(x + 0.05, LOWEST), (x + 0.95, *rate)], fill));
        chart
            .draw_series(rectangles)?
            .label(server.to_string())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], fill));
        let numbers = bars.iter().map(|(x, rate)| {
            let number = page::grouped(*rate as u64);
            Text::new(number, (x + 0.5, rate * 1.15), centered(11, VPos::Bottom))
        });
        chart.draw_series(numbers)?;
    }
    let (_, plot) = chart.plotting_area().get_pixel_range();
    for (group, (_, title)) in SCENARIOS.iter().enumerate() {
        let (x, _) = chart.backend_coord(&((group as f64 + 0.5) * width, LOWEST));
        root.draw(&Text::new(
            *title,
            (x, plot.end + 6),
            centered(14, VPos::Top),
        ))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE)
        .legend_area_size(18)
        .label_font(("sans-serif", 13))
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answers::Contender, throughput::row::tests::run};

    /// Returns the heights of the bars of a color, in their order.
    fn heights(svg: &str, server: Server) -> Vec<u32> {
        let RGBColor(red, green, blue) = color(server);
        let fill = format!("fill=\"#{red:02X}{green:02X}{blue:02X}\"");
        let value = |line: &str, name: &str| -> Option<u32> {
            let (_, rest) = line.split_once(&format!(" {name}=\""))?;
            rest.split_once('"')?.0.parse().ok()
        };
        let bars = svg.lines().filter(|line| line.contains(&fill));
        bars.filter_map(|line| value(line, "height")).collect()
    }

    #[test]
    fn a_bar_is_as_high_as_its_rate_has_digits_and_who_has_no_row_has_none() {
        let kea = Server::Kept(Contender::Kea);
        let row = |server, scenario, per_s| Row::new(server, scenario, &[run(per_s)]).unwrap();
        let svg = svg(&[
            row(Server::XDHCPD, Scenario::Renewals, 1_000_000.0),
            row(kea, Scenario::Renewals, 1000.0),
            row(kea, Scenario::Storm, 100.0),
        ])
        .unwrap();
        assert!(svg.contains("1,000,000") && svg.contains("Kea"), "{svg}");
        assert!(!svg.contains("dnsmasq"), "{svg}");
        // The last one of each color belongs to the legend.
        let ours = heights(&svg, Server::XDHCPD);
        let theirs = heights(&svg, kea);
        assert_eq!((ours.len(), theirs.len()), (2, 3), "{svg}");
        // Decades above ten: five, two, one.
        for (height, decades) in [(ours[0], 5), (theirs[0], 2), (theirs[1], 1)] {
            assert!(
                (height * 5).abs_diff(ours[0] * decades) < 12,
                "{ours:?} {theirs:?}"
            );
        }
        assert!(heights(&svg, Server::Reflector).is_empty());
    }
}
