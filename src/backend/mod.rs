//! Where data lies: the online store (latest record per identifier, and the outbox) and the offline store
//! (every record ever, as Parquet files under a Delta log).
//!
//! The two do not know each other and neither knows the catalog; `ingest` moves records between them. Both
//! promise the same: what a call acknowledged survives kill -9 and power loss. [`faults`] is the seam through
//! which tests make the k-th effectful step fail; `aws` is where keys for a bucket come from.

pub(crate) mod aws;
pub mod faults;
pub mod offline;
pub mod online;
