//! Building a dataset: from a request to a file, its manifest and a row in the catalog, or to nothing at all.
//!
//! ```text
//! check the output -> flush what the groups have waiting -> plan -> run: rows to a hidden file, hashed -> synced
//!   -> one catalog transaction { row, columns, end of the run; file, manifest beside it, manifest in the store appear }
//! ```
//!
//! Whatever fails, and wherever it is stopped, hidden files are removed, what had appeared goes away again and what it
//! replaced comes back. Groups are flushed first, so that a version of their tables covers everything that was
//! acknowledged before; a store that can't be written is read with its outbox, and the manifest says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Instant, UNIX_EPOCH};

use super::manifest::{ExternalFileNote, MAX_LISTED, Manifest, ManifestColumn, ManifestInput, ManifestOutput, SpineFile, of_plan, sidecar};
use super::output::write_output;
use super::plan::{DatasetPlan, JoinedStream, PlanOptions};
use crate::backend::faults;
use crate::backend::offline::external;
use crate::catalog::{NewRun, RunCounts, RunId, RunKind, RunState};
use crate::dataset::OutputFormat;
use crate::dataset::content_hash::{BytesHasher, ContentHash};
use crate::dataset::point_in_time::JoinWatch;
use crate::dataset::request::{DatasetRequest, SpineSource};
use crate::ingest::files::resolve;
use crate::model::name::nearest_legal;
use crate::model::{DatasetName, Error, ErrorKind, EventTime, FeatureGroup, GroupId, Result};
use crate::store::FeatureStore;
use crate::store::cluster::ClusterOptions;
use crate::store::lineage::capture::{BuildTold, outcome};
use crate::store::output_file::{OutputFile, PublishedFile, SealedFile};

/// Standard input as a spine.
pub(super) const STDIN: &str = "-";
/// Times a plan is made anew because records kept coming in.
const MAX_FLUSHES: usize = 3;
/// Bytes of a spine file that are hashed at once.
const HASH_BYTES: usize = 1 << 20;

