//! Sync: what other places know of feature groups, pulled into this catalog.
//!
//! `list -> fetch what changed -> diff -> guard` ([`plan`]) `-> one transaction per source -> statistics -> report` ([`run`]). A source is never written to. What
//! it says is kept apart from the groups of this store, so nothing that a source says changes how a record is stored. Running
//! twice changes nothing the second time; a run that is killed leaves the last whole state of each source.

mod aws;
pub mod definitions;
mod definitions_folder;
mod difference;
mod feast;
mod flows;
mod guard;
mod kinds;
mod larder;
mod listed;
mod lock;
mod look_up;
mod merged;
mod notes;
mod observed;
mod options;
mod parquet;
mod plan;
mod published;
mod reports;
mod run;
mod run_report;
mod scope;
mod sketches;
mod source;
mod sources;
mod statistics;
mod watch;

pub use difference::FieldChange;
pub use guard::{MaxDelete, Prune, Withheld};
pub use kinds::{KINDS, Kind};
pub use listed::{ListedGroup, ListedHistory, found, listed_group, listed_groups};
pub use look_up::{FoundRecord, look_up};
pub use merged::{Disagreement, Saying};
pub use notes::annotate;
pub use observed::{ObservedFeature, ObservedFlow, ObservedGroup, ObservedHistory, ObservedKind, ObservedNode};
pub use options::SyncOptions;
pub use published::{Published, publish};
pub use reports::{SourceState, SyncRun, sync_run, sync_status};
pub use run::sync;
pub use run_report::{Change, GroupFault, SourceReport, SourceStatus, SyncReport};
pub use scope::{Part, Scope};
pub use sketches::SketchReport;
pub use source::{Besides, Fetched, Listed, Listing, LookUp, Source, SourceError, Trouble};
pub use sources::{
    NewSource, SourceView, SyncedGroup, add_source, changes_since, disagreements, remove_source, sources, synced_groups, told_by,
};
pub use statistics::{evidence, kept_statistics, statistics, statistics_by_day};
pub use watch::{SyncEvent, SyncWatch};
