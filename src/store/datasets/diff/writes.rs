//! Through which writes rows differ: when the record that each of them sees was written.
//!
//! It is the join again, over the rows of the dataset itself, with the write time as its one feature.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use tokio::runtime::Handle;

use super::table::Table;
use super::{EXAMPLES, WriteShare};
use crate::backend::offline::columns::WRITE_TIME;
use crate::dataset::point_in_time::{JoinFeature, JoinGroup, PointInTimeJoin};
use crate::model::{Error, EventTime, Result};
use crate::store::FeatureStore;
use crate::store::datasets::PlanOptions;
use crate::store::datasets::manifest::{Manifest, ManifestInput};

/// Write times that are told for each group; the others are left out.
const MOST: usize = 2 * EXAMPLES;

impl FeatureStore {
    /// The write times of the records that marked rows see, those of most rows first.
    pub(super) async fn write_shares(
        &self,
        manifest: &Manifest,
        input: &ManifestInput,
        rows: &Table,
        marked: &[bool],
        before: Option<EventTime>,
        options: &PlanOptions,
    ) -> Result<Vec<WriteShare>> {
        let group = self.group_of_input(input).await?;
        let (scan, cut) = self.past_scan(&group, input).await?;
        let (spine, batches) = rows.columns(&[input.spine_id.as_str(), manifest.request.spine_time.as_str()])?;
        let join = JoinGroup {
            scan,
            spine_id: 0,
            features: vec![JoinFeature { feature: WRITE_TIME.to_owned(), column: "written".to_owned() }],
            ttl: input.ttl,
            as_of: [manifest.request.as_of, cut].into_iter().flatten().min(),
        };
        let join = PointInTimeJoin::new(spine, 1, vec![join], self.join_options(options))?;
        let (runtime, watch, marked) = (Handle::current(), options.watch.clone(), marked.to_vec());
        let counted = tokio::task::spawn_blocking(move || {
            let mut joined = join.run(batches, &runtime, &watch)?;
            let mut counts: BTreeMap<Option<i64>, u64> = BTreeMap::new();
            let mut marks = marked.iter();
            while let Some(piece) = joined.next_piece()? {
                let batch = piece.assemble()?;
                let written = batch.column(2).as_primitive::<TimestampMicrosecondType>();
                for (row, _) in (0..written.len()).zip(marks.by_ref()).filter(|(_, marked)| **marked) {
                    *counts.entry(written.is_valid(row).then(|| written.value(row))).or_default() += 1;
                }
            }
            Ok::<_, Error>(counts)
        });
        let counts = counted.await.map_err(|error| Error::internal("looking for the writes stopped").source(error))??;
        let mut shares: Vec<WriteShare> = counts
            .into_iter()
            .map(|(written, rows)| {
                let written = written.and_then(EventTime::from_unix_micros);
                let is_new = written.is_some_and(|written| before.is_some_and(|before| written > before));
                WriteShare { group: input.group.clone(), alias: input.alias.clone(), written, is_new, rows }
            })
            .collect();
        shares.sort_by_key(|share| std::cmp::Reverse(share.rows));
        shares.truncate(MOST);
        Ok(shares)
    }
}
