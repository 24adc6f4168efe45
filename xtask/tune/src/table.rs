//! The output.

use std::{
    fmt,
    io::{self, Write as _},
};

use comfy_table::{
    ColumnConstraint, ContentArrangement, Table, Width, presets::UTF8_HORIZONTAL_ONLY,
};

use super::{
    advice::{Setting, State},
    apply::{ChangeResult, Done},
};

const WIDTH: u16 = 120;
/// Width of the columns of values; longer values wrap.
const WIDEST_VALUE: u16 = 18;

/// Writes a line to standard output.
///
/// # Errors
/// It cannot be written. A reader that has ended, such as `head`, is not an error, so that settings
/// are applied to the end.
pub fn say(line: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Returns the table: present and recommended values, and below each reason the command that
/// restores the present value.
pub fn text(settings: &[Setting]) -> String {
    let count = |state| settings.iter().filter(|one| one.state == state).count();
    format!(
        "{}\n{} to change (--apply does it), {} by hand, {} not available here, {} as they \
         should be",
        table(settings).trim_fmt(),
        count(State::Change),
        count(State::ByHand),
        count(State::Unavailable),
        count(State::Right),
    )
}

fn table(settings: &[Setting]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["SETTING", "IS", "SHOULD BE", "WHY, AND HOW TO UNDO IT"]);
    // Names and words of a command must not be broken.
    let at_most = ColumnConstraint::UpperBoundary(Width::Fixed(WIDEST_VALUE));
    let constraints = [ColumnConstraint::ContentWidth, at_most, at_most];
    for (column, constraint) in table.column_iter_mut().zip(constraints) {
        column.set_constraint(constraint);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for setting in settings {
        table.add_row([
            &setting.name,
            &setting.is,
            &setting.should_be,
            &Reason(setting).to_string(),
        ]);
    }
    table
}

/// The last column.
struct Reason<'a>(&'a Setting);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(setting) = self;
        f.write_str(&setting.why)?;
        if let (State::ByHand, Some(set)) = (setting.state, &setting.set) {
            write!(f, "\nset by hand: {set}")?;
        }
        if let Some(undo) = &setting.undo {
            write!(f, "\nundo: {undo}")?;
        }
        Ok(())
    }
}

/// Returns a line for the result of a setting.
pub fn line(done: &Done) -> String {
    let Done {
        name,
        from,
        to,
        outcome,
        undo,
    } = done;
    match outcome {
        ChangeResult::Set => format!("set       {name}: {from} -> {to}; undo: {undo}"),
        ChangeResult::Differs { is } => {
            format!("differs   {name}: {to} was requested, and it is now {is}; undo: {undo}")
        }
        ChangeResult::Refused { reason } => {
            format!("refused   {name}: it remains {from}, not {to}: {reason}")
        }
        ChangeResult::Restored => format!("restored  {name}: {to}"),
        ChangeResult::Gone => format!("gone      {name}: it no longer exists"),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::advice::{advise, tests::recorded},
        *,
    };

    #[test]
    fn the_table_fits_and_breaks_no_word_of_a_command() {
        for (name, readings) in recorded() {
            let settings = advise(&readings);
            let text = table(&settings).trim_fmt();
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH.into(), "{name}: {line}");
            }
            let undo = settings.iter().filter_map(|setting| setting.undo.as_ref());
            for word in undo.flat_map(|undo| undo.split(' ')) {
                let mut words = text.split_whitespace();
                assert!(words.any(|one| one == word), "{name}: {word}\n{text}");
            }
        }
    }
}
