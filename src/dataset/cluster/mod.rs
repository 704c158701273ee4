//! Statements and point-in-time joins on a cluster: DataFusion Ballista runs the plans that [`super::session`] makes.
//!
//! ```text
//! here       statement -> snapshots, plan (as on one machine) -> [`distributable`] -> [`submit`]
//! scheduler  plan -> stages, cut where rows change partitions -> tasks                [`scheduler`]
//! worker     task -> files of its own view of the store -> rows for the next stage   [`worker`]
//! here       rows of the last stage, in order
//! ```
//!
//! What must stay true: the answer is that of one machine. So the plan is made where the question was asked, of snapshots
//! taken there, and travels whole ([`codec`], [`messages`]): the files of a table's version by name, and the rows that were
//! in no file yet as rows. No worker looks for a newer version, and none looks into an outbox. Files are named by their
//! group, and a worker asks its own store where that group's files lie: the folder may be mounted elsewhere there, and a
//! worker of another store refuses.
//!
//! The join is parted by record identifier ([`join`]); rows carry the number they have in the spine and are merged by it, or the
//! workers write them, sorted by it block by block, to files of the store ([`write`]): then no row comes here.

mod codec;
mod connections;
mod distributable;
mod failure;
mod files;
mod jobs;
mod join;
mod messages;
mod numbered;
mod reports;
mod row_writer;
mod run;
mod scheduler;
mod submit;
mod telling;
mod whole_latest;
mod worker;
mod workers;
mod write;

use std::net::SocketAddr;

use ballista_core::extension::SessionConfigExt;
use datafusion::prelude::SessionConfig;

pub use files::ClusterFiles;
pub(super) use join::{numbered_spine, ordered_join};
pub use numbered::ROW_NUMBER;
pub(super) use numbered::with_number;
pub use run::{StoredSpine, stored_rows, stored_schema};
pub use scheduler::Scheduler;
pub use worker::{Worker, WorkerOptions};

/// Bytes of a message between the machines: a plan carries rows that were in no file yet.
const MAX_MESSAGE: u32 = 1 << 30;

/// A cluster to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster {
    /// Where its scheduler listens.
    pub scheduler: SocketAddr,
    /// Parts that work is divided into.
    pub parts: usize,
}

/// What a session that plans for a cluster knows besides its settings.
#[derive(Debug)]
struct PlansInParts(usize);

/// The settings of a session that plans for a cluster.
fn config_for(cluster: Cluster, config: SessionConfig) -> SessionConfig {
    config
        .upgrade_for_ballista()
        .with_ballista_grpc_client_max_message_size(MAX_MESSAGE as usize)
        .with_target_partitions(cluster.parts.max(1))
        .with_extension(std::sync::Arc::new(PlansInParts(cluster.parts.max(1))))
}

/// The same settings with joins by hash in all parts.
fn joining_by_hash(mut config: SessionConfig) -> SessionConfig {
    let optimizer = &mut config.options_mut().optimizer;
    optimizer.prefer_hash_join = true;
    // A side that is collected whole would be built by each task anew.
    optimizer.hash_join_single_partition_threshold = 0;
    optimizer.hash_join_single_partition_threshold_rows = 0;
    config
}

/// Parts that a session's plans are to be divided into; none on one machine.
pub(super) fn parts_of(config: &SessionConfig) -> Option<usize> {
    config.get_extension::<PlansInParts>().map(|parts| parts.0)
}
