//! Profiles: the mergeable state of one column, from which every figure is worked out.
//!
//! Stored form, version 1 ([`super::codec`]): kind, six counts (rows, nulls, NaN, +∞, −∞, beyond), then the state of the
//! kind: [`super::numbers`], [`super::text`] or [`super::collections`]. Counts and exact sums are the same for any split
//! and any order of merging; sketches differ within their error.

use arrow::array::Array;
use arrow::datatypes::DataType;

use super::canonical;
use super::cells::{Cell, cells};
use super::codec::{Reader, Writer, corrupt};
use super::collections::Collections;
use super::columns::{Keys, lists, texts};
use super::distribution::{Distribution, Scale};
use super::figures::{Distinct, Figures, QUANTILE_RANKS, Quantile, TopValue};
use super::histogram::{self, Histogram, HistogramBins};
use super::kind::ColumnKind;
use super::numbers::Numbers;
use super::text::{Categories, Texts};
use crate::model::{Error, Result};

const MAGIC: [u8; 4] = *b"LCP\n";
const VERSION: u8 = 1;
/// Most rows of a profile: every sum has room for so many.
const MOST_ROWS: u64 = 1 << 48;
/// Values in [`Figures::top`].
const TOP: usize = 20;
/// Cells of [`Figures::spark`].
const SPARK: usize = 8;

/// The mergeable state of one column.
#[derive(Debug, Clone)]
pub struct ColumnProfile {
    kind: ColumnKind,
    rows: u64,
    nulls: u64,
    nan: u64,
    pos_inf: u64,
    neg_inf: u64,
    beyond: u64,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Numbers(Numbers),
    Text(Texts),
    Collections(Collections),
}

impl State {
    fn new(kind: ColumnKind) -> Self {
        match (Scale::of(kind), kind.elements()) {
            (Some(scale), _) => Self::Numbers(Numbers::new(scale)),
            (None, Some(elements)) => Self::Collections(Collections::new(ColumnProfile::new(elements))),
            (None, None) => Self::Text(Texts::new()),
        }
    }
}

impl ColumnProfile {
    /// The profile of no rows.
    pub fn new(kind: ColumnKind) -> Self {
        Self { kind, rows: 0, nulls: 0, nan: 0, pos_inf: 0, neg_inf: 0, beyond: 0, state: State::new(kind) }
    }

    /// What the column holds.
    pub fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Rows, values or not.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows without a value.
    pub fn nulls(&self) -> u64 {
        self.nulls
    }

    /// Rows with a value that counts: neither null nor NaN nor infinite.
    pub fn values(&self) -> u64 {
        self.rows - self.without_value()
    }

    fn without_value(&self) -> u64 {
        self.nulls + self.odd()
    }

    /// Values that are in no distribution: NaN, infinite, beyond 64 bits.
    pub(super) fn odd(&self) -> u64 {
        self.nan + self.pos_inf + self.neg_inf + self.beyond
    }

    /// Adds the values of an array.
    ///
    /// # Errors
    /// The array's type is unknown or of another kind; whole numbers may go where fractions are, times where text is.
    pub fn update(&mut self, values: &dyn Array) -> Result<()> {
        self.check_kind(values.data_type())?;
        self.check_rows(values.len() as u64)?;
        match &mut self.state {
            State::Numbers(numbers) => {
                let keys = match numbers.scale() {
                    Scale::Integral => Keys::integral(values)?,
                    Scale::Fractional => Keys::fractional(values)?,
                    Scale::Time => Keys::times(values)?,
                };
                numbers.extend(&keys.keys)?;
                self.nulls += keys.nulls;
                self.nan += keys.nan;
                self.pos_inf += keys.pos_inf;
                self.neg_inf += keys.neg_inf;
                self.beyond += keys.beyond;
            }
            State::Text(state) => self.nulls += texts(values, &mut |text, count| state.add(text, count))?,
            State::Collections(collections) => self.nulls += add_collections(collections, values)?,
        }
        self.rows += values.len() as u64;
        Ok(())
    }

    /// Adds rows without a value.
    ///
    /// # Errors
    /// `Invalid` beyond the rows a profile holds.
    pub fn add_nulls(&mut self, rows: u64) -> Result<()> {
        self.check_rows(rows)?;
        self.nulls += rows;
        self.rows += rows;
        Ok(())
    }

