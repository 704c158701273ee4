//! What went wrong in the SQL engine, in our words: one line, a kind to branch on, a remedy.
//!
//! Errors of our own layers travel through the engine as sources and come out unchanged.

use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;

use crate::model::error::{Error, ErrorKind};
use crate::model::suggest::suggest;

/// Wraps one of our errors for its way through the engine.
pub(super) fn into_engine(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Turns an engine error into ours.
pub(super) fn from_engine(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(own) => *own,
            Err(source) => match source.downcast::<DataFusionError>() {
                Ok(inner) => from_engine(*inner),
                Err(source) => Error::new(ErrorKind::Io, "the query failed").source(source),
            },
        },
        DataFusionError::Shared(shared) => match Arc::try_unwrap(shared) {
            Ok(error) => from_engine(error),
            Err(shared) => from_shared(&shared),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => from_engine(*inner),
        DataFusionError::Collection(mut errors) if !errors.is_empty() => from_engine(errors.swap_remove(0)),
        DataFusionError::ObjectStore(error) => from_object_store(*error),
        DataFusionError::IoError(error) => Error::io("the query could not read or write a file", error),
        other => from_shared(&other),
    }
}

/// The same for an error that other readers hold too: texts are copied, sources can't be.
pub(super) fn from_shared(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => from_source(source.as_ref()),
        DataFusionError::Shared(shared) => from_shared(shared),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => from_shared(inner),
        DataFusionError::Collection(errors) if !errors.is_empty() => from_shared(&errors[0]),
        DataFusionError::SchemaError(error, _) => from_schema(error),
        DataFusionError::SQL(error, _) => Error::usage("the SQL can't be read").why(first_line(&error.to_string())),
        DataFusionError::Plan(text) => match own_words(text) {
            Some(own) => Error::usage(own),
            None => Error::usage("the SQL can't be planned").why(first_line(text)),
        },
        DataFusionError::NotImplemented(text) => Error::usage("the SQL uses what is not supported").why(first_line(text)),
        DataFusionError::Configuration(text) => Error::usage("a setting of the SQL engine is wrong").why(first_line(text)),
        DataFusionError::Execution(text) => Error::invalid("the query failed").why(first_line(text)),
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::ExternalError(source) => from_source(source.as_ref()),
            error => Error::invalid("the query failed").why(first_line(&error.to_string())),
        },
        DataFusionError::ResourcesExhausted(text) => Error::new(ErrorKind::Full, "the query needs more memory than it may use")
            .why(first_line(text))
            .remedy("allow it more memory, or ask for fewer columns or a shorter time range"),
        DataFusionError::ParquetError(error) => from_parquet(error),
        DataFusionError::ObjectStore(error) => from_source(error.as_ref()),
        DataFusionError::ExecutionJoin(error) if error.is_cancelled() => Error::interrupted("the query was stopped"),
        other => Error::internal("the SQL engine failed").why(first_line(&other.strip_backtrace())),
    }
}

/// An error of somebody else: perhaps one of ours inside.
fn from_source(source: &(dyn std::error::Error + 'static)) -> Error {
    if let Some(own) = source.downcast_ref::<Error>() {
        own.repeated()
    } else if let Some(engine) = source.downcast_ref::<DataFusionError>() {
        from_shared(engine)
    } else if let Some(parquet) = source.downcast_ref::<ParquetError>() {
        from_parquet(parquet)
    } else if let Some(own) = source.source().and_then(|inner| inner.downcast_ref::<Error>()) {
        own.repeated()
    } else {
        Error::new(ErrorKind::Io, "the query failed").why(first_line(&source.to_string()))
    }
}

/// What a function of ours says about its arguments: the engine takes it into a sentence of its own.
fn own_words(text: &str) -> Option<&str> {
    let (_, own) = text.split_once("user-defined coercion failed with: External error: ")?;
    own.lines().next()?.split(" No function matches").next().map(|own| own.trim_end_matches('.'))
}

fn from_parquet(error: &ParquetError) -> Error {
    match error {
        ParquetError::External(source) => from_source(source.as_ref()),
        error => {
            Error::corrupt("a Parquet file can't be read").why(first_line(&error.to_string())).remedy("`larder doctor` checks all files")
        }
    }
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut names: Vec<&str> = Vec::new();
            for valid in valid_fields {
                if !names.contains(&valid.name.as_str()) {
                    names.push(&valid.name);
                }
            }
            let missing = Error::not_found(format!("no column '{}'", field.name));
            match suggest(&field.name, names.iter().copied()) {
                Some(near) => missing.remedy(format!("did you mean '{near}'?")),
                None if names.is_empty() => missing.remedy("text goes in 'single quotes'"),
                None => missing.remedy(format!("there are: {}; text goes in 'single quotes'", listed(&names))),
            }
        }
        SchemaError::AmbiguousReference { field } => Error::usage(format!("column '{}' is in more than one table", field.name))
            .remedy("put the table's name or alias in front of it: t.column"),
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::usage(format!("two columns are named '{name}'")).remedy("rename one with AS")
        }
    }
}

fn from_object_store(error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { path, .. } => Error::new(ErrorKind::Conflict, format!("{path} is gone"))
            .why("it was compacted or dropped while the query ran")
            .remedy("run the query again"),
        error => match std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Error>()) {
            Some(own) => own.repeated(),
            None => Error::new(ErrorKind::Io, "a data file can't be read").source(error),
        },
    }
}

/// The first dozen names, so that a wide table doesn't flood the message.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

/// Engine messages may go on with hints for its own developers after the first line.
fn first_line(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().trim_end_matches('.').to_owned();
    match lines.next().filter(|line| line.starts_with("Did you mean")) {
        Some(hint) => format!("{first}; {}", hint.replacen("Did", "did", 1)),
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::common::Column;

    #[test]
    fn a_missing_column_says_what_there_is() {
        let missing = |name: &str| {
            let valid_fields = ["fare_amount", "PULocationID"].map(Column::from_name).to_vec();
            let field = Box::new(Column::from_name(name));
            from_engine(DataFusionError::SchemaError(Box::new(SchemaError::FieldNotFound { field, valid_fields }), Box::new(None)))
        };
        assert_eq!(missing("fare_amout").to_string(), "no column 'fare_amout'; did you mean 'fare_amount'?");
        assert_eq!(missing("x").kind(), ErrorKind::NotFound);
        assert!(missing("x").to_string().contains("there are: fare_amount, PULocationID"));
    }

    #[test]
    fn our_own_errors_come_out_as_they_went_in() {
        let own = || Error::not_found("no group 'x'").remedy("did you mean 'y'?");
        assert_eq!(from_engine(into_engine(own()).context("scan")).to_string(), own().to_string());
        let shared = Arc::new(into_engine(own()));
        let error = from_engine(DataFusionError::Shared(shared.clone()));
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, own().to_string()));
        drop(shared);
    }

    #[test]
    fn engine_messages_are_one_line() {
        let error = from_engine(DataFusionError::Plan("Invalid function 'foo'.\nDid you mean 'floor'?".into()));
        assert_eq!(error.to_string(), "the SQL can't be planned (Invalid function 'foo'; did you mean 'floor'?)");
    }
}
