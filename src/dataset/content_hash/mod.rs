//! A hash of rows that is the same wherever the rows are the same: it says whether a training dataset is what it was.
//!
//! It covers the names and types of the columns, the number of rows and every value in the order of the rows. It does not
//! depend on how the rows are cut into batches, on threads, on the format they are written in, or on what does not show
//! in a value: text is text whether arrow keeps it in offsets, views or a dictionary, −0 is 0, a NaN is a NaN whatever its
//! bits, and what lies in memory beneath a null does not count.
//!
//! ```text
//! whole  = xxh3-128("larder rows 2" rows { length(name) name column })          by column
//! column = xxh3-128(length(type) type { block })                                by block of 1,048,576 rows, in order; the last may be shorter
//! block  = xxh3-128(length(type) type rows nulls values lengths { block })      nested columns behind their parent
//! nulls  = numbers in the block of the rows that are null, 8 bytes each         values of null rows are zero bytes
//! lengths = of texts, binaries and lists, 8 bytes each; values are then the texts one behind another
//! ```
//!
//! Blocks are hashed apart from each other, so several machines may hash those they have, and one puts the digests together
//! without seeing a row: [`BlockHasher`] on theirs, [`ContentHash::of_blocks`] here. No block is held: its rows go in as they come.
//!
//! Numbers are little-endian, as arrow has them in memory on every machine this runs on, so a column without nulls is
//! hashed as the slice it is. The layout is a format: a change of it needs another name in front.

mod column;

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use xxhash_rust::xxh3::Xxh3;

use crate::model::{Error, Result};
use column::{ColumnHasher, canonical};

/// Stands in front of what is hashed; another layout gets another name.
const LAYOUT: &[u8] = b"larder rows 2";
/// Rows of a block, but for the last.
pub const BLOCK_ROWS: u64 = 1 << 20;
/// Stands in front of the digits, so that a reader knows what they are.
const PREFIX: &str = "xxh3:";

/// The hash of some rows, and those of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentHash {
    /// Hash of everything: `xxh3:` and 32 hexadecimal digits.
    pub whole: String,
    /// Hash of each column: its type and values, not its name.
    pub columns: Vec<String>,
    /// Number of rows.
    pub rows: u64,
}

/// The digests of one block of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDigests {
    /// Number of rows.
    pub rows: u64,
    /// Digest of each column.
    pub columns: Vec<u128>,
}

/// Takes the batches of one block and hashes them.
pub struct BlockHasher {
    columns: Vec<ColumnHasher>,
    rows: u64,
}

impl BlockHasher {
    /// Starts on a block of rows with these columns.
    pub fn new(schema: &Schema) -> Self {
        Self { columns: schema.fields().iter().map(|field| ColumnHasher::new(field.data_type())).collect(), rows: 0 }
    }

    /// Rows taken in so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes in the next rows of the block.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::internal(format!("a batch of {} columns among some of {}", batch.num_columns(), self.columns.len())));
        }
        for (number, (column, hasher)) in batch.columns().iter().zip(&mut self.columns).enumerate() {
            let fault = |error| {
                let schema = batch.schema_ref();
                Error::internal(format!("column '{}' of type {} can't be hashed", schema.field(number).name(), column.data_type()))
                    .source(error)
            };
            hasher.add(column).map_err(fault)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// The digests of all rows taken in.
    pub fn finish(&self) -> BlockDigests {
        BlockDigests { rows: self.rows, columns: self.columns.iter().map(ColumnHasher::digest).collect() }
    }
}

/// Takes batch after batch and hashes them, block after block.
pub struct ContentHasher {
    schema: Schema,
    block_rows: u64,
    block: BlockHasher,
    whole: Whole,
}

impl ContentHasher {
    /// Starts on rows with these columns.
    pub fn new(schema: &Schema) -> Self {
        Self::with_blocks(schema, BLOCK_ROWS)
    }

    /// Starts on rows that are hashed in blocks of so many: another number gives other hashes.
    pub fn with_blocks(schema: &Schema, block_rows: u64) -> Self {
        Self { schema: schema.clone(), block_rows: block_rows.max(1), block: BlockHasher::new(schema), whole: Whole::new(schema) }
    }

    /// Takes in the next rows.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        for piece in cut(batch, self.block.rows(), self.block_rows) {
            self.block.add(&piece)?;
            if self.block.rows() == self.block_rows {
                self.whole.add(&self.block.finish());
                self.block = BlockHasher::new(&self.schema);
            }
        }
        Ok(())
    }

    /// The hash of all rows taken in.
    pub fn finish(mut self) -> ContentHash {
        if self.block.rows() > 0 {
            self.whole.add(&self.block.finish());
        }
        self.whole.finish()
    }
}

