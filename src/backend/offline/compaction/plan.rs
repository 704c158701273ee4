//! Which files are worth merging.
//!
//! A file's *weight* is its share of the target: 1 where it has the rows or the bytes of the target, whichever is more. A
//! file is *small* below a half.
//!
//! **By itself** a store merges small files only, and only once there are more of them than a limit. It takes the *k*
//! smallest for the greatest *k* at which all together weigh at least twice the heaviest. So a row that is written again
//! lies in a file of at least twice the weight then: it is written at most log2(0.5 / weight of its first file) times on its
//! way to a file that is small no more, thirteen times from a hundred rows to half a million. And what is left has more
//! than doubled from each file to the second next, so that few are left.
//!
//! **By hand** a table is brought to its ideal form: files at the target that share no identifier. Files whose
//! identifiers overlap are merged, and small neighbours where fewer files come of it. A file of at least half the target
//! whose identifiers are in no other file stays as it is. Once done, there is nothing to do: outputs touch in one identifier at
//! most, and no two neighbours are small.
//!
//! Rows that nothing else tells apart are in the order of their files. Where a file that stays could hold such a twin of
//! a row that would move past it, the row's file stays too. Files of ours never do: a write time is used once, or by
//! one file of a load.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::backend::offline::bounds::Bound;
use crate::backend::offline::columns::{API_INVOCATION_TIME, EVENT_TIME, WRITE_TIME};
use crate::backend::offline::{DataFile, OfflineStore, TableSnapshot, layout};

/// Weight from which on a file is small no more.
const SMALL: f64 = 0.5;
/// How much heavier the merged file is than the heaviest it is made of.
const GROWTH: f64 = 2.0;

/// When an output is full: at so many rows or so many bytes, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionTarget {
    /// Rows of a file.
    pub rows: u64,
    /// Bytes of a file.
    pub bytes: u64,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Everything that is not in the ideal form.
    Everything,
    /// Small files, if there are more than so many.
    Small {
        /// The limit.
        more_than: u64,
    },
}

/// Files to merge.
#[derive(Debug, Clone)]
pub struct CompactionPlan {
    schema: SchemaRef,
    target: CompactionTarget,
    /// Each in the order of commits; identifiers of one overlap those of no other.
    jobs: Vec<Vec<Arc<DataFile>>>,
}

impl CompactionPlan {
    /// True if there is nothing to gain.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The files that will be replaced.
    pub fn files(&self) -> Vec<Arc<DataFile>> {
        self.jobs.iter().flatten().cloned().collect()
    }

    /// Rows of these files; those of files about which the log says nothing don't count.
    pub fn rows(&self) -> u64 {
        self.jobs.iter().flatten().filter_map(|file| file.rows()).sum()
    }

    /// Bytes of these files.
    pub fn bytes(&self) -> u64 {
        self.jobs.iter().flatten().map(|file| file.size).sum()
    }

    pub(super) fn jobs(&self) -> &[Vec<Arc<DataFile>>] {
        &self.jobs
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) fn target(&self) -> CompactionTarget {
        self.target
    }
}

impl OfflineStore {
    /// Plans a compaction of a table; `spared` names files that must stay.
    pub fn plan_compaction(
        &self,
        snapshot: &TableSnapshot,
        spared: &HashSet<String>,
        target: CompactionTarget,
        selection: Selection,
    ) -> CompactionPlan {
        let files: Vec<Candidate> =
            snapshot.files().iter().enumerate().map(|(place, file)| Candidate::new(place, file, snapshot.identifier(), target)).collect();
        let free: Vec<&Candidate> = files.iter().filter(|file| !spared.contains(&file.file.path)).collect();
        let mut jobs = match selection {
            Selection::Everything => everything(free),
            Selection::Small { more_than } => small(free, more_than),
        };
        keep_order(&files, &mut jobs, snapshot.identifier());
        jobs.retain(|job| is_worth_it(job, target));
        for job in &mut jobs {
            job.sort_by_key(|file| file.place);
        }
        let jobs = jobs.into_iter().map(|job| job.into_iter().map(|file| file.file.clone()).collect()).collect();
        CompactionPlan { schema: snapshot.schema().clone(), target, jobs }
    }
}