    fn check_kind(&self, data_type: &DataType) -> Result<()> {
        let theirs = ColumnKind::of(data_type)?;
        let fits = theirs == self.kind
            || data_type == &DataType::Null
            || matches!((self.kind, theirs), (ColumnKind::Fractional, ColumnKind::Integral) | (ColumnKind::Text, ColumnKind::Time));
        if fits {
            return Ok(());
        }
        Err(Error::invalid(format!("a column of type {data_type} can't go into {} statistics", self.kind.as_str()))
            .remedy("take its statistics anew"))
    }

    fn check_rows(&self, more: u64) -> Result<()> {
        match self.rows.checked_add(more).filter(|rows| *rows <= MOST_ROWS) {
            Some(_) => Ok(()),
            None => Err(Error::invalid("there are too many rows for one profile").why(format!("it holds up to {MOST_ROWS}"))),
        }
    }

    /// Adds the rows of another profile.
    ///
    /// # Errors
    /// The two are of different kinds.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.kind != other.kind {
            let kinds = (other.kind.as_str(), self.kind.as_str());
            return Err(Error::invalid(format!("{} statistics can't go into {} ones", kinds.0, kinds.1)).remedy("take the statistics anew"));
        }
        self.check_rows(other.rows)?;
        match (&mut self.state, &other.state) {
            (State::Numbers(ours), State::Numbers(theirs)) => ours.merge(theirs)?,
            (State::Text(ours), State::Text(theirs)) => ours.merge(theirs)?,
            (State::Collections(ours), State::Collections(theirs)) => ours.merge(theirs)?,
            _ => return Err(Error::internal("two states of one kind of column differ")),
        }
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nan += other.nan;
        self.pos_inf += other.pos_inf;
        self.neg_inf += other.neg_inf;
        self.beyond += other.beyond;
        Ok(())
    }

    /// The distribution of a column of numbers or times that has values.
    pub(super) fn distribution(&self) -> Option<Distribution> {
        match &self.state {
            // The library refuses only what isn't a sketch.
            State::Numbers(numbers) => numbers.distribution().ok().flatten(),
            State::Text(_) | State::Collections(_) => None,
        }
    }

    /// Categories of a column of text.
    pub(super) fn categories(&self) -> Option<Categories> {
        match &self.state {
            State::Text(texts) => Some(texts.categories()),
            State::Numbers(_) | State::Collections(_) => None,
        }
    }

    /// The profile of the elements of a collection.
    pub fn elements(&self) -> Option<&Self> {
        match &self.state {
            State::Collections(collections) => Some(&collections.elements),
            State::Numbers(_) | State::Text(_) => None,
        }
    }

    /// Mean and sample standard deviation of a column of numbers.
    pub(super) fn mean_and_deviation(&self) -> Option<(f64, f64)> {
        match &self.state {
            State::Numbers(numbers) => {
                let totals = numbers.totals();
                totals.mean.zip(totals.deviation)
            }
            State::Text(_) | State::Collections(_) => None,
        }
    }

    /// True where no figure is an estimate.
    fn is_exact(&self) -> bool {
        match &self.state {
            State::Numbers(numbers) => numbers.is_exact(),
            State::Text(texts) => texts.is_exact(),
            State::Collections(collections) => collections.distinct().figures().exact && collections.elements.is_exact(),
        }
    }

    /// Quantiles at ranks from 0 to 1; none at a rank outside, and none of text, of collections and without values.
    pub fn quantiles(&self, at: &[f64]) -> Vec<Option<Quantile>> {
        let Some(distribution) = self.distribution() else { return vec![None; at.len()] };
        let value = |rank: f64| distribution.scale().value(distribution.quantile(rank));
        let quantile = |rank: &f64| {
            (0.0..=1.0).contains(rank).then(|| {
                // Bounds are exact even where ranks between aren't.
                let error = if *rank == 0.0 || *rank == 1.0 { 0.0 } else { distribution.rank_error };
                Quantile {
                    value: value(*rank),
                    low: value((rank - error).max(0.0)),
                    high: value((rank + error).min(1.0)),
                    exact: error == 0.0,
                }
            })
        };
        at.iter().map(quantile).collect()
    }

    /// The `k` most frequent values, most frequent first; fewer, or none, where there are too many distinct ones to tell.
    pub fn top(&self, k: usize) -> Vec<TopValue> {
        match &self.state {
            State::Numbers(numbers) => {
                let value = |(key, low, high)| TopValue { value: numbers.scale().value(key).to_string(), low, high };
                numbers.top(k).into_iter().map(value).collect()
            }
            State::Text(texts) => texts.top(k),
            State::Collections(_) => Vec::new(),
        }
    }

    /// A histogram of numbers or times; none of text, of collections, without values, or between edges that don't ascend.
    pub fn histogram(&self, bins: HistogramBins) -> Option<Histogram> {
        histogram::cut(&self.distribution()?, bins)
    }

    /// Edges that suit this column and another, for two histograms that lie over each other.
    pub fn shared_edges(&self, other: &Self, bins: HistogramBins) -> Option<Vec<f64>> {
        histogram::shared_edges(&self.distribution()?, &other.distribution()?, bins)
    }

    /// Every scalar that a person may read.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures {
            n: self.rows,
            nulls: self.nulls,
            nan: self.nan,
            pos_inf: self.pos_inf,
            neg_inf: self.neg_inf,
            beyond: self.beyond,
            top: self.top(TOP),
            exact: self.is_exact(),
            ..Figures::none(self.kind)
        };
        match &self.state {
            State::Numbers(numbers) => self.number_figures(numbers, &mut figures),
            State::Text(texts) => {
                let totals = texts.totals();
                figures.empty = totals.empty;
                figures.bytes = totals.bytes.figures();
                figures.chars = totals.chars.figures();
                figures.parses = Some(totals.parses);
                let text = |text: &str| super::Value::Text(text.to_owned());
                figures.min = totals.bounds.as_ref().map(|(least, _)| text(least));
                figures.max = totals.bounds.as_ref().map(|(_, greatest)| text(greatest));
                figures.distinct = texts.distinct();
                figures.count_figures(texts.counts());
            }
            State::Collections(collections) => {
                figures.empty = collections.empty();
                figures.items = collections.lengths();
                figures.norm = collections.norms();
                figures.distinct = collections.distinct().figures();
                figures.elements = Some(Box::new(collections.elements.figures()));
            }
        }
        let values = figures.values();
        figures.mode_share = figures.top.first().filter(|_| values > 0).map(|top| top.low as f64 / values as f64);
        figures
    }

    fn number_figures(&self, numbers: &Numbers, figures: &mut Figures) {
        let totals = numbers.totals();
        figures.zeros = totals.zeros;
        figures.negatives = totals.negatives;
        figures.mean = totals.mean;
        figures.std = totals.deviation;
        figures.sum = totals.sum.map(|sum| sum.to_string());
        figures.min = totals.bounds.map(|(least, _)| numbers.scale().value(least));
        figures.max = totals.bounds.map(|(_, greatest)| numbers.scale().value(greatest));
        figures.distinct = numbers.distinct();
        figures.count_figures(numbers.counts().map(|counts| counts.into_iter().map(|(_, count)| count).collect()));
        // Before 1970 is no sign and the epoch no nought.
        if self.kind == ColumnKind::Time {
            (figures.zeros, figures.negatives) = (0, 0);
        }
        if let Ok(Some(distribution)) = numbers.distribution() {
            let value = |rank: &f64| distribution.scale().value(distribution.quantile(*rank));
            figures.quantiles = QUANTILE_RANKS.iter().map(value).collect();
            figures.rank_error = distribution.rank_error;
            figures.spark = histogram::spark(&distribution, SPARK);
        }
    }

    /// The profile as bytes, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new(MAGIC, VERSION);
        self.write(&mut out);
        out.finish()
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.byte(self.kind.code());
        for count in [self.rows, self.nulls, self.nan, self.pos_inf, self.neg_inf, self.beyond] {
            out.number(count);
        }
        match &self.state {
            State::Numbers(numbers) => numbers.write(out),
            State::Text(texts) => texts.write(out),
            State::Collections(collections) => collections.write(out),
        }
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// Bytes that are damaged, of something else, or of a later version. No bytes make it panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::open(bytes, MAGIC, VERSION)?;
        let profile = Self::read(&mut input, None)?;
        input.end()?;
        Ok(profile)
    }

    /// Reads a profile, of a certain kind if it is one of elements: these are never collections, so nests end.
    fn read(input: &mut Reader<'_>, expected: Option<ColumnKind>) -> Result<Self> {
        let kind = ColumnKind::from_code(input.byte()?).ok_or_else(|| corrupt("a column of an unknown kind"))?;
        if expected.is_some_and(|expected| expected != kind) {
            return Err(corrupt("elements of another kind"));
        }
        let mut counts = [0; 6];
        for count in &mut counts {
            *count = input.number()?;
            if *count > MOST_ROWS {
                return Err(corrupt("a count is too great"));
            }
        }
        let [rows, nulls, nan, pos_inf, neg_inf, beyond] = counts;
        let Some(values) = rows.checked_sub(counts[1..].iter().sum()) else {
            return Err(corrupt("counts don't add up"));
        };
        let state = match (Scale::of(kind), kind.elements()) {
            (Some(scale), _) => State::Numbers(Numbers::read(input, scale, values)?),
            (None, Some(elements)) => State::Collections(Collections::read(input, values, |input| Self::read(input, Some(elements)))?),
            (None, None) => State::Text(Texts::read(input, values)?),
        };
        Ok(Self { kind, rows, nulls, nan, pos_inf, neg_inf, beyond, state })
    }
}