/// How to build a dataset.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// What to call it; none is the name of the file without its ending.
    pub name: Option<DatasetName>,
    /// What it is for.
    pub description: Option<String>,
    /// The file to write.
    pub output: PathBuf,
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
    /// Files of ours that the build wrote besides the rows.
    pub manifest_path: PathBuf,
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
        let target = absolute(&options.output)?;
        let name = match &options.name {
            Some(name) => name.clone(),
            None => name_of(&target)?,
        };
        if options.format == OutputFormat::Table {
            return Err(Error::usage("a training dataset can't be a table").remedy("write parquet, csv, json or jsonl"));
        }
        if !OutputFile::is_replaceable(&target) && !target.is_dir() {
            return Err(Error::usage(format!("'{}' is no file that can be kept", target.display()))
                .remedy("name a file, or stream the rows with -o -"));
        }
        let files = Files { rows: OutputFile::create(&target)?, manifest: OutputFile::create(&sidecar(&target))? };
        let (plan, groups) = self.plan_flushed(&request, &plan_options(options)).await?;
        check_no_input(&target, &request, &groups)?;
        let run = self.start_build().await?;
        let told = self.tell_build(run.map(|run| run.0), name.as_str(), &request.spine).await;
        let work = Work { request, options, target, name, files, run, started, told: &told };
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
        let Work { request, options, target, name, files, run, started, told } = work;
        let (mut inputs, columns) = of_plan(&plan, groups)?;
        let spine = request.spine.clone();
        let spine_files = tokio::task::spawn_blocking(move || spine_files(&spine));
        let external = self.external_files(groups).await?;
        let joined = plan.run().await?;
        let counts = joined.counts();
        let (format, mut rows) = (options.format, files.rows);
        let written = tokio::task::spawn_blocking(move || {
            let hash = write_output(joined, format, rows.writer())?;
            Ok::<_, Error>((rows.seal()?, hash))
        });
        let (sealed, hash) = written.await.map_err(|error| Error::internal("writing the training dataset stopped").source(error))??;
        let spine_files = spine_files.await.map_err(|error| Error::internal("reading the spine stopped").source(error))??;
        for (input, matched) in inputs.iter_mut().zip(counts.iter()) {
            input.matched = matched.load(Ordering::Relaxed);
            input.files = external.get(&input.id).cloned().unwrap_or_default();
        }
        let mut manifest = Manifest {
            id: uuid::Uuid::now_v7(),
            version: None,
            description: options.description.clone().filter(|text| !text.is_empty()),
            created: EventTime::from_unix_micros(self.now().unix_micros()).unwrap_or(EventTime::MAX),
            seconds: started.elapsed().as_secs_f64(),
            larder: env!("CARGO_PKG_VERSION").to_owned(),
            spine_files,
            inputs,
            columns: with_hashes(columns, &hash),
            rows: hash.rows,
            content_hash: hash.whole,
            output: ManifestOutput { path: target.display().to_string(), format: format.to_string(), bytes: sealed.bytes().unwrap_or(0) },
            request,
            name,
        };
        let manifest_path = sidecar(&target);
        self.publish(&mut manifest, sealed, files.manifest, run, told).await?;
        Ok(BuiltDataset { manifest, manifest_path })
    }

    /// Lets everything appear at once, or nothing.
    async fn publish(
        &self,
        manifest: &mut Manifest,
        rows: SealedFile,
        beside: OutputFile,
        run: Option<RunId>,
        told: &BuildTold,
    ) -> Result<()> {
        let mut published: Vec<PublishedFile> = Vec::new();
        if self.is_read_only() {
            appear(self.inner.faults.as_deref(), &mut published, rows)?;
            appear(self.inner.faults.as_deref(), &mut published, written(beside, &manifest.to_json()?)?)?;
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
            let faults = self.inner.faults.as_deref();
            appear(faults, &mut published, rows)?;
            appear(faults, &mut published, written(beside, &text)?)?;
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
    target: PathBuf,
    name: DatasetName,
    files: Files,
    run: Option<RunId>,
    started: Instant,
    told: &'a BuildTold,
}

/// The files of a build, still hidden.
struct Files {
    rows: OutputFile,
    manifest: OutputFile,
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

fn absolute(path: &Path) -> Result<PathBuf> {
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

/// The name of a dataset that was given none: that of its file.
fn name_of(target: &Path) -> Result<DatasetName> {
    let stem = target.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = nearest_legal(&stem).ok_or_else(|| {
        Error::usage(format!("the file '{}' gives the training dataset no name", target.display())).remedy("give it one with --name")
    })?;
    DatasetName::parse(&name)
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

/// Refuses to write over what is read, or into a folder that is a group.
fn check_no_input(target: &Path, request: &DatasetRequest, groups: &BTreeMap<GroupId, FeatureGroup>) -> Result<()> {
    let parent = target.parent().and_then(|folder| folder.canonicalize().ok()).unwrap_or_default();
    let target = target.file_name().map_or_else(|| parent.clone(), |name| parent.join(name));
    let is_target = |path: &Path| path.canonicalize().is_ok_and(|path| path == target);
    let refuse =
        |what: String| Err(Error::usage(format!("'{}' can't be written", target.display())).why(what).remedy("name another file with -o"));
    if let SpineSource::File(spine) = &request.spine
        && spine != STDIN
        && resolve(std::slice::from_ref(spine))?.iter().any(|input| is_target(&input.path))
    {
        return refuse("it is the spine itself".to_owned());
    }
    for group in groups.values() {
        let Some(place) = group.offline.as_ref().and_then(|offline| offline.external.as_ref()) else { continue };
        let folder = Path::new(place).canonicalize().ok().filter(|folder| folder.is_dir());
        if folder.is_some_and(|folder| target.starts_with(folder)) || is_target(Path::new(place)) {
            return refuse(format!("it would become part of the group '{}', whose files are read in place", group.name));
        }
    }
    Ok(())
}

/// The files of a spine, hashed. Blocks.
pub(super) fn spine_files(spine: &SpineSource) -> Result<Vec<SpineFile>> {
    match spine {
        SpineSource::Sql(_) => Ok(Vec::new()),
        // What came through a pipe is gone.
        SpineSource::File(path) if path == STDIN => Ok(vec![SpineFile { path: "stdin".to_owned(), bytes: 0, hash: None }]),
        SpineSource::File(path) => resolve(std::slice::from_ref(path))?
            .iter()
            .map(|input| Ok(SpineFile { path: input.path.display().to_string(), bytes: input.bytes, hash: Some(hash_of(&input.path)?) }))
            .collect(),
    }
}

/// The hash of a file's bytes. Blocks.
pub(super) fn hash_of(path: &Path) -> Result<String> {
    use std::io::Read;
    let fault = |error| Error::io(format!("can't read '{}'", path.display()), error);
    let mut file = std::fs::File::open(path).map_err(fault)?;
    let mut hasher = BytesHasher::default();
    let mut buffer = vec![0; HASH_BYTES];
    loop {
        match file.read(&mut buffer).map_err(fault)? {
            0 => return Ok(hasher.finish()),
            read => hasher.add(&buffer[..read]),
        }
    }
}

/// The files of an external group as they are now; empty if they are too many to list. Blocks.
pub(super) fn external_files(place: &str) -> Result<Vec<ExternalFileNote>> {
    let paths = external::list(place)?;
    if paths.len() > MAX_LISTED {
        return Ok(Vec::new());
    }
    let note = |path: &PathBuf| {
        let fault = |error| Error::io(format!("can't read '{}'", path.display()), error);
        let found = std::fs::metadata(path).map_err(fault)?;
        let since = found.modified().map_err(fault)?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = absolute(path)?.display().to_string();
        Ok(ExternalFileNote { path, bytes: found.len(), modified: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) })
    };
    paths.iter().map(note).collect()
}

/// Names of external files that are not what they were.
pub(super) fn changed_files(input: &ManifestInput, now: &[ExternalFileNote]) -> Vec<String> {
    let mut changed = Vec::new();
    for file in &input.files {
        match now.iter().find(|found| found.path == file.path) {
            None => changed.push(format!("{} is gone", file.path)),
            Some(found) if found != file => changed.push(format!("{} was changed", file.path)),
            Some(_) => {}
        }
    }
    changed.extend(
        now.iter().filter(|found| !input.files.iter().any(|file| file.path == found.path)).map(|found| format!("{} is new", found.path)),
    );
    changed
}
