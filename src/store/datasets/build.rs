//! Building a dataset: from a request to a file, its manifest and a row in the catalog, or to nothing at all.
//!
//! ```text
//! check the output -> flush what the groups have waiting -> plan -> run: rows to a hidden file, hashed -> synced
//!   -> one catalog transaction { row, columns, end of the run; file, manifest beside it, manifest in the store appear }
//!                                             -> run: rows to files of a new folder of the store, by workers if there are any
//!   -> the folder's manifest -> one catalog transaction { row, columns, end of the run; manifest in the store appears }
//! ```
//!
//! Whatever fails, and wherever it is stopped, hidden files are removed, what had appeared goes away again and what it
//! replaced comes back. Groups are flushed first, so that a version of their tables covers everything that was
//! acknowledged before; a store that can't be written is read with its outbox, and the manifest says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::inputs::{check_no_input, external_files, spine_files};
use super::manifest::{ExternalFileNote, Manifest, ManifestColumn, ManifestOutput, of_plan, sidecar};
use super::output::write_output;
use super::place::{BuildOutput, NewFile, Place, output_in};
use super::plan::{DatasetPlan, JoinedStream, PlanOptions};
use crate::backend::faults;
use crate::catalog::{NewRun, RunCounts, RunId, RunKind, RunState};
use crate::dataset::OutputFormat;
use crate::dataset::content_hash::ContentHash;
use crate::dataset::point_in_time::JoinWatch;
use crate::dataset::request::{DatasetRequest, SpineSource};
use crate::dataset::row_files::WrittenRows;
use crate::model::{DatasetName, Error, ErrorKind, EventTime, FeatureGroup, GroupId, Result};
use crate::store::FeatureStore;
use crate::store::cluster::ClusterOptions;
use crate::store::lineage::capture::{BuildTold, outcome};
use crate::store::new_folder::{NewFolder, RowKind};
use crate::store::output_file::{OutputFile, PublishedFile, SealedFile};

/// Standard input as a spine.
pub(super) const STDIN: &str = "-";
/// Times a plan is made anew because records kept coming in.
const MAX_FLUSHES: usize = 3;

/// How to build a dataset.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// What to call it; none is the name of the file without its ending.
    pub name: Option<DatasetName>,
    /// What it is for.
    pub description: Option<String>,
    /// Where to write it.
    pub output: BuildOutput,
    /// How to write it.
    pub format: OutputFormat,
    /// Bytes the join may hold; none is a quarter of the machine's memory.
    pub memory: Option<u64>,
    /// Who watches and may stop it.
    pub watch: JoinWatch,
    /// The cluster that is to do the join; none is this machine.
    pub cluster: Option<ClusterOptions>,
}

/// A dataset that was built.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltDataset {
    /// What it is. Its version is none where it could not be recorded in the store.
    pub manifest: Manifest,
    /// Where the manifest lies beside the file; none for a folder of the store, which has it inside.
    pub manifest_path: Option<PathBuf>,
}

impl FeatureStore {
    /// Builds a dataset into a file and records it.
    ///
    /// # Errors
    /// Before any work: what [`FeatureStore::plan_dataset`] refuses, an output that can't be written or is one of the
    /// inputs. Later: `Interrupted`, errors of reading and writing. No file and no row of the catalog is left then.
    pub async fn build_dataset(&self, request: &DatasetRequest, options: &BuildOptions) -> Result<BuiltDataset> {
        let started = Instant::now();
        let request = with_absolute_spine(request)?;
        let name = match &options.name {
            Some(name) => name.clone(),
            None => options.output.name()?,
        };
        let id = uuid::Uuid::now_v7();
        let place = match &options.output {
            BuildOutput::File(target) => Place::File(NewFile::create(target, options.format)?),
            BuildOutput::Store(folder) => Place::Folder(NewFolder::create(self, RowKind::Dataset, folder, id, options.format).await?),
        };
        let (plan, groups) = self.plan_flushed(&request, &plan_options(options)).await?;
        if let Place::File(file) = &place {
            check_no_input(&file.target, &request, &groups)?;
        }
        let run = self.start_build().await?;
        let told = self.tell_build(run.map(|run| run.0), name.as_str(), &request.spine).await;
        let work = Work { request, options, id, name, place, run, started, told: &told };
        let mut stop = StopOnDrop(Some(options.watch.clone()));
        let built = self.build(work, plan, &groups).await;
        stop.0 = None;
        self.tell_built(&told, &groups, &outcome(&built, |built| &built.manifest));
        if let (Some(run), Err(error)) = (run, &built) {
            self.end_build(run, error).await;
        }
        built
    }

