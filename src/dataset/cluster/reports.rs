//! What workers tell of the files they wrote, as rows: one for each file, and what their partition counted with the first.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};

use crate::dataset::content_hash::BlockDigests;
use crate::dataset::row_files::RowFile;
use crate::model::{Error, Result};

/// Columns of the rows.
static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("number", DataType::UInt64, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
        // 16 bytes a column.
        Field::new("digests", DataType::Binary, true),
        // 8 bytes a use of a group.
        Field::new("matched", DataType::Binary, true),
    ]))
});

/// What a partition became, or all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WrittenPart {
    /// The files, in no order where there are several partitions.
    pub(super) files: Vec<RowFile>,
    /// Rows that found a record, by use of a group.
    pub(super) matched: Vec<u64>,
}

pub(super) fn schema_of_reports() -> SchemaRef {
    COLUMNS.clone()
}

/// The rows that tell of a partition. One without files has no rows and counted nothing.
pub(super) fn report(written: &WrittenPart) -> Result<RecordBatch> {
    let files = &written.files;
    let numbers = |of: fn(&RowFile) -> u64| Arc::new(UInt64Array::from_iter_values(files.iter().map(of))) as ArrayRef;
    let digests = files.iter().map(|file| {
        file.digests.as_ref().map(|digests| digests.columns.iter().flat_map(|digest| digest.to_le_bytes()).collect::<Vec<u8>>())
    });
    let matched: Vec<u8> = written.matched.iter().flat_map(|matched| matched.to_le_bytes()).collect();
    let matched = std::iter::once(Some(matched)).chain(std::iter::repeat(None)).take(files.len());
    let columns: Vec<ArrayRef> = vec![
        numbers(|file| file.number),
        Arc::new(StringArray::from_iter_values(files.iter().map(|file| file.name.as_str()))),
        numbers(|file| file.rows),
        numbers(|file| file.bytes),
        Arc::new(digests.collect::<BinaryArray>()),
        Arc::new(matched.collect::<BinaryArray>()),
    ];
    RecordBatch::try_new(schema_of_reports(), columns).map_err(|error| Error::internal("what was written can't be told").source(error))
}

/// The files that such rows tell of, and the sums of what was counted.
pub(super) fn files_in(reports: &[RecordBatch]) -> Result<WrittenPart> {
    let mut all = WrittenPart::default();
    for batch in reports {
        read(batch, &mut all).ok_or_else(|| {
            Error::internal("a worker tells of its files in other words").remedy("run one version of larder on all machines of a cluster")
        })?;
    }
    Ok(all)
}

fn read(batch: &RecordBatch, all: &mut WrittenPart) -> Option<()> {
    let [number, name, rows, bytes, digests, matched] = batch.columns() else { return None };
    let numbers = |column: &ArrayRef| column.as_primitive_opt::<UInt64Type>().map(|column| column.values().to_vec());
    let (number, rows, bytes) = (numbers(number)?, numbers(rows)?, numbers(bytes)?);
    let (name, digests, matched) = (name.as_string_opt::<i32>()?, digests.as_binary_opt::<i32>()?, matched.as_binary_opt::<i32>()?);
    for row in 0..batch.num_rows() {
        let columns = |bytes: &[u8]| bytes.as_chunks::<16>().0.iter().map(|digest| u128::from_le_bytes(*digest)).collect();
        let digests = digests.is_valid(row).then(|| BlockDigests { rows: rows[row], columns: columns(digests.value(row)) });
        let (name, rows, bytes) = (name.value(row).to_owned(), rows[row], bytes[row]);
        all.files.push(RowFile { number: number[row], name, rows, bytes, digests });
        if matched.is_valid(row) {
            let counted = matched.value(row).as_chunks::<8>().0;
            all.matched.resize(all.matched.len().max(counted.len()), 0);
            all.matched.iter_mut().zip(counted).for_each(|(sum, counted)| *sum += u64::from_le_bytes(*counted));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_told_is_what_was_written() {
        let file = |number: u64, digests: Option<Vec<u128>>| RowFile {
            number,
            name: format!("{number}.parquet"),
            rows: number + 1,
            bytes: 1 << 40,
            digests: digests.map(|columns| BlockDigests { rows: number + 1, columns }),
        };
        let one = WrittenPart { files: vec![file(0, Some(vec![u128::MAX, 7])), file(1, None)], matched: vec![5, 1 << 50] };
        let other = WrittenPart { files: vec![file(2, Some(Vec::new()))], matched: vec![1, 1] };
        let none = WrittenPart { files: Vec::new(), matched: vec![0, 0] };
        let reports = [&one, &none, &other].map(|written| report(written).unwrap());
        let back = files_in(&reports).unwrap();
        assert_eq!(back.files, [one.files, other.files].concat());
        assert_eq!(back.matched, [6, (1 << 50) + 1]);
        assert!(files_in(&[RecordBatch::new_empty(Arc::new(Schema::empty()))]).is_err());
    }
}
