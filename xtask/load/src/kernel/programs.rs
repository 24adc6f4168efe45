//! The programs and their maps: loading them, setting their parameters, and reading their counters.

use std::{
    net::Ipv4Addr,
    sync::mpsc,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, Map, MapData, MapError, PerCpuArray},
    programs::{Xdp, xdp::XdpMode},
};
use ipnet::Ipv4Net;
use nix::{
    net::if_::if_nametoindex,
    time::{ClockId, clock_gettime},
    unistd::gettid,
};
use xtask_load_abi::{
    ASKS, Ask, BUCKETS, Client, Count, EMIT, FOLLOW, Plan, Stage, Template, Wait, bucket_ns, map,
    word,
};

use super::emitter::{Emitter, interrupt, interruptible};
use crate::{
    Drive, Exchange, Report, Workload,
    progress::Progress,
    report::{Counts, Histograms},
    run::Acquaintance,
};

/// Interval at which counters are read.
const TICK: Duration = Duration::from_millis(20);
/// An answer that takes longer is lost; nothing is retransmitted.
const PATIENCE: Duration = Duration::from_secs(2);

/// The programs and their maps.
pub(super) struct Programs {
    ebpf: Ebpf,
    plan: Plan,
    plans: Array<MapData, Plan>,
    templates: Array<MapData, Template>,
    clients: Array<MapData, Client>,
    next: Array<MapData, u64>,
    counts: PerCpuArray<MapData, u64>,
    latencies: PerCpuArray<MapData, u64>,
    /// An initial frame, as long as any of the clients'.
    frame: Vec<u8>,
}

impl Programs {
    /// Loads the programs with room for all clients, without a plan.
    pub(super) fn load(object: &[u8], workload: &Workload) -> Result<Self> {
        // One more template than clients have, for a flood.
        let templates = usize::from(workload.shapes) * ASKS + 1;
        let addresses = u32::from(workload.range.hostmask()).saturating_add(1);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(map::TEMPLATES, u32::try_from(templates)?)
            .map_max_entries(map::CLIENTS, workload.clients)
            .map_max_entries(map::HOLDERS, addresses)
            .load(object)
            .context("cannot load the generator's object")?;
        for name in [EMIT, FOLLOW] {
            program(&mut ebpf, name)?
                .load()
                .with_context(|| format!("cannot load the generator's program {name}"))?;
        }
        Ok(Self {
            plans: take(&mut ebpf, map::PLAN)?,
            templates: take(&mut ebpf, map::TEMPLATES)?,
            clients: take(&mut ebpf, map::CLIENTS)?,
            next: take(&mut ebpf, map::NEXT)?,
            counts: take(&mut ebpf, map::COUNTS)?,
            latencies: take(&mut ebpf, map::LATENCIES)?,
            plan: bytemuck::Zeroable::zeroed(),
            frame: Vec::new(),
            ebpf,
        })
    }

    /// Gives the programs the plan of a run. From now on user space receives no answers.
    pub(super) fn prepare(
        &mut self,
        workload: &Workload,
        acquaintance: &Acquaintance,
        addresses: &[u32],
    ) -> Result<()> {
        let templates = acquaintance.templates.as_flattened();
        for (at, template) in (0..).zip(templates.iter().chain([&acquaintance.bogus])) {
            self.templates.set(at, template, 0)?;
        }
        let leased = (0..).zip(addresses).filter(|(_, address)| **address != 0);
        for (index, address) in leased {
            let client = Client {
                address: *address,
                waits: Wait::Nothing as u32,
                began_ns: 0,
                asked_ns: 0,
            };
            self.clients.set(index, client, 0)?;
        }
        let [first, ..] = templates else {
            bail!("there is no frame to send");
        };
        let frame = first.octets.get(..usize::from(first.len));
        self.frame = frame
            .context("a frame exceeds the maximum length")?
            .to_vec();
        self.plan = plan(workload, acquaintance)?;
        self.set(|_| ())
    }

    /// Attaches the program, never in place of another.
    pub(super) fn attach(&mut self, interface: &str) -> Result<()> {
        let follow = program(&mut self.ebpf, FOLLOW)?;
        follow.attach(interface, XdpMode::Driver).with_context(|| {
            format!(
                "cannot attach to {interface}: its driver must support XDP, and there must \
                     be no other program"
            )
        })?;
        Ok(())
    }