/// The rows of a batch, cut where a block is full that holds `held` rows already.
pub fn cut(batch: &RecordBatch, held: u64, block_rows: u64) -> impl Iterator<Item = RecordBatch> {
    let (rows, mut from, mut room) = (batch.num_rows(), 0, block_rows.saturating_sub(held));
    std::iter::from_fn(move || {
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(rows - from);
        (length > 0).then(|| {
            let piece = batch.slice(from, length);
            from += length;
            room = block_rows;
            piece
        })
    })
}

impl ContentHash {
    /// The hash of rows of which each block was hashed somewhere, from their digests in the order of the rows.
    ///
    /// # Errors
    /// `Internal` if a block has other columns, or if one but the last has not `block_rows` rows.
    pub fn of_blocks<'a>(schema: &Schema, block_rows: u64, blocks: impl IntoIterator<Item = &'a BlockDigests>) -> Result<Self> {
        let (mut whole, mut is_last) = (Whole::new(schema), false);
        for block in blocks {
            if is_last || block.rows == 0 || block.rows > block_rows || block.columns.len() != whole.columns.len() {
                return Err(Error::internal(format!(
                    "a block of {} rows and {} columns among those of a training dataset",
                    block.rows,
                    block.columns.len()
                )));
            }
            is_last = block.rows < block_rows;
            whole.add(block);
        }
        Ok(whole.finish())
    }
}

/// Puts the digests of blocks together.
struct Whole {
    names: Vec<String>,
    columns: Vec<Xxh3>,
    rows: u64,
}

impl Whole {
    fn new(schema: &Schema) -> Self {
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        let column = |data_type: &DataType| {
            let mut column = Xxh3::new();
            add_text(&mut column, &canonical(data_type).to_string());
            column
        };
        Self { names, columns: schema.fields().iter().map(|field| column(field.data_type())).collect(), rows: 0 }
    }

    fn add(&mut self, block: &BlockDigests) {
        for (column, digest) in self.columns.iter_mut().zip(&block.columns) {
            column.update(&digest.to_le_bytes());
        }
        self.rows += block.rows;
    }

    fn finish(self) -> ContentHash {
        let mut whole = Xxh3::new();
        whole.update(LAYOUT);
        whole.update(&self.rows.to_le_bytes());
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, column) in self.names.iter().zip(&self.columns) {
            let digest = column.digest128();
            add_text(&mut whole, name);
            whole.update(&digest.to_le_bytes());
            columns.push(text(digest));
        }
        ContentHash { whole: text(whole.digest128()), columns, rows: self.rows }
    }
}

