//! Lineage as SageMaker's clients speak of it: artifacts, contexts, actions, associations and QueryLineage, over the store's graph.
//!
//! ```text
//! entities      Create, Describe, Update, Delete and List of each kind       [`entities`]
//! associations  AddAssociation, DeleteAssociation, ListAssociations          [`associations`]
//! query         QueryLineage                                                 [`query`]
//! ```
//!
//! The graph spans all groups, so a key that is bound to some of them may not ask here: what is next to its group would tell
//! of others.

mod associations;
mod entities;
mod query;

use serde_json::Value as Json;

use super::super::page_token;
use super::super::service::{ServerState, ServiceRequest};
use super::super::wire::Fault;
use super::{Answer, faults};
use crate::model::{Error, ErrorKind};
use crate::store::lineage::{EntityId, EntityKind};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Create(EntityKind),
    Describe(EntityKind),
    Update(EntityKind),
    Delete(EntityKind),
    List(EntityKind),
    AddAssociation,
    DeleteAssociation,
    ListAssociations,
    QueryLineage,
}

/// The operation of that name.
pub(super) fn operation(name: &str) -> Option<(&'static str, Operation)> {
    use EntityKind::{Action, Artifact, Context};
    const ALL: [(&str, Operation); 19] = [
        ("CreateArtifact", Operation::Create(Artifact)),
        ("DescribeArtifact", Operation::Describe(Artifact)),
        ("UpdateArtifact", Operation::Update(Artifact)),
        ("DeleteArtifact", Operation::Delete(Artifact)),
        ("ListArtifacts", Operation::List(Artifact)),
        ("CreateContext", Operation::Create(Context)),
        ("DescribeContext", Operation::Describe(Context)),
        ("UpdateContext", Operation::Update(Context)),
        ("DeleteContext", Operation::Delete(Context)),
        ("ListContexts", Operation::List(Context)),
        ("CreateAction", Operation::Create(Action)),
        ("DescribeAction", Operation::Describe(Action)),
        ("UpdateAction", Operation::Update(Action)),
        ("DeleteAction", Operation::Delete(Action)),
        ("ListActions", Operation::List(Action)),
        ("AddAssociation", Operation::AddAssociation),
        ("DeleteAssociation", Operation::DeleteAssociation),
        ("ListAssociations", Operation::ListAssociations),
        ("QueryLineage", Operation::QueryLineage),
    ];
    ALL.into_iter().find(|(known, _)| *known == name)
}

pub(super) async fn answer(state: &ServerState, request: &ServiceRequest, operation: Operation) -> Answer {
    let writes = !matches!(operation, Operation::Describe(_) | Operation::List(_) | Operation::ListAssociations | Operation::QueryLineage);
    if !request.caller.reaches_all_groups() {
        return Err(faults::denied(request, "*"));
    }
    faults::check_access(request, "*", writes)?;
    match operation {
        Operation::Create(kind) => entities::create(state, request, kind).await,
        Operation::Describe(kind) => entities::describe(state, request, kind).await,
        Operation::Update(kind) => entities::update(state, request, kind).await,
        Operation::Delete(kind) => entities::delete(state, request, kind).await,
        Operation::List(kind) => entities::list(state, request, kind).await,
        Operation::AddAssociation => associations::add(state, request).await,
        Operation::DeleteAssociation => associations::delete(state, request).await,
        Operation::ListAssociations => associations::list(state, request).await,
        Operation::QueryLineage => query::query(state, request).await,
    }
}

/// The ARN of an entity.
fn arn(state: &ServerState, request: &ServiceRequest, id: &EntityId) -> String {
    format!("arn:aws:sagemaker:{}:{}:{id}", request.region, state.store.settings().account)
}

/// The entity that an ARN names.
fn of_arn(arn: &str) -> Result<EntityId, Fault> {
    let end = arn.splitn(6, ':').nth(5).and_then(EntityId::parse);
    end.ok_or_else(|| no_entity(arn))
}

fn no_entity(name: &str) -> Fault {
    faults::of_error(&Error::not_found(format!("Resource Not Found: there is no lineage entity {name}")))
}

/// What the store refuses, as a client expects it: names that are taken are told as invalid here, unlike those of groups.
fn fault(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::AlreadyExists => faults::validation(format!("Validation Error: {error}")),
        _ => faults::of_error(error),
    }
}

/// The place in a page's token.
fn shown(token: Option<&str>) -> Result<Option<(String, String)>, Fault> {
    let read = |token: &str| page_token::read(token).ok_or_else(|| faults::validation("Validation Error: NextToken is not valid."));
    token.map(read).transpose()
}

/// A text that may be missing, as a member of a document.
fn set(document: &mut Json, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        document[name] = text.into();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arns_name_entities_whatever_is_in_their_names() {
        let id = of_arn("arn:aws:sagemaker:eu-west-1:000000000000:context/a:b/c").unwrap();
        assert_eq!(id, EntityId::new(EntityKind::Context, "a:b/c"));
        for other in ["", "a", "arn:aws:sagemaker:eu-west-1:000000000000:model/a", "arn:aws:sagemaker:eu-west-1:0:context/"] {
            assert!(of_arn(other).is_err(), "{other}");
        }
    }
}
