//! The JSON Schema of definition files, generated from the types: what editors check with, and what reading checks with.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use super::document::{DefaultsDocument, GroupDocument};

/// Where the schema says it is from.
const ID: &str = "https://larder.dev/schema/larder-v1.schema.json";

/// The schemas of the two kinds of documents, and the one that joins them.
pub(super) struct Schemas {
    pub(super) group: Json,
    pub(super) defaults: Json,
}

/// Generated once.
pub(super) fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let generator = || {
            let mut settings = SchemaSettings::draft2020_12();
            settings.inline_subschemas = true;
            settings.meta_schema = None;
            settings.into_generator()
        };
        Schemas {
            group: generator().into_root_schema_for::<GroupDocument>().to_value(),
            defaults: generator().into_root_schema_for::<DefaultsDocument>().to_value(),
        }
    })
}

/// The JSON Schema of a definition file, for editors.
pub fn schema_text() -> String {
    let schemas = schemas();
    let joined = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "larder definition file",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "if": {"properties": {"kind": {"const": "Defaults"}}, "required": ["kind"]},
        "then": schemas.defaults,
        "else": schemas.group,
    });
    // A value always has a text.
    serde_json::to_string_pretty(&joined).unwrap_or_default() + "\n"
}
