//! Athena: SQL over the groups, for clients that start a statement, ask how it goes and fetch its result from S3.
//!
//! The rules of executions are the store's ([`crate::store::athena`]); here its words become Athena's.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire::{self, Fault, Protocol};
use crate::model::{Error, ErrorKind, EventTime};
use crate::store::athena::{Execution, ExecutionRequest, ExecutionState, ResultColumn, ResultPage};

/// How long a look at an execution under way waits for its end. Clients ask at once and sleep for seconds then: a short
/// statement would cost them that.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The one work group.
const WORK_GROUP: &str = "primary";
/// Rows of a page.
const PAGE: usize = 1_000;
/// Executions of a page, and of a batch.
const MOST_IDS: usize = 50;

type Answer = Result<Value, Fault>;

/// Answers one request.
pub(super) async fn answer(state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    let operation = match request.operation.as_ref() {
        "StartQueryExecution" => "StartQueryExecution",
        "GetQueryExecution" => "GetQueryExecution",
        "BatchGetQueryExecution" => "BatchGetQueryExecution",
        "StopQueryExecution" => "StopQueryExecution",
        "ListQueryExecutions" => "ListQueryExecutions",
        "GetQueryResults" => "GetQueryResults",
        "GetWorkGroup" => "GetWorkGroup",
        "ListWorkGroups" => "ListWorkGroups",
        other => return wire::unknown_operation(other),
    };
    let answered = perform(state, &request, operation).await;
    match answered {
        Ok(body) => wire::json(Protocol::Json11, operation, body.to_string()),
        Err(fault) => fault.answer(Protocol::Json11, operation),
    }
}

fn perform<'a>(
    state: &'a Arc<ServerState>,
    request: &'a ServiceRequest,
    operation: &'static str,
) -> impl Future<Output = Answer> + Send + use<'a> {
    // A reference to the request must not be held across awaits: its body may be no stream that threads share.
    let may_ask = request.caller.reaches_all_groups();
    let may_write = request.caller.may_write();
    let body = request.whole_body().to_vec();
    async move {
        if !may_ask {
            return Err(denied("A key that is bound to some groups can't run SQL, which sees them all."));
        }
        match operation {
            "StartQueryExecution" => start(state, parse(&body)?, may_write),
            "GetQueryExecution" => get(state, parse(&body)?).await,
            "BatchGetQueryExecution" => batch_get(state, parse(&body)?).await,
            "StopQueryExecution" => {
                let named: Named = parse(&body)?;
                state.store.stop_execution(&named.query_execution_id).map_err(|error| fault_of(&error))?;
                Ok(json!({}))
            }
            "ListQueryExecutions" => list(state, &parse(&body)?),
            "GetQueryResults" => results(state, parse(&body)?).await,
            "GetWorkGroup" => work_group(state, &parse(&body)?),
            _ => Ok(json!({ "WorkGroups": [{ "Name": WORK_GROUP, "State": "ENABLED", "Description": "" }] })),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| invalid(format!("The request can't be read: {error}.")))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "InvalidRequestException", message)
}

fn denied(message: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "AccessDeniedException", message)
}

