//! The kernel's side as the controller sees it: the XDP program, its maps and its reports.
//!
//! Start with [`Datapath::open`]. Maps and links are pinned ([`pins`]), so that the program
//! continues to answer without a controller, and the next controller adopts them.

use std::path::{Path, PathBuf};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, RingBuf},
};
use dhcp_common::{
    abi::{ABI_VERSION, Limit, META_INDEX, Meta, lease_buckets, lease_homes, lease_slots, map},
    fingerprint,
};
use rand::TryRngCore;

mod bpf;
mod error;
pub mod events;
pub mod fence;
mod grants;
pub mod host;
mod leases;
mod link_mode;
mod links;
mod map_layout;
mod maps;
mod pins;
mod privilege;
pub mod probe_socket;
mod templates;
pub mod xsk;

pub use error::{AttachProblem, DatapathError};
pub use grants::KernelGrants;
pub use leases::{LeaseError, Leases};
pub use link_mode::LinkMode;
pub use links::Links;
pub use maps::{Maps, Outcomes};

use events::{EventRing, ProgramLog};
use fence::Barrier;
use map_layout::Object;
use pins::{Generation, PinDir};

/// The XDP program, which build.rs compiles from dhcp-ebpf.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xdhcpd-ebpf"));

/// Configures the data path.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory in a bpffs.
    pub pin_dir: PathBuf,
    /// How many leases and offers the maps hold.
    pub max_leases: u32,
    pub client_limit: Limit,
    pub relay_limit: Limit,
    pub unknown_limit: Limit,
    /// Whether the program may answer requests.
    pub fast_path: bool,
}

/// The loaded program with its maps. Each field has its own user, so callers take it apart.
#[derive(Debug)]
pub struct Datapath {
    pub links: Links,
    pub maps: Maps,
    pub grants: KernelGrants,
    pub events: EventRing,
    pub log: Option<ProgramLog>,
    /// Waits in place, or is passed to [`fence::Fence::start`].
    pub barrier: Barrier,
    /// Whether the maps are those of an earlier controller, with its entries and grants. If not,
    /// the kernel's grants since the last commit are unknown: they may reach the horizon.
    pub adopted: bool,
    /// Key of the fingerprints in `TEMPLATES` and of the digests in `LEASES`.
    pub fingerprint_key: [u64; fingerprint::KEY_WORDS],
}

impl Datapath {
    /// Loads the program over the pinned maps, or over new ones if those are missing or do not fit.
    ///
    /// Nothing is attached yet, and links of an earlier controller still run its program. Call
    /// [`Links::attach`] for each interface next, and then [`Links::settle`].
    ///
    /// # Errors
    /// Nothing has changed for a program that is answering.
    pub fn open(options: &Options) -> Result<Self, DatapathError> {
        privilege::check()?;
        let pins = PinDir::open(&options.pin_dir)?;
        let contents = pins.contents()?;
        let current = match contents.current {
            Some(current) => adoptable(&pins, current, options.max_leases)?,
            None => None,
        };
        for generation in &contents.generations {
            // It was left by a controller that ended between making the maps and settling.
            if Some(*generation) != contents.current {
                pins.remove_generation(*generation)?;
            }
        }
        let (generation, key) = match current {
            Some((generation, meta)) => (generation, meta.fingerprint_key),
            None => (pins.create_generation(&contents)?, draw_key()?),
        };
        let meta = Meta {
            abi_version: ABI_VERSION,
            flags: maps::flags(options.fast_path),
            max_leases: options.max_leases,
            lease_homes: lease_homes(options.max_leases),
            fingerprint_key: key,
            client_limit: options.client_limit,
            relay_limit: options.relay_limit,
            unknown_limit: options.unknown_limit,
        };
        let adopted = current.is_some();
        let ebpf = load(&pins, generation, options.max_leases, meta).inspect_err(|_| {
            if !adopted && let Err(error) = pins.remove_generation(generation) {
                tracing::warn!(%error, "unused maps could not be removed");
            }
        })?;
        Self::take_apart(ebpf, pins, generation, meta, adopted, options)
    }