    pub(super) fn report(&self, workload: &Workload, server: Ipv4Addr) -> Result<Report> {
        let [first, last] = [word::FIRST_NS, word::LAST_NS].map(|at| self.next.get(&at, 0));
        let seconds = last?.saturating_sub(first?) as f64 / 1e9;
        Ok(Report::new(
            workload,
            server,
            seconds,
            self.counts()?,
            self.histograms()?.latencies(),
            Vec::new(),
        ))
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut Plan)) -> Result<()> {
        change(&mut self.plan);
        Ok(self.plans.set(0, self.plan, 0)?)
    }

    pub(super) fn play(
        &mut self,
        workload: &Workload,
        interface: &str,
        progress: &mut Progress,
    ) -> Result<()> {
        interruptible()?;
        let started = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
        let started_ns = u64::try_from(started.as_nanos())?;
        self.set(|plan| plan.started_ns = started_ns)?;
        let emitter = Emitter {
            frame: self.frame.clone(),
            ifindex: if_nametoindex(interface)?,
        };
        match workload.drive {
            Drive::Closed { in_flight } => {
                self.close_loop(workload, &emitter, in_flight, progress)?;
            }
            Drive::Open | Drive::Storm => self.flood(workload, &emitter, progress)?,
        }
        // No more exchanges begin.
        self.set(|plan| plan.limit = 0)?;
        self.settle()
    }

    fn emit(&self) -> Result<&Xdp> {
        let emit = self
            .ebpf
            .program(EMIT)
            .context("the object has no such program")?;
        Ok(emit.try_into()?)
    }

    /// Runs a closed loop: the first frames are sent from here, all others in response to answers.
    fn close_loop(
        &self,
        workload: &Workload,
        emitter: &Emitter,
        in_flight: u32,
        progress: &mut Progress,
    ) -> Result<()> {
        let emit = self.emit()?;
        emitter.emit(emit, in_flight)?;
        let mut last = self.counts()?;
        let mut since = Instant::now();
        loop {
            thread::sleep(TICK);
            let counts = self.counts()?;
            let elapsed_ns = self.elapsed_ns()?;
            progress.tick(elapsed_ns, &counts);
            let is_done = counts.begun >= self.plan.limit && counts.ended() >= self.plan.limit;
            if is_done || is_over(workload, elapsed_ns) {
                return Ok(());
            }
            if counts.answers() != last.answers() {
                (last, since) = (counts, Instant::now());
            } else if since.elapsed() > PATIENCE {
                if counts.begun >= self.plan.limit {
                    return Ok(());
                }
                // All exchanges in flight are lost.
                emitter.emit(emit, in_flight)?;
                since = Instant::now();
            }
        }
    }

    /// Sends all frames by one long system call, which takes 25 ms to begin.
    fn flood(&self, workload: &Workload, emitter: &Emitter, progress: &mut Progress) -> Result<()> {
        let emit = self.emit()?;
        // Without an interval each run sends a frame; with one, some runs only find that it is too
        // early.
        let runs = if self.plan.interval_ns == 0 {
            u32::try_from(self.plan.limit).unwrap_or(u32::MAX)
        } else {
            u32::MAX
        };
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let sender = scope.spawn(move || {
                // The receiver waits for it.
                let _ = tell.send(gettid());
                emitter.emit(emit, runs)
            });
            let thread = told.recv()?;
            let watched = self.watch(workload, &sender, progress);
            while !sender.is_finished() {
                interrupt(thread)?;
                thread::sleep(TICK / 10);
            }
            let Ok(sent) = sender.join() else {
                bail!("the emitting thread panicked");
            };
            watched.and(sent)
        })
    }

    fn watch<T>(
        &self,
        workload: &Workload,
        sender: &ScopedJoinHandle<'_, T>,
        progress: &mut Progress,
    ) -> Result<()> {
        while !sender.is_finished() {
            thread::sleep(TICK);
            let elapsed_ns = self.elapsed_ns()?;
            let counts = self.counts()?;
            progress.tick(elapsed_ns, &counts);
            if counts.begun >= self.plan.limit || is_over(workload, elapsed_ns) {
                break;
            }
        }
        Ok(())
    }

    /// Waits for the last answers.
    fn settle(&self) -> Result<()> {
        let mut last = self.counts()?;
        let mut since = Instant::now();
        while last.answers() < last.requests() && since.elapsed() < PATIENCE {
            thread::sleep(TICK);
            let counts = self.counts()?;
            if counts.answers() != last.answers() {
                (last, since) = (counts, Instant::now());
            }
        }
        Ok(())
    }

    /// Returns the time since the first exchange began.
    fn elapsed_ns(&self) -> Result<u64> {
        let first_ns = self.next.get(&word::FIRST_NS, 0)?;
        let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
        let now_ns = u64::try_from(now.as_nanos())?;
        Ok(if first_ns == 0 {
            0
        } else {
            now_ns.saturating_sub(first_ns)
        })
    }

    fn counts(&self) -> Result<Counts> {
        let count = |what: Count| -> Result<u64> {
            let by_cpu = self.counts.get(&(what as u32), 0)?;
            Ok(by_cpu.iter().sum())
        };
        let [discovers, renewals] = [count(Count::Discovers)?, count(Count::Renewals)?];
        let mut counts = Counts {
            begun: discovers + renewals,
            completed: count(Count::Completed)?,
            discovers,
            selections: count(Count::Selections)?,
            renewals,
            bogus: count(Count::Bogus)?,
            not_sent: count(Count::Failed)?,
            offers: count(Count::Offers)?,
            acks: count(Count::Acks)?,
            naks: count(Count::Naks)?,
            unexpected: count(Count::Unexpected)?,
            strangers: count(Count::Strangers)?,
            other_server: count(Count::OtherServer)?,
            outside: count(Count::Outside)?,
            duplicates: count(Count::Duplicates)?,
            ..Counts::default()
        };
        if self.plan.follow == 0 && self.plan.begin == Ask::Discover as u32 {
            // The exchange ends with the OFFER.
            counts.completed = counts.offers;
        }
        counts.unfinished = counts.begun.saturating_sub(counts.ended());
        Ok(counts)
    }

    fn histograms(&self) -> Result<Histograms> {
        let mut histograms = Histograms::new();
        for stage in Stage::ALL {
            for bucket in 0..BUCKETS {
                let at = u32::try_from(stage as usize * BUCKETS + bucket)?;
                let times = self.latencies.get(&at, 0)?.iter().sum();
                if times != 0 {
                    histograms.record(stage, bucket_ns(bucket), times);
                }
            }
        }
        Ok(histograms)
    }
}

