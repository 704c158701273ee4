//! What differs between two observations of a group, field by field.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A field that changed; absent is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Where it is: `description`, `tags.team`, `features.age.type`.
    pub path: String,
    /// What it was.
    pub old: Option<Value>,
    /// What it is.
    pub new: Option<Value>,
}

/// The fields that differ between two stored forms, in the order of the old one, new ones after them.
pub fn difference(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", Some(old), Some(new), &mut changes);
    changes
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    if let (Some(before), Some(after)) = (old.and_then(fields), new.and_then(fields)) {
        let find = |fields: &[(String, Value)], name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let added = after.iter().filter(|(name, _)| !before.iter().any(|(known, _)| known == name));
        for (name, _) in before.iter().chain(added) {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            compare(&inner, find(&before, name).as_ref(), find(&after, name).as_ref(), changes);
        }
        return;
    }
    changes.push(FieldChange { path: path.to_owned(), old: old.cloned(), new: new.cloned() });
}

/// Fields of an object, or the named elements of a list: a feature is known by its name, not by its place.
fn fields(value: &Value) -> Option<Vec<(String, Value)>> {
    match value {
        Value::Object(object) => Some(object.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        Value::Array(list) => list.iter().map(|element| Some((element.get("name")?.as_str()?.to_owned(), element.clone()))).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_the_field_that_changed_and_knows_features_by_name() {
        let old = json!({"name": "g", "owner": "a", "features": [{"name": "x", "type": "String"}, {"name": "y", "type": "String"}]});
        let new = json!({"name": "g", "features": [{"name": "y", "type": "Integral"}, {"name": "x", "type": "String"}], "ttl": "7d"});
        let paths: Vec<String> = difference(&old, &new).into_iter().map(|change| change.path).collect();
        assert_eq!(paths, ["owner", "features.y.type", "ttl"]);
        assert!(difference(&old, &old).is_empty());
    }
}
