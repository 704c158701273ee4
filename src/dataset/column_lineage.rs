//! Which columns of which groups the columns of a statement's answer come from.
//!
//! The analysed plan is walked from its leaves, before it is optimised, and columns are followed by position, never by name: aliases,
//! common table expressions and self-joins rename them freely. What only decides which rows there are, or how they are paired and
//! grouped, bears on the whole answer (indirect). At a step of which this does not know how it moves columns (recursion, unnest,
//! subqueries in expressions) it gives the column map up as a whole and keeps the groups: a map that is half right looks complete.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, JoinType};
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::asof::AsofTable;
use super::latest::LatestTable;
use super::table::GroupTable;

/// A column of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupColumn {
    /// The group.
    pub group: String,
    /// Its column.
    pub column: String,
}

/// How values are made, from as they are to as little as one number of many. Words of OpenLineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Making {
    /// As they are.
    Identity,
    /// By an expression.
    Transformation,
    /// From many rows.
    Aggregation,
}

impl Making {
    /// OpenLineage's subtype.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
        }
    }
}

/// How values bear on rows. Words of OpenLineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bearing {
    /// They pair rows.
    Join,
    /// They group rows.
    GroupBy,
    /// They choose rows.
    Filter,
    /// They order rows.
    Sort,
    /// They part and order the rows of a window.
    Window,
    /// They choose between values.
    Conditional,
}

impl Bearing {
    /// OpenLineage's subtype.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Filter => "FILTER",
            Self::Sort => "SORT",
            Self::Window => "WINDOW",
            Self::Conditional => "CONDITIONAL",
        }
    }
}

/// Where a column of an answer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnLineage {
    /// Its name.
    pub name: String,
    /// The columns its values are made of.
    pub made_of: BTreeMap<GroupColumn, Making>,
    /// The columns that choose between its values.
    pub chosen_by: BTreeSet<GroupColumn>,
}

/// Where the answer of a statement comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementLineage {
    /// The groups it reads.
    pub groups: BTreeSet<String>,
    /// Its columns in order; none if they can't be followed.
    pub columns: Option<Vec<ColumnLineage>>,
    /// Columns that bear on the whole answer.
    pub whole: BTreeSet<(GroupColumn, Bearing)>,
}

/// Follows the columns of an analysed plan.
pub(super) fn of_plan(plan: &LogicalPlan) -> StatementLineage {
    let mut groups = BTreeSet::new();
    // Of subqueries in expressions, too; the closure never fails.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            groups.extend(groups_of(provider.as_ref()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    let Some(relation) = relation(plan) else { return StatementLineage { groups, ..StatementLineage::default() } };
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    let column = |(name, cell): (String, Cell)| ColumnLineage { name, made_of: cell.made_of, chosen_by: cell.chosen_by };
    StatementLineage { groups, columns: Some(names.zip(relation.columns).map(column).collect()), whole: relation.whole }
}

/// What one column comes from.
#[derive(Debug, Clone, Default)]
struct Cell {
    made_of: BTreeMap<GroupColumn, Making>,
    chosen_by: BTreeSet<GroupColumn>,
}

impl Cell {
    fn of(group: &str, column: &str) -> Self {
        let origin = GroupColumn { group: group.to_owned(), column: column.to_owned() };
        Self { made_of: BTreeMap::from([(origin, Making::Identity)]), chosen_by: BTreeSet::new() }
    }

    /// Adds another cell, its values made into something else on the way.
    fn add(&mut self, other: &Self, making: Making) {
        for (origin, made) in &other.made_of {
            let made = (*made).max(making);
            self.made_of.entry(origin.clone()).and_modify(|known| *known = (*known).max(made)).or_insert(made);
        }
        self.chosen_by.extend(other.chosen_by.iter().cloned());
    }
}

/// The columns of a step of the plan, by position.
#[derive(Debug, Default)]
struct Relation {
    columns: Vec<Cell>,
    whole: BTreeSet<(GroupColumn, Bearing)>,
}

impl Relation {
    /// Lets what expressions refer to bear on the whole.
    fn bear<'a>(&mut self, expressions: impl IntoIterator<Item = &'a Expr>, over: &Scope<'_>, bearing: Bearing) -> Option<()> {
        for expression in expressions {
            let cell = over.cell(expression)?;
            self.whole.extend(cell.made_of.into_keys().chain(cell.chosen_by).map(|origin| (origin, bearing)));
        }
        Some(())
    }
}

/// What names in an expression refer to.
struct Scope<'a> {
    schema: &'a DFSchemaRef,
    columns: &'a [Cell],
}

