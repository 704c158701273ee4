//! Reads and writes the operators of this crate; all others are the engine's or Ballista's, which know their own.

use std::fmt;
use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result as EngineResult;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use object_store::path::Path;
use prost::Message;

use super::failure::into_cluster;
use super::files::ClusterFiles;
use super::messages::{
    NumberedMessage, Operator, OperatorMessage, PointInTimeMessage, RowWriterMessage, SnapshotMessage, UseMessage, WholeLatestMessage,
    rows_to_stream, stream_to_rows,
};
use super::numbered::NumberedExec;
use super::row_writer::{Layout, RowWriterExec};
use super::whole_latest::{Sessions, WholeLatestExec};
use crate::dataset::failure::into_engine;
use crate::dataset::point_in_time::operator::PointInTimeExec;
use crate::dataset::point_in_time::{JoinOptions, PointInTimeJoin};
use crate::dataset::row_files::RowFolder;
use crate::dataset::scan::SharedScan;
use crate::model::{Error, Result};

/// What the bytes of our operators begin with: no message of Ballista's has such a first field.
const OURS: &[u8] = b"\xfflarder";

/// Our operators on their way.
pub(super) struct PlanCodec {
    sessions: Sessions,
    files: Arc<dyn ClusterFiles>,
    /// How joins run on this machine.
    join: JoinOptions,
    others: BallistaPhysicalExtensionCodec,
}

impl PlanCodec {
    /// A codec for one machine: what it reads plans with these sessions and looks for these files.
    pub(super) fn new(sessions: Sessions, files: Arc<dyn ClusterFiles>, join: JoinOptions) -> Self {
        Self { sessions, files, join, others: BallistaPhysicalExtensionCodec::default() }
    }

    fn operator(&self, operator: Operator, inputs: &[Arc<dyn ExecutionPlan>]) -> Result<Arc<dyn ExecutionPlan>> {
        let input = || inputs.first().cloned().ok_or_else(|| Error::internal("an operator came without its input"));
        match operator {
            Operator::Numbered(NumberedMessage {}) => Ok(Arc::new(NumberedExec::new(input()?))),
            Operator::RowWriter(RowWriterMessage { folder, block_rows, number, counts, is_one }) => {
                let folder = RowFolder::new(self.files.of_store()?, Path::from(folder));
                let number = number.map(|position| position as usize);
                let layout = Layout { block_rows: block_rows.max(1), number, counts: counts as usize, is_one };
                Ok(Arc::new(RowWriterExec::new(input()?, folder, layout)))
            }
            Operator::WholeLatest(WholeLatestMessage { scan, wanted, oldest }) => {
                let group = scan.group()?;
                let store = self.files.of_group(group.id)?;
                let scan = SharedScan::new(scan.scan(group, store)?)?;
                let wanted = wanted.into_iter().map(|position| position as usize).collect();
                let operator = WholeLatestExec::new(scan, wanted, oldest, self.sessions.clone());
                Ok(Arc::new(operator.map_err(crate::dataset::failure::from_engine)?))
            }
            Operator::PointInTime(PointInTimeMessage { spine, time, groups, known_then, by_identifier, counts }) => {
                let spine = stream_to_rows(&spine)?.schema();
                let groups = groups.into_iter().map(|group| group.group(|group| self.files.of_group(group.id)));
                let options = JoinOptions { known_then, ..self.join.clone() };
                let join = PointInTimeJoin::new(spine, time as usize, groups.collect::<Result<_>>()?, options)?;
                Ok(Arc::new(PointInTimeExec::new(input()?, Arc::new(join), by_identifier, counts)))
            }
        }
    }
}

/// The message of an operator of ours; none for those of others.
fn message(node: &dyn ExecutionPlan) -> Result<Option<Operator>> {
    if node.is::<NumberedExec>() {
        return Ok(Some(Operator::Numbered(NumberedMessage {})));
    }
    if let Some(RowWriterExec { folder, layout, .. }) = node.downcast_ref::<RowWriterExec>() {
        return Ok(Some(Operator::RowWriter(RowWriterMessage {
            folder: folder.path().to_string(),
            block_rows: layout.block_rows,
            number: layout.number.map(|position| position as u64),
            counts: layout.counts as u64,
            is_one: layout.is_one,
        })));
    }
    if let Some(latest) = node.downcast_ref::<WholeLatestExec>() {
        let scan = SnapshotMessage::of(latest.scan.snapshot())?;
        let wanted = latest.wanted.iter().map(|position| *position as u64).collect();
        return Ok(Some(Operator::WholeLatest(WholeLatestMessage { scan, wanted, oldest: latest.oldest })));
    }
    let Some(joined) = node.downcast_ref::<PointInTimeExec>() else { return Ok(None) };
    let (join, by_identifier, counts) = joined.parts();
    let (spine, time) = join.spine();
    let spine = arrow::array::RecordBatch::new_empty(spine.clone());
    Ok(Some(Operator::PointInTime(PointInTimeMessage {
        spine: rows_to_stream(&spine)?,
        time: time as u64,
        groups: join.groups().iter().map(UseMessage::of).collect::<Result<_>>()?,
        known_then: join.options().known_then,
        by_identifier,
        counts,
    })))
}

impl fmt::Debug for PlanCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanCodec").field("files", &self.files).finish_non_exhaustive()
    }
}

impl PhysicalExtensionCodec for PlanCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let Some(ours) = bytes.strip_prefix(OURS) else { return self.others.try_decode(bytes, inputs, context, converter) };
        let message = OperatorMessage::decode(ours).map_err(|error| internal_datafusion_err!("an operator can't be read: {error}"))?;
        let operator = message.operator.ok_or_else(|| internal_datafusion_err!("an operator of another version of larder"))?;
        self.operator(operator, inputs).map_err(|error| into_cluster(&error))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> EngineResult<()> {
        match message(node.as_ref()).map_err(into_engine)? {
            None => self.others.try_encode(node, bytes, converter),
            Some(operator) => {
                bytes.extend_from_slice(OURS);
                bytes.extend(OperatorMessage { operator: Some(operator) }.encode_to_vec());
                Ok(())
            }
        }
    }
}
