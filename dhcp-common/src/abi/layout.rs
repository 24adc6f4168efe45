//! Sizes and alignments of everything in the maps, asserted at compile time.

use super::{
    binding::{Binding, Grant},
    client::ClientKey,
    event::Event,
    lease_index::{Bucket, Cell},
    link::{Link, LinkKey, NetworkRef},
    meta::{Limit, Meta},
    template::{IMAGE_LEN, Template, TemplateCell, TemplateKey},
};
use crate::{fingerprint, wire::Be32};

macro_rules! layout {
    ($($type:ty: $size:expr, align $align:expr;)+) => {
        $(const _: () = {
            assert!(size_of::<$type>() == $size, stringify!($type));
            assert!(align_of::<$type>() == $align, stringify!($type));
        };)+

        #[cfg(feature = "user")]
        mod pod {
            use super::*;
            // SAFETY: each is `repr(C)` or `repr(transparent)`, holds integers only, and its size,
            // asserted above, is the sum of its fields: no padding, and every bit pattern is a
            // value.
            $(unsafe impl aya::Pod for $type {})+
        }
    };
}

layout! {
    Meta: 16 + 8 * fingerprint::KEY_WORDS + 48, align 8;
    Limit: 16, align 8;
    ClientKey: 40, align 8;
    Binding: 56, align 8;
    Cell: 64, align 8;
    Bucket: 256, align 8;
    Grant: 16, align 8;
    TemplateKey: 24, align 8;
    TemplateCell: 32, align 8;
    Template: 24 + IMAGE_LEN, align 4;
    LinkKey: 8, align 4;
    NetworkRef: 8, align 4;
    Link: 56, align 4;
    Event: 32, align 8;
    Be32: 4, align 4;
}
