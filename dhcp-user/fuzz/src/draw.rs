//! Draws values of strategies from octets, so that a change of the octets changes the value.
//!
//! Every two octets are the seed of one value. proptest can also take octets for the random numbers
//! themselves, but passes half of the remaining ones to each alternative that it skips, so that a
//! choice of twenty has none left; it then draws zeros, for some ranges without end.

use proptest::{
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Returns one value for each two octets.
pub fn draw<S: Strategy>(strategy: &S, octets: &[u8]) -> impl Iterator<Item = S::Value> {
    octets
        .chunks_exact(2)
        .filter_map(|pair| one(strategy, pair))
}

/// Returns the value of a seed; none if a filter of the strategy refuses too many in a row.
fn one<S: Strategy>(strategy: &S, octets: &[u8]) -> Option<S::Value> {
    let mut seed = [0; 32];
    seed[..octets.len()].copy_from_slice(octets);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    Some(strategy.new_tree(&mut runner).ok()?.current())
}