    /// Runs a request without recording anything; the rows are pulled from the result.
    pub async fn open_dataset(&self, request: &DatasetRequest, options: &PlanOptions) -> Result<JoinedStream> {
        let (plan, _) = self.plan_flushed(request, options).await?;
        plan.run().await
    }

    /// Plans a request after flushing what its groups have waiting, if the store can be written.
    pub(super) async fn plan_flushed(
        &self,
        request: &DatasetRequest,
        options: &PlanOptions,
    ) -> Result<(DatasetPlan, BTreeMap<GroupId, FeatureGroup>)> {
        let groups = self.groups_of(request).await?;
        check_aliases(request)?;
        // What came through a pipe can't be read again.
        let is_stream = request.spine == SpineSource::File(STDIN.to_owned());
        for _ in 0..MAX_FLUSHES {
            self.flush_waiting(&groups).await?;
            let plan = self.plan_dataset(request, options).await?;
            if is_stream || self.is_read_only() || plan.inputs().iter().all(|input| input.unflushed == 0) {
                return Ok((plan, groups));
            }
        }
        // Records come in faster than that: those that wait are read from the outbox, and the manifest says so.
        Ok((self.plan_dataset(request, options).await?, groups))
    }

    /// The groups that a request names.
    pub(super) async fn groups_of(&self, request: &DatasetRequest) -> Result<BTreeMap<GroupId, FeatureGroup>> {
        let mut groups = BTreeMap::new();
        for selection in &request.features {
            let group = self.group(&selection.group).await?;
            groups.insert(group.id, group.as_ref().clone());
        }
        Ok(groups)
    }