    fn take_apart(
        mut ebpf: Ebpf,
        pins: PinDir,
        generation: Generation,
        meta: Meta,
        adopted: bool,
        options: &Options,
    ) -> Result<Self, DatapathError> {
        let barrier = Barrier::new()?;
        let open = |name| {
            let pin = pins.map(generation, name);
            bpf::open_pin(&pin).map_err(pins::at("opening", &pin))
        };
        let leases = Leases::open(
            open(map::LEASES)?,
            &open(map::CLIENTS)?,
            options.max_leases,
            meta.fingerprint_key,
        )?;
        let maps = Maps::take(&mut ebpf, leases, open_meta(&pins, generation)?)?;
        let grants = MapData::from_pin(pins.map(generation, map::GRANTS)).map_err(|source| {
            DatapathError::Map {
                map: map::GRANTS,
                source,
            }
        })?;
        Ok(Self {
            maps,
            grants: KernelGrants::map(&grants, lease_slots(options.max_leases))?,
            events: EventRing(maps::take::<RingBuf<MapData>>(&mut ebpf, map::EVENTS)?),
            log: ProgramLog::take(&mut ebpf),
            links: Links::new(ebpf, pins, generation),
            barrier,
            adopted,
            fingerprint_key: meta.fingerprint_key,
        })
    }
}

/// Detaches the program from every interface and removes everything pinned in `pin_dir`. Returns
/// the number of interfaces.
///
/// # Errors
/// A controller is running, or the directory contains something that xdhcpd did not make: nothing
/// has changed. Or the kernel refused: some may be left, and this may be called again.
pub fn detach_all(pin_dir: &Path) -> Result<usize, DatapathError> {
    PinDir::open(pin_dir)?.remove_all()
}

/// Returns the generation and its metadata, if the program can run over it.
fn adoptable(
    pins: &PinDir,
    generation: Generation,
    max_leases: u32,
) -> Result<Option<(Generation, Meta)>, DatapathError> {
    for (name, expected) in map_layout::expected(max_leases) {
        let path = pins.map(generation, name);
        if !path.exists() {
            tracing::warn!(map = name, "a map is missing: all maps are made anew");
            return Ok(None);
        }
        let found = pins::object(&path)?;
        if found != Object::Map(expected) {
            tracing::warn!(map = name, %found, %expected, "the map has changed: all maps are made anew");
            return Ok(None);
        }
    }
    let meta = open_meta(pins, generation)?
        .get(&META_INDEX, 0)
        .map_err(|source| DatapathError::Map {
            map: map::META,
            source,
        })?;
    if meta.abi_version != ABI_VERSION {
        tracing::warn!(
            found = meta.abi_version,
            expected = ABI_VERSION,
            "the maps are of another version: all are made anew"
        );
        return Ok(None);
    }
    Ok(Some((generation, meta)))
}

fn open_meta(pins: &PinDir, generation: Generation) -> Result<Array<MapData, Meta>, DatapathError> {
    MapData::from_pin(pins.map(generation, map::META))
        .and_then(|data| Array::try_from(aya::maps::Map::Array(data)))
        .map_err(|source| DatapathError::Map {
            map: map::META,
            source,
        })
}

fn draw_key() -> Result<[u64; fingerprint::KEY_WORDS], DatapathError> {
    let mut octets = [[0; 8]; fingerprint::KEY_WORDS];
    rand::rngs::OsRng
        .try_fill_bytes(octets.as_flattened_mut())
        .map_err(|error| DatapathError::Path {
            action: "drawing the fingerprint key from",
            path: "getrandom(2)".into(),
            source: std::io::Error::other(error),
        })?;
    Ok(octets.map(u64::from_ne_bytes))
}

/// Makes or opens the maps and loads the program over them, which the kernel verifies.
fn load(
    pins: &PinDir,
    generation: Generation,
    max_leases: u32,
    meta: Meta,
) -> Result<Ebpf, DatapathError> {
    let mut loader = EbpfLoader::new();
    for name in map::ALL {
        loader.map_pin_path(name, pins.map(generation, name));
    }
    loader
        .map_max_entries(map::LEASES, lease_buckets(max_leases))
        .map_max_entries(map::GRANTS, lease_slots(max_leases))
        .map_max_entries(map::CLIENTS, lease_slots(max_leases));
    let mut ebpf = loader
        .load(OBJECT)
        .map_err(|error| DatapathError::Load(Box::new(error)))?;
    for (name, expected) in map_layout::expected(max_leases) {
        let path = pins.map(generation, name);
        if !path.exists() {
            return Err(DatapathError::Incomplete {
                what: "the map",
                name,
            });
        }
        let found = pins::object(&path)?;
        if found != Object::Map(expected) {
            return Err(DatapathError::MapLayout {
                map: name,
                found: found.to_string(),
                expected: expected.to_string(),
            });
        }
    }
    // The program refers to maps by descriptor: none may be taken out before it is loaded.
    links::program(&mut ebpf)
        .and_then(|program| program.load())
        .map_err(|error| DatapathError::Verify(Box::new(error)))?;
    let mut array: Array<MapData, Meta> = maps::take(&mut ebpf, map::META)?;
    array
        .set(META_INDEX, meta, 0)
        .map_err(|source| DatapathError::Map {
            map: map::META,
            source,
        })?;
    Ok(ebpf)
}
