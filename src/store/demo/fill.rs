//! Puts the demo into a store, through the same doors as any other data: create, bulk load, put, delete.
//!
//! A group at a time, the next one generated while one is loaded. Batches go to the bulk load as Parquet files of
//! the store's spool folder, since files are what it takes. A fill that was stopped may be started again: a group
//! that holds records is left as it is, one without gets all of them. A group of the same name that is not the
//! demo's is never touched; then nothing is done at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use tokio::task::JoinHandle;

use super::{DemoGroup, groups, labels};
use crate::dataset::OutputFormat;
use crate::model::{DatasetName, Error, ErrorKind, GroupName, Result};
use crate::store::FeatureStore;
use crate::store::datasets::{BuildOptions, BuildOutput, DatasetRequest, FeatureSelection, JoinWatch, Manifest, SpineSource};
use crate::store::groups::NewGroup;
use crate::store::loads::{IngestOptions, LoadPhase, LoadProgress, OnError, OnProgress};
use crate::store::records::{DeleteOptions, PutOptions};

/// How to make a demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The same seed makes the same data at the same moment.
    pub seed: u64,
    /// Percentage of the full demo's rows.
    pub percent: u8,
    /// Set to stop before the next group.
    pub cancel: Arc<AtomicBool>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { seed: 1, percent: 100, cancel: Arc::default() }
    }
}

/// How far filling a store has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DemoProgress {
    /// The group being filled.
    pub group: String,
    /// Rows written.
    pub done: u64,
    /// Rows in all.
    pub total: u64,
}

/// Is told how far filling is; called from several threads, many times a second.
pub type OnDemoProgress = Arc<dyn Fn(DemoProgress) + Send + Sync>;

/// What became of one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilledGroup {
    /// Its name.
    pub name: String,
    /// Features it has.
    pub features: usize,
    /// True if it held records already and was left as it is; the numbers below are 0 then.
    pub was_there: bool,
    /// Rows loaded, records put and records deleted, together.
    pub rows: u64,
    /// Of these, rows that arrived after newer ones.
    pub late: u64,
    /// Of these, records deleted.
    pub deleted: u64,
}

/// What became of the training dataset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilledDataset {
    /// Its name.
    pub name: String,
    /// True if it was there already and was left as it is.
    pub was_there: bool,
    /// Rows it has.
    pub rows: u64,
    /// Columns it has.
    pub columns: usize,
}

/// What filling a store did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DemoReport {
    /// Each group, in the order it was made.
    pub groups: Vec<FilledGroup>,
    /// The training dataset, built over three of them.
    pub dataset: FilledDataset,
    /// How long it took.
    pub seconds: f64,
}

impl DemoReport {
    /// Rows of all groups, those of their histories and the records that are kept online only.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }

    /// Features of all groups.
    pub fn features(&self) -> usize {
        self.groups.iter().map(|group| group.features).sum()
    }
}

