//! Forms of Trino (Athena's SQL) that the engine has in other words, said in these.
//!
//! ```text
//! year(event_time)           date_part('year', event_time)
//! max_by(plan, event_time)   last_value(plan ORDER BY event_time) FILTER (WHERE event_time IS NOT NULL)
//! concat(plan, city)         plan || city
//! ```
//!
//! This is done to the syntax tree, after names are spelled and before anything is planned, so that the engine finds the
//! types and reports the faults. A column without alias keeps the text that was typed as its name. Functions that need
//! code of their own are in [`super::functions`].

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Select,
    SelectItem, Statement, TableFactor, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::functions::{FROM_ISO8601_TIMESTAMP, FROM_UNIXTIME, TO_CHAR_TERADATA, TO_DATE_TERADATA, TO_TIMESTAMP_TERADATA, TRY};
use super::spelling::fold;
use crate::model::error::{Error, Result};

/// A function by name and number of arguments, and what it says to the engine.
const FORMS: [(&str, usize, &str); 60] = [
    // Conditions
    ("if", 2, "CASE WHEN $1 THEN $2 END"),
    ("if", 3, "CASE WHEN $1 THEN $2 ELSE $3 END"),
    // Times
    ("year", 1, "date_part('year', $1)"),
    ("quarter", 1, "date_part('quarter', $1)"),
    ("month", 1, "date_part('month', $1)"),
    ("week", 1, "date_part('week', $1)"),
    ("week_of_year", 1, "date_part('week', $1)"),
    ("year_of_week", 1, "date_part('isoyear', $1)"),
    ("yow", 1, "date_part('isoyear', $1)"),
    ("day", 1, "date_part('day', $1)"),
    ("day_of_month", 1, "date_part('day', $1)"),
    ("day_of_week", 1, "date_part('isodow', $1)"),
    ("dow", 1, "date_part('isodow', $1)"),
    ("day_of_year", 1, "date_part('doy', $1)"),
    ("doy", 1, "date_part('doy', $1)"),
    ("hour", 1, "date_part('hour', $1)"),
    ("minute", 1, "date_part('minute', $1)"),
    ("second", 1, "date_part('second', $1)"),
    ("millisecond", 1, "date_part('millisecond', $1) % 1000"),
    ("date", 1, "CAST($1 AS DATE)"),
    ("last_day_of_month", 1, "CAST(date_trunc('month', $1) + INTERVAL '1' MONTH - INTERVAL '1' DAY AS DATE)"),
    // The precision asked for is the one all instants have.
    ("current_timestamp", 1, "now()"),
    ("localtimestamp", 1, "localtimestamp"),
    // Of its own name, the engine has another for strftime's patterns.
    ("date_format", 2, "date_format_mysql($1, $2)"),
    (FROM_UNIXTIME, 2, "from_unixtime($1) AT TIME ZONE $2"),
    // Instants have microseconds, whatever the function's name promises.
    ("from_iso8601_timestamp_nanos", 1, "from_iso8601_timestamp($1)"),
    ("from_unixtime_nanos", 1, "arrow_cast(to_timestamp_nanos($1), 'Timestamp(Microsecond, Some(\"UTC\"))')"),
    ("at_timezone", 2, "$1 AT TIME ZONE $2"),
    // Aggregates
    ("count_if", 1, "count(CASE WHEN $1 THEN 1 END)"),
    ("arbitrary", 1, "any_value($1)"),
    ("variance", 1, "var_samp($1)"),
    ("every", 1, "bool_and($1)"),
    ("max_by", 2, "last_value($1 ORDER BY $2) FILTER (WHERE $2 IS NOT NULL)"),
    ("min_by", 2, "first_value($1 ORDER BY $2) FILTER (WHERE $2 IS NOT NULL)"),
    ("approx_percentile", 2, "approx_percentile_cont($1, $2)"),
    ("approx_percentile", 3, "approx_percentile_cont_with_weight($1, $2, $3)"),
    // Arrays
    ("element_at", 2, "array_element($1, $2)"),
    ("sequence", 2, "generate_series($1, $2)"),
    ("sequence", 3, "generate_series($1, $2, $3)"),
    // Text
    ("split", 2, "CASE WHEN $1 = '' THEN make_array('') ELSE string_to_array($1, $2) END"),
    ("levenshtein_distance", 2, "levenshtein($1, $2)"),
    ("regexp_extract", 2, "array_element(regexp_match($1, concat('(', $2, ')')), 1)"),
    ("regexp_extract", 3, "array_element(regexp_match($1, concat('(', $2, ')')), $3 + 1)"),
    ("regexp_replace", 2, "regexp_replace($1, $2, '', 'g')"),
    ("regexp_replace", 3, "regexp_replace($1, $2, $3, 'g')"),
    // Numbers
    ("mod", 2, "$1 % $2"),
    ("sign", 1, "signum($1)"),
    ("truncate", 1, "trunc($1)"),
    ("ceiling", 1, "CEIL($1)"),
    ("e", 0, "exp(1)"),
    ("nan", 0, "CAST('NaN' AS DOUBLE)"),
    ("infinity", 0, "CAST('Infinity' AS DOUBLE)"),
    ("is_nan", 1, "isnan($1)"),
    ("is_infinite", 1, "abs($1) = CAST('Infinity' AS DOUBLE)"),
    ("is_finite", 1, "NOT isnan($1) AND abs($1) < CAST('Infinity' AS DOUBLE)"),
    ("bitwise_and", 2, "$1 & $2"),
    ("bitwise_or", 2, "$1 | $2"),
    ("bitwise_xor", 2, "$1 ^ $2"),
    ("rand", 0, "random()"),
    ("typeof", 1, "arrow_typeof($1)"),
];

