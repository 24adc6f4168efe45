//! How much is played.

use std::time::Duration;

use super::subject::Scenario;

/// Numbers for all servers alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Runs of each workload whose medians are taken.
    pub rounds: usize,
    /// Runs of a storm, which takes as long as clients wait before they send again, of a flood, and of renewals on one
    /// processor.
    pub storms: usize,
    /// Runs of what has the same number of exchanges under way for all.
    pub at_one_depth: usize,
    /// How long exchanges begin in a run.
    pub time: Duration,
    /// Exchanges under way in a closed loop, of which each server gets what suits it best.
    pub in_flight: &'static [u32],
    /// New clients there are for each second of a run, so that none comes twice. No server is faster.
    pub new_clients_per_second: u32,
    /// Clients that renew, and clients in a storm.
    pub renewing: u32,
    pub storm: u32,
    /// How long a storm may last.
    pub storm_time: Duration,
    /// Clients that renew among many, and in a storm of many: for xdhcpd only. None: that is not played.
    pub renewing_many: Option<u32>,
    pub storm_many: Option<u32>,
    /// For xdhcpd only, likewise.
    pub flood: Option<Flood>,
}

/// What is sent amid a flood, and how much of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flood {
    /// Bogus DISCOVERs a second.
    pub per_second: u32,
    /// Clients that renew amid it, and how often all together, a second.
    pub renewing: u32,
    pub renewals: u32,
    /// Known clients whose renewals need the controller, and how often all together.
    pub firmware: u32,
    pub firmware_renewals: u32,
    /// New clients a second.
    pub new_clients: u32,
    /// How long these begin what they do. The flood lasts [`Flood::REST`] longer.
    pub time: Duration,
}

impl Flood {
    const MILLION: Self = Self {
        per_second: 1_000_000,
        renewing: 5000,
        renewals: 50_000,
        firmware: 300,
        firmware_renewals: 300,
        new_clients: 100,
        time: Duration::from_secs(4),
    };
    /// In which what others have begun ends.
    pub const REST: Duration = Duration::from_millis(1500);
}

impl Plan {
    pub const FULL: Self = Self {
        rounds: 3,
        storms: 3,
        at_one_depth: 3,
        time: Duration::from_secs(4),
        in_flight: &[16, 32, 64, 256, 512],
        new_clients_per_second: 100_000,
        renewing: 1000,
        storm: 5000,
        storm_time: Duration::from_secs(60),
        renewing_many: Some(1_000_000),
        storm_many: Some(100_000),
        flood: Some(Flood::MILLION),
    };

    pub const QUICK: Self = Self {
        storms: 1,
        at_one_depth: 0,
        time: Duration::from_secs(1),
        in_flight: &[32, 512],
        renewing: 300,
        storm: 500,
        storm_time: Duration::from_secs(15),
        renewing_many: None,
        flood: Some(Flood {
            time: Duration::from_secs(2),
            ..Flood::MILLION
        }),
        ..Self::FULL
    };

    /// Exchanges under way where they are as many for all servers.
    pub fn depth(&self) -> u32 {
        self.in_flight.first().copied().unwrap_or(1)
    }

    /// How often a workload is played; what takes long is played once.
    pub const fn runs(&self, scenario: Scenario) -> usize {
        match scenario {
            Scenario::RenewalsOfAMillion => self.renewing_many.is_some() as usize,
            Scenario::StormOfManyClients if self.storm_many.is_none() => 0,
            Scenario::Flood if self.flood.is_none() => 0,
            Scenario::Storm
            | Scenario::StormOfManyClients
            | Scenario::Flood
            | Scenario::RenewalsOnOneProcessor => self.storms,
            Scenario::NewClientsAtOneDepth | Scenario::RenewalsAtOneDepth => self.at_one_depth,
            _ => self.rounds,
        }
    }
}
