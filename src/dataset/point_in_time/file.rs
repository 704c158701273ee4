//! Reading row groups of a group's Parquet files from blocking threads.
//!
//! A file may lie on the disk or in an object store: its bytes are fetched by ranges, all ranges of one row group at
//! once, and decoded from memory. Where few rows of a row group are wanted and the file has page indexes, only the pages
//! that hold them are fetched.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use bytes::{Buf, Bytes};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use super::super::reader::describe;
use crate::model::{Error, Result};

/// Bytes at the end of a file that are fetched at once: most footers fit.
const TAIL: u64 = 64 << 10;

/// Where files lie and who does the waiting.
#[derive(Debug, Clone)]
pub(in crate::dataset) struct Objects {
    pub(in crate::dataset) store: Arc<dyn ObjectStore>,
    pub(in crate::dataset) runtime: Handle,
}

/// The bytes of one object, some of them at hand.
#[derive(Debug, Clone)]
struct ObjectBytes {
    objects: Objects,
    object: ObjectMeta,
    held: Vec<(u64, Bytes)>,
}

impl ObjectBytes {
    fn fetch(&mut self, ranges: &[Range<u64>]) -> ParquetResult<()> {
        let fetched = self.objects.runtime.block_on(self.objects.store.get_ranges(&self.object.location, ranges));
        let fetched = fetched.map_err(|error| ParquetError::External(Box::new(error)))?;
        self.held = ranges.iter().map(|range| range.start).zip(fetched).collect();
        self.held.sort_by_key(|(start, _)| *start);
        Ok(())
    }

    /// What is held from an offset on.
    fn held_from(&self, start: u64) -> Option<Bytes> {
        let before = self.held.partition_point(|(from, _)| *from <= start);
        let (from, bytes) = self.held.get(before.checked_sub(1)?)?;
        let skipped = usize::try_from(start - from).ok().filter(|skipped| *skipped < bytes.len())?;
        Some(bytes.slice(skipped..))
    }
}

impl Length for ObjectBytes {
    fn len(&self) -> u64 {
        self.object.size
    }
}

impl ChunkReader for ObjectBytes {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        match self.held_from(start) {
            Some(bytes) => Ok(bytes.reader()),
            None => self.get_bytes(start, usize::try_from(self.object.size.saturating_sub(start)).unwrap_or(usize::MAX)).map(Buf::reader),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if let Some(bytes) = self.held_from(start).filter(|bytes| bytes.len() >= length) {
            return Ok(bytes.slice(..length));
        }
        let range = start..start.saturating_add(length as u64);
        let fetched = self.objects.runtime.block_on(self.objects.store.get_range(&self.object.location, range));
        fetched.map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// A column as it is wanted: a name, found whatever its case, and a type.
#[derive(Debug, Clone)]
pub(in crate::dataset) struct Wanted {
    pub(in crate::dataset) field: FieldRef,
}

/// A file whose footer has been read.
#[derive(Debug)]
pub(in crate::dataset) struct GroupFile {
    objects: Objects,
    object: ObjectMeta,
    footer: ArrowReaderMetadata,
    /// Number of the first row of each row group, and at the end the number of rows.
    starts: Vec<u64>,
}

impl GroupFile {
    /// Reads a footer, with the page indexes if there are any.
    pub(in crate::dataset) fn open(objects: &Objects, object: &ObjectMeta) -> Result<Self> {
        let mut bytes = ObjectBytes { objects: objects.clone(), object: object.clone(), held: Vec::new() };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let tail = object.size.saturating_sub(TAIL)..object.size;
        let footer = bytes.fetch(&[tail]).and_then(|()| ArrowReaderMetadata::load(&bytes, options));
        let footer = footer.map_err(|error| fault(objects, object, &error))?;
        let mut starts = vec![0];
        let mut rows = 0;
        for group in footer.metadata().row_groups() {
            rows += u64::try_from(group.num_rows()).unwrap_or(0);
            starts.push(rows);
        }
        Ok(Self { objects: objects.clone(), object: object.clone(), footer, starts })
    }

    pub(in crate::dataset) fn metadata(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    pub(super) fn footer(&self) -> &ArrowReaderMetadata {
        &self.footer
    }

    pub(in crate::dataset) fn row_groups(&self) -> usize {
        self.starts.len() - 1
    }

    /// Rows of the file that a row group holds.
    pub(in crate::dataset) fn rows(&self, row_group: usize) -> Range<u64> {
        self.starts[row_group]..self.starts[row_group + 1]
    }

    /// The row group that holds a row.
    pub(super) fn row_group_of(&self, row: u64) -> usize {
        self.starts.partition_point(|start| *start <= row).saturating_sub(1)
    }

    /// Position of a column among the top-level ones.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        super::super::scan::position_of(self.footer.schema(), name)
    }

    /// True if every page of a column refers to the row group's dictionary.
    pub(super) fn refers_to_dictionary(&self, row_group: usize, name: &str) -> bool {
        let leaf = || {
            let root = self.column(name)?;
            let schema = self.footer.parquet_schema();
            (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root)
        };
        let Some(chunk) = leaf().map(|leaf| self.metadata().row_group(row_group).column(leaf)) else { return false };
        let references = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
        chunk.page_encoding_stats_mask().is_some_and(|pages| references.iter().any(|encoding| pages.is_only(*encoding)))
    }

