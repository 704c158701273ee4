//! Case-insensitive names in SQL: `select pulocationid from "Trips"` means the column `PULocationID` of group `trips`.
//!
//! Group and feature names are unique ignoring case and keep the case they were defined with. The engine below compares
//! names exactly, so every word of the statement that can be a name is given **one** spelling before it is parsed, and
//! the tables offer their columns under those same spellings ([`Spelling::of`]). After that, exact comparison is right
//! for columns, aliases, common table expressions and window names alike, quoted or not (Trino's rule).
//!
//! The pass works on tokens, not on the syntax tree: a token list has no forgotten corner (a new kind of expression in
//! the parser cannot escape it), and tokens keep their positions, so error messages point into the text as typed.
//! Keywords are unharmed because the parser looks at a word's keyword, not at its text; function names are unharmed
//! because the planner lower-cases unquoted ones itself.
//!
//! Which spelling wins: a column of a table the statement names; else the first quoted use in the statement
//! (`as "Total"`); else the first use.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::cross_join::without_conditional_crosses;
use crate::model::error::{Error, Result};

/// Deeper nesting than this is refused by the parser, so that no statement can exhaust the stack.
const NESTING_LIMIT: usize = 100;

/// More WITH clauses within bodies of others are refused: the engine looks at each body twice, so that every level of
/// this kind doubles its work. The AWS client writes two.
const WITH_LIMIT: usize = 8;

/// Longest statement taken, as in Athena's own limit.
const LONGEST_STATEMENT: usize = 262_144;

/// Two names that fold to the same text are the same name.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// One SQL statement as tokens, positions kept.
#[derive(Debug)]
pub(super) struct StatementTokens {
    tokens: Vec<TokenWithSpan>,
}

impl StatementTokens {
    /// Splits a statement into tokens; an unclosed quote is the usual failure.
    pub(super) fn read(sql: &str) -> Result<Self> {
        if sql.len() > LONGEST_STATEMENT {
            return Err(Error::usage(format!("the SQL is {} bytes long", sql.len()))
                .remedy(format!("keep a statement below {LONGEST_STATEMENT} bytes")));
        }
        let read = Tokenizer::new(&GenericDialect, sql).tokenize_with_location();
        let mut tokens = read.map_err(|error| unreadable(&error.to_string()))?;
        without_conditional_crosses(&mut tokens);
        Ok(Self { tokens })
    }