/// Functions that fail where a value can't be read, and have a twin that gives null.
const READING: [&str; 7] =
    [FROM_ISO8601_TIMESTAMP, "from_iso8601_date", FROM_UNIXTIME, "to_unixtime", TO_TIMESTAMP_TERADATA, TO_DATE_TERADATA, "date_parse"];

/// Says a statement in the engine's words.
///
/// # Errors
/// Usage where a form of Trino is used in a way that can't be said so.
pub(super) fn in_engine_words(mut statement: Statement) -> Result<Statement> {
    match statement.visit(&mut Words::default()) {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Default)]
struct Words {
    /// The columns without alias of the selects being visited, as they were typed; none for those with one.
    typed: Vec<Vec<Option<String>>>,
}

impl VisitorMut for Words {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let typed = select.projection.iter().map(|item| match item {
            SelectItem::UnnamedExpr(expression) => Some(expression.to_string()),
            _ => None,
        });
        self.typed.push(typed.collect());
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let typed = self.typed.pop().unwrap_or_default();
        for (item, typed) in select.projection.iter_mut().zip(typed) {
            if let (SelectItem::UnnamedExpr(expression), Some(typed)) = (&mut *item, typed)
                && expression.to_string() != typed
            {
                let expr = std::mem::replace(expression, Expr::Value(Value::Null.into()));
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', typed) };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match factor {
            // The engine would read the whole table and say nothing.
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break(Error::usage("TABLESAMPLE is not supported").remedy("choose rows by chance: WHERE random() < 0.1"))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Function(function) = expression
            && let Some((name, arguments)) = call(function)
        {
            match said(&name, &arguments, function) {
                Ok(None) => {}
                Ok(Some(said)) => *expression = said,
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

/// Name and arguments of a plain call, that is one by position and without clauses between its parentheses.
fn call(function: &Function) -> Option<(String, Vec<&Expr>)> {
    let [ObjectNamePart::Identifier(Ident { value, quote_style: None, .. })] = function.name.0.as_slice() else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    });
    Some((fold(value), arguments.collect::<Option<_>>()?))
}

/// What a call says in the engine's words; none if it says so already.
fn said(name: &str, arguments: &[&Expr], function: &Function) -> Result<Option<Expr>> {
    match (name, arguments) {
        ("try", [inner]) => return tried(inner).map(Some),
        ("to_timestamp", [_, pattern]) if is_teradata(pattern) => return Ok(Some(renamed(function, TO_TIMESTAMP_TERADATA))),
        ("to_date", [_, pattern]) if is_teradata(pattern) => return Ok(Some(renamed(function, TO_DATE_TERADATA))),
        ("to_char", [_, pattern]) if is_teradata(pattern) => return Ok(Some(renamed(function, TO_CHAR_TERADATA))),
        // The engine's function of this name passes over nulls; in Trino one null makes the whole null, as with its operator.
        ("concat", [first, second, others @ ..]) => {
            return Ok(Some(Expr::Nested(Box::new(others.iter().fold(joined(first, second), |left, right| joined(&left, right))))));
        }
        _ => {}
    }
    let Some((.., form)) = FORMS.iter().find(|(known, count, _)| *known == name && *count == arguments.len()) else { return Ok(None) };
    let mut expression = Parser::new(&GenericDialect)
        .try_with_sql(form)
        .and_then(|mut parser| parser.parse_expr())
        .map_err(|error| Error::internal(format!("the form of {name} can't be read")).source(error))?;
    let _ = expression.visit(&mut Places(arguments));
    let has_clauses = function.over.is_some() || function.filter.is_some();
    match &mut expression {
        Expr::Function(inner) => {
            inner.over.clone_from(&function.over);
            inner.filter = both(inner.filter.take(), function.filter.clone());
        }
        _ if has_clauses => return Err(Error::usage(format!("{name} takes neither FILTER nor OVER"))),
        // What stands for one call must not fall apart beside other operators when it is printed.
        _ => expression = Expr::Nested(Box::new(expression)),
    }
    Ok(Some(expression))
}

fn both(one: Option<Box<Expr>>, other: Option<Box<Expr>>) -> Option<Box<Expr>> {
    match (one, other) {
        (Some(left), Some(right)) => Some(Box::new(Expr::BinaryOp { left, op: BinaryOperator::And, right })),
        (one, other) => one.or(other),
    }
}

/// `left || right`, of texts or arrays.
fn joined(left: &Expr, right: &Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left.clone()), op: BinaryOperator::StringConcat, right: Box::new(right.clone()) }
}

/// True for a pattern that is not in strftime's words, as far as the statement tells.
fn is_teradata(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) if !text.contains('%'))
}

