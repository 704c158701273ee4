//! `FROM asof(spine, identifier, time, features…)`: the point-in-time join as a table of SQL.
//!
//! ```sql
//! SELECT * FROM asof('select * from labels where y is not null', 'customer_id', 'label_time',
//!                    'customer-features:loyalty_score', 'geo@zip as home:city', 'ttl=30d')
//! ```
//!
//! All arguments are texts: the spine (a statement or the name of a group), its columns of identifiers and times, then
//! features as everywhere (`group[@column][ as alias][:feature[ as column],…]`), and options (`ttl=7d`, `ttl=group=7d`,
//! `as_of=2026-01-01`). The table has the spine's columns and the features, one row for each row of the spine, in its order.
//!
//! The engine asks for tables while it plans, and can't wait; so the calls of a statement are found first, their spines
//! planned and their groups opened, and the engine is given a function that only finds what is ready. Features that the
//! statement does not use are not read.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::catalog::{TableFunctionArgs as CallArguments, TableFunctionImpl, TableProvider};
use datafusion::common::{ScalarValue, plan_err, project_schema};
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::sql::sqlparser::ast::{
    Expr as SyntaxExpr, FunctionArg, FunctionArgExpr, Statement, TableFactor, TableFunctionArgs, Value, Visit, Visitor,
};

use super::failure::into_engine;
use super::planning::{Asked, Planning, planned_by, scan_by_planning};
use super::point_in_time::operator::PointInTimeExec;
use super::point_in_time::{JoinFeature, JoinGroup, JoinOptions, PointInTimeJoin};
use super::request::{ColumnNames, DatasetRequest, FeatureSelection, SpineSource, TtlOverride, selected_features, ttls_in_force};
use super::scan::position_of;
use super::session::GroupSource;
use super::spelling::{Spelling, fold};
use crate::model::suggest::suggest;
use crate::model::time::{EventTime, TimeMode};
use crate::model::{Error, Result};

/// Name of the function.
const FUNCTION: &str = "asof";

/// The texts of the arguments of each call in a statement.
///
/// # Errors
/// `Usage` if one of them is no text.
pub(super) fn calls(statement: &Statement) -> Result<Vec<Vec<String>>> {
    let mut found = Calls::default();
    // Visiting never breaks off, there is nothing to carry out of it.
    let _ = statement.visit(&mut found);
    found.0.into_iter().collect()
}

#[derive(Default)]
struct Calls(Vec<Result<Vec<String>>>);

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(call), .. } = factor
            && fold(&name.to_string()) == FUNCTION
        {
            self.0.push(arguments(call));
        }
        ControlFlow::Continue(())
    }
}

fn arguments(call: &TableFunctionArgs) -> Result<Vec<String>> {
    let text = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(SyntaxExpr::Value(value))) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::NationalStringLiteral(text) => Some(text.clone()),
            Value::DollarQuotedString(text) => Some(text.value.clone()),
            _ => None,
        },
        _ => None,
    };
    call.args.iter().map(|argument| text(argument).ok_or_else(|| usage(format!("{argument} is no text in single quotes")))).collect()
}

fn usage(what: impl Into<String>) -> Error {
    Error::usage(format!("{FUNCTION}(…): {}", what.into()))
        .remedy("write asof('SPINE', 'identifier column', 'time column', 'group:feature,feature'), each in single quotes")
}

/// A call, read: what SQL gives the spine, and what is asked for.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) arguments: Vec<String>,
    pub(super) spine: String,
    request: DatasetRequest,
}

impl Call {
    /// Reads the texts of a call; `groups` are the names that stand for a whole group as spine.
    pub(super) fn read(arguments: Vec<String>, groups: &[String]) -> Result<Self> {
        let [spine, id, time, rest @ ..] = arguments.as_slice() else {
            return Err(usage(format!("{} arguments are too few", arguments.len())));
        };
        let mut request = DatasetRequest {
            spine: SpineSource::Sql(spine.clone()),
            spine_id: id.clone(),
            spine_time: time.clone(),
            features: Vec::new(),
            ttls: Vec::new(),
            as_of: None,
        };
        for text in rest {
            if let Some(ttl) = text.strip_prefix("ttl=") {
                request.ttls.push(ttl.parse::<TtlOverride>()?);
            } else if let Some(instant) = text.strip_prefix("as_of=") {
                request.as_of = Some(EventTime::parse_text(instant, TimeMode::Lenient)?);
            } else {
                request.features.push(FeatureSelection::parse(text)?);
            }
        }
        if request.features.is_empty() {
            return Err(usage("no features are asked for"));
        }
        let spine = match groups.iter().find(|group| fold(group) == fold(spine.trim())) {
            Some(group) => format!("SELECT * FROM \"{group}\""),
            None => spine.clone(),
        };
        Ok(Self { arguments, spine, request })
    }

