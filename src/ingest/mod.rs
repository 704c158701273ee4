//! The write path: puts and deletes by group commit, the drain from outbox to Parquet, bulk loads of files.
//!
//! Here lies the promise that nothing acknowledged is lost and nothing is doubled. A put is acknowledged after
//! one durable transaction ([`writer`]); everything after it is replay ([`drain`]). A bulk load (`load`) makes
//! its files durable first, publishes them in one commit, then fills the online store behind a mark.

pub mod captured;
pub mod drain;
pub(crate) mod expected;
pub mod files;
pub mod load;
pub mod quarantine;
pub mod writer;