fn renamed(function: &Function, name: &str) -> Expr {
    Expr::Function(Function { name: ObjectName::from(vec![Ident::new(name)]), ..function.clone() })
}

/// `try(…)`: null where the inner expression would fail.
fn tried(inner: &Expr) -> Result<Expr> {
    match inner {
        Expr::Nested(nested) => tried(nested),
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast, expr, data_type, array, format } => {
            let (expr, data_type, array, format) = (expr.clone(), data_type.clone(), *array, format.clone());
            Ok(Expr::Cast { kind: CastKind::TryCast, expr, data_type, array, format })
        }
        Expr::Function(function) if call(function).is_some_and(|(name, _)| READING.contains(&name.as_str())) => {
            Ok(renamed(function, &format!("{TRY}{}", fold(&function.name.to_string()))))
        }
        _ => Err(Error::usage("try(…) can't be asked of this expression")
            .why("it takes a cast, or one function that reads a time")
            .remedy("use try(cast(x as type)), try(from_iso8601_timestamp(x)), or nullif(x, 0) for a divisor")),
    }
}

/// Puts arguments in their places.
struct Places<'a>(&'a [&'a Expr]);

impl VisitorMut for Places<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(ValueWithSpan { value: Value::Placeholder(place), .. }) = expression
            && let Some(argument) = place.strip_prefix('$').and_then(|place| self.0.get(place.parse::<usize>().ok()?.checked_sub(1)?))
        {
            *expression = (*argument).clone();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(sql: &str) -> Result<String> {
        let statement = Parser::parse_sql(&GenericDialect, sql).unwrap().remove(0);
        in_engine_words(statement).map(|statement| statement.to_string())
    }

    #[test]
    fn every_form_can_be_read() {
        for (name, count, form) in FORMS {
            let arguments = (1..=count).map(|number| format!("a{number}")).collect::<Vec<_>>().join(", ");
            let said = words(&format!("SELECT {name}({arguments}) AS x FROM t")).unwrap();
            let written = (1..=count).fold(form.to_owned(), |form, number| form.replace(&format!("${number}"), &format!("a{number}")));
            let alone = said.strip_prefix("SELECT ").unwrap().strip_suffix(" AS x FROM t").unwrap();
            let alone = alone.strip_prefix('(').and_then(|alone| alone.strip_suffix(')')).unwrap_or(alone);
            assert_eq!(alone, written, "{name}");
        }
    }

    #[test]
    fn forms_stand_within_each_other_and_columns_keep_their_names() {
        assert_eq!(
            words("SELECT If(x > 1, MAX_BY(a, b) FILTER (WHERE c), 0), d FROM t GROUP BY year(e)").unwrap(),
            "SELECT (CASE WHEN x > 1 THEN last_value(a ORDER BY b) FILTER (WHERE b IS NOT NULL AND c) ELSE 0 END) \
             AS \"If(x > 1, MAX_BY(a, b) FILTER (WHERE c), 0)\", d FROM t GROUP BY date_part('year', e)"
        );
        assert_eq!(
            words("SELECT count_if(x) OVER (PARTITION BY y) AS n FROM t").unwrap(),
            "SELECT count(CASE WHEN x THEN 1 END) OVER (PARTITION BY y) AS n FROM t"
        );
        assert!(words("SELECT millisecond(x) OVER () FROM t").is_err());
        assert!(words("SELECT * FROM t TABLESAMPLE BERNOULLI (10)").is_err());
    }

    #[test]
    fn a_null_among_texts_makes_the_whole_null() {
        assert_eq!(words("SELECT concat(a, b, 'x') AS y").unwrap(), "SELECT (a || b || 'x') AS y");
        assert_eq!(words("SELECT concat(a) AS y").unwrap(), "SELECT concat(a) AS y");
    }

    #[test]
    fn patterns_choose_the_function() {
        assert_eq!(words("SELECT to_timestamp(x, 'yyyy') AS y").unwrap(), "SELECT to_timestamp_teradata(x, 'yyyy') AS y");
        for same in ["SELECT to_timestamp(x, '%Y')", "SELECT to_timestamp(x)", "SELECT to_date(x, y)", "SELECT year", "SELECT \"year\"(x)"]
        {
            assert_eq!(words(same).unwrap(), same);
        }
    }

    #[test]
    fn try_is_understood_of_what_reads() {
        assert_eq!(words("SELECT try(CAST(x AS INT)) AS y").unwrap(), "SELECT TRY_CAST(x AS INT) AS y");
        assert_eq!(words("SELECT try(date(x)) AS y").unwrap(), "SELECT TRY_CAST(x AS DATE) AS y");
        assert_eq!(words("SELECT TRY(Date_Parse(x, '%Y')) AS y").unwrap(), "SELECT try_date_parse(x, '%Y') AS y");
        assert_eq!(words("SELECT try(to_timestamp(x, 'yyyy')) AS y").unwrap(), "SELECT try_to_timestamp_teradata(x, 'yyyy') AS y");
        assert!(words("SELECT try(1 / x)").unwrap_err().to_string().contains("nullif"));
    }
}
