//! What a table answers when the engine asks it for a plan.
//!
//! The engine's trait is made for `async fn`. Ours compute before they answer, and nothing that holds an expression or a
//! logical plan is kept in the future: to prove that such a future may change threads, the compiler walks every type of an SQL
//! statement, anew for each table and for each set of lifetimes. Four tables took half of the time that this crate compiles.

use std::pin::Pin;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::internal_err;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;

/// A plan to come.
pub(super) type Planning<'a> = Pin<Box<dyn Future<Output = EngineResult<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

/// What the engine asks of a table.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) session: &'a dyn Session,
    pub(super) projection: Option<&'a Vec<usize>>,
    pub(super) filters: &'a [Expr],
    pub(super) limit: Option<usize>,
}

/// The engine's `scan` for a table that has `fn planning(&self, asked: Asked<'_>) -> EngineResult<Planning<'static>>`.
macro_rules! scan_by_planning {
    () => {
        fn scan<'a, 'b, 'c, 'd, 'scan>(
            &'a self,
            session: &'b dyn datafusion::catalog::Session,
            projection: Option<&'c Vec<usize>>,
            filters: &'d [datafusion::logical_expr::Expr],
            limit: Option<usize>,
        ) -> $crate::dataset::planning::Planning<'scan>
        where
            'a: 'scan,
            'b: 'scan,
            'c: 'scan,
            'd: 'scan,
            Self: 'scan,
        {
            let asked = $crate::dataset::planning::Asked { session, projection, filters, limit };
            self.planning(asked).unwrap_or_else(|error| $crate::dataset::planning::planned(Err(error)))
        }
    };
}
pub(super) use scan_by_planning;

/// A plan that is there.
pub(super) fn planned<'a>(plan: EngineResult<Arc<dyn ExecutionPlan>>) -> Planning<'a> {
    Box::pin(std::future::ready(plan))
}

/// The physical plan of a logical one.
///
/// # Errors
/// If the session is none of this engine's.
pub(super) fn planned_by(session: &dyn Session, plan: LogicalPlan) -> EngineResult<Planning<'static>> {
    match session.as_any().downcast_ref::<SessionState>() {
        Some(state) => Ok(planned_by_state(state.clone(), plan)),
        None => internal_err!("a session of another engine"),
    }
}

/// Owns all it needs and has no lifetime, so that one proof serves every caller.
fn planned_by_state(state: SessionState, plan: LogicalPlan) -> Planning<'static> {
    Box::pin(async move { state.create_physical_plan(&plan).await })
}
