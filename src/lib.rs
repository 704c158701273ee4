//! larder: a feature store in one binary, with a terminal catalog browser as its face.
//!
//! # The flow, on one page
//!
//! **Write.** A face (`cli`, `tui`, [`server`]) hands name-value pairs to [`store::FeatureStore::put`]. They are checked
//! against the group's [`model::Schema`] and queued; one writer thread ([`ingest`]) puts a whole queue into one
//! LMDB transaction ([`backend::online`]) that holds the online row, if it is newer, and an outbox entry, and
//! answers after the fsync. A drain turns outbox entries into Parquet and commits files and high-water mark in
//! one atomic Delta commit ([`backend::offline`]), then trims the outbox. A crash anywhere replays: nothing is
//! lost, nothing is doubled. Bulk loads write files first, make one commit, then fill the online store behind a
//! resumable mark. Many small files become few sorted ones by compaction, in one commit that changes no row.
//!
//! **Read.** Look-ups go to LMDB. SQL ([`dataset`]) reads the files that can matter and the outbox, so that it
//! sees a record put a moment ago.
//!
//! **Train.** A spine (rows with an identifier and a time) and some groups become a plan ([`store::datasets`]): snapshots,
//! and what has to be read of them. The point-in-time join ([`dataset::point_in_time`]) finds for each row the record that
//! was newest then; the rows go into a file, or into files of the store, their hash and the versions that were read into its manifest.
//!
//! **Share the work.** Statements and joins may run on a cluster (`dataset::cluster`, [`store::cluster`]), if the crate was built with one: the plan is made
//! here, of snapshots taken here, and travels whole.
//!
//! **Know.** [`catalog`] holds what exists: groups, features, tags, runs, training datasets, in SQLite. It is an index: each
//! group's definition lies beside its data, each dataset's manifest in the store's folder, and a lost catalog is rebuilt
//! from there.
//!
//! **Judge.** [`statistics`] says what the values of a feature look like: a profile of each column that merges with those of other
//! files, and from two of them how far a feature drifted. Drains and loads profile what they write; the catalog keeps the sums.
//!
//! **Follow.** [`lineage`] answers where a feature comes from and whom a change of it reaches. Loads and builds note edges as they
//! happen, reads are counted, people and other systems (OpenLineage) say the rest.
//!
//! **Gather.** [`sync`] pulls what other places know of feature groups into the catalog, beside the groups of the store.
//!
//! # Layers
//!
//! `model <- catalog, backend, statistics <- lineage, ingest, dataset <- store <- sync <- server, tui, cli <- main`. Edges point one way; a
//! test reads the `use crate::` lines. `catalog` and `backend` do not know each other, nor do `ingest` and `dataset`.
//! Faces hold no rule: they translate to and from [`store::FeatureStore`].

pub mod model;

pub mod backend;
pub mod catalog;
pub mod statistics;

pub mod lineage;

pub mod dataset;
pub mod ingest;

pub mod store;

pub mod sync;

pub mod cli;
pub mod server;
pub mod tui;
