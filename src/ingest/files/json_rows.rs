//! JSON lines: one object a line, fields matched by name.
//!
//! Numbers are handed on as they are written, so that `1.50` stays `1.50` in a String feature and no digit of a
//! large integer is lost on the way through a double. A field that is missing or null is null. A line that is no
//! object, a list or object where one value is due, and a field that looks like a misspelt one reject the line; any
//! other field that no feature takes is left out and told once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::batch::{MAX_RECORD_BYTES, SourceBatch, TextColumns};
use super::header::Dropped;
use super::reject::{Place, Rejected};
use super::sources::Input;
use crate::model::suggest::suggest;
use crate::model::{Error, Result, Schema};

/// Lines of a file that are not blank, with their numbers.
pub(super) struct JsonLines {
    input: Input,
    stream: Box<dyn BufRead + Send>,
    text: Vec<u8>,
    pub(super) line: u64,
}

impl JsonLines {
    pub(super) fn open(input: &Input, count: &Arc<AtomicU64>) -> Result<Self> {
        let mut stream = input.open_text(count)?;
        let start = stream.fill_buf().map_err(|error| input.unreadable(error))?;
        if start.starts_with(b"\xef\xbb\xbf") {
            stream.consume(3);
        }
        let start = stream.fill_buf().map_err(|error| input.unreadable(error))?;
        if start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(Error::invalid(format!("{} holds a JSON array", input.name))
                .why("one object a line is read")
                .remedy("convert it with: jq -c '.[]'"));
        }
        Ok(Self { input: input.clone(), stream, text: Vec::new(), line: 0 })
    }

    /// Reads the next line that is not blank; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        loop {
            self.text.clear();
            let read = (&mut self.stream)
                .take(MAX_RECORD_BYTES)
                .read_until(b'\n', &mut self.text)
                .map_err(|error| self.input.unreadable(error))?;
            if read == 0 {
                return Ok(false);
            }
            self.line += 1;
            if read as u64 == MAX_RECORD_BYTES && self.text.last() != Some(&b'\n') {
                return Err(Error::invalid(format!("{}, line {}: longer than 64 MiB", self.input.name, self.line))
                    .remedy("write one object a line"));
            }
            if !self.text.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    pub(super) fn text(&self) -> &[u8] {
        self.text.trim_ascii()
    }

    fn rejected(&self, field: Option<String>, reason: String) -> Box<Rejected> {
        Box::new(Rejected {
            place: Place::Line(self.line),
            field,
            reason,
            row: String::from_utf8_lossy(self.text()).into_owned().into(),
            quarantined: false,
        })
    }
}

/// What a line holds: its fields in order, values unparsed.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Splits a line into its fields, into a buffer that is used again.
pub(super) fn split<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> std::result::Result<(), String> {
    struct Object<'f, 'a>(&'f mut Fields<'a>);
    impl<'a> Visitor<'a> for Object<'_, 'a> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> std::result::Result<(), A::Error> {
            while let Some(Key(key)) = map.next_key()? {
                self.0.push((key, map.next_value()?));
            }
            Ok(())
        }
    }
    #[derive(serde::Deserialize)]
    struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

    let describe = |error: serde_json::Error| {
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        format!("not a JSON object (column {}: {text})", error.column())
    };
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    deserializer.deserialize_map(Object(fields)).and_then(|()| deserializer.end()).map_err(describe)
}

/// Text of a JSON string, number or boolean; none for null.
pub(super) fn scalar_text(raw: &RawValue) -> std::result::Result<Option<Cow<'_, str>>, &'static str> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            let inner = &text[1..text.len() - 1];
            if !inner.contains('\\') {
                return Ok(Some(Cow::Borrowed(inner)));
            }
            serde_json::from_str::<String>(text).map(|text| Some(Cow::Owned(text))).map_err(|_| "not a JSON string")
        }
        Some(b'[') => Err("a list where one value is due"),
        Some(b'{') => Err("an object where one value is due"),
        _ => Ok(Some(Cow::Borrowed(text))),
    }
}

/// Batches of a JSON lines file.
pub(super) struct JsonRows {
    lines: JsonLines,
    schema: Arc<Schema>,
    dropped: Dropped,
    columns: TextColumns,
    /// Fields that no feature takes.
    pub(super) left_out: BTreeSet<String>,
}

