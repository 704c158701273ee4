//! What the Glue catalog tells: groups with an offline store, and uploaded tables.

use arrow::datatypes::DataType;

use super::tables::{Format, HiveTable};
use crate::backend::offline::columns::{EVENT_TIME, file_schema, shown_schema};
use crate::model::group::GLUE_DATABASE;
use crate::model::{Error, EventTime, FeatureGroup, Result};
use crate::store::FeatureStore;

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseDescription {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: &'static str,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name, in lower case as Glue keeps it.
    pub name: String,
    /// Its type in Hive's words.
    pub data_type: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    /// The database that holds it.
    pub database: String,
    /// Its name.
    pub name: String,
    /// What it is, if somebody said.
    pub description: Option<String>,
    /// Its columns.
    pub columns: Vec<ColumnDescription>,
    /// Where its files lie.
    pub location: String,
    /// True for Parquet, false for lines of text.
    pub is_parquet: bool,
    /// When it was made.
    pub created: EventTime,
    /// When it was changed.
    pub updated: EventTime,
}

impl FeatureStore {
    /// All databases, by name: those of groups, and those of uploaded tables.
    pub async fn glue_databases(&self) -> Result<Vec<DatabaseDescription>> {
        let mut names = self.uploaded_databases();
        names.extend(self.groups_in_glue().await?.iter().map(|group| group.glue_database().to_lowercase()));
        names.sort();
        names.dedup();
        let description = |name: &str| if name == GLUE_DATABASE { "Feature groups" } else { "Tables of feature groups and of uploads" };
        Ok(names.into_iter().map(|name| DatabaseDescription { description: description(&name), name }).collect())
    }

    /// A database.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn glue_database(&self, name: &str) -> Result<DatabaseDescription> {
        let found = self.glue_databases().await?.into_iter().find(|database| database.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| Error::not_found(format!("Database {} not found", name.escape_debug())))
    }

    async fn groups_in_glue(&self) -> Result<Vec<FeatureGroup>> {
        let mut groups = self.list_groups().await?;
        groups.retain(FeatureGroup::has_glue_table);
        Ok(groups)
    }

    /// All tables of a database, by name.
    ///
    /// # Errors
    /// `NotFound` for a database that isn't there.
    pub async fn glue_tables(&self, database: &str) -> Result<Vec<TableDescription>> {
        let database = self.glue_database(database).await?.name;
        let mut found = Vec::new();
        for group in self.groups_in_glue().await?.iter().filter(|group| group.glue_database().eq_ignore_ascii_case(&database)) {
            found.push(self.table_of_group(group)?);
        }
        let store = self.clone();
        let uploaded = tokio::task::spawn_blocking(move || store.uploaded_tables(&database)).await;
        let uploaded = uploaded.map_err(|error| Error::internal("listing tables stopped").source(error))??;
        found.extend(uploaded.iter().map(table_of_upload));
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// A table.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn glue_table(&self, database: &str, table: &str) -> Result<TableDescription> {
        let database = self.glue_database(database).await?.name;
        let is_it =
            |group: &&FeatureGroup| group.glue_database().eq_ignore_ascii_case(&database) && group.glue_table().eq_ignore_ascii_case(table);
        if let Some(group) = self.groups_in_glue().await?.iter().find(is_it) {
            return self.table_of_group(group);
        }
        let (store, name) = (self.clone(), table.to_lowercase());
        let found = tokio::task::spawn_blocking(move || store.find_uploaded(&database, &name)).await;
        let found = found.map_err(|error| Error::internal("looking for a table stopped").source(error))??;
        found.as_ref().map(table_of_upload).ok_or_else(|| Error::not_found(format!("Entity Not Found: table {}", table.escape_debug())))
    }

    fn table_of_group(&self, group: &FeatureGroup) -> Result<TableDescription> {
        let location = match group.offline.as_ref().and_then(|offline| offline.external.clone()) {
            Some(place) => place,
            None => self.inner.offline.folder(group)?.resolved_uri(),
        };
        let schema = shown_schema(&group.schema, &file_schema(&group.schema));
        let columns = schema.fields().iter().filter(|field| field.name() != EVENT_TIME);
        let columns = columns.map(|field| ColumnDescription { name: field.name().to_lowercase(), data_type: hive_type(field.data_type()) });
        Ok(TableDescription {
            database: group.glue_database().to_lowercase(),
            name: group.glue_table(),
            description: group.description.clone(),
            columns: columns.collect(),
            location,
            is_parquet: true,
            created: group.created,
            updated: group.modified,
        })
    }
}

fn table_of_upload(table: &HiveTable) -> TableDescription {
    let column = |(name, data_type): &(String, String)| ColumnDescription { name: name.clone(), data_type: data_type.clone() };
    TableDescription {
        database: table.database.clone(),
        name: table.table.clone(),
        description: None,
        columns: table.columns.iter().map(column).collect(),
        location: table.location(),
        is_parquet: table.format == Format::Parquet,
        created: table.created,
        updated: table.created,
    }
}

/// A type in Hive's words.
fn hive_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            format!("array<{}>", hive_type(field.data_type()))
        }
        _ => "string".to_owned(),
    }
}
