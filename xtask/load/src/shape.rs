//! Shapes of clients: the options that they send and their order.

use dhcp_common::wire::option;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use xtask_load_abi::MAX_SHAPES;

use super::Workload;

/// A kind of client, without what is specific to each client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Option 55.
    pub parameters: Vec<u8>,
    /// Option 60.
    pub vendor_class: Option<&'static str>,
    /// Option 57.
    pub max_size: Option<u16>,
    /// Whether the client sends option 61 with its hardware type and address.
    pub client_id: bool,
    /// Option 12.
    pub host_name: Option<&'static str>,
    /// Whether the client sends option 97, as boot firmware does: answers to it are not made
    /// templates.
    pub machine_id: bool,
}

/// Returns the shapes of widespread clients: udhcpc, dhclient, systemd-networkd, dhcpcd, Windows,
/// Android.
fn known() -> [Shape; 6] {
    let shape = |parameters: &[u8], vendor_class, max_size, client_id, host_name| Shape {
        parameters: parameters.to_vec(),
        vendor_class,
        max_size,
        client_id,
        host_name,
        machine_id: false,
    };
    [
        shape(
            &[1, 3, 6, 12, 15, 28, 42],
            Some("udhcp 1.36.1"),
            Some(576),
            true,
            None,
        ),
        shape(
            &[1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42],
            None,
            None,
            false,
            Some("edge"),
        ),
        shape(
            &[1, 3, 6, 15, 26, 33, 42, 119, 120, 121],
            None,
            Some(1472),
            true,
            Some("edge"),
        ),
        shape(
            &[1, 121, 33, 3, 6, 12, 15, 28, 51, 54, 58, 59, 119],
            Some("dhcpcd-9.4.1:Linux"),
            Some(1472),
            true,
            Some("edge"),
        ),
        shape(
            &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
            Some("MSFT 5.0"),
            None,
            true,
            Some("DESKTOP-EDGE"),
        ),
        shape(
            &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43],
            Some("android-dhcp-13"),
            Some(1500),
            true,
            None,
        ),
    ]
}

/// Returns the shapes of a workload's clients.
pub fn of(workload: &Workload) -> Vec<Shape> {
    let mut shapes = shapes(workload.shapes.into(), workload.seed);
    for shape in &mut shapes {
        shape.machine_id = workload.firmware;
    }
    shapes
}

/// Returns a number of shapes, at most [`MAX_SHAPES`]: first the known ones, then ones that request
/// further options.
pub fn shapes(count: usize, seed: u64) -> Vec<Shape> {
    let known = known();
    let mut dice = StdRng::seed_from_u64(seed);
    let mut shapes: Vec<Shape> = Vec::with_capacity(count);
    for number in 0..count.min(MAX_SHAPES) {
        let Some(mut shape) = known.get(number % known.len()).cloned() else {
            break;
        };
        while shapes.contains(&shape) {
            let more = dice.random_range(option::HOST_NAME..option::RELAY_INFO);
            if !shape.parameters.contains(&more) {
                shape.parameters.push(more);
            }
            shape.parameters.shuffle(&mut dice);
        }
        shapes.push(shape);
    }
    shapes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shapes_differ_and_come_from_the_seed() {
        let made = shapes(MAX_SHAPES, 3);
        let lists: HashSet<_> = made
            .iter()
            .map(|shape| (shape.parameters.clone(), shape.vendor_class))
            .collect();
        assert_eq!(lists.len(), MAX_SHAPES);
        assert_eq!(made, shapes(MAX_SHAPES, 3));
        assert_ne!(made, shapes(MAX_SHAPES, 4));
    }
}