impl JsonRows {
    pub(super) fn new(lines: JsonLines, schema: &Arc<Schema>, dropped: &Dropped, skip: u64) -> Result<Self> {
        let columns = TextColumns::new(&vec![true; schema.len()]);
        let mut rows = Self { lines, schema: Arc::clone(schema), dropped: dropped.clone(), columns, left_out: BTreeSet::new() };
        for _ in 0..skip {
            rows.lines.advance()?;
        }
        Ok(rows)
    }

    pub(super) fn next_batch(&mut self) -> Result<Option<SourceBatch>> {
        while !self.columns.is_full() && self.lines.advance()? {
            match read_row(&self.lines, &self.schema, &self.dropped, &mut self.left_out) {
                Ok(texts) => {
                    for (feature, text) in texts.iter().enumerate() {
                        self.columns.push(feature, text.as_deref());
                    }
                    self.columns.end_row(self.lines.line);
                }
                Err(rejected) => self.columns.reject(*rejected),
            }
        }
        Ok(self.columns.finish())
    }
}

/// Text of each feature on the current line.
fn read_row<'a>(
    lines: &'a JsonLines,
    schema: &Schema,
    dropped: &Dropped,
    left_out: &mut BTreeSet<String>,
) -> std::result::Result<Vec<Option<Cow<'a, str>>>, Box<Rejected>> {
    let mut fields = Vec::with_capacity(schema.len());
    split(lines.text(), &mut fields).map_err(|reason| lines.rejected(None, reason))?;
    let mut texts: Vec<Option<Cow<'a, str>>> = vec![None; schema.len()];
    let mut seen = vec![false; schema.len()];
    let mut unknown = Vec::new();
    for (place, (name, raw)) in fields.into_iter().enumerate() {
        // Most writers keep the order of the fields, so the next feature is the likely one.
        let likely = schema.features().get(place).is_some_and(|feature| feature.name.as_str() == name);
        let feature = if likely { Some(place) } else { schema.position(&name) };
        if dropped.contains(&name) {
            continue;
        }
        let Some(feature) = feature else {
            unknown.push(name);
            continue;
        };
        if std::mem::replace(&mut seen[feature], true) {
            return Err(lines.rejected(Some(name.into_owned()), "given twice".into()));
        }
        let collection = schema.features()[feature].collection.is_some();
        texts[feature] = if collection && raw.get().starts_with('[') {
            Some(Cow::Borrowed(raw.get()))
        } else {
            scalar_text(raw).map_err(|reason| lines.rejected(Some(name.into_owned()), reason.into()))?
        };
    }
    for name in unknown {
        if left_out.contains(name.as_ref()) {
            continue;
        }
        let absent = schema.features().iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(feature, _)| feature.name.as_str());
        if let Some(near) = suggest(&name, absent) {
            let reason = format!("no feature of the group; did you mean '{near}'?");
            return Err(lines.rejected(Some(name.into_owned()), reason));
        }
        left_out.insert(name.into_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn splits_objects_and_says_what_is_no_object() {
        let mut fields = Vec::new();
        split(br#"{"a": 1.50, "b\n": "x", "c": [1, null], "d": null}"#, &mut fields).unwrap();
        let texts: Vec<_> = fields.iter().map(|(name, raw)| (name.as_ref(), raw.get())).collect();
        assert_eq!(texts, [("a", "1.50"), ("b\n", "\"x\""), ("c", "[1, null]"), ("d", "null")]);
        for bad in ["[1]", "{\"a\":1} x", "{\"a\":", "1", "{\"a\":1,}"] {
            let reason = split(bad.as_bytes(), &mut Vec::new()).unwrap_err();
            assert!(reason.contains("not a JSON object"), "{bad}: {reason}");
        }
    }

    #[test]
    fn text_of_scalars_is_kept_as_written() {
        for (json, text) in
            [("1.50", Some("1.50")), ("\"a\\u00e9\\\"\"", Some("aé\"")), ("true", Some("true")), ("null", None), ("\"\"", Some(""))]
        {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(scalar_text(raw).unwrap().as_deref(), text, "{json}");
        }
        let raw: &RawValue = serde_json::from_str("[1]").unwrap();
        assert!(scalar_text(raw).is_err());
    }
}
