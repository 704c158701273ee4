//! Text that is used as a time is read as a time.
//!
//! A String event time is text to the engine, which would compare it with a timestamp by its own narrower reading of
//! text (no Unix seconds, nanoseconds only, nothing after 2262) and could not use it to leave files out. So wherever
//! text stands for a time, it goes through `from_iso8601_timestamp`, which reads what the store reads:
//!
//! ```text
//! event_time >= current_timestamp - interval '24' hour   from_iso8601_timestamp(event_time) >= …    before types are settled
//! event_time - interval '1' day                          from_iso8601_timestamp(event_time) - …     while it is planned
//! cast(event_time as date), date_trunc('day', event_time)  cast(from_iso8601_timestamp(event_time) as …)  after
//! ```
//!
//! Trino refuses the first two. A literal is left to the engine, whose reading of it serves the other side's type, and
//! so is text beside text: `event_time >= '2026-11'` compares letters, here as there.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ExprSchema};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions::{is_text, utc};

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// True for text whose value isn't known from the statement.
fn is_unknown_text(expression: &Expr, schema: &dyn ExprSchema) -> bool {
    let mut inner = expression;
    while let Expr::Alias(alias) = inner {
        inner = &alias.expr;
    }
    !matches!(inner, Expr::Literal(..)) && expression.get_type(schema).is_ok_and(|data_type| is_text(&data_type))
}

fn has_type(expression: &Expr, schema: &dyn ExprSchema, is: impl Fn(&DataType) -> bool) -> bool {
    expression.get_type(schema).is_ok_and(|data_type| is(&data_type))
}

/// Reads text that is compared with a time, or reckoned with.
#[derive(Debug)]
pub(super) struct TextBesideTime {
    read: Arc<ScalarUDF>,
}

impl TextBesideTime {
    /// A rule that reads text by this function.
    pub(super) fn new(read: Arc<ScalarUDF>) -> Self {
        Self { read }
    }

    fn time(&self, text: Expr) -> Expr {
        self.read.call(vec![text])
    }

    /// Both sides of a comparison, in one type if one is text and the other a time.
    fn sides(&self, left: Expr, right: Expr, schema: &DFSchema) -> Transformed<(Expr, Expr)> {
        if is_unknown_text(&left, schema) && has_type(&right, schema, is_time) {
            let (left, right) = (self.time(left), comparable(right, schema));
            Transformed::yes((left, right))
        } else if has_type(&left, schema, is_time) && is_unknown_text(&right, schema) {
            let (left, right) = (comparable(left, schema), self.time(right));
            Transformed::yes((left, right))
        } else {
            Transformed::no((left, right))
        }
    }

    fn comparison(&self, expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                self.sides(*left, *right, schema).update_data(|(left, right)| {
                    Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
                })
            }
            Expr::Between(Between { expr, negated, low, high })
                if is_unknown_text(&expr, schema) && (has_type(&low, schema, is_time) || has_type(&high, schema, is_time)) =>
            {
                let (low, high) = (Box::new(comparable(*low, schema)), Box::new(comparable(*high, schema)));
                Transformed::yes(Expr::Between(Between { expr: Box::new(self.time(*expr)), negated, low, high }))
            }
            Expr::InList(InList { expr, list, negated })
                if is_unknown_text(&expr, schema) && list.iter().any(|one| has_type(one, schema, is_time)) =>
            {
                let list = list.into_iter().map(|one| comparable(one, schema)).collect();
                Transformed::yes(Expr::InList(InList { expr: Box::new(self.time(*expr)), list, negated }))
            }
            other => Transformed::no(other),
        }
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// A date as an instant: the engine would take both sides to nanoseconds.
fn comparable(time: Expr, schema: &DFSchema) -> Expr {
    if has_type(&time, schema, |data_type| matches!(data_type, DataType::Date32 | DataType::Date64)) {
        Expr::Cast(Cast::new(Box::new(time), utc()))
    } else {
        time
    }
}

impl AnalyzerRule for TextBesideTime {
    fn name(&self) -> &'static str {
        "text_beside_time"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> EngineResult<LogicalPlan> {
        in_every_plan(plan, |expression, schema| self.comparison(expression, schema))
    }
}

impl ExprPlanner for TextBesideTime {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> EngineResult<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = raw;
        let is_length = |data_type: &DataType| matches!(data_type, DataType::Interval(_) | DataType::Duration(_));
        let (is_plus, is_minus) = (op == BinaryOperator::Plus, op == BinaryOperator::Minus);
        let left_is_read = is_unknown_text(&left, schema)
            && ((is_plus || is_minus) && has_type(&right, schema, is_length) || is_minus && has_type(&right, schema, is_time));
        let right_is_read = is_unknown_text(&right, schema)
            && (is_plus && has_type(&left, schema, is_length) || is_minus && has_type(&left, schema, is_time));
        let left = if left_is_read { self.time(left) } else { left };
        let right = if right_is_read { self.time(right) } else { right };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// Reads text that is cast to a time, by the statement or by the engine to fit a function's argument.
#[derive(Debug)]
pub(super) struct TextCastToTime {
    read: Arc<ScalarUDF>,
    read_or_null: Arc<ScalarUDF>,
}

impl TextCastToTime {
    /// A rule that reads text by these functions; the second gives null where the first fails.
    pub(super) fn new(read: Arc<ScalarUDF>, read_or_null: Arc<ScalarUDF>) -> Self {
        Self { read, read_or_null }
    }

    fn cast(&self, expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
        let is_cast_text = |inner: &Expr, target: &DataType| is_time(target) && is_unknown_text(inner, schema);
        match expression {
            Expr::Cast(Cast { expr, field }) if is_cast_text(&expr, field.data_type()) => {
                let read = self.read.call(vec![*expr]);
                let is_done = *field.data_type() == utc();
                Transformed::yes(if is_done { read } else { Expr::Cast(Cast { expr: Box::new(read), field }) })
            }
            Expr::TryCast(TryCast { expr, field }) if is_cast_text(&expr, field.data_type()) => {
                Transformed::yes(Expr::TryCast(TryCast { expr: Box::new(self.read_or_null.call(vec![*expr])), field }))
            }
            other => Transformed::no(other),
        }
    }
}

impl AnalyzerRule for TextCastToTime {
    fn name(&self) -> &'static str {
        "text_cast_to_time"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> EngineResult<LogicalPlan> {
        in_every_plan(plan, |expression, schema| self.cast(expression, schema))
    }
}

/// Rewrites every expression of a plan and its subqueries, inner ones first; columns keep their names.
fn in_every_plan(plan: LogicalPlan, rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>) -> EngineResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|expression| Ok(rewrite(expression, &schema)))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })?;
        if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
    })?;
    Ok(rewritten.data)
}
