//! The tables of one statement: groups under their own names, and `"group$latest"` beside each.
//!
//! ```text
//! "customer-features"                                             the group's own name; larder.main."customer-features"
//! customer_features_1763890200                                    its table in the Glue catalog, as AWS names it
//! "sagemaker_featurestore"."customer_features_1763890200"         the same in its database, as the AWS client writes it
//! "AwsDataCatalog"."sagemaker_featurestore"."customer_…"          the same in its catalog, or in larder
//! ```
//!
//! The own name wins where another group's Glue table has the same. Only own names are listed (`SHOW TABLES`): a group is
//! one table, whatever it answers to. Glue names are asked for when a statement uses a name that is no group's.
//!
//! A table is opened when the statement names it. Listing all names (`SHOW TABLES`) opens none; asking for all columns
//! (`information_schema.columns`) opens each in turn.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::TableType;

use super::failure::{from_engine, into_engine};
use super::frame::{FrameRows, frame_table};
use super::latest::LatestTable;
use super::scan::SharedScan;
use super::session::{GlueTable, GroupSource};
use super::spelling::{Spelling, fold};
use super::table::GroupTable;
use crate::model::error::{Error, Result};
use crate::model::group::GLUE_CATALOG;
use crate::model::suggest::suggest;
use crate::model::time::EventTime;

/// Qualifier of every table, seldom written.
pub(super) const CATALOG: &str = "larder";
/// The one schema.
pub(super) const SCHEMA: &str = "main";
/// Tables of names, made by the engine.
const INFORMATION_SCHEMA: &str = "information_schema";
/// Ending of the table that holds the newest live record per identifier.
const LATEST: &str = "$latest";

/// Tables opened so far, by folded group name.
#[derive(Debug)]
pub(super) struct Tables {
    source: Arc<dyn GroupSource>,
    group_names: Vec<String>,
    /// None until a statement uses a name that is no group's.
    glue_tables: Option<Vec<GlueTable>>,
    now: EventTime,
    opened: HashMap<String, SharedScan>,
    /// Tables of uploaded rows, by database, if one was written, and name.
    frames: HashMap<(Option<String>, String), Arc<dyn FrameRows>>,
    /// Column names in the order of opening.
    columns: Vec<String>,
    spelling: Option<Spelling>,
}

impl Tables {
    /// Knows all names and has opened nothing.
    pub(super) fn new(source: Arc<dyn GroupSource>, group_names: Vec<String>, now: EventTime) -> Self {
        Self {
            source,
            group_names,
            glue_tables: None,
            now,
            opened: HashMap::new(),
            frames: HashMap::new(),
            columns: Vec::new(),
            spelling: None,
        }
    }

    /// Opens the table a statement names by these folded parts.
    pub(super) async fn open(&mut self, parts: &[String]) -> Result<()> {
        if matches!(parts, [schema, _] | [_, schema, _] if schema == INFORMATION_SCHEMA) {
            return Ok(());
        }
        if self.group_of(parts).is_none() && self.glue_tables.is_none() {
            self.glue_tables = Some(self.source.glue_tables().await?);
        }
        let Some((group, _)) = self.group_of(parts) else { return self.open_frame(parts).await };
        let (group, folded) = (group.to_owned(), fold(group));
        if !self.opened.contains_key(&folded) {
            let scan = SharedScan::new(self.source.open_group(&group).await?)?;
            self.columns.extend(scan.column_names());
            self.opened.insert(folded, scan);
        }
        Ok(())
    }

    /// Opens a table of uploaded rows, the last that a name can stand for.
    async fn open_frame(&mut self, parts: &[String]) -> Result<()> {
        let Some((database, table)) = frame_name(parts) else { return Err(self.no_table(parts)) };
        if self.frames.contains_key(&(database.clone(), table.clone())) {
            return Ok(());
        }
        let Some(rows) = self.source.open_frame(database.as_deref(), &table).await? else { return Err(self.no_table(parts)) };
        self.columns.extend(rows.schema().fields().iter().map(|field| field.name().clone()));
        self.frames.insert((database, table), rows);
        Ok(())
    }

    fn frame_of(&self, parts: &[String]) -> Option<&Arc<dyn FrameRows>> {
        self.frames.get(&frame_name(parts)?)
    }

    /// Names of the columns of all opened tables.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Lets columns of other tables of the statement have a say in how names are spelled.
    pub(super) fn know_columns(&mut self, names: impl Iterator<Item = String>) {
        self.columns.extend(names);
    }

    /// Sets how columns are spelled in the statement.
    pub(super) fn spell(&mut self, spelling: Spelling) {
        self.spelling = Some(spelling);
    }

    /// The group a table name stands for, and whether its latest records are meant.
    fn group_of(&self, parts: &[String]) -> Option<(&str, bool)> {
        let (table, qualifiers) = parts.split_last()?;
        let folded = fold(table);
        let (wanted, is_latest) = match folded.strip_suffix(LATEST) {
            Some(group) => (group, true),
            None => (folded.as_str(), false),
        };
        let qualifiers: Vec<String> = qualifiers.iter().map(|part| fold(part)).collect();
        let qualifiers: Vec<&str> = qualifiers.iter().map(String::as_str).collect();
        let own = || self.group_names.iter().find(|name| fold(name) == wanted).map(String::as_str);
        let glue = |database: Option<&str>| self.glue_table(database, wanted).map(|table| table.group.as_str());
        let group = match qualifiers.as_slice() {
            [] => own().or_else(|| glue(None)),
            [SCHEMA] | [CATALOG, SCHEMA] => own(),
            [database] => glue(Some(database)),
            [catalog, database] if is_glue_catalog(catalog) => glue(Some(database)),
            _ => None,
        };
        group.map(|group| (group, is_latest))
    }