impl FeatureStore {
    /// Fills the store with the demo's groups; the history ends at the store's present time.
    ///
    /// # Errors
    /// `AlreadyExists` if a group has the name of one of the demo's but other features: nothing has changed then.
    /// `Interrupted` if it was stopped; starting it again goes on.
    pub async fn fill_demo(&self, options: &DemoOptions, progress: OnDemoProgress) -> Result<DemoReport> {
        self.check_writable()?;
        let started = Instant::now();
        let planned: Vec<Arc<DemoGroup>> = groups(options.seed, self.now(), options.percent)?.into_iter().map(Arc::new).collect();
        let mut is_there = Vec::with_capacity(planned.len());
        for group in &planned {
            is_there.push(self.has_demo_group(group).await?);
        }
        let total = planned.iter().zip(&is_there).filter(|(_, is_there)| !**is_there).map(|(group, _)| group.rows()).sum();
        let mut steps = Steps { progress, done: 0, total };
        let mut report = DemoReport::default();
        let mut next = None;
        for (number, group) in planned.iter().enumerate() {
            let (name, features) = (group.name().to_owned(), group.schema().len());
            if is_there[number] {
                report.groups.push(FilledGroup { name, features, was_there: true, ..FilledGroup::default() });
                continue;
            }
            if options.cancel.load(Ordering::Relaxed) {
                return Err(Error::interrupted("the demo is not complete").remedy("the same command makes the groups that are missing"));
            }
            let written = next.take().unwrap_or_else(|| self.write_files(group));
            let files: Files = written.await.map_err(|error| Error::internal("making the demo stopped").source(error))??;
            next = (number + 1..planned.len()).find(|later| !is_there[*later]).map(|later| self.write_files(&planned[later]));
            report.groups.push(self.fill_group(group, &files, &mut steps).await?);
        }
        let (dataset, label) = self.fill_dataset(options).await?;
        report.dataset = dataset;
        self.declare_demo_uses(&label).await?;
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Builds the training dataset over the groups, unless it is there; returns its name and version, too.
    async fn fill_dataset(&self, options: &DemoOptions) -> Result<(FilledDataset, String)> {
        let filled = |manifest: &Manifest, was_there| FilledDataset {
            name: manifest.name.to_string(),
            was_there,
            rows: manifest.rows,
            columns: manifest.columns.len(),
        };
        match self.find_dataset(labels::DATASET).await {
            Ok(manifest) => return Ok((filled(&manifest, true), manifest.label())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let folder = self.inner.folder.join("demo");
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(format!("can't make folder '{}'", folder.display()), error))?;
        let spine = folder.join("churn-labels.parquet");
        write_parquet(&labels::churn_labels(options.seed, self.now(), options.percent)?, &spine)?;
        let spine =
            spine.to_str().ok_or_else(|| Error::invalid(format!("the store's folder '{}' is not UTF-8", self.folder().display())))?;
        let request = DatasetRequest {
            spine: SpineSource::File(spine.to_owned()),
            spine_id: labels::IDENTIFIER.to_owned(),
            spine_time: labels::TIME.to_owned(),
            features: labels::FEATURES.iter().map(|text| FeatureSelection::parse(text)).collect::<Result<_>>()?,
            ttls: vec![labels::TTL.parse()?],
            as_of: None,
        };
        let build = BuildOptions {
            name: Some(DatasetName::parse(labels::DATASET)?),
            description: Some(labels::DESCRIPTION.to_owned()),
            output: BuildOutput::File(folder.join("churn-training.parquet")),
            format: OutputFormat::Parquet,
            memory: None,
            watch: JoinWatch { cancel: options.cancel.clone(), ..JoinWatch::default() },
            cluster: None,
        };
        let built = self.build_dataset(&request, &build).await?;
        Ok((filled(&built.manifest, false), built.manifest.label()))
    }

    /// True if the group is there with records; fails if its name belongs to another.
    async fn has_demo_group(&self, group: &DemoGroup) -> Result<bool> {
        match self.group(group.name()).await {
            Ok(found) if found.schema == *group.schema() => Ok(self.group_summary(&found).await?.records > 0),
            Ok(found) => Err(Error::new(ErrorKind::AlreadyExists, format!("there is a feature group '{}' already", found.name))
                .why("it is not the demo's")
                .remedy("fill a store of its own: `larder --store DIR demo`")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Starts generating a group's history into files.
    fn write_files(&self, group: &Arc<DemoGroup>) -> JoinHandle<Result<Files>> {
        let (group, folder) = (group.clone(), self.spool_folder());
        tokio::task::spawn_blocking(move || Files::write(&group, &folder))
    }

    async fn fill_group(&self, demo: &DemoGroup, files: &Files, steps: &mut Steps) -> Result<FilledGroup> {
        match self.group(demo.name()).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create_group(new_group(demo)?).await?;
            }
            Err(error) => return Err(error),
        }
        for file in [&files.in_time, &files.late] {
            steps.done += self.load_demo_file(demo.name(), file, steps).await?;
        }
        let puts = demo.puts();
        let (put, put_late) = (puts.len() as u64, puts.len() as u64 / 2);
        self.put_many(demo.name(), puts, PutOptions::default()).await?;
        let deletions = demo.deletions();
        for (identifier, event_time) in &deletions {
            self.delete(demo.name(), identifier, event_time, DeleteOptions::default()).await?;
        }
        let deleted = deletions.len() as u64;
        Ok(FilledGroup {
            name: demo.name().to_owned(),
            features: demo.schema().len(),
            was_there: false,
            rows: demo.rows() + put + deleted,
            late: files.late_rows + put_late,
            deleted,
        })
    }

    /// Loads one file; returns its rows.
    async fn load_demo_file(&self, group: &str, file: &Path, steps: &Steps) -> Result<u64> {
        let path = file.to_str().ok_or_else(|| Error::invalid(format!("the store's folder '{}' is not UTF-8", self.folder().display())))?;
        let options =
            IngestOptions { files: vec![path.to_owned()], drop: Vec::new(), targets: None, on_error: OnError::Stop, rejects: None };
        // A load of less than a second is not worth interrupting; the fill is, between groups.
        Ok(self.ingest(group, options, steps.of_load(group), Arc::default()).await?.accepted)
    }

    fn spool_folder(&self) -> PathBuf {
        self.inner.folder.join("spool")
    }
}

fn new_group(demo: &DemoGroup) -> Result<NewGroup> {
    Ok(NewGroup {
        online: demo.online()?,
        offline: demo.keeps_history(),
        description: Some(demo.description().to_owned()),
        owner: Some(demo.owner().to_owned()),
        tags: demo.tags(),
        ..NewGroup::new(GroupName::parse(demo.name())?, demo.schema().clone())
    })
}

/// How far the whole fill is.
struct Steps {
    progress: OnDemoProgress,
    done: u64,
    total: u64,
}

impl Steps {
    /// What a load is to tell its progress to.
    fn of_load(&self, group: &str) -> OnProgress {
        let (progress, group, done, total) = (self.progress.clone(), group.to_owned(), self.done, self.total);
        Arc::new(move |step: LoadProgress| {
            if step.phase == LoadPhase::Reading {
                progress(DemoProgress { group: group.clone(), done: done + step.rows, total });
            }
        })
    }
}

/// A group's history in two files, removed when this is dropped.
struct Files {
    in_time: PathBuf,
    late: PathBuf,
    late_rows: u64,
}

impl Files {
    fn write(group: &DemoGroup, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(format!("can't make folder '{}'", folder.display()), error))?;
        // Two processes may fill one store at once; neither may read the other's half-written file.
        let place = |part: &str| folder.join(format!("demo-{}-{}-{part}.parquet", std::process::id(), group.name()));
        let (in_time, late) = group.history()?;
        let files = Self { in_time: place("history"), late: place("late"), late_rows: late.num_rows() as u64 };
        write_parquet(&in_time, &files.in_time)?;
        write_parquet(&late, &files.late)?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.in_time, &self.late] {
            // The next fill of a process with this id writes over what could not be removed.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn write_parquet(batch: &RecordBatch, path: &Path) -> Result<()> {
    let unwritable = |error: std::io::Error| Error::io(format!("can't write '{}'", path.display()), error);
    let file = File::create(path).map_err(unwritable)?;
    let encode = |file| {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
        writer.write(batch)?;
        writer.close()
    };
    match encode(file) {
        Ok(_) => Ok(()),
        Err(ParquetError::External(error)) => Err(match error.downcast::<std::io::Error>() {
            Ok(error) => unwritable(*error),
            Err(error) => Error::internal("the demo can't be written as Parquet").source(error),
        }),
        Err(error) => Err(Error::internal("the demo can't be written as Parquet").source(error)),
    }
}