/// A text behind its length, so that it can't run into what follows.
fn add_text(hash: &mut Xxh3, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

fn text(digest: u128) -> String {
    let mut text = String::with_capacity(PREFIX.len() + 32);
    text.push_str(PREFIX);
    // Writing to a String can't fail.
    let _ = write!(text, "{digest:032x}");
    text
}

/// The hash of a stretch of bytes, such as a file that is read piece by piece.
#[derive(Default)]
pub struct BytesHasher(Xxh3);

impl BytesHasher {
    /// Takes in the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash, written as that of rows is.
    pub fn finish(&self) -> String {
        text(self.0.digest128())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        Array, ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, LargeStringArray, ListArray, MapBuilder,
        StringArray, StringBuilder, StringViewArray, StructArray, TimestampMicrosecondArray,
    };
    use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
    use arrow::datatypes::{Field, Int64Type};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    fn one(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()
    }

    fn hash(batches: &[RecordBatch]) -> ContentHash {
        let mut hasher = ContentHasher::new(&batches[0].schema());
        for batch in batches {
            hasher.add(batch).unwrap();
        }
        hasher.finish()
    }

    fn of(column: impl Array + 'static) -> String {
        hash(&[one(Arc::new(column))]).whole
    }

    /// Columns of many types, full of nulls, with junk beneath them.
    fn sample(rows: usize) -> RecordBatch {
        let mut random = StdRng::seed_from_u64(11);
        let mut nulls = || NullBuffer::from((0..rows).map(|_| random.random_bool(0.7)).collect::<Vec<bool>>());
        let numbers = Int64Array::new((0..rows as i64).collect(), Some(nulls()));
        let doubles =
            Float64Array::from_iter((0..rows).map(|row| (row % 5 != 0).then_some(if row % 3 == 0 { -0.0 } else { row as f64 / 7.0 })));
        let texts = StringArray::from_iter((0..rows).map(|row| (row % 4 != 1).then(|| "ab".repeat(row % 9))));
        let flags = BooleanArray::from_iter((0..rows).map(|row| (row % 6 != 0).then_some(row % 2 == 0)));
        let times = TimestampMicrosecondArray::from_iter_values((0..rows as i64).map(|row| row - 5)).with_timezone("UTC");
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(
            (0..rows).map(|row| (row % 5 != 2).then(|| (0..row % 4).map(|element| (element != 1).then_some(element as i64)))),
        );
        let fixed = FixedSizeListArray::new(
            Arc::new(Field::new("item", DataType::Float32, true)),
            2,
            Arc::new(Float32Array::from_iter_values((0..2 * rows).map(|at| at as f32))),
            Some(nulls()),
        );
        let structs = StructArray::new(
            vec![Field::new("n", DataType::Int64, true)].into(),
            vec![Arc::new(Int64Array::from_iter_values(0..rows as i64))],
            Some(nulls()),
        );
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in 0..rows {
            for entry in 0..row % 3 {
                maps.keys().append_value(format!("k{entry}"));
                maps.values().append_option((entry > 0).then_some("v"));
            }
            maps.append(row % 7 != 0).unwrap();
        }
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("numbers", Arc::new(numbers)),
            ("doubles", Arc::new(doubles)),
            ("texts", Arc::new(texts)),
            ("flags", Arc::new(flags)),
            ("times", Arc::new(times)),
            ("lists", Arc::new(lists)),
            ("fixed", Arc::new(fixed)),
            ("structs", Arc::new(structs)),
            ("maps", Arc::new(maps.finish())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
    }

    #[test]
    fn batches_may_be_cut_anywhere() {
        let whole = sample(200);
        let expected = hash(std::slice::from_ref(&whole));
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..20 {
            let mut parts = Vec::new();
            let mut from = 0;
            while from < 200 {
                let length = random.random_range(0..=(200 - from).min(40));
                parts.push(whole.slice(from, length));
                from += length;
            }
            assert_eq!(hash(&parts), expected);
        }
    }

    #[test]
    fn every_value_name_type_and_the_order_of_rows_count() {
        let whole = sample(50);
        let expected = hash(std::slice::from_ref(&whole));
        for column in 0..whole.num_columns() {
            // The column's first two rows that differ, swapped.
            let order = |rows: &[u64]| arrow::compute::take_record_batch(&whole, &arrow::array::UInt64Array::from(rows.to_vec())).unwrap();
            let mut rows: Vec<u64> = (0..50).collect();
            let text = |row: u64| arrow::util::display::array_value_to_string(whole.column(column), row as usize).unwrap();
            let other = (1..50).find(|row| text(*row) != text(0)).unwrap();
            rows.swap(0, other as usize);
            let swapped = order(&rows);
            let mut columns = whole.columns().to_vec();
            columns[column] = swapped.column(column).clone();
            let changed = hash(&[RecordBatch::try_new(whole.schema(), columns).unwrap()]);
            let differing: Vec<usize> = (0..whole.num_columns()).filter(|at| changed.columns[*at] != expected.columns[*at]).collect();
            assert_eq!(differing, [column]);
            assert_ne!(changed.whole, expected.whole);
        }
        let renamed = RecordBatch::try_from_iter_with_nullable([("d", whole.column(0).clone(), true)]).unwrap();
        let (renamed, original) = (hash(&[renamed]), hash(&[one(whole.column(0).clone())]));
        assert_eq!(renamed.columns, original.columns);
        assert_ne!(renamed.whole, original.whole);
        assert_ne!(of(Int64Array::from(vec![1, 2])), of(TimestampMicrosecondArray::from(vec![1, 2])));
        assert_ne!(
            of(Int64Array::from(vec![1, 2])),
            hash(&[one(Arc::new(Int64Array::from(vec![1]))), one(Arc::new(Int64Array::from(vec![3])))]).whole
        );
        assert_ne!(of(StringArray::from(vec!["ab", "c"])), of(StringArray::from(vec!["a", "bc"])));
        assert_ne!(of(StringArray::from(vec![Some(""), None])), of(StringArray::from(vec![None, Some("")])));
        assert_ne!(of(Int64Array::from(vec![Some(0)])), of(Int64Array::from(vec![None])));
        assert_ne!(of(Int64Array::new_null(2)), of(Int64Array::new_null(3)));
    }

    #[test]
    fn what_does_not_show_does_not_count() {
        let texts = vec![Some("short"), None, Some("a text longer than twelve bytes"), Some("")];
        let plain = of(StringArray::from(texts.clone()));
        assert_eq!(of(LargeStringArray::from(texts.clone())), plain);
        assert_eq!(of(StringViewArray::from(texts.clone())), plain);
        let dictionary: arrow::array::DictionaryArray<arrow::datatypes::Int32Type> = texts.clone().into_iter().collect();
        assert_eq!(of(dictionary), plain);
        assert_eq!(of(Float64Array::from(vec![-0.0, f64::NAN])), of(Float64Array::from(vec![0.0, f64::from_bits(0xfff8_0000_0000_0001)])));
        assert_eq!(of(Float32Array::from(vec![-0.0, f32::NAN])), of(Float32Array::from(vec![0.0, -f32::NAN])));
        let beneath = |junk: i64| Int64Array::new(ScalarBuffer::from(vec![1, junk, 3]), Some(NullBuffer::from(vec![true, false, true])));
        assert_eq!(of(beneath(7)), of(beneath(9)));
        let in_list = |junk: i64| {
            let values = Int64Array::from(vec![1, junk, 3]);
            let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1, 2, 3]));
            let field = Arc::new(Field::new("element", DataType::Int64, true));
            ListArray::new(field, offsets, Arc::new(values), Some(NullBuffer::from(vec![true, false, true])))
        };
        assert_eq!(of(in_list(7)), of(in_list(9)));
        assert_eq!(of(in_list(7)), of(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)]), None, Some([Some(3)])])));
        let in_struct = |junk: i64| {
            let values: ArrayRef = Arc::new(Int64Array::from(vec![1, junk]));
            StructArray::new(vec![Field::new("n", DataType::Int64, true)].into(), vec![values], Some(NullBuffer::from(vec![true, false])))
        };
        assert_eq!(of(in_struct(7)), of(in_struct(9)));
    }

    #[test]
    fn blocks_hashed_apart_give_the_hash_of_the_rows() {
        let rows = sample(200);
        for block_rows in [1u64, 7, 50, 199, 200, 1_000] {
            let mut hasher = ContentHasher::with_blocks(&rows.schema(), block_rows);
            // Batches that end elsewhere than blocks do.
            for from in (0..200).step_by(30) {
                hasher.add(&rows.slice(from, 30.min(200 - from))).unwrap();
            }
            let whole = hasher.finish();
            let blocks: Vec<BlockDigests> = cut(&rows, 0, block_rows)
                .map(|block| {
                    let mut hasher = BlockHasher::new(&rows.schema());
                    hasher.add(&block).unwrap();
                    hasher.finish()
                })
                .collect();
            assert_eq!(blocks.len() as u64, 200u64.div_ceil(block_rows));
            assert_eq!(ContentHash::of_blocks(&rows.schema(), block_rows, &blocks).unwrap(), whole, "blocks of {block_rows}");
            if let [first, second, ..] = &blocks[..] {
                let swapped = ContentHash::of_blocks(&rows.schema(), block_rows, [second, first]);
                assert!(swapped.is_err() || swapped.unwrap() != whole);
                let torn = BlockDigests { rows: first.rows.saturating_sub(1), ..first.clone() };
                assert!(ContentHash::of_blocks(&rows.schema(), block_rows, [&torn, second]).is_err(), "a block in the middle is full");
            }
        }
        let none = ContentHash::of_blocks(&rows.schema(), 7, []).unwrap();
        assert_eq!(none, hash(&[rows.slice(0, 0)]));
    }

    #[test]
    fn the_layout_is_the_one_that_was_promised() {
        // The description at the top, step by step with the plain function.
        let digest = |parts: &[&[u8]]| xxh3_128(&parts.concat()).to_le_bytes();
        let nothing = digest(&[]);
        let block = |values: &[Option<i64>]| {
            let nulls: Vec<u8> = (0u64..).zip(values).filter(|(_, value)| value.is_none()).flat_map(|(row, _)| row.to_le_bytes()).collect();
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.unwrap_or(0).to_le_bytes()).collect();
            let rows = (values.len() as u64).to_le_bytes();
            digest(&[&5u64.to_le_bytes(), b"Int64", &rows, &digest(&[&nulls]), &digest(&[&bytes]), &nothing])
        };
        let expected = |rows: u64, blocks: &[[u8; 16]]| {
            let column = digest(&[&5u64.to_le_bytes(), b"Int64", &blocks.concat()]);
            let whole = digest(&[b"larder rows 2", &rows.to_le_bytes(), &1u64.to_le_bytes(), b"n", &column]);
            format!("xxh3:{:032x}", u128::from_le_bytes(whole))
        };
        let numbers = |values: Vec<Option<i64>>| {
            RecordBatch::try_from_iter_with_nullable([("n", Arc::new(Int64Array::from(values)) as ArrayRef, true)]).unwrap()
        };
        let values = vec![Some(1), None, Some(2)];
        assert_eq!(hash(&[numbers(values.clone())]).whole, expected(3, &[block(&values)]));
        assert_eq!(hash(&[numbers(Vec::new())]).whole, expected(0, &[]));
        // Two rows more than a block: the block and its row count, and nulls counted anew in the next.
        let mut long = vec![Some(7); BLOCK_ROWS as usize];
        long.extend([None, Some(3)]);
        let (first, second) = long.split_at(1_048_576);
        assert_eq!(hash(&[numbers(long.clone())]).whole, expected(1_048_578, &[block(first), block(second)]));
    }
}