impl Scope<'_> {
    fn column(&self, column: &datafusion::common::Column) -> Option<&Cell> {
        self.columns.get(self.schema.index_of_column(column).ok()?)
    }

    /// What an expression is made of; none if it can't be told.
    fn cell(&self, expression: &Expr) -> Option<Cell> {
        match expression {
            Expr::Column(column) => self.column(column).cloned(),
            Expr::Alias(alias) => self.cell(&alias.expr),
            // Of another type, yet the same value.
            Expr::Cast(cast) => self.cell(&cast.expr),
            Expr::TryCast(cast) => self.cell(&cast.expr),
            Expr::AggregateFunction(call) => {
                let params = &call.params;
                let mut cell = self.made_by(params.args.iter(), Making::Aggregation)?;
                self.choose(params.filter.as_deref(), &mut cell)?;
                self.choose(params.order_by.iter().map(|sort| &sort.expr), &mut cell)?;
                Some(cell)
            }
            Expr::WindowFunction(call) => self.made_by(call.params.args.iter(), Making::Transformation),
            Expr::Case(case) => {
                let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref());
                let mut cell = self.made_by(results, Making::Transformation)?;
                let conditions = case.expr.as_deref().into_iter().chain(case.when_then_expr.iter().map(|(when, _)| when.as_ref()));
                self.choose(conditions, &mut cell)?;
                Some(cell)
            }
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_) => None,
            Expr::OuterReferenceColumn(..) | Expr::GroupingSet(_) | Expr::Unnest(_) | Expr::Placeholder(_) => None,
            Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => None,
            other => {
                let mut children = Vec::new();
                other
                    .apply_children(|child| {
                        children.push(child.clone());
                        Ok(TreeNodeRecursion::Continue)
                    })
                    .ok()?;
                self.made_by(children.iter(), Making::Transformation)
            }
        }
    }

    fn made_by<'a>(&self, expressions: impl Iterator<Item = &'a Expr>, making: Making) -> Option<Cell> {
        let mut cell = Cell::default();
        for expression in expressions {
            cell.add(&self.cell(expression)?, making);
        }
        Some(cell)
    }

    fn choose<'a>(&self, conditions: impl IntoIterator<Item = &'a Expr>, cell: &mut Cell) -> Option<()> {
        for condition in conditions {
            let chosen = self.cell(condition)?;
            cell.chosen_by.extend(chosen.made_of.into_keys().chain(chosen.chosen_by));
        }
        Some(())
    }
}

/// The columns of a step; none from where they can't be followed.
fn relation(plan: &LogicalPlan) -> Option<Relation> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok()?;
            let mut relation = table(provider.as_ref())?;
            if let Some(projection) = &scan.projection {
                relation.columns = projection.iter().map(|at| relation.columns.get(*at).cloned()).collect::<Option<_>>()?;
            }
            let columns = relation.columns.clone();
            let over = Scope { schema: &scan.projected_schema, columns: &columns };
            relation.bear(&scan.filters, &over, Bearing::Filter)?;
            Some(relation)
        }
        LogicalPlan::Projection(projection) => over(&projection.input, |scope, relation| {
            relation.columns = projection.expr.iter().map(|expression| scope.cell(expression)).collect::<Option<_>>()?;
            Some(())
        }),
        LogicalPlan::Filter(filter) => over(&filter.input, |scope, relation| relation.bear([&filter.predicate], scope, Bearing::Filter)),
        LogicalPlan::Sort(sort) => {
            over(&sort.input, |scope, relation| relation.bear(sort.expr.iter().map(|key| &key.expr), scope, Bearing::Sort))
        }
        LogicalPlan::Aggregate(aggregate) => over(&aggregate.input, |scope, relation| {
            relation.bear(&aggregate.group_expr, scope, Bearing::GroupBy)?;
            let expressions = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            relation.columns = expressions.map(|expression| scope.cell(expression)).collect::<Option<_>>()?;
            Some(())
        }),
        LogicalPlan::Window(window) => over(&window.input, |scope, relation| {
            for expression in &window.window_expr {
                relation.columns.push(scope.cell(expression)?);
                if let Some(WindowFunctionParams { partition_by, order_by, filter, .. }) = window_of(expression) {
                    let keys = partition_by.iter().chain(order_by.iter().map(|key| &key.expr)).chain(filter.as_deref());
                    relation.bear(keys, scope, Bearing::Window)?;
                }
            }
            Some(())
        }),
        LogicalPlan::Join(join) => {
            let (left, right) = (relation(&join.left)?, relation(&join.right)?);
            let width = left.columns.len();
            let columns: Vec<Cell> = left.columns.into_iter().chain(right.columns).collect();
            let mut joined = Relation { columns: Vec::new(), whole: left.whole.into_iter().chain(right.whole).collect() };
            let (of_left, of_right) = columns.split_at(width);
            let (of_left, of_right) =
                (Scope { schema: join.left.schema(), columns: of_left }, Scope { schema: join.right.schema(), columns: of_right });
            joined.bear(join.on.iter().map(|(left, _)| left), &of_left, Bearing::Join)?;
            joined.bear(join.on.iter().map(|(_, right)| right), &of_right, Bearing::Join)?;
            if let Some(filter) = &join.filter {
                let both = std::sync::Arc::new(join.left.schema().join(join.right.schema()).ok()?);
                joined.bear([filter], &Scope { schema: &both, columns: &columns }, Bearing::Join)?;
            }
            joined.columns = match join.join_type {
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => columns,
                JoinType::LeftSemi | JoinType::LeftAnti => columns[..width].to_vec(),
                JoinType::RightSemi | JoinType::RightAnti => columns[width..].to_vec(),
                // They add a column that says whether there was a partner.
                JoinType::LeftMark | JoinType::RightMark => return None,
            };
            Some(joined)
        }
        LogicalPlan::Union(union) => {
            let mut inputs = union.inputs.iter();
            let mut united = relation(inputs.next()?)?;
            for input in inputs {
                let input = relation(input)?;
                if input.columns.len() != united.columns.len() {
                    return None;
                }
                united.columns.iter_mut().zip(&input.columns).for_each(|(column, other)| column.add(other, Making::Identity));
                united.whole.extend(input.whole);
            }
            Some(united)
        }
        LogicalPlan::Distinct(datafusion::logical_expr::Distinct::All(input)) => relation(input),
        LogicalPlan::SubqueryAlias(alias) => relation(&alias.input),
        LogicalPlan::Limit(limit) => relation(&limit.input),
        LogicalPlan::Repartition(repartition) => relation(&repartition.input),
        LogicalPlan::EmptyRelation(empty) => Some(constants(&empty.schema)),
        LogicalPlan::Values(values) => Some(constants(&values.schema)),
        _ => None,
    }
}

