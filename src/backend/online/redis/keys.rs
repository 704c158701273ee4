//! Names and bytes in Redis.
//!
//! ```text
//! <prefix>{<group id>:<bucket>}:r:<identifier>   a record: version (20) · kind (1) · row (see `row`)
//! <prefix>{<group id>:<bucket>}:live             sorted set of identifiers, all of score 0: in byte order
//! <prefix>{<group id>:<bucket>}:dead             the same for tombstones
//! <prefix>{<group id>:<bucket>}:g:<hash>         a grave: version of a hard delete, for a while
//! <prefix>{<group id>:<bucket>}:graves           their names by when they end
//! <prefix>{<group id>:<bucket>}:marks            hash: one_sided, expiring
//! ```
//! What stands in braces is the hash tag: all keys of a bucket lie on one server of a cluster, so that one script may change record
//! and index at once. A group has [`BUCKETS`] buckets, and spreads over as many servers. The number is part of the format.
//!
//! A record is one packed value, the row as LMDB holds it, not a hash of features: a value is one allocation instead of one per feature
//!, carries the checksum, and a look-up of all features is one GET. A look-up of few features of a
//! wide row pays with bytes it does not need.
//!
//! Versions are order-preserving bytes: seconds with the sign bit flipped, nanoseconds, arrival, all big-endian.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::super::row::RowView;
use crate::model::{Arrival, Error, EventTime, GroupId, Result};

/// Buckets of a group.
pub(super) const BUCKETS: u64 = 16;
/// Bytes of a version.
const VERSION: usize = 20;
/// Bytes before the row in a value.
const HEAD: usize = VERSION + 1;

/// The bucket of an identifier.
pub(super) fn bucket_of(identifier: &str) -> u64 {
    xxh3_64(identifier.as_bytes()) % BUCKETS
}

/// The names of one bucket of a group.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    tag: String,
}

impl Bucket {
    pub(super) fn new(prefix: &str, group: GroupId, number: u64) -> Self {
        Self { tag: format!("{prefix}{{{}:{number:x}}}", group.0.simple()) }
    }

    pub(super) fn of(prefix: &str, group: GroupId, identifier: &str) -> Self {
        Self::new(prefix, group, bucket_of(identifier))
    }

    pub(super) fn all(prefix: &str, group: GroupId) -> impl Iterator<Item = Self> {
        (0..BUCKETS).map(move |number| Self::new(prefix, group, number))
    }

    /// The slot of a cluster in which the bucket lies.
    pub(super) fn slot(&self) -> u16 {
        slot_of(&self.tag)
    }

    pub(super) fn record(&self, identifier: &str) -> String {
        format!("{}:r:{identifier}", self.tag)
    }

    pub(super) fn live(&self) -> String {
        format!("{}:live", self.tag)
    }

    pub(super) fn dead(&self) -> String {
        format!("{}:dead", self.tag)
    }

    /// Hashed: a record that was deleted for good must not leave its identifier.
    pub(super) fn grave(&self, identifier: &str) -> String {
        format!("{}:g:{:032x}", self.tag, xxh3_128(identifier.as_bytes()))
    }

    pub(super) fn graves(&self) -> String {
        format!("{}:graves", self.tag)
    }

    pub(super) fn marks(&self) -> String {
        format!("{}:marks", self.tag)
    }
}

/// The slot of a key: CRC-16 (XMODEM) of its hash tag, as the cluster specification says.
fn slot_of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag).filter(|tag| !tag.is_empty());
    let crc = tag.unwrap_or(key).bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    crc % 16_384
}

/// A version as bytes that compare as the version does.
pub(super) fn version_bytes((event_time, arrival): (EventTime, Arrival)) -> [u8; VERSION] {
    let mut bytes = [0; VERSION];
    bytes[..8].copy_from_slice(&(event_time.unix_seconds() as u64 ^ 1 << 63).to_be_bytes());
    bytes[8..12].copy_from_slice(&event_time.subsecond_nanos().to_be_bytes());
    bytes[12..].copy_from_slice(&arrival.0.to_be_bytes());
    bytes
}

/// The event time at the head of a version.
pub(super) fn event_time_of(bytes: &[u8]) -> Option<EventTime> {
    let seconds = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?) ^ 1 << 63;
    EventTime::new(seconds as i64, u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?))
}

/// The value of a row.
pub(super) fn value_of(row: &[u8]) -> Result<Vec<u8>> {
    let view = RowView::open(row)?;
    let mut value = Vec::with_capacity(HEAD + row.len());
    value.extend_from_slice(&version_bytes(view.version()));
    value.push(if view.is_tombstone() { b't' } else { b'r' });
    value.extend_from_slice(row);
    Ok(value)
}

/// The row in a value.
pub(super) fn row_in(value: &[u8]) -> Result<RowView<'_>> {
    let row = value.get(HEAD..).ok_or_else(|| {
        Error::corrupt("a record in Redis is damaged").why("it is too short").remedy("run `larder online rebuild`, or put the record again")
    })?;
    RowView::open(row)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot_of("123456789"), 0x31c3);
        assert_eq!(slot_of("a{user1000}.b"), slot_of("user1000"));
        assert_eq!(slot_of("foo{}{bar}"), 8_363, "an empty tag is none");
    }

    #[test]
    fn a_group_spreads_and_a_bucket_stays_together() {
        let group = GroupId(uuid::Uuid::from_u128(7));
        let slots: std::collections::BTreeSet<u16> = Bucket::all("larder:", group).map(|bucket| bucket.slot()).collect();
        assert_eq!(slots.len() as u64, BUCKETS);
        let bucket = Bucket::of("larder:", group, "a}{b");
        for key in [bucket.record("a}{b"), bucket.live(), bucket.dead(), bucket.grave("a}{b"), bucket.graves(), bucket.marks()] {
            assert_eq!(slot_of(&key), bucket.slot(), "{key}");
        }
        assert!(!bucket.grave("secret").contains("secret"));
    }

    #[test]
    fn bytes_of_versions_compare_as_versions_do() {
        let version = |seconds, nanos, arrival| (EventTime::new(seconds, nanos).unwrap(), Arrival(arrival));
        let rising =
            [version(-5, 0, 9), version(-1, 999_999_999, 1), version(0, 0, 7), version(0, 1, 1), version(0, 1, 256), version(9, 0, 0)];
        assert!(rising.is_sorted());
        assert!(rising.map(version_bytes).is_sorted());
        assert_eq!(rising.map(|version| event_time_of(&version_bytes(version))), rising.map(|(event_time, _)| Some(event_time)));
    }
}
