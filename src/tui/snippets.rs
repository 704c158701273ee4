//! Ready code for a group: how a shell, a notebook and SQL get at its records.
//!
//! Names are safe to paste as they are (the model allows only letters, digits, `-` and `_`); an identifier can be any text and is
//! quoted for each language.

use std::sync::Arc;

use crate::model::FeatureGroup;

/// A piece of code to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// What it is for.
    pub(crate) title: &'static str,
    /// The code.
    pub(crate) text: String,
}

/// The snippets for a group, or for one of its features, with the identifier of a record that was looked up or a placeholder. Only what the
/// group can answer is on offer: the runtime reads online stores, a training dataset is made of a history.
pub(crate) fn of(group: &FeatureGroup, feature: Option<&str>, identifier: Option<&str>) -> Vec<Snippet> {
    let name = group.name.as_str();
    let identifier = identifier.unwrap_or("ID");
    let shell = shell_quoted(identifier);
    let columns = columns(group, feature).iter().map(|column| sql_name(column)).collect::<Vec<_>>().join(", ");
    let table = sql_name(name);
    let latest = sql_name(&format!("{name}$latest"));
    let key_column = sql_name(group.schema.identifier().name.as_str());
    let value = sql_literal(identifier);
    let only = feature.map(|feature| format!(" --feature {feature}")).unwrap_or_default();
    let newest = match feature {
        Some(_) => columns.clone(),
        None => "*".to_owned(),
    };
    let mut snippets = vec![
        ("Shell: one record", format!("larder get {name} {shell}{only} --json")),
        ("Shell: its history", format!("larder history {name} {shell}")),
        ("SQL: newest record of each identifier", format!("select {columns}\nfrom {latest}\nwhere {key_column} = {value}")),
        (
            "SQL: whole history",
            format!(
                "select {columns},\n       write_time, is_deleted\nfrom {table}\nwhere {key_column} = {value}\norder by write_time desc\nlimit 100"
            ),
        ),
        (
            "Python: Polars",
            format!(
                "import io, subprocess\nimport polars as pl\n\nsql = {}\nout = subprocess.run(\n    [\"larder\", \"query\", sql, \"--format\", \"parquet\"],\n    capture_output=True, check=True,\n)\nframe = pl.read_parquet(io.BytesIO(out.stdout))",
                python_literal(&format!("select {newest} from {latest}"))
            ),
        ),
    ];
    if group.offline.is_some() {
        snippets.push(("Shell: training dataset", training_dataset(group, feature)));
    }
    if group.online.is_some() {
        snippets.push(("Python: boto3, one record", one_record(group, feature, identifier)));
        snippets.push(("Python: boto3, many records", many_records(group, feature, identifier)));
    }
    snippets.into_iter().map(|(title, text)| Snippet { title, text }).collect()
}

/// The columns a statement names: the first of the group, or the record identifier and one feature.
fn columns<'a>(group: &'a FeatureGroup, feature: Option<&'a str>) -> Vec<&'a str> {
    let key = group.schema.identifier().name.as_str();
    match feature {
        Some(feature) if feature == key => vec![key],
        Some(feature) => vec![key, feature],
        None => group.schema.features().iter().take(4).map(|feature| feature.name.as_str()).collect(),
    }
}

/// Rows of a file of labels with the features as they were at each row's time. The keys of a group are the spine's to bring, so for one
/// of them the whole group is taken.
fn training_dataset(group: &FeatureGroup, feature: Option<&str>) -> String {
    let keys = [group.schema.identifier().name.as_str(), group.schema.event_time().name.as_str()];
    let wanted = match feature.filter(|feature| !keys.contains(feature)) {
        Some(feature) => format!("{}:{feature}", group.name),
        None => group.name.to_string(),
    };
    format!(
        "larder dataset build --spine labels.parquet \\\n    --spine-id {} --spine-time at \\\n    --features {wanted} -o train.parquet",
        keys[0]
    )
}

/// How every client of the runtime begins; the server of larder is where the variables of its shell point.
const RUNTIME: &str = "# larder serve, and in this shell: eval \"$(larder serve --print-env)\"\nimport boto3\n\nruntime = boto3.client(\"sagemaker-featurestore-runtime\")\n";

fn one_record(group: &FeatureGroup, feature: Option<&str>, identifier: &str) -> String {
    let only = feature.map(|feature| format!("\n    FeatureNames=[\"{feature}\"],")).unwrap_or_default();
    format!(
        "{RUNTIME}answer = runtime.get_record(\n    FeatureGroupName=\"{}\",\n    RecordIdentifierValueAsString={},{only}\n)\nvalues = {{each[\"FeatureName\"]: each[\"ValueAsString\"] for each in answer.get(\"Record\", [])}}",
        group.name,
        python_literal(identifier)
    )
}

fn many_records(group: &FeatureGroup, feature: Option<&str>, identifier: &str) -> String {
    let only = feature.map(|feature| format!("\n    \"FeatureNames\": [\"{feature}\"],")).unwrap_or_default();
    format!(
        "{RUNTIME}answer = runtime.batch_get_record(Identifiers=[{{\n    \"FeatureGroupName\": \"{}\",\n    \"RecordIdentifiersValueAsString\": [{}],{only}\n}}])\nrecords = answer[\"Records\"]",
        group.name,
        python_literal(identifier)
    )
}

/// The command that makes a training dataset of several features; none if no group of them keeps a history.
pub(crate) fn training_dataset_of(wanted: &[(Arc<FeatureGroup>, Vec<String>)]) -> Option<String> {
    let kept: Vec<_> = wanted.iter().filter(|(group, _)| group.offline.is_some()).collect();
    let (first, _) = kept.first()?;
    let identifier = first.schema.identifier().name.as_str();
    let mut command = format!("larder dataset build --spine labels.parquet \\\n    --spine-id {identifier} --spine-time at");
    for (group, features) in &kept {
        let keys = [group.schema.identifier().name.as_str(), group.schema.event_time().name.as_str()];
        let features: Vec<&str> = features.iter().map(String::as_str).filter(|feature| !keys.contains(feature)).collect();
        let of = if features.is_empty() { group.name.to_string() } else { format!("{}:{}", group.name, features.join(",")) };
        command.push_str(&format!(" \\\n    --features {of}"));
    }
    Some(format!("{command} \\\n    -o train.parquet"))
}

/// A statement that reads the newest values of a group, or of some of its features.
pub(crate) fn statement(group: &FeatureGroup, features: &[String]) -> String {
    let latest = sql_name(&format!("{}$latest", group.name));
    if features.is_empty() {
        return format!("select *\nfrom {latest}");
    }
    let identifier = group.schema.identifier().name.as_str();
    let others = features.iter().map(String::as_str).filter(|feature| *feature != identifier);
    let columns: Vec<String> = std::iter::once(identifier).chain(others).map(sql_name).collect();
    format!("select {}\nfrom {latest}", columns.join(", "))
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
