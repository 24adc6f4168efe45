//! The events and their times, which all follow from one seed.

use std::{fmt, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use super::scene::{LONGEST_LEASE_SECS, Variant};

/// How long no controller runs in [`Event::Headless`]: longer than a lease.
pub const HEADLESS: Duration = Duration::from_secs(LONGEST_LEASE_SECS as u64 * 5 / 4);
/// Time until all clients have a new lease before that.
pub const LEASING: Duration = Duration::from_millis(3500);

/// SIGKILL, and the time until the server is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Time since the beginning of the event during which the server is killed.
    pub after: Duration,
    pub gone: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Kill {
        gone: Duration,
    },
    /// SIGTERM, as for an upgrade.
    Stop {
        gone: Duration,
    },
    /// All clients obtain a new lease, and then no controller runs for longer than that lease.
    Headless,
    DiskFull {
        lasts: Duration,
        kill: Option<Kill>,
    },
    LinkDown {
        lasts: Duration,
        kill: Option<Kill>,
    },
    Reload {
        variant: Variant,
        kill: Option<Kill>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Pause before the event.
    pub pause: Duration,
    pub event: Event,
}

impl Step {
    /// Returns the planned duration.
    pub fn lasts(&self) -> Duration {
        let after = |lasts: Duration, kill: Option<Kill>| {
            lasts.max(kill.map_or(Duration::ZERO, |kill| kill.after + kill.gone))
        };
        self.pause
            + match self.event {
                Event::Kill { gone } | Event::Stop { gone } => gone,
                Event::Headless => LEASING + HEADLESS,
                Event::DiskFull { lasts, kill } | Event::LinkDown { lasts, kill } => {
                    after(lasts, kill)
                }
                Event::Reload { kill, .. } => after(Duration::ZERO, kill),
            }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amidst = |f: &mut fmt::Formatter<'_>, kill: Option<Kill>| match kill {
            Some(Kill { after, gone }) => write!(
                f,
                "; after {} the controller is killed, and started {} later",
                secs(after),
                secs(gone)
            ),
            None => Ok(()),
        };
        match *self {
            Self::Kill { gone } => write!(
                f,
                "the controller is killed, and started {} later",
                secs(gone)
            ),
            Self::Stop { gone } => write!(
                f,
                "the controller is stopped, and started {} later",
                secs(gone)
            ),
            Self::Headless => write!(
                f,
                "all clients obtain new leases; then the controller is killed, and not started \
                 for {}, longer than a lease",
                secs(HEADLESS)
            ),
            Self::DiskFull { lasts, kill } => {
                write!(f, "the disk is filled for {}", secs(lasts))?;
                amidst(f, kill)
            }
            Self::LinkDown { lasts, kill } => {
                write!(f, "the interface is set down for {}", secs(lasts))?;
                amidst(f, kill)
            }
            Self::Reload { variant, kill } => {
                write!(f, "another configuration is loaded: {variant}")?;
                amidst(f, kill)
            }
        }
    }
}

/// Formats a time in seconds with milliseconds.
pub fn secs(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// Draws events that last about `time`, at least one.
pub fn draw(seed: u64, time: Duration) -> Vec<Step> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut steps: Vec<Step> = Vec::new();
    let mut planned = Duration::ZERO;
    let mut variant = Variant::default();
    while planned < time {
        for event in round(&mut dice, &mut variant) {
            let pause = between(&mut dice, 300, 2500);
            let step = Step { pause, event };
            planned += step.lasts();
            steps.push(step);
            if planned >= time {
                break;
            }
        }
    }
    steps
}

/// Draws each kind of event once, in random order.
fn round(dice: &mut StdRng, variant: &mut Variant) -> Vec<Event> {
    let gone = |dice: &mut StdRng| between(dice, 50, 3000);
    let amidst = |dice: &mut StdRng, longest: u64| {
        Some(Kill {
            after: between(dice, 0, longest),
            gone: gone(dice),
        })
    };
    let mut events = vec![
        Event::Headless,
        Event::Kill { gone: gone(dice) },
        Event::Kill { gone: gone(dice) },
        Event::Stop { gone: gone(dice) },
        Event::DiskFull {
            lasts: between(dice, 1500, 4000),
            kill: None,
        },
        Event::DiskFull {
            lasts: between(dice, 2000, 4000),
            kill: amidst(dice, 2000),
        },
        Event::LinkDown {
            lasts: between(dice, 100, 2000),
            kill: None,
        },
        Event::LinkDown {
            lasts: between(dice, 500, 1500),
            kill: amidst(dice, 500),
        },
    ];
    for kill in [None, None, amidst(dice, 20)] {
        let variant = *variant;
        events.push(Event::Reload { variant, kill });
    }
    events.shuffle(dice);
    // Each reload starts from the configuration of the previous one.
    for event in &mut events {
        if let Event::Reload { variant: next, .. } = event {
            *variant = variant.changed(dice);
            *next = *variant;
        }
    }
    events
}

impl Variant {
    /// Returns a variant that differs in one or more ways.
    fn changed(self, dice: &mut StdRng) -> Self {
        let mut next = self;
        while next == self {
            let toggle = |is: bool, dice: &mut StdRng| is ^ dice.random_bool(0.4);
            next = Self {
                has_shorter_leases: toggle(self.has_shorter_leases, dice),
                has_other_options: toggle(self.has_other_options, dice),
                has_third_subnet: toggle(self.has_third_subnet, dice),
                has_reservation: toggle(self.has_reservation, dice),
            };
        }
        next
    }
}

fn between(dice: &mut StdRng, first_ms: u64, last_ms: u64) -> Duration {
    Duration::from_millis(dice.random_range(first_ms..=last_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_events() {
        let time = Duration::from_secs(600);
        assert_eq!(draw(7, time), draw(7, time));
        assert_ne!(draw(7, time), draw(8, time));
    }

    #[test]
    fn a_plan_lasts_as_long_as_it_is_told_and_not_much_longer() {
        for seed in 0..100 {
            let time = Duration::from_secs(60);
            let planned: Duration = draw(seed, time).iter().map(Step::lasts).sum();
            assert!(planned >= time && planned < time + Duration::from_secs(20));
        }
    }

    #[test]
    fn each_reload_changes_something() {
        let mut before = Variant::default();
        for step in draw(1, Duration::from_secs(600)) {
            if let Event::Reload { variant, .. } = step.event {
                assert_ne!(variant, before);
                before = variant;
            }
        }
    }
}
