//! What a statement is: a question, a look at names, or Hive's words for making and dropping tables.
//!
//! Only Hive's data definition is read here, as Athena's clients write it; all else goes to the SQL engine as it stands.
//! Texts are in single or double quotes with `\` before what would end them, names may stand in back-ticks.

use crate::model::{Error, Result};

/// Most columns of a table.
const MOST_COLUMNS: usize = 10_000;

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HiveStatement {
    /// Rows.
    Query,
    /// Names and plans: `SHOW`, `DESCRIBE`, `EXPLAIN`.
    Utility,
    /// `CREATE EXTERNAL TABLE`.
    CreateTable(CreateTable),
    /// `DROP TABLE`.
    DropTable { name: TableName, if_exists: bool },
    /// `CREATE DATABASE`; databases need no making here.
    CreateDatabase,
}

/// A table's name, in lower case, with its database if one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    pub(super) database: Option<String>,
    pub(super) table: String,
}

/// A table to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CreateTable {
    pub(super) database: Option<String>,
    pub(super) table: String,
    pub(super) if_not_exists: bool,
    /// Names and types, in lower case.
    pub(super) columns: Vec<(String, String)>,
    /// Class of the reader, if one is named.
    pub(super) serde: Option<String>,
    /// What is said to the reader.
    pub(super) serde_properties: Vec<(String, String)>,
    /// Format after `STORED AS`, in lower case.
    pub(super) stored_as: Option<String>,
    pub(super) location: String,
    pub(super) properties: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A bare word, or a name in back-ticks (which is no keyword).
    Word {
        text: String,
        is_quoted: bool,
    },
    Text(String),
    Sign(char),
}

/// Reads a statement.
///
/// # Errors
/// Usage for Hive's words that can't be read, or that ask for what is not done here.
pub(super) fn read(sql: &str) -> Result<HiveStatement> {
    let start = without_comments(sql);
    let first: String = start.chars().take_while(|letter| letter.is_ascii_alphabetic()).collect();
    match first.to_ascii_uppercase().as_str() {
        "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" => Ok(HiveStatement::Utility),
        "CREATE" | "DROP" => Parser { tokens: tokens(start)?, at: 0 }.statement(),
        "INSERT" | "UNLOAD" | "ALTER" | "MSCK" | "UPDATE" | "DELETE" | "MERGE" | "OPTIMIZE" | "VACUUM" | "PREPARE" | "EXECUTE"
        | "DEALLOCATE" => Err(refused(&first.to_ascii_uppercase())),
        _ => Ok(HiveStatement::Query),
    }
}

fn refused(what: &str) -> Error {
    Error::usage(format!("{what} is not supported"))
        .remedy("use SELECT, WITH, SHOW, DESCRIBE, EXPLAIN, CREATE EXTERNAL TABLE or DROP TABLE")
}

fn without_comments(sql: &str) -> &str {
    let mut rest = sql.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '(');
    loop {
        let next = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return rest;
        };
        rest = next.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '(');
    }
}

fn unreadable(why: impl Into<String>) -> Error {
    Error::usage("the statement can't be read").why(why)
}

fn tokens(sql: &str) -> Result<Vec<Token>> {
    let mut found = Vec::new();
    let mut letters = sql.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter.is_whitespace() => {}
            '-' if letters.peek() == Some(&'-') => drop(letters.find(|letter| *letter == '\n')),
            '\'' | '"' => found.push(Token::Text(quoted(&mut letters, letter)?)),
            '`' => {
                let mut text = String::new();
                loop {
                    match letters.next() {
                        Some('`') if letters.peek() == Some(&'`') => text.extend(letters.next()),
                        Some('`') => break,
                        Some(letter) => text.push(letter),
                        None => return Err(unreadable("a name in back-ticks does not end")),
                    }
                }
                found.push(Token::Word { text, is_quoted: true });
            }
            _ if letter.is_alphanumeric() || letter == '_' => {
                let mut text = String::from(letter);
                while let Some(letter) = letters.next_if(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '$')) {
                    text.push(letter);
                }
                found.push(Token::Word { text, is_quoted: false });
            }
            _ => found.push(Token::Sign(letter)),
        }
    }
    Ok(found)
}