fn fault_of(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::Usage | ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict => {
            invalid(error.to_string())
        }
        ErrorKind::Full => Fault::new(StatusCode::BAD_REQUEST, "TooManyRequestsException", error.to_string()),
        ErrorKind::ReadOnly => denied("The store can only be read, and results are written to it."),
        _ => {
            tracing::error!(%error, "an operation of Athena failed");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerException", wire::message_of(error))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    query_execution_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    query_string: String,
    client_request_token: Option<String>,
    query_execution_context: Option<Context>,
    result_configuration: Option<ResultConfiguration>,
    work_group: Option<String>,
    execution_parameters: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    catalog: Option<String>,
    database: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResultConfiguration {
    output_location: Option<String>,
}

fn start(state: &ServerState, start: Start, may_write: bool) -> Answer {
    if start.execution_parameters.is_some_and(|parameters| !parameters.is_empty()) {
        return Err(invalid("Execution parameters are not supported: write the values into the statement."));
    }
    if !may_write {
        return Err(denied("A key that may only read can't run SQL, whose results are written to S3."));
    }
    let context = start.query_execution_context.unwrap_or(Context { catalog: None, database: None });
    let request = ExecutionRequest {
        query: start.query_string,
        catalog: context.catalog,
        database: context.database,
        output: start.result_configuration.and_then(|configuration| configuration.output_location),
        work_group: start.work_group,
        token: start.client_request_token,
    };
    let id = state.store.start_execution(request).map_err(|error| fault_of(&error))?;
    Ok(json!({ "QueryExecutionId": id }))
}

async fn get(state: &ServerState, named: Named) -> Answer {
    let execution = state.store.execution(&named.query_execution_id, PATIENCE).await.map_err(|error| fault_of(&error))?;
    Ok(json!({ "QueryExecution": described(&execution) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGet {
    query_execution_ids: Vec<String>,
}

async fn batch_get(state: &ServerState, batch: BatchGet) -> Answer {
    if batch.query_execution_ids.is_empty() || batch.query_execution_ids.len() > MOST_IDS {
        return Err(invalid(format!("Between 1 and {MOST_IDS} executions can be asked for at once.")));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for id in &batch.query_execution_ids {
        match state.store.execution(id, Duration::ZERO).await {
            Ok(execution) => found.push(described(&execution)),
            Err(error) => missing.push(json!({ "QueryExecutionId": id, "ErrorCode": "INVALID_INPUT", "ErrorMessage": error.to_string() })),
        }
    }
    Ok(json!({ "QueryExecutions": found, "UnprocessedQueryExecutionIds": missing }))
}

fn seconds(time: EventTime) -> f64 {
    (time.unix_micros() / 1_000) as f64 / 1_000.0
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An execution in Athena's words.
fn described(execution: &Execution) -> Value {
    let request = &execution.request;
    let mut status = json!({ "State": execution.state.as_str(), "SubmissionDateTime": seconds(execution.submitted) });
    if let Some(completed) = execution.completed {
        status["CompletionDateTime"] = json!(seconds(completed));
    }
    if let Some(reason) = &execution.reason {
        status["StateChangeReason"] = json!(reason);
    }
    if execution.state == ExecutionState::Failed {
        // Categories 1 and 2: the system's fault, the user's.
        let category = if execution.is_users_fault { 2 } else { 1 };
        status["AthenaError"] = json!({ "ErrorCategory": category, "Retryable": false, "ErrorMessage": execution.reason });
    }
    let mut context = json!({});
    for (name, value) in [("Database", &request.database), ("Catalog", &request.catalog)] {
        if let Some(value) = value {
            context[name] = json!(value);
        }
    }
    json!({
        "QueryExecutionId": execution.id,
        "Query": request.query,
        "StatementType": execution.statement_type.as_str(),
        "ResultConfiguration": { "OutputLocation": execution.location },
        "QueryExecutionContext": context,
        "Status": status,
        "Statistics": {
            "EngineExecutionTimeInMillis": millis(execution.ran),
            "DataScannedInBytes": execution.scanned,
            "TotalExecutionTimeInMillis": millis(execution.queued + execution.ran),
            "QueryQueueTimeInMillis": millis(execution.queued),
        },
        "WorkGroup": request.work_group.as_deref().unwrap_or(WORK_GROUP),
        "EngineVersion": { "SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3" },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    next_token: Option<String>,
    max_results: Option<usize>,
    work_group: Option<String>,
}

fn list(state: &ServerState, list: &List) -> Answer {
    if list.work_group.as_deref().is_some_and(|group| group != WORK_GROUP) {
        return Ok(json!({ "QueryExecutionIds": [] }));
    }
    let limit = list.max_results.unwrap_or(MOST_IDS).clamp(1, MOST_IDS);
    let ids = state.store.execution_ids();
    // The token is the last name that was told: names that came meanwhile stand before it.
    let from = match &list.next_token {
        None => 0,
        Some(token) => ids.iter().position(|id| id == token).map(|at| at + 1).ok_or_else(|| invalid("The NextToken is not known."))?,
    };
    let page = &ids[from..ids.len().min(from + limit)];
    let mut answer = json!({ "QueryExecutionIds": page });
    if from + page.len() < ids.len()
        && let Some(last) = page.last()
    {
        answer["NextToken"] = json!(last);
    }
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    query_execution_id: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

async fn results(state: &ServerState, asked: Results) -> Answer {
    let from = match asked.next_token.as_deref() {
        None | Some("") => 0,
        Some(token) => token.parse::<u64>().map_err(|_| invalid("The NextToken is malformed."))?,
    };
    let limit = asked.max_results.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(invalid(format!("MaxResults is between 1 and {PAGE}.")));
    }
    let read = state.store.execution_result(&asked.query_execution_id, from, limit).await;
    let (execution, ResultPage { rows, next }) = read.map_err(|error| fault_of(&error))?;
    let row = |values: &Vec<Option<String>>| {
        let data: Vec<Value> =
            values.iter().map(|value| value.as_ref().map_or_else(|| json!({}), |text| json!({ "VarCharValue": text }))).collect();
        json!({ "Data": data })
    };
    let columns: Vec<Value> = execution.columns.iter().map(column).collect();
    let mut answer = json!({
        "UpdateCount": 0,
        "ResultSet": { "Rows": rows.iter().map(row).collect::<Vec<_>>(), "ResultSetMetadata": { "ColumnInfo": columns } },
    });
    if let Some(next) = next {
        answer["NextToken"] = json!(next.to_string());
    }
    Ok(answer)
}

fn column(column: &ResultColumn) -> Value {
    json!({
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": column.data_type,
        "Precision": column.precision,
        "Scale": column.scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": column.data_type == "varchar",
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WorkGroup {
    work_group: String,
}

fn work_group(state: &ServerState, asked: &WorkGroup) -> Answer {
    if asked.work_group != WORK_GROUP {
        return Err(invalid(format!("WorkGroup {} is not found.", asked.work_group.escape_debug())));
    }
    Ok(json!({
        "WorkGroup": {
            "Name": WORK_GROUP,
            "State": "ENABLED",
            "Description": "",
            "Configuration": {
                "ResultConfiguration": { "OutputLocation": state.store.default_query_output() },
                "EnforceWorkGroupConfiguration": false,
                "PublishCloudWatchMetricsEnabled": false,
                "RequesterPaysEnabled": false,
                "EngineVersion": { "SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3" },
            },
        }
    }))
}
