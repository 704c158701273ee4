//! Ready code for a group: how a shell, a notebook and SQL get at its records.
//!
//! Names are safe to paste as they are (the model allows only letters, digits, `-` and `_`); an identifier can be any text and is
//! quoted for each language.

use crate::model::FeatureGroup;

/// A piece of code to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// What it is for.
    pub(crate) title: &'static str,
    /// The code.
    pub(crate) text: String,
}

/// What the snippets are for, in the order of [`of`].
pub(crate) const TITLES: [&str; 5] =
    ["Shell: one record", "Shell: its history", "SQL: newest record of each identifier", "SQL: whole history", "Python: Polars"];

/// The snippets for a group, with the identifier of a record that was looked up or a placeholder.
pub(crate) fn of(group: &FeatureGroup, identifier: Option<&str>) -> Vec<Snippet> {
    let name = group.name.as_str();
    let key = group.schema.identifier().name.as_str();
    let identifier = identifier.unwrap_or("ID");
    let shell = shell_quoted(identifier);
    let columns: Vec<String> = group.schema.features().iter().take(4).map(|feature| sql_name(feature.name.as_str())).collect();
    let columns = columns.join(", ");
    let table = sql_name(name);
    let latest = sql_name(&format!("{name}$latest"));
    let key_column = sql_name(key);
    let value = sql_literal(identifier);
    let texts = [
        format!("larder get {name} {shell} --json"),
        format!("larder history {name} {shell}"),
        format!("select {columns}\nfrom {latest}\nwhere {key_column} = {value}"),
        format!(
            "select {columns},\n       write_time, is_deleted\nfrom {table}\nwhere {key_column} = {value}\norder by write_time desc\nlimit 100"
        ),
        format!(
            "import io, subprocess\nimport polars as pl\n\nsql = {}\nout = subprocess.run(\n    [\"larder\", \"query\", sql, \"--format\", \"parquet\"],\n    capture_output=True, check=True,\n)\nframe = pl.read_parquet(io.BytesIO(out.stdout))",
            python_literal(&format!("select * from {latest}"))
        ),
    ];
    TITLES.into_iter().zip(texts).map(|(title, text)| Snippet { title, text }).collect()
}

/// A statement that reads the newest values of a group, or of one of its features.
pub(crate) fn statement(group: &FeatureGroup, feature: Option<&str>) -> String {
    let latest = sql_name(&format!("{}$latest", group.name));
    match feature {
        Some(feature) => format!("select {}, {}\nfrom {latest}", sql_name(group.schema.identifier().name.as_str()), sql_name(feature)),
        None => format!("select *\nfrom {latest}"),
    }
}

/// A name as SQL takes it: quoted where it isn't a plain lower-case word.
pub(crate) fn sql_name(name: &str) -> String {
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    let starts_well = name.starts_with(|character: char| character.is_ascii_lowercase());
    if starts_well && name.chars().all(plain) { name.to_owned() } else { format!("\"{name}\"") }
}

fn sql_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn shell_quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-.:@%+=,/".contains(character);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn python_literal(text: &str) -> String {
    // A JSON string is a Python string.
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_cannot_break_out_of_its_quotes() {
        assert_eq!(shell_quoted("C42"), "C42");
        assert_eq!(shell_quoted("a'; rm -rf ~"), r"'a'\''; rm -rf ~'");
        assert_eq!(shell_quoted("--store"), "'--store'");
        assert_eq!(sql_literal("O'Hara"), "'O''Hara'");
        assert_eq!(python_literal("a\"b\n"), "\"a\\\"b\\n\"");
    }

    #[test]
    fn names_are_quoted_only_where_sql_needs_it() {
        assert_eq!(sql_name("trips"), "trips");
        assert_eq!(sql_name("customer-features"), "\"customer-features\"");
        assert_eq!(sql_name("Trips"), "\"Trips\"");
    }
}