fn window_of(expression: &Expr) -> Option<&WindowFunctionParams> {
    match expression {
        Expr::WindowFunction(call) => Some(&call.params),
        Expr::Alias(alias) => window_of(&alias.expr),
        _ => None,
    }
}

fn constants(schema: &DFSchemaRef) -> Relation {
    Relation { columns: vec![Cell::default(); schema.fields().len()], whole: BTreeSet::new() }
}

/// The relation of an input, changed by a step over it.
fn over(input: &LogicalPlan, step: impl FnOnce(&Scope<'_>, &mut Relation) -> Option<()>) -> Option<Relation> {
    let mut relation = relation(input)?;
    let columns = relation.columns.clone();
    step(&Scope { schema: input.schema(), columns: &columns }, &mut relation)?;
    Some(relation)
}

fn groups_of(provider: &dyn TableProvider) -> Vec<String> {
    let any = provider as &dyn std::any::Any;
    if let Some(table) = any.downcast_ref::<GroupTable>() {
        vec![table.group().to_owned()]
    } else if let Some(table) = any.downcast_ref::<LatestTable>() {
        vec![table.group().to_owned()]
    } else if let Some(table) = any.downcast_ref::<AsofTable>() {
        let mut groups: Vec<String> = table.joined().map(|(group, ..)| group.to_owned()).collect();
        groups.extend(of_plan(table.spine()).groups);
        groups
    } else {
        Vec::new()
    }
}

/// The columns of a table: those of a group, or of a join over the spine of `asof`.
fn table(provider: &dyn TableProvider) -> Option<Relation> {
    let any = provider as &dyn std::any::Any;
    if let Some(table) = any.downcast_ref::<GroupTable>() {
        let columns = table.column_names().map(|column| Cell::of(table.group(), column)).collect();
        Some(Relation { columns, whole: BTreeSet::new() })
    } else if let Some(table) = any.downcast_ref::<LatestTable>() {
        let columns = table.column_names().map(|column| Cell::of(table.group(), column)).collect();
        Some(Relation { columns, whole: BTreeSet::new() })
    } else if let Some(table) = any.downcast_ref::<AsofTable>() {
        let mut relation = relation(table.spine())?;
        for (group, identifier, event_time, features) in table.joined() {
            let key = |column: &str| (GroupColumn { group: group.to_owned(), column: column.to_owned() }, Bearing::Join);
            relation.whole.extend([key(identifier), key(event_time)]);
            relation.columns.extend(features.into_iter().map(|feature| Cell::of(group, feature)));
        }
        Some(relation)
    } else {
        None
    }
}