/// One end of the identifiers of a file.
#[derive(Debug, Clone, PartialEq)]
enum Edge {
    /// Null, or nobody knows.
    Least,
    At(Bound),
    /// Nobody knows.
    Greatest,
}

impl Edge {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::At(a), Self::At(b)) => a.compare(b).unwrap_or(Ordering::Equal),
            (Self::Least, Self::Least) | (Self::Greatest, Self::Greatest) => Ordering::Equal,
            (Self::Least, _) | (_, Self::Greatest) => Ordering::Less,
            (Self::Greatest, _) | (_, Self::Least) => Ordering::Greater,
        }
    }

    /// True if identifiers from this edge on reach below another file's upper edge.
    fn reaches_below(&self, upper: &Self) -> bool {
        match (self, upper) {
            (Self::At(low), Self::At(high)) => low.reaches_below(high),
            _ => self.compare(upper).is_lt(),
        }
    }
}

/// A file that may be merged.
#[derive(Debug, Clone)]
struct Candidate {
    /// Its place in the order of commits.
    place: usize,
    file: Arc<DataFile>,
    weight: f64,
    low: Edge,
    high: Edge,
    /// True if it was written by us, and so is sorted.
    is_ours: bool,
}

impl Candidate {
    fn new(place: usize, file: &Arc<DataFile>, identifier: &str, target: CompactionTarget) -> Self {
        let by_rows = file.rows().unwrap_or(0) as f64 / target.rows.max(1) as f64;
        let by_bytes = file.size as f64 / target.bytes.max(1) as f64;
        let bounds = file.bounds(identifier);
        let nulls = bounds.and_then(|bounds| bounds.nulls);
        let low = bounds.and_then(|bounds| bounds.min.clone()).filter(|_| nulls == Some(0));
        let high = bounds.and_then(|bounds| bounds.max.clone());
        let is_null = nulls.is_some() && nulls == file.rows();
        Self {
            place,
            file: file.clone(),
            weight: by_rows.max(by_bytes),
            low: low.map_or(Edge::Least, Edge::At),
            high: if is_null { Edge::Least } else { high.map_or(Edge::Greatest, Edge::At) },
            is_ours: layout::is_data_file_name(&file.path),
        }
    }

    fn is_small(&self) -> bool {
        self.weight < SMALL
    }

    /// True for a file of ours with an identifier that has no bounds, as a double that is not a number has none.
    fn is_boundless(&self) -> bool {
        self.is_ours && self.low == Edge::Least && self.high == Edge::Greatest
    }

    /// True if both have one identifier only, the same one, and event times among one another.
    fn is_mixed_with(&self, other: &Self) -> bool {
        let is_one = |file: &Self| file.low == file.high;
        if !is_one(self) || !is_one(other) || self.low != other.low {
            return false;
        }
        // The upper end may have been raised to the end of its millisecond.
        match (self.file.event_time(), other.file.event_time()) {
            (Some((low, high)), Some((other_low, other_high))) => low < other_high - 999 && other_low < high - 999,
            _ => true,
        }
    }
}

type FilesOfJob<'a> = Vec<&'a Candidate>;

/// Files whose identifiers overlap, one after another.
struct Cluster<'a> {
    files: Vec<&'a Candidate>,
    high: &'a Edge,
}

impl<'a> Cluster<'a> {
    fn meets(&self, next: &Candidate) -> bool {
        next.low.reaches_below(self.high) || self.files.last().is_some_and(|last| last.is_mixed_with(next))
    }

    fn add(&mut self, next: &'a Candidate) {
        if next.high.compare(self.high).is_gt() {
            self.high = &next.high;
        }
        self.files.push(next);
    }

    fn is_ideal(&self) -> bool {
        matches!(self.files.as_slice(), [file] if file.is_ours && !file.is_small())
    }
}