    /// Folded names of the tables the statement refers to, common table expressions left out, in order of appearance.
    /// A qualified name comes as its parts.
    pub(super) fn tables(&self) -> Result<Vec<Vec<String>>> {
        let statement = self.parse(|word| fold(&word.value))?;
        let mut relations = Relations::default();
        match statement.visit(&mut relations) {
            ControlFlow::Continue(()) => Ok(relations.found),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// The statement with every name folded.
    pub(super) fn folded(&self) -> Result<Statement> {
        self.parse(|word| fold(&word.value))
    }

    /// Parses the statement with every word spelled as decided.
    pub(super) fn statement(&self, spelling: &Spelling) -> Result<Statement> {
        self.parse(|word| spelling.of(&word.value))
    }

    fn parse(&self, spell: impl Fn(&Word) -> String) -> Result<Statement> {
        let mut tokens = self.tokens.clone();
        for token in &mut tokens {
            if let Token::Word(word) = &mut token.token {
                word.value = spell(word);
            }
        }
        let mut parser = Parser::new(&GenericDialect).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(tokens);
        let mut statements = parser.parse_statements().map_err(|error| match error {
            ParserError::RecursionLimitExceeded => {
                Error::usage("the SQL is nested too deeply").remedy("name the inner queries in a WITH clause")
            }
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => unreadable(&text),
        })?;
        match (statements.pop(), statements.len()) {
            (Some(statement), 0) => Ok(statement),
            (None, _) => Err(Error::usage("the SQL is empty").remedy("give a SELECT, for example: select * from \"my-group\" limit 10")),
            (Some(_), more) => Err(Error::usage(format!("{} SQL statements at once", more + 1)).remedy("give one statement a time")),
        }
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.tokens.iter().filter_map(|token| match &token.token {
            Token::Word(word) => Some(word),
            _ => None,
        })
    }

    /// True if the statement uses this name without quotes although it needs them: `from customer-features`.
    pub(super) fn has_unquoted(&self, name: &str) -> bool {
        let Ok(wanted) = Tokenizer::new(&GenericDialect, name).tokenize() else { return false };
        let wanted: Vec<String> = wanted.iter().map(|token| fold(&token.to_string())).collect();
        let have: Vec<String> = self.tokens.iter().map(|token| fold(&token.token.to_string())).collect();
        wanted.len() > 1 && have.windows(wanted.len()).any(|window| window == wanted)
    }
}

fn unreadable(text: &str) -> Error {
    let text = text.trim_start_matches("sql parser error: ");
    Error::usage("the SQL can't be read").why(text.replace(" at Line: ", " at line ").replace(", Column: ", ", column "))
}

/// Collects the relations of a statement that are neither common table expressions in scope nor table functions.
#[derive(Default)]
struct Relations {
    found: Vec<Vec<String>>,
    scopes: Vec<Scope>,
    /// The next relation is the name of a function: `FROM generate_series(1, 3)`.
    is_function: bool,
}

/// The common table expressions of one query.
struct Scope {
    names: Vec<String>,
    /// Where their bodies stand in the tree, to know them again when the visit comes to them.
    bodies: Vec<*const Query>,
    /// How many of the names can be used at this point.
    usable: usize,
    is_recursive: bool,
    /// True while the visit is in one of the bodies.
    is_inside: bool,
}

impl Scope {
    fn of(query: &Query) -> Self {
        let tables = query.with.as_ref().map_or(&[][..], |with| &with.cte_tables);
        Self {
            names: tables.iter().map(|table| table.alias.name.value.clone()).collect(),
            bodies: tables.iter().map(|table| std::ptr::from_ref::<Query>(&table.query)).collect(),
            usable: tables.len(),
            is_recursive: query.with.as_ref().is_some_and(|with| with.recursive),
            is_inside: false,
        }
    }

    /// Sets what the body at hand may use, if the query is a body of this scope: the tables before it, so that
    /// `with t as (select * from t)` names the outer t. After it, all may be used again.
    fn enter(&mut self, query: &Query, is_inside: bool) {
        if let Some(at) = self.bodies.iter().position(|body| std::ptr::eq(*body, query)) {
            self.is_inside = is_inside;
            self.usable = if is_inside && !self.is_recursive { at } else { self.names.len() };
        }
    }
}

impl Visitor for Relations {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if let Some(scope) = self.scopes.last_mut() {
            scope.enter(query, true);
        }
        self.scopes.push(Scope::of(query));
        let levels = self.scopes.iter().filter(|scope| scope.is_inside).count();
        if query.with.is_some() && levels >= WITH_LIMIT {
            return ControlFlow::Break(
                Error::usage(format!("WITH is nested more than {WITH_LIMIT} times"))
                    .remedy("name the inner queries one after another in a single WITH"),
            );
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        self.scopes.pop();
        if let Some(scope) = self.scopes.last_mut() {
            scope.enter(query, false);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        self.is_function = matches!(factor, TableFactor::Table { args: Some(_), .. });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Error> {
        if std::mem::take(&mut self.is_function) {
            return ControlFlow::Continue(());
        }
        let parts: Vec<String> =
            relation.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone())).collect();
        let in_scope = matches!(parts.as_slice(), [one] if self.scopes.iter().any(|scope| scope.names[..scope.usable].contains(one)));
        if !in_scope && !self.found.contains(&parts) {
            self.found.push(parts);
        }
        ControlFlow::Continue(())
    }
}

/// The one spelling of every name in a statement.
#[derive(Debug, Clone)]
pub(super) struct Spelling {
    by_folded: HashMap<String, String>,
}

impl Spelling {
    /// Decides the spellings of a statement over tables with these columns.
    pub(super) fn decide<'a>(statement: &StatementTokens, columns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut by_folded: HashMap<String, String> = HashMap::new();
        for column in columns {
            by_folded.entry(fold(column)).or_insert_with(|| column.to_owned());
        }
        // The engine's own tables of names have lower-case columns.
        let describes_itself = statement.words().any(|word| fold(&word.value) == "information_schema");
        for quoted in [true, false] {
            for word in statement.words().filter(|word| word.quote_style.is_some() == quoted) {
                let folded = fold(&word.value);
                let spelled = if describes_itself { folded.clone() } else { word.value.clone() };
                by_folded.entry(folded).or_insert(spelled);
            }
        }
        Self { by_folded }
    }

    /// The spelling decided for a name, or the name itself if the statement doesn't use it.
    pub(super) fn of(&self, name: &str) -> String {
        self.by_folded.get(&fold(name)).cloned().unwrap_or_else(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn spelled(sql: &str, columns: &[&str]) -> String {
        let tokens = StatementTokens::read(sql).unwrap();
        tokens.statement(&Spelling::decide(&tokens, columns.iter().copied())).unwrap().to_string()
    }

    #[test]
    fn columns_take_their_defined_case_quoted_or_not() {
        assert_eq!(
            spelled("select pulocationid, \"PULOCATIONID\" from trips", &["PULocationID"]),
            "SELECT PULocationID, \"PULocationID\" FROM trips"
        );
    }

    #[test]
    fn aliases_and_common_tables_agree_with_themselves() {
        assert_eq!(
            spelled("with T as (select a as \"Total\" from x) select t.total from t order by TOTAL", &["a"]),
            "WITH T AS (SELECT a AS \"Total\" FROM x) SELECT T.Total FROM T ORDER BY Total"
        );
    }

    #[test]
    fn text_keywords_and_functions_stay() {
        assert_eq!(
            spelled("SELECT Count(*), cast(DATE as DATE), 'Date' FROM t WHERE x = 'COUNT'", &["Date"]),
            "SELECT Count(*), CAST(Date AS DATE), 'Date' FROM t WHERE x = 'COUNT'"
        );
    }

    #[test]
    fn tables_are_found_and_common_tables_are_not() {
        let tables = |sql: &str| StatementTokens::read(sql).unwrap().tables().unwrap();
        let one = |name: &str| vec![name.to_owned()];
        assert_eq!(
            tables("select * from \"Customer-Features\" c join Trips$latest t on c.id = t.id"),
            [one("customer-features"), one("trips$latest")]
        );
        assert_eq!(tables("with T as (select * from t) select * from \"t\""), [one("t")]);
        assert_eq!(tables("with a as (with b as (select 1) select * from B) select * from A, b"), [one("b")]);
        assert_eq!(tables("select (select max(x) from s), x in (select y from q) from r"), [one("s"), one("q"), one("r")]);
        assert_eq!(tables("explain select * from r"), [one("r")]);
        assert_eq!(tables("describe R"), [one("r")]);
        assert_eq!(tables("select * from \"Db\".\"T\""), [vec!["db".to_owned(), "t".to_owned()]]);
        assert_eq!(tables("with recursive r as (select 1 as n union all select n + 1 from r) select * from r"), Vec::<Vec<String>>::new());
        assert_eq!(
            tables("with a as (select * from b), b as (select * from a), c as (select * from c join b on true) select * from c, b, d"),
            [one("b"), one("c"), one("d")]
        );
        assert_eq!(tables("select * from generate_series(1, 3) g join t on t.n = g.value"), [one("t")]);
    }

    #[test]
    fn nests_that_would_never_end_are_refused() {
        let nested = |levels: usize| {
            let inner = "select * from t".to_owned();
            (0..levels).fold(inner, |inner, level| format!("with a{level} as ({inner}) select * from a{level}"))
        };
        let tables = |sql: &str| StatementTokens::read(sql).and_then(|tokens| tokens.tables());
        assert_eq!(tables(&nested(WITH_LIMIT)).unwrap(), [vec!["t".to_owned()]]);
        assert!(tables(&nested(WITH_LIMIT + 1)).unwrap_err().to_string().contains("single WITH"));
        // Beside each other or in a query's own tables there may be as many as fit.
        let beside = (0..40).map(|number| format!("b{number} as (with c as (select 1) select * from c)")).collect::<Vec<_>>().join(", ");
        assert_eq!(tables(&format!("with {beside} select * from b3, t")).unwrap(), [vec!["t".to_owned()]]);
    }

    #[test]
    fn faults_are_one_line_with_the_place() {
        let fault = |sql: &str| {
            let error = StatementTokens::read(sql).and_then(|tokens| tokens.tables()).unwrap_err();
            assert_eq!(error.kind(), crate::model::error::ErrorKind::Usage);
            error.to_string()
        };
        assert_eq!(fault("select a b c\nfrom t"), "the SQL can't be read (Expected: end of statement, found: c at line 1, column 12)");
        assert!(fault("select 'a").contains("Unterminated string literal"));
        assert!(fault("").starts_with("the SQL is empty"));
        assert!(fault("select 1; select 2").starts_with("2 SQL statements"));
        assert!(fault(&format!("select {}1{}", "(".repeat(5000), ")".repeat(5000))).contains("nested too deeply"));
    }

    #[test]
    fn sees_names_that_miss_their_quotes() {
        let tokens = StatementTokens::read("select * from Customer-Features where a = 1").unwrap();
        assert!(tokens.has_unquoted("customer-features"));
        assert!(!tokens.has_unquoted("trips"));
    }
}
