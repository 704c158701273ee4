//! A request as SQL for another engine: the files of its groups and of its spine found, the rest said by [`print_sql`].
//!
//! DuckDB and Spark read the live files of one snapshot; Trino reads tables by the names they have in the Glue catalog,
//! and the spine as a table that bears its file's name. Records that wait in the outbox are flushed first: no other
//! engine sees them there.

use std::path::Path;

use tokio::runtime::Handle;

use super::build::{STDIN, with_absolute_spine};
use super::plan::{DatasetInput, DatasetPlan, PlanOptions};
use super::spine::SpineRows;
use crate::backend::offline::columns::EVENT_TIME;
use crate::dataset::GroupScan;
use crate::dataset::print_sql::{GroupUse, Question, Source, SourceFile, SqlDialect, print_sql, stored_columns};
use crate::dataset::request::{DatasetRequest, SpineSource};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};
use crate::store::FeatureStore;

/// Most files that one statement names: beyond it engines plan for longer than they read.
const MAX_FILES: usize = 2_000;

impl FeatureStore {
    /// The statement that answers a request in another engine as a build of it would here, now.
    ///
    /// # Errors
    /// What [`FeatureStore::plan_dataset`] refuses; `Usage` for a spine that is not Parquet, `Invalid` for what the
    /// engine can't be told, `Conflict` for records that wait in the outbox of a store that can't be written.
    pub async fn dataset_sql(&self, request: &DatasetRequest, dialect: SqlDialect) -> Result<String> {
        check_spine(request)?;
        let request = with_absolute_spine(request)?;
        let (plan, _) = self.plan_flushed(&request, &PlanOptions::default()).await?;
        if let Some(input) = plan.inputs().iter().find(|input| input.unflushed > 0) {
            return Err(Error::new(ErrorKind::Conflict, format!("{} records of '{}' wait in the outbox", input.unflushed, input.group))
                .why("no other engine sees them there")
                .remedy("run `larder flush` first"));
        }
        let (store, runtime) = (self.clone(), Handle::current());
        let printed = tokio::task::spawn_blocking(move || {
            let question = store.question(&request, &plan, dialect, &runtime)?;
            Ok(format!("{}{}", preface(&request, &plan, dialect, store.inner.offline.is_remote()), print_sql(&question, dialect)?))
        });
        printed.await.map_err(|error| Error::internal("printing the statement stopped").source(error))?
    }

    fn question(&self, request: &DatasetRequest, plan: &DatasetPlan, dialect: SqlDialect, runtime: &Handle) -> Result<Question> {
        let spine = plan.spine();
        let time = spine.position(&request.spine_time, "--spine-time")?;
        let uses = plan.inputs().iter().zip(plan.snapshots());
        Ok(Question {
            spine: spine_source(request, spine, dialect)?,
            columns: spine.schema.fields().iter().map(|field| field.name().clone()).collect(),
            time: spine.schema.field(time).name().clone(),
            uses: uses.map(|(input, scan)| self.group_use(input, scan, dialect, runtime)).collect::<Result<_>>()?,
            as_of: request.as_of,
        })
    }

    fn group_use(&self, input: &DatasetInput, scan: &GroupScan, dialect: SqlDialect, runtime: &Handle) -> Result<GroupUse> {
        let group = &scan.group;
        let is_external = group.is_external();
        let definition = &group.schema;
        let type_of = |name: &str| scan.schema.fields().iter().find(|field| field.name().eq_ignore_ascii_case(name));
        // A table of the catalog has no column but those of SageMaker; files of ours have the event time as an instant.
        let event_time = match (is_external, dialect) {
            (false, SqlDialect::DuckDb | SqlDialect::Spark) => EVENT_TIME.to_owned(),
            _ => definition.event_time().column().to_string(),
        };
        let feature = |feature: &super::InputFeature| {
            let found = definition.position(&feature.name).map(|position| definition.features()[position].column().as_str());
            let name = found.unwrap_or(&feature.name);
            let field = type_of(name).ok_or_else(|| Error::internal(format!("the feature '{}' has no type", feature.name)))?;
            Ok((name.to_owned(), field.data_type().clone(), feature.column.clone()))
        };
        Ok(GroupUse {
            alias: input.alias.escape_debug().to_string(),
            source: self.group_source_of(scan, dialect, runtime)?,
            kind: definition.identifier().feature_type,
            identifier: definition.identifier().column().to_string(),
            event_time,
            knows_arrivals: !is_external,
            spine_id: input.spine_id.clone(),
            features: input.features.iter().map(feature).collect::<Result<_>>()?,
            ttl: input.ttl,
        })
    }

    fn group_source_of(&self, scan: &GroupScan, dialect: SqlDialect, runtime: &Handle) -> Result<Source> {
        let group = &scan.group;
        if dialect == SqlDialect::Trino {
            if !group.has_glue_table() {
                return Err(Error::invalid(format!("'{}' has no table that Trino could read", group.name))
                    .why("it was made without one in the Glue catalog")
                    .remedy("print the statement for Spark or DuckDB"));
            }
            let name = vec![group.glue_database().to_lowercase(), group.glue_table().to_lowercase()];
            return Ok(Source::Table { name, columns: scan.schema.clone() });
        }
        if scan.files.len() > MAX_FILES {
            return Err(Error::invalid(format!("'{}' has {} files", group.name, scan.files.len()))
                .why(format!("a statement names at most {MAX_FILES}"))
                .remedy(format!("run `larder compact {}` first", group.name)));
        }
        let columns = stored_columns(scan, runtime)?;
        let file = |(file, columns): (&crate::dataset::ScanFile, _)| {
            SourceFile::with_columns(self.location(group, &file.object().location, dialect)?, columns)
        };
        Ok(Source::Files(scan.files.iter().zip(columns).map(file).collect::<Result<_>>()?))
    }