/// Adds the collections of an array; returns the number of nulls.
fn add_collections(collections: &mut Collections, values: &dyn Array) -> Result<u64> {
    let (elements, ranges) = lists(values)?;
    let used = ranges.iter().flatten().fold((usize::MAX, 0), |(start, end), range| (start.min(range.0), end.max(range.1)));
    let first = used.0.min(used.1);
    let cells = cells(&elements.slice(first, used.1 - first))?;
    // Elements of null rows are no values; those of neighbouring rows are taken in together.
    let mut run = (first, first);
    for (start, end) in ranges.iter().flatten() {
        let row = cells.get(start - first..end - first).unwrap_or_default();
        let hash = canonical::of_list(row.iter().map(|cell| cell.map(|cell| cell.hash)));
        collections.add(row.len() as u64, hash, norm(row));
        if *start != run.1 {
            collections.elements.update(&elements.slice(run.0, run.1 - run.0))?;
            run.0 = *start;
        }
        run.1 = *end;
    }
    collections.elements.update(&elements.slice(run.0, run.1 - run.0))?;
    Ok(ranges.iter().filter(|range| range.is_none()).count() as u64)
}

/// Euclidean norm of elements that are all finite numbers.
fn norm(row: &[Option<Cell>]) -> Option<f64> {
    let mut squares = 0.0;
    for cell in row {
        squares += cell.as_ref()?.number?.powi(2);
    }
    Some(squares.sqrt())
}