    async fn flush_waiting(&self, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<()> {
        if self.is_read_only() {
            return Ok(());
        }
        let mut names = Vec::new();
        for group in groups.values().filter(|group| group.keeps_history()) {
            if self.inner.online.counts(group.id)?.outbox_rows > 0 {
                names.push(group.name.to_string());
            }
        }
        if !names.is_empty() {
            self.flush(&names).await?;
        }
        Ok(())
    }

    async fn start_build(&self) -> Result<Option<RunId>> {
        if self.is_read_only() {
            return Ok(None);
        }
        let run = NewRun { kind: RunKind::Build, group: None, fingerprint: None, started: self.now() };
        Ok(Some(self.inner.catalog.start_run(&run).await?.id))
    }

    /// Notes why a build came to nothing. That it can't be noted is not what the user must hear of.
    async fn end_build(&self, run: RunId, error: &Error) {
        let state = if error.kind() == ErrorKind::Interrupted { RunState::Interrupted } else { RunState::Failed };
        let told = self.inner.catalog.finish_run(run, state, Some(&error.to_string()), RunCounts::default(), self.now()).await;
        if let Err(error) = told {
            tracing::warn!(%error, %run, "the end of a build could not be noted");
        }
    }

    async fn build(&self, work: Work<'_>, plan: DatasetPlan, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<BuiltDataset> {
        let Work { request, options, id, name, place, run, started, told } = work;
        let (mut inputs, columns) = of_plan(&plan, groups)?;
        let spine = request.spine.clone();
        let spine_files = tokio::task::spawn_blocking(move || spine_files(&spine));
        let external = self.external_files(groups).await?;
        let (written, rows) = self.write(place, plan, options.format).await?;
        let spine_files = spine_files.await.map_err(|error| Error::internal("reading the spine stopped").source(error))??;
        for (input, matched) in inputs.iter_mut().zip(rows.matched) {
            input.matched = matched;
            input.files = external.get(&input.id).cloned().unwrap_or_default();
        }
        let mut manifest = Manifest {
            id,
            version: None,
            description: options.description.clone().filter(|text| !text.is_empty()),
            created: EventTime::from_unix_micros(self.now().unix_micros()).unwrap_or(EventTime::MAX),
            seconds: started.elapsed().as_secs_f64(),
            larder: env!("CARGO_PKG_VERSION").to_owned(),
            spine_files,
            inputs,
            columns: with_hashes(columns, &rows.hash),
            rows: rows.hash.rows,
            content_hash: rows.hash.whole,
            output: rows.output,
            request,
            name,
        };
        let manifest_path = match &written {
            Hidden::File(file) => Some(sidecar(&file.target)),
            Hidden::Folder(_) => None,
        };
        self.publish(&mut manifest, written, run, told).await?;
        Ok(BuiltDataset { manifest, manifest_path })
    }

    /// Writes the rows to where they go, still hidden.
    async fn write(&self, place: Place, plan: DatasetPlan, format: OutputFormat) -> Result<(Hidden, WrittenOutput)> {
        let block_rows = self.inner.block_rows;
        match place {
            Place::File(NewFile { target, mut rows, manifest }) => {
                let joined = plan.run().await?;
                let counts = joined.counts();
                let written = tokio::task::spawn_blocking(move || {
                    let hash = write_output(joined, format, rows.writer(), block_rows)?;
                    Ok::<_, Error>((rows.seal()?, hash))
                });
                let (rows, hash) =
                    written.await.map_err(|error| Error::internal("writing the training dataset stopped").source(error))??;
                let (path, bytes) = (target.display().to_string(), rows.bytes().unwrap_or(0));
                let output = ManifestOutput { path, format: format.to_string(), bytes, files: Vec::new() };
                let matched = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
                let file = HiddenFile { target, rows, manifest };
                Ok((Hidden::File(file), WrittenOutput { output, hash, matched }))
            }
            Place::Folder(mut new) => {
                let filled = async {
                    let (WrittenRows { files, matched }, hash) = plan.run_into(&new.folder, block_rows).await?;
                    Ok(WrittenOutput { output: output_in(new.close(&files).await?, &files), hash, matched })
                };
                let filled = filled.await;
                let filled = new.unless_failed(filled).await?;
                Ok((Hidden::Folder(new), filled))
            }
        }
    }

    /// Lets everything appear at once, or nothing.
    async fn publish(&self, manifest: &mut Manifest, written: Hidden, run: Option<RunId>, told: &BuildTold) -> Result<()> {
        let new = match written {
            Hidden::File(file) => return self.record(manifest, Some((file.rows, file.manifest)), run, told).await,
            Hidden::Folder(new) => new,
        };
        // Complete before the catalog speaks of it; the version is known only then.
        let mut new = new.describe(manifest.to_json()?).await?;
        let recorded = self.record(manifest, None, run, told).await;
        if recorded.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutcomeUnknown) {
            // The row may be there.
            new.keep();
        }
        new.unless_failed(recorded).await?;
        new.keep();
        if let Err(error) = new.describe(manifest.to_json()?).await {
            tracing::info!(%error, "the manifest in the store's folder does not tell the version");
        }
        Ok(())
    }

    /// Records a dataset; its files, if they are of this machine, appear with its row in the catalog.
    async fn record(
        &self,
        manifest: &mut Manifest,
        mut rows: Option<(SealedFile, OutputFile)>,
        run: Option<RunId>,
        told: &BuildTold,
    ) -> Result<()> {
        let mut published: Vec<PublishedFile> = Vec::new();
        let faults = self.inner.faults.as_deref();
        if self.is_read_only() {
            if let Some((rows, beside)) = rows {
                appear(faults, &mut published, rows)?;
                appear(faults, &mut published, written(beside, &manifest.to_json()?)?)?;
            }
            published.into_iter().for_each(PublishedFile::keep);
            return Ok(());
        }
        let least = self.next_version(&manifest.name);
        let (row, columns) = (manifest.to_row(run), manifest.to_columns());
        let row = crate::catalog::DatasetRow { version: least, ..row };
        let mut is_out = false;
        let out = |version: u64| {
            manifest.version = Some(version);
            let text = manifest.to_json()?;
            if let Some((rows, beside)) = rows.take() {
                appear(faults, &mut published, rows)?;
                appear(faults, &mut published, written(beside, &text)?)?;
            }
            let place = self.manifest_path(&manifest.name, version);
            let folder = place.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).map_err(|error| Error::io(format!("can't make the folder {}", folder.display()), error))?;
            appear(faults, &mut published, written(OutputFile::create(&place)?, &text)?)?;
            is_out = true;
            Ok((text, self.lineage_of(manifest, told.spine(), run.map(|run| run.0))))
        };
        match self.inner.catalog.insert_dataset(&row, &columns, out).await {
            Ok(_) => {
                published.into_iter().for_each(PublishedFile::keep);
                Ok(())
            }
            Err(error) => {
                if is_out && error.kind() == ErrorKind::OutcomeUnknown {
                    // The row may be there; what it speaks of stays, and is taken in if it is not.
                    published.into_iter().for_each(PublishedFile::keep);
                }
                Err(error)
            }
        }
    }

    /// The files of the external groups among these.
    async fn external_files(&self, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<BTreeMap<GroupId, Vec<ExternalFileNote>>> {
        let places: Vec<(GroupId, String)> =
            groups.values().filter_map(|group| Some((group.id, group.offline.as_ref()?.external.clone()?))).collect();
        let listed = tokio::task::spawn_blocking(move || {
            places.into_iter().map(|(id, place)| Ok((id, external_files(&place)?))).collect::<Result<BTreeMap<_, _>>>()
        });
        listed.await.map_err(|error| Error::internal("listing external files stopped").source(error))?
    }
}