/// Clusters in the order of their identifiers.
fn clusters<'a>(mut files: Vec<&'a Candidate>) -> Vec<Cluster<'a>> {
    files.sort_by(|a, b| {
        let by_time = || a.file.event_time().cmp(&b.file.event_time());
        a.low.compare(&b.low).then_with(|| a.high.compare(&b.high)).then_with(by_time).then(a.place.cmp(&b.place))
    });
    let mut clusters: Vec<Cluster<'a>> = Vec::new();
    for file in files {
        match clusters.last_mut() {
            Some(cluster) if cluster.meets(file) => cluster.add(file),
            _ => clusters.push(Cluster { files: vec![file], high: &file.high }),
        }
    }
    clusters
}

/// What stands between a table and its ideal form.
fn everything(files: Vec<&Candidate>) -> Vec<FilesOfJob<'_>> {
    // Against files with bounds there is nothing to be gained from one without; among one another there is.
    let (boundless, bounded): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.is_boundless());
    let mut jobs = vec![boundless];
    let mut job: FilesOfJob<'_> = Vec::new();
    for cluster in clusters(bounded) {
        if cluster.is_ideal() {
            jobs.push(std::mem::take(&mut job));
        } else {
            job.extend(cluster.files);
        }
    }
    jobs.push(job);
    jobs
}

/// The small files that are worth merging now.
fn small(files: Vec<&Candidate>, more_than: u64) -> Vec<FilesOfJob<'_>> {
    let mut small: Vec<&Candidate> = files.into_iter().filter(|file| file.is_small()).collect();
    if small.len() as u64 <= more_than {
        return Vec::new();
    }
    small.sort_by(|a, b| a.weight.total_cmp(&b.weight).then(a.place.cmp(&b.place)));
    let mut together = 0.0;
    let mut count = 0;
    for (at, file) in small.iter().enumerate() {
        together += file.weight;
        if together >= GROWTH * file.weight {
            count = at + 1;
        }
    }
    small.truncate(count);
    vec![small]
}

/// True if merging makes fewer files, or parts identifiers that are mixed, or sorts.
fn is_worth_it(job: &FilesOfJob<'_>, target: CompactionTarget) -> bool {
    let rows: u64 = job.iter().filter_map(|file| file.file.rows()).sum();
    let bytes: u64 = job.iter().map(|file| file.file.size).sum();
    let files = rows.div_ceil(target.rows.max(1)).max(bytes.div_ceil(target.bytes.max(1))).max(1);
    files < job.len() as u64 || job.iter().any(|file| !file.is_ours) || clusters(job.clone()).iter().any(|cluster| cluster.files.len() > 1)
}

