//! Keys of the online store.
//!
//! ```text
//! record   group id (16) · 0 · identifier                          identifiers up to 470 bytes, in byte order
//!          group id (16) · 1 · first 440 bytes · XXH3-128 (16)     longer ones; the row holds the whole identifier
//! outbox   group id (16) · arrival (8, big-endian)
//! ```
//! LMDB takes keys of at most 511 bytes. Identifiers that share a hash must be told apart by the row.

use xxhash_rust::xxh3::xxh3_128;

use crate::model::{Arrival, GroupId};

/// Longest identifier that stands in its key whole.
const INLINE: usize = 470;
/// Bytes of a longer one that stand before its hash, to keep the order roughly.
const HEAD: usize = 440;

/// Key of a record.
pub fn record_key(group: GroupId, identifier: &str) -> Vec<u8> {
    let text = identifier.as_bytes();
    let mut key = Vec::with_capacity(17 + text.len().min(INLINE));
    key.extend_from_slice(group.bytes());
    if text.len() <= INLINE {
        key.push(0);
        key.extend_from_slice(text);
    } else {
        key.push(1);
        key.extend_from_slice(&text[..HEAD]);
        key.extend_from_slice(&xxh3_128(text).to_be_bytes());
    }
    key
}

/// Key of an outbox entry.
pub fn outbox_key(group: GroupId, arrival: Arrival) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(group.bytes());
    key[16..].copy_from_slice(&arrival.0.to_be_bytes());
    key
}

/// The smallest key beyond all keys of a group.
pub fn group_end(group: GroupId) -> [u8; 32] {
    let mut key = [0xff; 32];
    key[..16].copy_from_slice(group.bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_keep_order_and_differ() {
        let group = GroupId(uuid::Uuid::from_u128(7));
        let long = "é".repeat(1_024);
        let other = format!("{}x", &long[..long.len() - 2]);
        assert!(record_key(group, &long).len() <= 511);
        assert_ne!(record_key(group, &long), record_key(group, &other));
        assert!(record_key(group, "C1") < record_key(group, "C10") && record_key(group, "C10") < record_key(group, "C2"));
        assert!(record_key(group, &"\u{10ffff}".repeat(100)).as_slice() < &group_end(group)[..]);
        assert!(outbox_key(group, Arrival(255)) < outbox_key(group, Arrival(256)));
    }
}
