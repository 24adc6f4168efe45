//! The time of the loaded program for a frame, in excess of a program that only passes it.

use std::time::Duration;

use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, MapData, ProgramArray},
    programs::{TestRun as _, TestRunOptions},
};
use dhcp_common::{
    abi::PROGRAM,
    outcome::Outcome,
    wire::{ETHERNET_LEN, IPV4_LEN},
};
use dhcp_restore_ebpf::{Checksum, NumberField, SAMPLE_LEN, Sample, TARGET_INDEX};
use dhcp_testkit::fixtures::{
    program::{Error, PASS, Program, program, take},
    request::RequestFrame,
};

/// The object of `restore-ebpf`, as build.rs compiled it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdhcpd-restore"));
/// The name of the program in it.
const RESTORE: &str = "restore";

/// Offsets in a frame without tags.
const IP_CHECKSUM: usize = ETHERNET_LEN + 10;
const UDP_CHECKSUM: usize = ETHERNET_LEN + IPV4_LEN + 6;
/// The octets that IP's checksum covers. UDP's covers everything after them, and both addresses in
/// them as part of the pseudo-header.
const IP_HEADER: std::ops::Range<usize> = ETHERNET_LEN..ETHERNET_LEN + IPV4_LEN;

/// The mean times of a run of two programs, measured one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The time of the program that answers.
    pub answer: Duration,
    /// The time of the program that only passes.
    pub pass: Duration,
}

impl Pair {
    /// Returns the smaller time of each program: other users of the machine only add to them.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        Self {
            answer: self.answer.min(other.answer),
            pass: self.pass.min(other.pass),
        }
    }

    /// Returns the time that the program adds, in nanoseconds; with noise it may be negative.
    pub fn net_ns(&self) -> f64 {
        (self.answer.as_secs_f64() - self.pass.as_secs_f64()) * 1e9
    }
}

/// The frames of successive runs.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Visits(Sample);

// SAFETY: integers of four octets, and a multiple of four single octets: no padding.
unsafe impl Pod for Visits {}

impl Visits {
    /// Repeats the same frame of one client: everything that a run reads is in the cache.
    ///
    /// # Errors
    /// The frame is too long.
    pub fn of_one(request: &RequestFrame) -> Result<Self, Error> {
        let frame = request.frame();
        let mut sample = Sample {
            len: u32::try_from(frame.len())?,
            clients: 1,
            fields: [NumberField::default(); _],
            checksums: [Checksum::default(); _],
            octets: [0; _],
        };
        if frame.len() > SAMPLE_LEN {
            return Err("a frame is longer than a sample".into());
        }
        let octets = sample.octets.get_mut(..frame.len());
        octets
            .ok_or("a frame is longer than a sample")?
            .copy_from_slice(&frame);
        Ok(Self(sample))
    }

    /// Draws the client of each frame from the first `clients`: its entries have left the cache
    /// since its last run.
    ///
    /// # Errors
    /// The frames are too long, or differ by more than the client's number at a few offsets.
    pub fn of_many(request: impl Fn(u32) -> RequestFrame, clients: u32) -> Result<Self, Error> {
        // No two of its octets are equal, so no other offset matches.
        const OTHER: u32 = 0x000a_bcde;
        let Self(mut sample) = Self::of_one(&request(0))?;
        sample.clients = clients;
        let (first, other) = (request(0).frame(), request(OTHER).frame());
        let word =
            |frame: &[u8], at: usize| Some(u32::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let mut found = Vec::new();
        for at in 1..first.len() {
            let (Some(base), Some(other)) = (word(&first, at), word(&other, at)) else {
                break;
            };
            if base.wrapping_add(OTHER) == other {
                let field = sample.fields.get_mut(found.len());
                *field.ok_or("a client's number occurs too often")? = NumberField {
                    offset: u32::try_from(at)?,
                    base,
                };
                found.push(at);
            }
        }
        let count = |parity: usize, covered: &dyn Fn(usize) -> bool| {
            let found = found
                .iter()
                .filter(|at| **at % 2 == parity && covered(**at));
            u32::try_from(found.count())
        };
        for (field, (at, covered)) in sample.checksums.iter_mut().zip([
            (
                IP_CHECKSUM,
                &(|at| IP_HEADER.contains(&at)) as &dyn Fn(usize) -> bool,
            ),
            (UDP_CHECKSUM, &|at| at >= IP_HEADER.start),
        ]) {
            let value = first.get(at..).and_then(<[u8]>::first_chunk);
            let value = value.ok_or("a frame has no UDP header")?;
            *field = Checksum {
                offset: u32::try_from(at)?,
                sum: (!u16::from_ne_bytes(*value)).into(),
                even: count(0, covered)?,
                odd: count(1, covered)?,
            };
        }
        let visits = Self(sample);
        for number in [0, clients / 3, clients.saturating_sub(1)] {
            if visits.frame(number) != request(number).frame() {
                return Err("the frames differ by more than the client's number".into());
            }
        }
        Ok(visits)
    }

    /// Returns the frame of a client.
    pub fn frame(&self, number: u32) -> Vec<u8> {
        let mut sample = self.0;
        if sample.clients > 1 {
            sample.visit(number);
        }
        sample
            .octets
            .into_iter()
            .take(sample.len as usize)
            .collect()
    }
}

/// Measures programs over frames that are restored before each run; see `restore-ebpf`.
#[expect(missing_debug_implementations, reason = "maps do not print themselves")]
pub struct Stopwatch {
    ebpf: Ebpf,
    target: ProgramArray<MapData>,
    first: Vec<u8>,
}

impl Stopwatch {
    /// Loads the program that restores the frames.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn new(visits: &Visits) -> Result<Self, Error> {
        let mut ebpf = EbpfLoader::new().load(OBJECT)?;
        program(&mut ebpf, RESTORE)?.load()?;
        let target = take(&mut ebpf, "TARGET")?;
        let mut sample: Array<MapData, Visits> = take(&mut ebpf, "SAMPLE")?;
        sample.set(0, visits, 0)?;
        Ok(Self {
            ebpf,
            target,
            first: visits.frame(0),
        })
    }