    fn glue_table(&self, database: Option<&str>, table: &str) -> Option<&GlueTable> {
        let tables = self.glue_tables.as_deref().unwrap_or_default();
        tables.iter().find(|known| fold(&known.table) == table && database.is_none_or(|database| fold(&known.database) == database))
    }

    fn is_glue_database(&self, database: &str) -> bool {
        let of_groups = self.glue_tables.as_deref().unwrap_or_default().iter().any(|table| fold(&table.database) == database);
        of_groups || self.frames.keys().any(|(known, _)| known.as_deref() == Some(database))
    }

    /// What is wrong with a name that stands for no group.
    fn no_table(&self, parts: &[String]) -> Error {
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let Some((table, qualifiers)) = names.split_last() else { return Error::internal("a table without a name") };
        let table = table.strip_suffix(LATEST).unwrap_or(table);
        match qualifiers {
            [catalogs @ .., database] if self.is_glue_database(database) && catalogs.iter().all(|name| is_glue_catalog(name)) => {
                let tables = self.glue_tables.as_deref().unwrap_or_default();
                let error = Error::not_found(format!("no table '{table}' in database {database}"));
                match suggest(table, tables.iter().map(|table| table.table.as_str())) {
                    Some(near) => error.remedy(format!("did you mean {}?", quoted(near))),
                    None => error.remedy("the name ends in the second the group was made; the group's own name alone does as well"),
                }
            }
            [] | [SCHEMA] | [CATALOG, SCHEMA] => {
                let error = Error::not_found(format!("no group '{table}'"));
                match suggest(table, self.group_names.iter().map(String::as_str)) {
                    Some(near) => error.remedy(format!("did you mean {}?", quoted(near))),
                    None => error.remedy("`larder list` shows the groups"),
                }
            }
            _ => Error::not_found(format!("no table {}", parts.join(".")))
                .remedy("write the group's name alone; a name with a dot or hyphen goes in double quotes"),
        }
    }

    async fn provider(&self, parts: &[String]) -> Result<Option<Arc<dyn TableProvider>>> {
        let spell = |name: &str| self.spelling.as_ref().map_or_else(|| name.to_owned(), |spelling| spelling.of(name));
        let Some((group, is_latest)) = self.group_of(parts) else {
            return self.frame_of(parts).map(|rows| frame_table(rows, spell).map_err(from_engine)).transpose();
        };
        let scan = match self.opened.get(&fold(group)) {
            Some(scan) => scan.clone(),
            None => SharedScan::new(self.source.open_group(group).await?)?,
        };
        Ok(Some(if is_latest { Arc::new(LatestTable::new(scan, self.now, spell)) } else { Arc::new(GroupTable::new(scan, spell)) }))
    }
}

/// Whether a catalog of this folded name holds the Glue databases.
fn is_glue_catalog(name: &str) -> bool {
    name == CATALOG || name == fold(GLUE_CATALOG)
}

/// Database and name of the table of uploaded rows that a name stands for, folded; none for what can't be one.
fn frame_name(parts: &[String]) -> Option<(Option<String>, String)> {
    match parts {
        [table] => Some((None, fold(table))),
        [database, table] => Some((Some(fold(database)), fold(table))),
        [catalog, database, table] if is_glue_catalog(&fold(catalog)) => Some((Some(fold(database)), fold(table))),
        _ => None,
    }
}

/// The name as it has to be written in SQL.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !name.starts_with(|letter: char| letter.is_ascii_digit());
    if is_plain { name.to_owned() } else { format!("\"{name}\"") }
}

/// The tables as the engine looks them up: catalogs hold schemas, schemas hold tables. Names come as the statement
/// spells them.
#[derive(Debug, Clone)]
pub(super) struct Catalogs(Arc<Tables>);

impl Catalogs {
    /// All catalogs of a statement.
    pub(super) fn of(tables: Tables) -> Self {
        Self(Arc::new(tables))
    }
}

impl CatalogProviderList for Catalogs {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let folded = fold(name);
        is_glue_catalog(&folded).then(|| Arc::new(Catalog { name: folded, tables: self.0.clone() }) as _)
    }
}

#[derive(Debug)]
struct Catalog {
    name: String,
    tables: Arc<Tables>,
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let folded = fold(name);
        let qualifiers = match (folded.as_str(), self.name.as_str()) {
            // A table of the default schema may have been written without it.
            (SCHEMA, CATALOG) => Vec::new(),
            // So may the catalog of a database.
            (database, CATALOG) if self.tables.is_glue_database(database) => vec![folded],
            (database, _) if self.tables.is_glue_database(database) => vec![self.name.clone(), folded],
            _ => return None,
        };
        Some(Arc::new(TablesOf { qualifiers, tables: self.tables.clone() }))
    }
}

/// The tables of one schema.
#[derive(Debug)]
struct TablesOf {
    qualifiers: Vec<String>,
    tables: Arc<Tables>,
}

impl TablesOf {
    fn parts(&self, table: &str) -> Vec<String> {
        self.qualifiers.iter().cloned().chain([table.to_owned()]).collect()
    }
}

#[async_trait]
impl SchemaProvider for TablesOf {
    fn table_names(&self) -> Vec<String> {
        if self.qualifiers.is_empty() { self.tables.group_names.clone() } else { Vec::new() }
    }

    async fn table(&self, name: &str) -> datafusion::error::Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        self.tables.provider(&self.parts(name)).await.map_err(into_engine)
    }

    async fn table_type(&self, name: &str) -> datafusion::error::Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        let parts = self.parts(name);
        self.tables.group_of(&parts).is_some() || self.tables.frame_of(&parts).is_some()
    }
}