fn is_over(workload: &Workload, elapsed_ns: u64) -> bool {
    let time = workload.limits.time;
    time.is_some_and(|time| u128::from(elapsed_ns) >= time.as_nanos())
}

fn plan(workload: &Workload, acquaintance: &Acquaintance) -> Result<Plan> {
    let population = acquaintance.population;
    let Some([template, ..]) = acquaintance.templates.first() else {
        bail!("there is no frame to send");
    };
    let range: Ipv4Net = workload.range;
    let rate = workload.limits.per_second;
    let interval_ns = rate.map_or(0.0, |rate| 1e9 / (rate + workload.flood));
    let bogus_each = rate.map_or(0.0, |rate| (workload.flood / rate).round());
    Ok(Plan {
        base: population.base,
        tag: population.tag.into(),
        xid_mask: population.xid_mask,
        clients: workload.clients,
        shapes: u32::try_from(acquaintance.templates.len())?,
        begin: match workload.exchange {
            Exchange::Leases => Ask::Discover,
            Exchange::Renewals => Ask::Renew,
        } as u32,
        follow: matches!(workload.drive, Drive::Closed { .. }).into(),
        server: u32::from(acquaintance.server.identifier).to_be(),
        network_offset: template.network.into(),
        is_reflected: 0,
        bogus_each: bogus_each as u32,
        bogus_tag: population.bogus_tag().into(),
        network: u32::from(range.network()).to_be(),
        mask: u32::from(range.netmask()).to_be(),
        limit: workload.limits.exchanges.unwrap_or(u64::MAX),
        interval_ns: interval_ns as u64,
        started_ns: 0,
        patience_ns: u64::try_from(PATIENCE.as_nanos())?,
    })
}

pub(super) fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf
        .program_mut(name)
        .with_context(|| format!("the generator's object has no program {name}"))?;
    Ok(program.try_into()?)
}

fn take<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &str) -> Result<T> {
    let map = ebpf
        .take_map(name)
        .with_context(|| format!("the generator's object has no map {name}"))?;
    T::try_from(map).with_context(|| format!("the map {name} has another type"))
}
