//! The tables of one statement: groups under their own names, and `"group$latest"` beside each.
//!
//! A table is opened when the statement names it. Listing all names (`SHOW TABLES`) opens none; asking for all columns
//! (`information_schema.columns`) opens each in turn.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::TableType;

use super::failure::into_engine;
use super::latest::LatestTable;
use super::scan::SharedScan;
use super::session::GroupSource;
use super::spelling::{Spelling, fold};
use super::table::GroupTable;
use crate::model::error::{Error, Result};
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
    now: EventTime,
    opened: HashMap<String, SharedScan>,
    /// Column names in the order of opening.
    columns: Vec<String>,
    spelling: Option<Spelling>,
}

impl Tables {
    /// Knows all names and has opened nothing.
    pub(super) fn new(source: Arc<dyn GroupSource>, group_names: Vec<String>, now: EventTime) -> Self {
        Self { source, group_names, now, opened: HashMap::new(), columns: Vec::new(), spelling: None }
    }

    /// Opens the table a statement names by these folded parts.
    pub(super) async fn open(&mut self, parts: &[String]) -> Result<()> {
        let name = match parts {
            [name] => name,
            [schema, _] | [_, schema, _] if schema == INFORMATION_SCHEMA => return Ok(()),
            [schema, name] if schema == SCHEMA => name,
            [catalog, schema, name] if catalog == CATALOG && schema == SCHEMA => name,
            _ => {
                return Err(Error::not_found(format!("no table {}", parts.join(".")))
                    .remedy("write the group's name alone; a name with a dot or hyphen goes in double quotes"));
            }
        };
        let (group, _) = self.group_of(name)?;
        let folded = fold(group);
        if !self.opened.contains_key(&folded) {
            let scan = SharedScan::new(self.source.open_group(group).await?)?;
            self.columns.extend(scan.column_names());
            self.opened.insert(folded, scan);
        }
        Ok(())
    }

    /// Names of the columns of all opened tables.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Sets how columns are spelled in the statement.
    pub(super) fn spell(&mut self, spelling: Spelling) {
        self.spelling = Some(spelling);
    }

    /// The group a table name stands for, and whether its latest records are meant.
    fn group_of(&self, table: &str) -> Result<(&str, bool)> {
        let folded = fold(table);
        let (wanted, is_latest) = match folded.strip_suffix(LATEST) {
            Some(group) => (group, true),
            None => (folded.as_str(), false),
        };
        if let Some(name) = self.group_names.iter().find(|name| fold(name) == wanted) {
            return Ok((name, is_latest));
        }
        let error = Error::not_found(format!("no group '{wanted}'"));
        Err(match suggest(wanted, self.group_names.iter().map(String::as_str)) {
            Some(near) => error.remedy(format!("did you mean {}?", quoted(near))),
            None => error.remedy("`larder list` shows the groups"),
        })
    }

    async fn provider(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Ok((group, is_latest)) = self.group_of(table) else { return Ok(None) };
        let scan = match self.opened.get(&fold(group)) {
            Some(scan) => scan.clone(),
            None => SharedScan::new(self.source.open_group(group).await?)?,
        };
        let spell = |name: &str| self.spelling.as_ref().map_or_else(|| name.to_owned(), |spelling| spelling.of(name));
        Ok(Some(if is_latest { Arc::new(LatestTable::new(scan, self.now, spell)) } else { Arc::new(GroupTable::new(scan, spell)) }))
    }
}

/// The name as it has to be written in SQL.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !name.starts_with(|letter: char| letter.is_ascii_digit());
    if is_plain { name.to_owned() } else { format!("\"{name}\"") }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.group_names.clone()
    }

    async fn table(&self, name: &str) -> datafusion::error::Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        self.provider(name).await.map_err(into_engine)
    }

    async fn table_type(&self, name: &str) -> datafusion::error::Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.group_of(name).is_ok()
    }
}
