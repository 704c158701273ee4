//! Glue: groups and uploaded tables as the data catalog has them, to be read only.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access;
use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire::{self, Fault, Protocol};
use crate::model::{Error, ErrorKind, EventTime};
use crate::store::athena::{DatabaseDescription, TableDescription};

/// Entries of a page.
const PAGE: usize = 100;

type Answer = Result<Value, Fault>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    name: Option<String>,
    database_name: Option<String>,
    table_name: Option<String>,
    expression: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// Answers one request.
pub(super) async fn answer(state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    let operation = match request.operation.as_ref() {
        "GetDatabase" => "GetDatabase",
        "GetDatabases" => "GetDatabases",
        "GetTable" => "GetTable",
        "GetTables" => "GetTables",
        "GetPartitions" => "GetPartitions",
        other => return wire::unknown_operation(other),
    };
    let may_ask = request.caller.reaches_all_groups();
    let asked: Result<Asked, Fault> = match request.whole_body() {
        [] => Ok(Asked::default()),
        body => serde_json::from_slice(body).map_err(|error| invalid(format!("The request can't be read: {error}."))),
    };
    drop(request);
    let answered = match asked {
        Ok(_) if !may_ask => Err(Fault::new(
            StatusCode::BAD_REQUEST,
            "AccessDeniedException",
            "A key that is bound to some groups can't read the data catalog, which names them all.",
        )),
        Ok(asked) => perform(state, operation, asked).await,
        Err(fault) => Err(fault),
    };
    match answered {
        Ok(body) => wire::json(Protocol::Json11, operation, body.to_string()),
        Err(fault) => fault.answer(Protocol::Json11, operation),
    }
}

async fn perform(state: &ServerState, operation: &'static str, asked: Asked) -> Answer {
    let store = &state.store;
    let account = &store.settings().account;
    let given = |value: &Option<String>, name: &str| value.clone().ok_or_else(|| invalid(format!("{name} is missing.")));
    match operation {
        "GetDatabase" => {
            let database = store.glue_database(&given(&asked.name, "Name")?).await.map_err(|error| fault_of(&error))?;
            Ok(json!({ "Database": database_of(&database, account) }))
        }
        "GetDatabases" => {
            let databases = store.glue_databases().await.map_err(|error| fault_of(&error))?;
            let all = databases.iter().map(|database| database_of(database, account)).collect();
            paged("DatabaseList", all, &asked)
        }
        "GetTable" => {
            let (database, name) = (given(&asked.database_name, "DatabaseName")?, given(&asked.name, "Name")?);
            let table = store.glue_table(&database, &name).await.map_err(|error| fault_of(&error))?;
            Ok(json!({ "Table": table_of(&table, account) }))
        }
        "GetTables" => {
            let tables = store.glue_tables(&given(&asked.database_name, "DatabaseName")?).await.map_err(|error| fault_of(&error))?;
            let expression = asked.expression.as_deref().filter(|expression| !expression.is_empty());
            let all = tables.iter().filter(|table| expression.is_none_or(|expression| matches(expression, &table.name)));
            paged("TableList", all.map(|table| table_of(table, account)).collect(), &asked)
        }
        _ => {
            let (database, name) = (given(&asked.database_name, "DatabaseName")?, given(&asked.table_name, "TableName")?);
            store.glue_table(&database, &name).await.map_err(|error| fault_of(&error))?;
            // Folders of a group's files are no columns: its table has no partitions, at AWS neither.
            Ok(json!({ "Partitions": [] }))
        }
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "InvalidInputException", message)
}

fn fault_of(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => Fault::new(StatusCode::BAD_REQUEST, "EntityNotFoundException", error.to_string()),
        kind if wire::is_our_fault(kind) => {
            tracing::error!(%error, "an operation of Glue failed");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceException", wire::message_of(error))
        }
        _ => invalid(error.to_string()),
    }
}

/// A page of a list; the token is the number of entries before it.
fn paged(name: &str, mut all: Vec<Value>, asked: &Asked) -> Answer {
    let from: usize = match asked.next_token.as_deref() {
        None | Some("") => 0,
        Some(token) => token.parse().map_err(|_| invalid("The NextToken is malformed."))?,
    };
    let limit = asked.max_results.unwrap_or(PAGE).clamp(1, PAGE);
    let end = from.saturating_add(limit);
    let more = all.len() > end;
    let page: Vec<Value> = all.drain(from.min(all.len())..end.min(all.len())).collect();
    let mut answer = json!({ name: page });
    if more {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}

/// Whether a name matches Glue's expressions, as far as clients write them: texts, `*` or `.*` for any, `|` for or.
fn matches(expression: &str, name: &str) -> bool {
    expression.split('|').any(|pattern| access::matches(&pattern.replace(".*", "*"), name))
}

fn seconds(time: EventTime) -> f64 {
    (time.unix_micros() / 1_000) as f64 / 1_000.0
}

fn database_of(database: &DatabaseDescription, account: &str) -> Value {
    json!({ "Name": database.name, "Description": database.description, "CatalogId": account })
}

fn table_of(table: &TableDescription, account: &str) -> Value {
    let (input, output, serde) = if table.is_parquet {
        (
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        )
    } else {
        (
            "org.apache.hadoop.mapred.TextInputFormat",
            "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        )
    };
    let columns: Vec<Value> = table.columns.iter().map(|column| json!({ "Name": column.name, "Type": column.data_type })).collect();
    let mut described = json!({
        "Name": table.name,
        "DatabaseName": table.database,
        "CatalogId": account,
        "CreateTime": seconds(table.created),
        "UpdateTime": seconds(table.updated),
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [],
        "Parameters": { "EXTERNAL": "TRUE", "classification": if table.is_parquet { "parquet" } else { "csv" } },
        "StorageDescriptor": {
            "Columns": columns,
            "Location": table.location,
            "InputFormat": input,
            "OutputFormat": output,
            "Compressed": false,
            "NumberOfBuckets": -1,
            "SerdeInfo": { "SerializationLibrary": serde, "Parameters": { "serialization.format": "1" } },
            "StoredAsSubDirectories": true,
        },
    });
    if let Some(description) = &table.description {
        described["Description"] = json!(description);
    }
    described
}
