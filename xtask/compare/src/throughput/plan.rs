//! Number and size of the runs.

use std::time::Duration;

use super::subject::Scenario;

/// Numbers that are the same for all servers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Runs of each workload, of which medians are taken.
    pub rounds: usize,
    /// Runs of a storm, which takes as long as clients wait before they retransmit, of a flood, and
    /// of renewals on one processor.
    pub storms: usize,
    /// Runs of workloads with the same number of exchanges in flight for all servers.
    pub at_one_depth: usize,
    /// How long exchanges begin in a run.
    pub time: Duration,
    /// Numbers of exchanges in flight in a closed loop, of which the best for each server is used.
    pub in_flight: &'static [u32],
    /// New clients for each second of a run, more than any server can handle, so that none occurs
    /// twice.
    pub new_clients_per_second: u32,
    /// Clients that renew, and clients in a storm.
    pub renewing: u32,
    pub storm: u32,
    /// Time limit of a storm.
    pub storm_time: Duration,
    /// Clients that renew among many, and clients in a storm of many, for xdhcpd only; `None` to
    /// skip these.
    pub renewing_many: Option<u32>,
    pub storm_many: Option<u32>,
    /// For xdhcpd only; `None` to skip it.
    pub flood: Option<Flood>,
}

/// Size of a flood and of the concurrent workloads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flood {
    /// Bogus DISCOVERs a second.
    pub per_second: u32,
    /// Clients that renew meanwhile, and their total renewals a second.
    pub renewing: u32,
    pub renewals: u32,
    /// Known clients whose renewals need the controller, and their total renewals a second.
    pub firmware: u32,
    pub firmware_renewals: u32,
    /// New clients a second.
    pub new_clients: u32,
    /// How long these begin exchanges. The flood lasts [`Flood::REST`] longer.
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
    /// Time for the last exchanges to end.
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

    /// Returns the number of exchanges in flight where it is the same for all servers.
    pub fn depth(&self) -> u32 {
        self.in_flight.first().copied().unwrap_or(1)
    }

    /// Returns how many times a workload is run. Long ones are run once.
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