/// Everything a build needs once it is planned.
struct Work<'a> {
    request: DatasetRequest,
    options: &'a BuildOptions,
    id: uuid::Uuid,
    name: DatasetName,
    place: Place,
    run: Option<RunId>,
    started: Instant,
    told: &'a BuildTold,
}

/// Rows that were written and are not to be seen yet.
enum Hidden {
    File(HiddenFile),
    Folder(NewFolder),
}

/// A file that is complete, and the one of its manifest.
struct HiddenFile {
    target: PathBuf,
    rows: SealedFile,
    manifest: OutputFile,
}

/// What was written.
struct WrittenOutput {
    output: ManifestOutput,
    hash: ContentHash,
    matched: Vec<u64>,
}

/// Stops the threads of a build that nobody waits for any more.
struct StopOnDrop(Option<JoinWatch>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(watch) = &self.0 {
            watch.cancel.store(true, Ordering::Relaxed);
        }
    }
}

fn plan_options(options: &BuildOptions) -> PlanOptions {
    PlanOptions { memory: options.memory, watch: options.watch.clone(), cluster: options.cluster, ..PlanOptions::default() }
}

fn appear(faults: Option<&faults::Faults>, published: &mut Vec<PublishedFile>, sealed: SealedFile) -> Result<()> {
    let step = || {
        published.push(sealed.publish()?);
        Ok(())
    };
    faults::run(faults, || "let a file of a dataset appear".to_owned(), step)
}

fn written(mut file: OutputFile, text: &str) -> Result<SealedFile> {
    if let Err(error) = file.writer().write_all(text.as_bytes()) {
        return Err(file.fault(error));
    }
    file.seal()
}

fn with_hashes(columns: Vec<ManifestColumn>, hash: &ContentHash) -> Vec<ManifestColumn> {
    columns.into_iter().zip(&hash.columns).map(|(column, hash)| ManifestColumn { hash: hash.clone(), ..column }).collect()
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io(format!("can't find '{}'", path.display()), error))
}

/// The request with a spine that is found from any folder.
pub(super) fn with_absolute_spine(request: &DatasetRequest) -> Result<DatasetRequest> {
    let mut request = request.clone();
    if let SpineSource::File(path) = &mut request.spine
        && path != STDIN
    {
        let found = absolute(Path::new(path.as_str()))?;
        let found =
            found.to_str().ok_or_else(|| Error::invalid(format!("the path of the spine '{path}' is not UTF-8")).remedy("move it"))?;
        *path = found.to_owned();
    }
    Ok(request)
}

/// Refuses a spine that has to be read more than once and can't be.
pub(super) fn check_rereadable(request: &DatasetRequest) -> Result<()> {
    if request.spine == SpineSource::File(STDIN.to_owned()) {
        return Err(Error::usage("the spine is read twice here, and standard input can be read once").remedy("give it as a file"));
    }
    Ok(())
}

/// Two uses of one name must be one thing, or nobody could tell them apart.
fn check_aliases(request: &DatasetRequest) -> Result<()> {
    for (number, one) in request.features.iter().enumerate() {
        let same = |other: &&crate::dataset::request::FeatureSelection| other.alias().eq_ignore_ascii_case(one.alias());
        if let Some(other) = request.features[..number].iter().find(same)
            && (!other.group.eq_ignore_ascii_case(&one.group) || other.spine_id != one.spine_id)
        {
            return Err(Error::usage(format!("'{}' is used twice, for different rows", one.alias()))
                .remedy(format!("give each use a name of its own: '{} as …'", one.group)));
        }
    }
    Ok(())
}