/// The rest of a text, whose opening quote was read.
fn quoted(letters: &mut impl Iterator<Item = char>, quote: char) -> Result<String> {
    let mut text = String::new();
    let mut next = || letters.next().ok_or_else(|| unreadable("a text in quotes does not end"));
    loop {
        match next()? {
            '\\' => match next()? {
                't' => text.push('\t'),
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                // Three digits of base eight, as in '\001': the usual way to write Hive's own separators.
                first @ '0'..='3' => {
                    let (second, third) = (next()?, next()?);
                    let digits: Option<Vec<u32>> = [first, second, third].iter().map(|digit| digit.to_digit(8)).collect();
                    let code = digits.map(|digits| digits.iter().fold(0, |code, digit| code * 8 + digit));
                    text.push(code.and_then(char::from_u32).ok_or_else(|| unreadable("an escape is no letter"))?);
                }
                other => text.push(other),
            },
            letter if letter == quote => return Ok(text),
            letter => text.push(letter),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn statement(mut self) -> Result<HiveStatement> {
        let statement = if self.takes(&["CREATE", "EXTERNAL", "TABLE"]) {
            HiveStatement::CreateTable(self.create_table()?)
        } else if self.takes(&["DROP", "TABLE"]) {
            let if_exists = self.takes(&["IF", "EXISTS"]);
            HiveStatement::DropTable { name: self.table_name()?, if_exists }
        } else if self.takes(&["CREATE", "DATABASE"]) || self.takes(&["CREATE", "SCHEMA"]) {
            self.takes(&["IF", "NOT", "EXISTS"]);
            self.word("the name of a database")?;
            HiveStatement::CreateDatabase
        } else {
            let words: Vec<String> = self.tokens.iter().take(2).map(|token| self.spelled(token)).collect();
            return Err(refused(&words.join(" ").to_uppercase()));
        };
        while self.takes_sign(';') {}
        match self.tokens.get(self.at) {
            None => Ok(statement),
            Some(token) => Err(unreadable(format!("'{}' stands where it should end", self.spelled(token)))),
        }
    }

    fn create_table(&mut self) -> Result<CreateTable> {
        let if_not_exists = self.takes(&["IF", "NOT", "EXISTS"]);
        let TableName { database, table } = self.table_name()?;
        let mut made = CreateTable { database, table, if_not_exists, columns: self.columns()?, ..CreateTable::default() };
        loop {
            if self.takes(&["COMMENT"]) {
                self.text()?;
            } else if self.takes(&["ROW", "FORMAT", "SERDE"]) {
                made.serde = Some(self.text()?);
                if self.takes(&["WITH", "SERDEPROPERTIES"]) {
                    made.serde_properties = self.properties()?;
                }
            } else if self.takes(&["ROW", "FORMAT", "DELIMITED"]) {
                self.delimited(&mut made)?;
            } else if self.takes(&["STORED", "AS"]) {
                let format = self.word("a format")?;
                if format == "inputformat" {
                    self.text()?;
                    if !self.takes(&["OUTPUTFORMAT"]) {
                        return Err(unreadable("OUTPUTFORMAT is missing"));
                    }
                    self.text()?;
                } else {
                    made.stored_as = Some(format);
                }
            } else if self.takes(&["LOCATION"]) {
                made.location = self.text()?;
            } else if self.takes(&["TBLPROPERTIES"]) {
                made.properties = self.properties()?;
            } else if self.takes(&["PARTITIONED", "BY"]) || self.takes(&["CLUSTERED", "BY"]) {
                return Err(Error::usage("a table in partitions or buckets is not supported").remedy("leave PARTITIONED BY out"));
            } else {
                break;
            }
        }
        if made.location.is_empty() {
            return Err(Error::usage("the table has no LOCATION").remedy("say where its files lie: LOCATION 's3://bucket/folder/'"));
        }
        Ok(made)
    }

    /// What follows `ROW FORMAT DELIMITED`, in the words of the reader's properties.
    fn delimited(&mut self, made: &mut CreateTable) -> Result<()> {
        loop {
            let key = if self.takes(&["FIELDS", "TERMINATED", "BY"]) {
                "field.delim"
            } else if self.takes(&["ESCAPED", "BY"]) {
                "escape.delim"
            } else if self.takes(&["LINES", "TERMINATED", "BY"]) {
                "line.delim"
            } else if self.takes(&["NULL", "DEFINED", "AS"]) {
                "serialization.null.format"
            } else {
                return Ok(());
            };
            let value = self.text()?;
            made.serde_properties.push((key.to_owned(), value));
        }
    }

    fn columns(&mut self) -> Result<Vec<(String, String)>> {
        let mut found: Vec<(String, String)> = Vec::new();
        if !self.takes_sign('(') {
            return Err(unreadable("the columns are missing"));
        }
        loop {
            let name = self.word("the name of a column")?;
            if found.iter().any(|(known, _)| *known == name) {
                return Err(unreadable(format!("there are two columns '{name}'")));
            }
            let mut data_type = self.word("the type of a column")?;
            if self.takes_sign('(') {
                data_type.push('(');
                while !self.takes_sign(')') {
                    let token = self.tokens.get(self.at).ok_or_else(|| unreadable("a type does not end"))?;
                    data_type.push_str(&self.spelled(token));
                    self.at += 1;
                }
                data_type.push(')');
            }
            if self.takes(&["COMMENT"]) {
                self.text()?;
            }
            found.push((name, data_type));
            if found.len() > MOST_COLUMNS {
                return Err(unreadable(format!("there are more than {MOST_COLUMNS} columns")));
            }
            if self.takes_sign(')') {
                return Ok(found);
            }
            if !self.takes_sign(',') {
                return Err(unreadable(format!("a comma is missing after column '{}'", found.last().map_or("", |(name, _)| name))));
            }
        }
    }

    fn properties(&mut self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        if !self.takes_sign('(') {
            return Err(unreadable("the properties are missing"));
        }
        loop {
            let key = self.text()?;
            if !self.takes_sign('=') {
                return Err(unreadable(format!("property '{key}' has no value")));
            }
            found.push((key, self.text()?));
            if self.takes_sign(')') {
                return Ok(found);
            }
            if !self.takes_sign(',') {
                return Err(unreadable("a comma is missing between properties"));
            }
        }
    }

    fn table_name(&mut self) -> Result<TableName> {
        let mut parts = vec![self.word("the name of a table")?];
        while self.takes_sign('.') {
            parts.push(self.word("the name of a table")?);
        }
        let table = parts.pop().unwrap_or_default();
        for part in parts.iter().chain([&table]) {
            let is_name = !part.is_empty() && part.len() <= 255 && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            if !is_name {
                return Err(Error::usage(format!("'{}' can't be the name of a table", part.escape_debug()))
                    .remedy("use letters, digits and '_', at most 255 bytes"));
            }
        }
        if parts.len() > 1 {
            return Err(unreadable("a table is named by a database and a name at most"));
        }
        Ok(TableName { database: parts.pop(), table })
    }

    /// A word or name, in lower case.
    fn word(&mut self, what: &str) -> Result<String> {
        match self.tokens.get(self.at) {
            Some(Token::Word { text, .. }) => {
                self.at += 1;
                Ok(text.to_lowercase())
            }
            // In data definition names in double quotes are names too, though Athena refuses them.
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(text.to_lowercase())
            }
            other => Err(unreadable(format!("{what} is missing before '{}'", other.map_or(String::new(), |token| self.spelled(token))))),
        }
    }

    fn text(&mut self) -> Result<String> {
        match self.tokens.get(self.at) {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(text.clone())
            }
            other => Err(unreadable(format!(
                "a text in quotes is missing before '{}'",
                other.map_or(String::new(), |token| self.spelled(token))
            ))),
        }
    }

    /// Takes these keywords if they come next.
    fn takes(&mut self, words: &[&str]) -> bool {
        let next = self.tokens.get(self.at..self.at + words.len()).unwrap_or_default();
        let is_next = next.len() == words.len()
            && next
                .iter()
                .zip(words)
                .all(|(token, word)| matches!(token, Token::Word { text, is_quoted: false } if text.eq_ignore_ascii_case(word)));
        self.at += if is_next { words.len() } else { 0 };
        is_next
    }

    fn takes_sign(&mut self, sign: char) -> bool {
        let is_next = self.tokens.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(is_next);
        is_next
    }

    fn spelled(&self, token: &Token) -> String {
        match token {
            Token::Word { text, .. } | Token::Text(text) => text.clone(),
            Token::Sign(sign) => sign.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn created(sql: &str) -> CreateTable {
        match read(sql).unwrap() {
            HiveStatement::CreateTable(made) => made,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_table_of_a_data_frame_is_read() {
        let made = created(
            "CREATE EXTERNAL TABLE dataframe_x_1 (Id STRING, n INT, x DOUBLE) ROW FORMAT SERDE \
             'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES (\"separatorChar\" = \",\", \"quoteChar\" = \"`\", \
             \"escapeChar\" = \"\\\\\") LOCATION 's3://b/c/dataframe-x-1';",
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(made.columns, [pair("id", "string"), pair("n", "int"), pair("x", "double")]);
        assert_eq!(made.serde_properties, [pair("separatorChar", ","), pair("quoteChar", "`"), pair("escapeChar", "\\")]);
        assert_eq!((made.table.as_str(), made.location.as_str()), ("dataframe_x_1", "s3://b/c/dataframe-x-1"));
    }

    #[test]
    fn other_forms_of_tables_are_read() {
        let made = created(
            "-- spine\n/* of labels */ create external table if not exists `Labels`.`t-1` (`when` timestamp comment 'x, y', p decimal(10, 2))\n\
             comment 'it''' row format delimited fields terminated by '\\001' null defined as '-' stored as textfile\n\
             location 's3://b/c/' tblproperties ('skip.header.line.count'='1')"
                .replace("t-1", "t_1")
                .replace("'it'''", "'it\\''")
                .as_str(),
        );
        assert_eq!((made.database.as_deref(), made.if_not_exists), (Some("labels"), true));
        assert_eq!(made.columns[1], ("p".to_owned(), "decimal(10,2)".to_owned()));
        assert_eq!(made.serde_properties[0], ("field.delim".to_owned(), "\u{1}".to_owned()));
        assert_eq!(made.properties[0].1, "1");
        assert_eq!(created("create external table t (a int) stored as parquet location 's3://b/c'").stored_as.as_deref(), Some("parquet"));
    }

    #[test]
    fn statements_are_told_apart() {
        for (sql, is) in [
            ("select 1", HiveStatement::Query),
            ("(with t as (select 1) select * from t)", HiveStatement::Query),
            ("-- drop table x\nselect 1", HiveStatement::Query),
            ("  SHOW tables", HiveStatement::Utility),
            ("explain select 1", HiveStatement::Utility),
            ("create database if not exists x;", HiveStatement::CreateDatabase),
            (
                "DROP TABLE IF EXISTS a.B;",
                HiveStatement::DropTable { name: TableName { database: Some("a".into()), table: "b".into() }, if_exists: true },
            ),
        ] {
            assert_eq!(read(sql).unwrap(), is, "{sql}");
        }
    }

    #[test]
    fn what_is_not_done_is_refused_and_nothing_panics() {
        for sql in [
            "create table t as select 1",
            "create view v as select 1",
            "unload (select 1) to 's3://b/c'",
            "insert into t values (1)",
            "create external table t (a int)",
            "create external table t (a int, a int) location 's3://b/c'",
            "create external table t (a int) partitioned by (b int) location 's3://b/c'",
            "create external table \"../x\" (a int) location 's3://b/c'",
            "create external table a.b.c (a int) location 's3://b/c'",
            "create external table t (a int) location 's3://b/c' and more",
            "create external table t (a int) location 's3",
            "create external table t (a decimal(",
            "create",
            "drop",
            "drop table",
            "drop table `x",
        ] {
            assert!(read(sql).is_err(), "{sql}");
        }
    }
}