    /// Where an engine finds an object.
    fn location(&self, group: &FeatureGroup, object: &object_store::path::Path, dialect: SqlDialect) -> Result<String> {
        if !group.is_external() && self.inner.offline.is_remote() {
            return Ok(format!("{}://{object}", if dialect == SqlDialect::Spark { "s3a" } else { "s3" }));
        }
        let path = if group.is_external() {
            let found = object_store::local::LocalFileSystem::new().path_to_filesystem(object);
            found.map_err(|error| Error::internal(format!("{object} has no path")).source(error))?
        } else {
            self.inner.offline.local()?.file_path(object)?
        };
        on_disk(&path, dialect)
    }
}

/// A path as an engine takes it.
fn on_disk(path: &Path, dialect: SqlDialect) -> Result<String> {
    let absolute = std::path::absolute(path).map_err(|error| Error::io(format!("can't find '{}'", path.display()), error))?;
    let text = absolute.to_str().ok_or_else(|| Error::invalid(format!("the path '{}' is not UTF-8", path.display())).remedy("move it"))?;
    // Without a scheme Spark would look on its default file system.
    Ok(if dialect == SqlDialect::Spark { format!("file://{text}") } else { text.to_owned() })
}

/// Refuses spines that no other engine reads as we do, before anything is opened.
fn check_spine(request: &DatasetRequest) -> Result<()> {
    match &request.spine {
        SpineSource::Sql(_) => Err(Error::usage("another engine can't be told a spine in larder's SQL")
            .remedy("write its rows first, with larder query SQL -o spine.parquet, and give that file with --spine")),
        SpineSource::File(path) if path == STDIN => {
            Err(Error::usage("another engine can't read this standard input").remedy("give the spine as a Parquet file"))
        }
        SpineSource::File(_) => Ok(()),
    }
}

fn spine_source(request: &DatasetRequest, spine: &SpineRows, dialect: SqlDialect) -> Result<Source> {
    let Some(files) = spine.parquet_files() else {
        return Err(Error::usage("the spine is no Parquet")
            .why("each engine has its own idea of the types in a text file")
            .remedy("write it as Parquet"));
    };
    if dialect == SqlDialect::Trino {
        return Ok(Source::Table { name: vec![spine_table(request)], columns: spine.schema.clone() });
    }
    let file = |(path, footer)| SourceFile::new(on_disk(path, dialect)?, footer);
    Ok(Source::Files(files.map(file).collect::<Result<_>>()?))
}

/// The table that is to hold the spine: named as its file.
fn spine_table(request: &DatasetRequest) -> String {
    let SpineSource::File(path) = &request.spine else { return "spine".to_owned() };
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
    let plain: String = stem.chars().map(|letter| if is_plain(&letter) { letter } else { '_' }).collect();
    if plain.is_empty() { "spine".to_owned() } else { plain }
}

/// What somebody should know who runs the statement, as comments before it.
fn preface(request: &DatasetRequest, plan: &DatasetPlan, dialect: SqlDialect, is_remote: bool) -> String {
    let mut lines = vec![match dialect {
        SqlDialect::DuckDb => "What `larder dataset build` answers, for DuckDB 1.1 or later.".to_owned(),
        SqlDialect::Spark => "What `larder dataset build` answers, for Spark 3.5 or later.".to_owned(),
        SqlDialect::Trino => "What `larder dataset build` answers, for Trino and Athena.".to_owned(),
    }];
    if dialect == SqlDialect::Trino {
        let columns: Vec<String> = plan.spine().schema.fields().iter().map(|field| field.name().escape_debug().to_string()).collect();
        lines.push(format!("The spine is the table {}, with the columns {}.", spine_table(request), columns.join(", ")));
        lines.push("Rows come in no order. Times without a zone are UTC: SET TIME ZONE 'UTC' (Athena's always is).".to_owned());
        lines.push(
            "Of records with one event time the last written is taken, as far as the engine tells write times (often whole".to_owned(),
        );
        lines.push("milliseconds); of rows of one bulk load with one identifier and event time any.".to_owned());
        return commented(&lines);
    }
    let versions: Vec<String> = plan.inputs().iter().map(read_of).collect();
    lines.push(format!("Reads {}. Rows come in the spine's order.", versions.join(", ")));
    if is_remote {
        lines.push(match dialect {
            SqlDialect::DuckDb => {
                "For the bucket: INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);".to_owned()
            }
            _ => "For the bucket: --packages org.apache.hadoop:hadoop-aws and fs.s3a settings.".to_owned(),
        });
    }
    commented(&lines)
}

fn read_of(input: &DatasetInput) -> String {
    match input.version {
        Some(version) => format!("{} at version {version}", input.group),
        None => format!("{} as it is now", input.group),
    }
}

fn commented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("-- {line}\n")).collect()
}
