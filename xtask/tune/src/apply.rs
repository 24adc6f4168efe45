//! Applies settings and restores them.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Result, bail};
use serde::Serialize;

use super::{
    advice::{Change, Setting, advise},
    journal::{Entry, Journal, Owner},
    read::{Host, machine},
};

/// The result of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    pub name: String,
    pub from: String,
    pub to: String,
    #[serde(flatten)]
    pub outcome: ChangeResult,
    pub undo: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum ChangeResult {
    Set,
    /// Accepted, but the value is neither the previous nor the requested one.
    Differs {
        is: String,
    },
    Refused {
        reason: String,
    },
    Restored,
    /// The process, interrupt or interface no longer exists.
    Gone,
}

/// Applies settings one after the other. Since each may affect the next, everything is read again
/// each time.
///
/// # Errors
/// Readings fail, or the previous value cannot be recorded; nothing more is set then.
pub fn apply(
    host: &Host,
    journal: &Path,
    is_wanted: impl Fn(&Setting) -> bool,
    mut each: impl FnMut(Done),
) -> Result<()> {
    let boot_id = machine::boot_id();
    let owner = owner(host, &boot_id);
    let mut journal = match Journal::open(journal, owner)? {
        Some(journal) => journal,
        None => Journal::new(journal, owner),
    };
    let mut tried = BTreeSet::new();
    loop {
        let settings = advise(&host.read()?);
        let mut open = settings.into_iter().filter(|setting| {
            let change = setting.change.as_ref();
            change.is_some_and(|change| !tried.contains(&change.knob)) && is_wanted(setting)
        });
        let Some(setting) = open.next() else {
            return Ok(());
        };
        let Some(change) = setting.change else {
            return Ok(());
        };
        tried.insert(change.knob.clone());
        let outcome = set(host, &mut journal, &setting.name, &change)?;
        each(Done {
            name: setting.name,
            from: setting.is,
            to: setting.should_be,
            outcome,
            undo: setting.undo.unwrap_or_default(),
        });
    }
}

fn set(host: &Host, journal: &mut Journal, name: &str, change: &Change) -> Result<ChangeResult> {
    let Change { knob, from, to } = change;
    let is_noted = knob.is_ours_to_restore();
    let was_set_before = journal.entries().iter().any(|entry| entry.knob == *knob);
    if is_noted {
        journal.note(Entry {
            name: name.to_owned(),
            knob: knob.clone(),
            from: from.clone(),
            to: to.clone(),
        })?;
    }
    let written = knob.write(host, to);
    let is = knob.read(host).unwrap_or_default();
    let outcome = match written {
        _ if is == *to => ChangeResult::Set,
        Err(error) => ChangeResult::Refused {
            reason: format!("{error:#}"),
        },
        Ok(()) if is == *from => ChangeResult::Refused {
            reason: "it was accepted without an error, but had no effect".to_owned(),
        },
        Ok(()) => ChangeResult::Differs { is: is.clone() },
    };
    if is_noted && !was_set_before && is == *from {
        journal.forget(knob)?;
    }
    Ok(outcome)
}

/// Restores the settings of the journal, in reverse order. Those that cannot be restored remain in
/// it.
///
/// # Errors
/// There is no journal, or a setting could not be restored.
pub fn restore(host: &Host, path: &Path, mut each: impl FnMut(Done)) -> Result<()> {
    let boot_id = machine::boot_id();
    let Some(mut journal) = Journal::open(path, owner(host, &boot_id))? else {
        bail!(
            "there is nothing to restore: no journal {} (see --journal)",
            path.display()
        );
    };
    let readings = host.read()?;
    let mut refused: usize = 0;
    for entry in journal.entries().to_vec().into_iter().rev() {
        let outcome = put_back(host, &entry);
        let undo = entry.knob.command(&readings, &entry.from);
        if let ChangeResult::Refused { .. } = outcome {
            refused += 1;
        } else {
            journal.forget(&entry.knob)?;
        }
        each(Done {
            name: entry.name,
            from: entry.to,
            to: entry.from,
            outcome,
            undo,
        });
    }
    journal.close()?;
    if refused > 0 {
        bail!(
            "{refused} could not be restored and remain in {}",
            path.display()
        );
    }
    Ok(())
}

fn put_back(host: &Host, entry: &Entry) -> ChangeResult {
    let Entry { knob, from, to, .. } = entry;
    let is = knob.read(host);
    // A number that belongs to something else by now must not be changed.
    let is_other = knob.is_by_number() && is.as_ref().is_some_and(|is| is != to && is != from);
    if is.is_none() || is_other {
        return ChangeResult::Gone;
    }
    if let Err(error) = knob.write(host, from) {
        return ChangeResult::Refused {
            reason: format!("{error:#}"),
        };
    }
    match knob.read(host) {
        Some(is) if is == *from => ChangeResult::Restored,
        is => ChangeResult::Refused {
            reason: format!("it is now {}", is.unwrap_or_default()),
        },
    }
}

fn owner<'a>(host: &'a Host, boot_id: &'a str) -> Owner<'a> {
    Owner {
        interface: &host.interface,
        ifindex: host.ifindex,
        boot_id,
    }
}
