//! `cargo xtask clients`: each client in turn, and a table of what each did.

use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use xtask_lab::Lab;

use crate::{KINDS, Kind};

/// Runs the named clients, all of them without a name, and prints what each did. Clients that are
/// not installed are listed as skipped. Returns whether all others did what they should.
///
/// # Errors
/// There is no such client.
pub fn run(names: &[String]) -> Result<bool> {
    let kinds: Vec<Kind> = if names.is_empty() {
        KINDS.to_vec()
    } else {
        let named = names.iter().map(|name| Kind::named(name));
        named.collect::<Result<_>>()?
    };
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .set_header(["CLIENT", "PACKAGE", "RESULT", "SECONDS"]);
    let mut all_served = true;
    for kind in kinds {
        let name = kind.name;
        if let Some(path) = kind.missing()? {
            println!("clients: {name} is skipped");
            let result = format!("skipped: {path} is not installed");
            table.add_row([name, kind.package, &result, ""]);
            continue;
        }
        println!("clients: {name} …");
        let start = Instant::now();
        let result = match play(kind) {
            Ok(report) => report.to_string(),
            Err(error) => {
                all_served = false;
                // The counters and logs in an error are longer than a cell.
                format!("failed: {}", error.root_cause())
            }
        };
        let took = seconds(start.elapsed());
        table.add_row([name, kind.package, &result, &took]);
    }
    println!("{table}");
    Ok(all_served)
}

fn play(kind: Kind) -> Result<crate::Report> {
    let mut report = None;
    Lab::run(|lab| {
        report = Some((kind.play)(lab)?);
        Ok(())
    })
    .inspect_err(|error| eprintln!("clients: {}: {error:#}", kind.name))?;
    Ok(report.unwrap_or_default())
}

fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}
