//! Sync: what other places know of feature groups, pulled into this catalog.
//!
//! `list -> fetch what changed -> diff -> guard -> one transaction per source -> report` ([`run`]). A source is never written to. What
//! it says is kept apart from the groups of this store, so nothing that a source says changes how a record is stored. Running
//! twice changes nothing the second time; a run that is killed leaves the last whole state of each source.

pub mod definitions;
mod difference;
mod guard;
mod kinds;
mod larder;
mod listed;
mod lock;
mod observed;
mod run;
mod source;
mod sources;

pub use difference::FieldChange;
pub use guard::{MaxDelete, Prune, Withheld};
pub use kinds::KINDS;
pub use listed::{ListedGroup, found, listed_groups};
pub use observed::{ObservedFeature, ObservedGroup};
pub use run::{Change, GroupFault, SourceReport, SourceStatus, SyncOptions, SyncReport, sync};
pub use source::{Fetched, Listed, Listing, Source, SourceError, Trouble};
pub use sources::{NewSource, SourceView, SyncedGroup, add_source, changes_since, remove_source, sources, synced_groups};