/// Leaves out files whose rows would move past a twin in a file that stays: the merged rows go where the newest of their
/// files was.
fn keep_order(files: &[Candidate], jobs: &mut [FilesOfJob<'_>], identifier: &str) {
    loop {
        let taken: HashSet<usize> = jobs.iter().flatten().map(|file| file.place).collect();
        let Some(last) = taken.iter().max().copied() else { return };
        let stays: Vec<&Candidate> = files[..last].iter().filter(|file| !taken.contains(&file.place)).collect();
        let before = taken.len();
        for job in jobs.iter_mut() {
            job.retain(|file| !stays.iter().any(|other| other.place > file.place && may_be_twins(&file.file, &other.file, identifier)));
        }
        if jobs.iter().map(Vec::len).sum::<usize>() == before {
            return;
        }
    }
}

/// True unless the log tells that no row of one file is equal to one of the other in everything that orders rows.
fn may_be_twins(a: &DataFile, b: &DataFile, identifier: &str) -> bool {
    let is_apart = |column: &str| match (a.bounds(column), b.bounds(column)) {
        (Some(a), Some(b)) => {
            let both_have_nulls = a.nulls != Some(0) && b.nulls != Some(0);
            !both_have_nulls && !a.may_overlap(b.min.as_ref(), b.max.as_ref())
        }
        _ => false,
    };
    ![WRITE_TIME, API_INVOCATION_TIME, EVENT_TIME, identifier].into_iter().any(is_apart)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use deltalake_core::kernel::Add;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::samples;
    use super::*;
    use crate::backend::offline::bounds::{ColumnBounds, FileStatistics};
    use crate::model::FeatureType;

    const TARGET: CompactionTarget = CompactionTarget { rows: 1_000, bytes: 1 << 40 };

    /// A file of these rows, identifiers, and event and write times.
    struct Sketch {
        rows: u64,
        identifiers: (&'static str, &'static str),
        times: (i64, i64),
        written: (i64, i64),
        is_ours: bool,
    }

    impl Default for Sketch {
        fn default() -> Self {
            Self { rows: 10, identifiers: ("a", "z"), times: (0, 1_000_000), written: (0, 0), is_ours: true }
        }
    }

    fn candidates(sketches: &[Sketch]) -> Vec<Candidate> {
        let columns = samples::columns_of(&samples::group(FeatureType::String));
        let candidate = |(place, sketch): (usize, &Sketch)| {
            let text = |text: &str| Some(Bound::Text(text.into()));
            let micros = |micros: i64| Some(Bound::Micros(micros));
            let written = ColumnBounds { min: micros(sketch.written.0), max: micros(sketch.written.1), nulls: Some(0) };
            let statistics = FileStatistics {
                rows: sketch.rows,
                columns: BTreeMap::from([
                    ("id".into(), ColumnBounds { min: text(sketch.identifiers.0), max: text(sketch.identifiers.1), nulls: Some(0) }),
                    (EVENT_TIME.into(), ColumnBounds { min: micros(sketch.times.0), max: micros(sketch.times.1), nulls: Some(0) }),
                    (WRITE_TIME.into(), written.clone()),
                    (API_INVOCATION_TIME.into(), written),
                ]),
            };
            let path = if sketch.is_ours { format!("year=2026/20261123T093007Z_{place:016}.parquet") } else { format!("{place}.parquet") };
            let add = Add { path, size: sketch.rows as i64, stats: Some(statistics.to_json()), ..Add::default() };
            Candidate::new(place, &Arc::new(DataFile::new(add, &columns)), "id", TARGET)
        };
        sketches.iter().enumerate().map(candidate).collect()
    }

    fn places(jobs: &[FilesOfJob<'_>]) -> Vec<Vec<usize>> {
        let mut places: Vec<Vec<usize>> = jobs
            .iter()
            .map(|job| {
                let mut places: Vec<usize> = job.iter().map(|file| file.place).collect();
                places.sort_unstable();
                places
            })
            .collect();
        places.retain(|places| !places.is_empty());
        places
    }

    fn wanted(sketches: &[Sketch]) -> Vec<Vec<usize>> {
        let files = candidates(sketches);
        let mut jobs = everything(files.iter().collect());
        keep_order(&files, &mut jobs, "id");
        jobs.retain(|job| is_worth_it(job, TARGET));
        places(&jobs)
    }

    fn of(rows: u64, low: &'static str, high: &'static str) -> Sketch {
        Sketch { rows, identifiers: (low, high), ..Sketch::default() }
    }

    #[test]
    fn the_ideal_form_is_left_alone() {
        assert!(wanted(&[]).is_empty());
        assert!(wanted(&[of(5, "a", "z")]).is_empty(), "one small file");
        assert!(wanted(&[of(900, "a", "f"), of(5, "g", "h"), of(900, "i", "z")]).is_empty(), "a small file between large ones");
        assert!(wanted(&[of(900, "a", "f"), of(900, "f", "k"), of(900, "k", "z")]).is_empty(), "touching in an identifier");
        let one = |times| Sketch { times, ..of(900, "f", "f") };
        assert!(wanted(&[one((0, 1_999)), one((1_000, 5_000)), one((5_000, 9_000))]).is_empty(), "one identifier, cut by time");
    }

    #[test]
    fn what_overlaps_is_merged_and_small_neighbours_where_files_become_fewer() {
        assert_eq!(wanted(&[of(900, "a", "f"), of(900, "e", "k"), of(900, "l", "z")]), [[0, 1]]);
        assert_eq!(wanted(&[of(400, "a", "f"), of(400, "g", "k"), of(900, "l", "z"), of(400, "zz", "zzz")]), [[0, 1]]);
        assert_eq!(wanted(&[of(400, "a", "f"), of(900, "g", "k"), of(400, "l", "z")]), [[0usize; 0]; 0], "no neighbours");
        assert_eq!(wanted(&[of(499, "a", "b"), of(499, "c", "d"), of(499, "e", "f")]), [[0, 1, 2]], "two files of three");
        let foreign = Sketch { is_ours: false, ..of(900, "a", "f") };
        assert_eq!(wanted(&[foreign, of(900, "g", "k")]), [[0]], "nobody knows whether it is sorted");
        let one = |times| Sketch { times, ..of(900, "f", "f") };
        assert_eq!(wanted(&[one((0, 5_000)), one((1_000, 9_000))]), [[0, 1]]);
    }

    #[test]
    fn long_texts_that_the_log_cannot_tell_apart_are_not_merged_again_and_again() {
        let long: &'static str = Box::leak(format!("{}x", "a".repeat(70)).into_boxed_str());
        let longer: &'static str = Box::leak(format!("{}y", "a".repeat(70)).into_boxed_str());
        assert!(wanted(&[of(900, "a", long), of(900, longer, "b")]).is_empty());
        assert_eq!(wanted(&[of(900, "a", "b"), of(900, longer, "c")]), [[0, 1]]);
    }

    #[test]
    fn a_row_does_not_move_past_its_twin() {
        let foreign = |rows, written| Sketch { rows, is_ours: false, written, ..Sketch::default() };
        // Were 0 merged with 2 and put in its place, its rows would stand behind those of 1, which stays.
        let files = candidates(&[foreign(10, (5, 9)), foreign(900, (5, 9)), foreign(10, (20, 21))]);
        let merged = |files: &[Candidate]| {
            let mut jobs = small(files.iter().collect(), 1);
            assert_eq!(places(&jobs), [[0, 2]]);
            keep_order(files, &mut jobs, "id");
            places(&jobs)
        };
        assert_eq!(merged(&files), [[2]]);
        let files = candidates(&[foreign(10, (5, 9)), foreign(900, (10, 19)), foreign(10, (20, 21))]);
        assert_eq!(merged(&files), [[0, 2]], "written at other times");
    }

    /// A file of which only its size is known: so many thousandths of the target.
    fn of_size(place: usize, bytes: u64) -> Candidate {
        let columns = Arc::new(arrow::datatypes::Schema::empty());
        let file = DataFile::new(Add { path: place.to_string(), size: bytes as i64, ..Add::default() }, &columns);
        Candidate::new(place, &Arc::new(file), "id", CompactionTarget { rows: 1, bytes: 1_000 })
    }

    #[test]
    fn a_row_is_written_again_a_logarithm_of_times_and_few_small_files_stay() {
        let mut random = StdRng::seed_from_u64(41);
        for (round, limit) in [4u64, 32, 32, 32].into_iter().enumerate() {
            // Rows of each file, and how often each of these rows was written on average and at most.
            let mut files: Vec<(u64, u64, u64)> = Vec::new();
            for _ in 0..2_000 {
                let rows = if round % 2 == 0 { 1 } else { random.random_range(1..40) };
                files.push((rows, rows, 1));
                if files.len() as u64 <= limit {
                    continue;
                }
                let all: Vec<Candidate> = files.iter().enumerate().map(|(place, file)| of_size(place, file.0)).collect();
                let mut jobs = places(&small(all.iter().collect(), limit));
                let Some(job) = jobs.pop() else { continue };
                assert!(job.len() > 1, "round {round}");
                let merged = job
                    .iter()
                    .map(|place| files[*place])
                    .fold((0, 0, 0), |sum, file| (sum.0 + file.0, sum.1 + file.1 + file.0, sum.2.max(file.2 + 1)));
                files = files.iter().enumerate().filter(|(place, _)| !job.contains(place)).map(|(_, file)| *file).collect();
                files.push(merged);
                let small = files.iter().filter(|file| (file.0 as f64) < 500.0).count() as u64;
                assert!(small <= limit.max(10), "round {round}: {small} small files stay");
            }
            let most = files.iter().map(|file| file.2).max().unwrap();
            assert!(most <= 11, "round {round}: a row was written {most} times");
        }
    }
}
