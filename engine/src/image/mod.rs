//! The state as bytes: what checkpoints are made of.
//!
//! [`bytes`] reads fields, [`block`] is the frame that a shard's image lies in, [`manifest`] ties the blocks of all shards to a
//! place in the log. What a block holds is encoded where it lives: `state/shard/image.rs`, `merge/window/image.rs`.
//! `docs/format.md` draws every byte.
//!
//! Decoding never panics: whatever is malformed is `None`, and the caller names file and offset.

pub mod block;
pub mod bytes;
pub mod manifest;

/// Name of the manifest.
pub const MANIFEST_FILE: &str = "CHECKPOINT";

const IMAGE_PREFIX: &str = "ckpt-";
const IMAGE_SUFFIX: &str = ".img";

/// `ckpt-000000000001.img`: what the checkpoint with this number wrote.
pub fn image_name(number: u64) -> String {
    format!("{IMAGE_PREFIX}{number:012}{IMAGE_SUFFIX}")
}

/// Inverse of [`image_name`]; `None` for any other file.
pub fn image_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(IMAGE_PREFIX)?.strip_suffix(IMAGE_SUFFIX)?.parse().ok()?;
    (image_name(number) == name).then_some(number)
}