    /// Returns mean times over `repeat` runs of each program. All runs must end with `outcome`.
    ///
    /// # Errors
    /// The kernel refused, or a run had another outcome.
    pub fn pair(
        &mut self,
        measured: &mut Program,
        outcome: Outcome,
        repeat: u32,
    ) -> Result<Pair, Error> {
        let pass = self.time(measured, PASS, repeat)?;
        let before = measured.counts()?;
        let answer = self.time(measured, PROGRAM, repeat)?;
        let after = measured.counts()?;
        let others: Vec<String> = Outcome::ALL
            .iter()
            .zip(after.iter().zip(&before))
            .map(|(outcome, (after, before))| (outcome, after - before))
            .filter(|&(counted, runs)| runs != 0 && (*counted, runs) != (outcome, repeat.into()))
            .map(|(counted, runs)| format!("{} {runs}", counted.label()))
            .collect();
        if !others.is_empty() {
            let expected = outcome.label();
            return Err(format!("{others:?} instead of {repeat} {expected}").into());
        }
        Ok(Pair { answer, pass })
    }

    fn time(&mut self, measured: &mut Program, name: &str, repeat: u32) -> Result<Duration, Error> {
        self.target.set(TARGET_INDEX, measured.fd(name)?, 0)?;
        let result = program(&mut self.ebpf, RESTORE)?.test_run(TestRunOptions {
            data_in: Some(&self.first),
            repeat,
            ..TestRunOptions::default()
        })?;
        if result.return_value == 0 {
            return Err("a frame was not restored, or the program aborted".into());
        }
        Ok(result.duration)
    }
}

#[cfg(test)]
mod tests {
    use dhcp_common::wire::option;
    use dhcp_testkit::fixtures::fleet;

    use super::*;

    /// A client's number is written into the frame without reading the rest of the frame.
    #[test]
    fn the_frame_of_any_client_that_is_visited_is_what_it_sends() {
        const CLIENTS: u32 = 1 << 20;
        let requests: [fn(u32) -> RequestFrame; 4] = [
            fleet::discover,
            fleet::renewal,
            fleet::renewal_with_relay_info,
            fleet::renewal_with_fqdn,
        ];
        for request in requests {
            let visits = Visits::of_many(request, CLIENTS).expect("only the number differs");
            for n in (0..CLIENTS).step_by(997) {
                assert_eq!(visits.frame(n), request(n).frame(), "client {n}");
            }
            let visits = Visits::of_one(&request(7)).expect("the frame fits");
            assert_eq!(visits.frame(8), request(7).frame(), "one client is visited");
        }
    }

    #[test]
    fn frames_that_differ_by_more_than_a_number_are_not_visited() {
        let with_other_name = |n: u32| {
            let name = format!("client-{n:07}");
            fleet::renewal(n).option(option::FQDN, name.as_bytes())
        };
        assert!(Visits::of_many(with_other_name, 1000).is_err());
        let long = |n| fleet::renewal(n).with(|r| r.min_len = 600);
        assert!(Visits::of_many(long, 1000).is_err(), "longer than a sample");
    }
}