impl Figures {
    fn none(kind: ColumnKind) -> Self {
        Self {
            kind,
            n: 0,
            nulls: 0,
            nan: 0,
            pos_inf: 0,
            neg_inf: 0,
            beyond: 0,
            zeros: 0,
            negatives: 0,
            empty: 0,
            mean: None,
            std: None,
            min: None,
            max: None,
            sum: None,
            distinct: Distinct::default(),
            bytes: None,
            chars: None,
            items: None,
            norm: None,
            parses: None,
            quantiles: Vec::new(),
            rank_error: 0.0,
            top: Vec::new(),
            mode_share: None,
            entropy: None,
            once_share: None,
            spark: Vec::new(),
            exact: true,
            elements: None,
        }
    }

    /// Figures that all counts are needed for, greatest first.
    fn count_figures(&mut self, counts: Option<Vec<u64>>) {
        let Some(counts) = counts.filter(|counts| !counts.is_empty()) else { return };
        let total = counts.iter().sum::<u64>() as f64;
        let share = |count: &u64| *count as f64 / total;
        // Not −0 for a column of one value.
        self.entropy = Some(counts.iter().map(share).map(|p| -p * p.ln()).sum::<f64>() + 0.0);
        let once = counts.iter().filter(|count| **count == 1).count();
        self.once_share = Some(once as f64 / counts.len() as f64);
    }
}