    /// Opens the groups and checks what is asked of them, given the planned spine.
    pub(super) async fn open(
        self,
        spine: LogicalPlan,
        source: &dyn GroupSource,
        names: &[String],
        options: JoinOptions,
    ) -> Result<AsofTable> {
        let fields: Vec<FieldRef> = spine.schema().fields().iter().cloned().collect();
        let columns: SchemaRef = Arc::new(Schema::new(fields));
        let position = |name: &str| {
            position_of(&columns, name).ok_or_else(|| {
                let error = Error::invalid(format!("{FUNCTION}(…): the spine has no column '{}'", name.escape_debug()));
                match suggest(name, columns.fields().iter().map(|field| field.name().as_str())) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy("name one of its columns"),
                }
            })
        };
        let time = position(&self.request.spine_time)?;
        position(&self.request.spine_id)?;
        let mut scans = Vec::with_capacity(self.request.features.len());
        for selection in &self.request.features {
            let Some(name) = names.iter().find(|name| fold(name) == fold(&selection.group)) else {
                let error = Error::not_found(format!("{FUNCTION}(…): no group '{}'", selection.group.escape_debug()));
                return Err(match suggest(&selection.group, names.iter().map(String::as_str)) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy("`larder list` shows the groups"),
                });
            };
            scans.push(source.open_group(name).await?);
        }
        let groups: Vec<_> = scans.iter().map(|scan| Arc::new(scan.group.clone())).collect();
        let ttls = ttls_in_force(&self.request, &groups)?;
        let mut taken = ColumnNames::of_spine(&columns)?;
        let mut joined = Vec::with_capacity(groups.len());
        for (((selection, scan), group), ttl) in self.request.features.iter().zip(scans).zip(&groups).zip(ttls) {
            let features = selected_features(selection, group)?.into_iter();
            let features =
                features.map(|(feature, column)| Ok(JoinFeature { column: taken.take(selection, &feature, column.as_deref())?, feature }));
            let features = features.collect::<Result<Vec<_>>>()?;
            let spine_id = position(selection.spine_id.as_deref().unwrap_or(&self.request.spine_id))?;
            joined.push(JoinGroup { scan, spine_id, features, ttl, as_of: self.request.as_of });
        }
        let schema = PointInTimeJoin::new(columns.clone(), time, joined.clone(), options.clone())?.schema().clone();
        Ok(AsofTable { arguments: self.arguments, spine, columns, time, groups: joined, options, spelled: schema.clone(), schema })
    }
}

/// The answer of one call, as a table.
#[derive(Debug, Clone)]
pub(super) struct AsofTable {
    arguments: Vec<String>,
    spine: LogicalPlan,
    columns: SchemaRef,
    time: usize,
    groups: Vec<JoinGroup>,
    options: JoinOptions,
    schema: SchemaRef,
    spelled: SchemaRef,
}

impl AsofTable {
    /// Names of its columns.
    pub(super) fn column_names(&self) -> impl Iterator<Item = String> {
        self.schema.fields().iter().map(|field| field.name().clone())
    }

    /// What gives it its rows.
    pub(super) fn spine(&self) -> &LogicalPlan {
        &self.spine
    }

    /// The groups it joins, each with its identifier, its event time and the features it brings, in the order of the columns.
    pub(super) fn joined(&self) -> impl Iterator<Item = (&str, &str, &str, Vec<&str>)> {
        self.groups.iter().map(|joined| {
            let group = &joined.scan.group;
            let (identifier, event_time) = (group.schema.identifier().name.as_str(), group.schema.event_time().name.as_str());
            let features = joined.features.iter().map(|feature| feature.feature.as_str()).collect();
            (group.name.as_str(), identifier, event_time, features)
        })
    }