    /// Reads columns of a row group; of the selected rows, if there is a selection. A column that the file lacks is null.
    pub(in crate::dataset) fn read(
        &self,
        wanted: &[Wanted],
        row_group: usize,
        selection: Option<BooleanBuffer>,
        batch_rows: usize,
    ) -> Result<Batches> {
        let found: Vec<Option<usize>> = wanted.iter().map(|wanted| self.column(wanted.field.name())).collect();
        let reader =
            self.reader(wanted, &found, row_group, selection, batch_rows).map_err(|error| fault(&self.objects, &self.object, &error))?;
        let read = RecordBatchReader::schema(&reader);
        let positions =
            found.iter().map(|found| found.and_then(|position| read.index_of(self.footer.schema().field(position).name()).ok())).collect();
        let schema = Arc::new(Schema::new(wanted.iter().map(|wanted| wanted.field.clone()).collect::<Vec<_>>()));
        Ok(Batches { reader, schema, positions, objects: self.objects.clone(), object: self.object.clone() })
    }

    fn reader(
        &self,
        wanted: &[Wanted],
        found: &[Option<usize>],
        row_group: usize,
        selection: Option<BooleanBuffer>,
        batch_rows: usize,
    ) -> ParquetResult<ParquetRecordBatchReader> {
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), found.iter().flatten().copied());
        let selection = selection.map(RowSelection::from_boolean_buffer);
        let mut bytes = ObjectBytes { objects: self.objects.clone(), object: self.object.clone(), held: Vec::new() };
        bytes.fetch(&self.ranges(&mask, row_group, selection.as_ref()))?;
        let footer = match self.retyped(wanted, found) {
            None => self.footer.clone(),
            Some(schema) => ArrowReaderMetadata::try_new(self.footer.metadata().clone(), ArrowReaderOptions::new().with_schema(schema))?,
        };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer)
            .with_projection(mask)
            .with_row_groups(vec![row_group])
            .with_batch_size(batch_rows);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build()
    }

    /// The file's schema with columns to be decoded as views; none if nothing differs.
    fn retyped(&self, wanted: &[Wanted], found: &[Option<usize>]) -> Option<SchemaRef> {
        let mut fields: Vec<FieldRef> = self.footer.schema().fields().to_vec();
        let mut differs = false;
        for (wanted, position) in wanted.iter().zip(found) {
            let Some(field) = position.and_then(|position| fields.get_mut(position)) else { continue };
            let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
            if is_text && matches!(wanted.field.data_type(), DataType::Utf8View | DataType::Dictionary(..)) {
                *field = Arc::new(Field::new(field.name(), wanted.field.data_type().clone(), field.is_nullable()));
                differs = true;
            }
        }
        differs.then(|| Arc::new(Schema::new(fields)))
    }

    /// The bytes that reading needs.
    fn ranges(&self, mask: &ProjectionMask, row_group: usize, selection: Option<&RowSelection>) -> Vec<Range<u64>> {
        let group: &RowGroupMetaData = self.metadata().row_group(row_group);
        let pages = self.metadata().offset_index().and_then(|index| index.get(row_group));
        let mut ranges = Vec::new();
        for (leaf, chunk) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)) {
            let (start, length) = chunk.byte_range();
            let whole = start..start + length;
            match (selection, pages.and_then(|pages| pages.get(leaf))) {
                (Some(selection), Some(index)) if !index.page_locations().is_empty() => {
                    let locations = index.page_locations();
                    let first = u64::try_from(locations[0].offset).unwrap_or(start);
                    if first > start {
                        // The dictionary, which every page needs.
                        ranges.push(start..first);
                    }
                    ranges.extend(selection.scan_ranges(locations));
                }
                _ => ranges.push(whole),
            }
        }
        ranges
    }
}

fn fault(objects: &Objects, object: &ObjectMeta, error: &ParquetError) -> Error {
    objects.runtime.block_on(describe(objects.store.as_ref(), object, error))
}

/// Batches of one row group, in the columns that were wanted.
pub(in crate::dataset) struct Batches {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    positions: Vec<Option<usize>>,
    objects: Objects,
    object: ObjectMeta,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| fault(&self.objects, &self.object, &ParquetError::from(error))).and_then(|batch| self.conform(&batch)))
    }
}

impl Batches {
    fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns: Result<Vec<ArrayRef>> = self
            .schema
            .fields()
            .iter()
            .zip(&self.positions)
            .map(|(field, position)| match position.map(|position| batch.column(position)) {
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
                Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
                Some(column) => cast(column, field.data_type()).map_err(|error| {
                    Error::corrupt(format!("column '{}' of {} is {}", field.name(), self.object.location, column.data_type()))
                        .why(error.to_string())
                        .remedy("restore the file; `larder doctor` checks all files")
                }),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns?, &options)
            .map_err(|error| Error::internal("a file's rows don't fit their columns").source(error))
    }
}