    /// Spells its columns as the statement does.
    fn spell(&mut self, spelling: &Spelling) {
        let fields: Vec<_> = self.schema.fields().iter().map(|field| field.as_ref().clone().with_name(spelling.of(field.name()))).collect();
        self.spelled = Arc::new(Schema::new(fields));
    }

    /// The join of what a projection needs, and for each projected column its position in the join's answer. The spine has
    /// the columns of this table's, and perhaps more behind them.
    fn join(&self, spine: SchemaRef, wanted: &[usize]) -> Result<(PointInTimeJoin, Vec<usize>)> {
        let width = self.columns.fields().len();
        let mut groups = self.groups.clone();
        // Old position of each column that stays.
        let mut kept: Vec<usize> = (0..width).collect();
        kept.resize(spine.fields().len(), usize::MAX);
        let mut next = width;
        for group in &mut groups {
            group.features.retain(|_| {
                next += 1;
                let stays = wanted.contains(&(next - 1));
                if stays {
                    kept.push(next - 1);
                }
                stays
            });
        }
        groups.retain(|group| !group.features.is_empty());
        let join = PointInTimeJoin::new(spine, self.time, groups, self.options.clone())?;
        let positions = wanted.iter().map(|old| kept.iter().position(|kept| kept == old).unwrap_or_default()).collect();
        Ok((join, positions))
    }

    /// The plan of the spine, and over it the join and the columns as they are spelled.
    fn planning(&self, asked: Asked<'_>) -> EngineResult<Planning<'static>> {
        let wanted = asked.projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let (join, positions) = self.join(self.columns.clone(), &wanted).map_err(into_engine)?;
        let names = project_schema(&self.spelled, asked.projection)?;
        let spine = planned_by(asked.session, self.spine.clone())?;
        #[cfg(feature = "cluster")]
        let in_parts = super::cluster::parts_of(asked.session.config()).filter(|_| join.snapshots().next().is_some());
        #[cfg(feature = "cluster")]
        let numbered = in_parts.map(|_| self.join(super::cluster::with_number(&self.columns), &wanted)).transpose().map_err(into_engine)?;
        Ok(Box::pin(async move {
            #[cfg(feature = "cluster")]
            if let (Some(parts), Some((join, positions))) = (in_parts, numbered) {
                let (spine, join) = (super::cluster::numbered_spine(spine.await?), Arc::new(join));
                let joined = super::cluster::ordered_join(spine, join, parts, false)?;
                return projected(joined, &positions, &names);
            }
            let joined = Arc::new(PointInTimeExec::new(spine.await?, Arc::new(join), false, false));
            projected(joined, &positions, &names)
        }))
    }
}

/// Columns of a plan by their positions, under other names.
fn projected(plan: Arc<dyn ExecutionPlan>, positions: &[usize], names: &Schema) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    let columns = positions.iter().zip(names.fields()).map(|(position, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(*position).name(), *position));
        (column, field.name().clone())
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), plan)?))
}

impl TableProvider for AsofTable {
    fn schema(&self) -> SchemaRef {
        self.spelled.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    scan_by_planning!();
}

/// Makes the calls of a statement known to the engine, spelled as the statement is.
pub(super) fn register(state: &mut SessionState, mut tables: Vec<AsofTable>, spelling: &Spelling) {
    if tables.is_empty() {
        return;
    }
    tables.iter_mut().for_each(|table| table.spell(spelling));
    state.register_udtf(&spelling.of(FUNCTION), Arc::new(AsofFunction::new(tables)));
}

/// The function the engine knows: it finds the table of a call among those that are ready.
#[derive(Debug)]
struct AsofFunction(HashMap<Vec<String>, Arc<AsofTable>>);

impl AsofFunction {
    fn new(tables: impl IntoIterator<Item = AsofTable>) -> Self {
        Self(tables.into_iter().map(|table| (table.arguments.clone(), Arc::new(table))).collect())
    }
}

impl TableFunctionImpl for AsofFunction {
    fn call_with_args(&self, call: CallArguments<'_, '_>) -> EngineResult<Arc<dyn TableProvider>> {
        let text = |argument: &Expr| match argument {
            Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)), _) => {
                Some(text.clone())
            }
            _ => None,
        };
        let texts: Option<Vec<String>> = call.exprs().iter().map(text).collect();
        match texts.and_then(|texts| self.0.get(&texts).cloned()) {
            Some(table) => Ok(table),
            None => plan_err!("{FUNCTION} can't be called here"),
        }
    }
}
