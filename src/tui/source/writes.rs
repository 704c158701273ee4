//! Puts and deletes records by hand.

use async_trait::async_trait;

use crate::model::{Error, RawValue, Result};
use crate::store::{DeleteOptions, FeatureStore, OnlineEffect, PutOptions};
use crate::tui::model::remote::ErrorText;
use crate::tui::model::writes::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait WritesSource: Send + Sync + 'static {
    /// Writes a record.
    async fn answer_writes(&self, question: Question) -> Answer;
}

#[async_trait]
impl WritesSource for FeatureStore {
    async fn answer_writes(&self, question: Question) -> Answer {
        let done = match question {
            Question::Put { group, identifier, values } => put(self, &group, values).await.map(|effect| {
                let said = match effect {
                    OnlineEffect::Late => format!("{identifier} is in the history only: a newer record is online"),
                    _ => format!("{identifier} is stored"),
                };
                (identifier, said)
            }),
            Question::Delete { group, identifier, event_time, hard } => {
                let options = DeleteOptions { hard, ..DeleteOptions::default() };
                self.delete(&group, &identifier, &event_time, options).await.map(|receipt| {
                    let said = match receipt.online {
                        OnlineEffect::Late => format!("a newer record of {identifier} stays online; the delete is in the history"),
                        _ => format!("{identifier} is deleted"),
                    };
                    (identifier, said)
                })
            }
        };
        match done {
            Ok((identifier, said)) => Answer::Done(identifier, said),
            Err(error) => Answer::Failed(ErrorText::from(&error)),
        }
    }
}

async fn put(store: &FeatureStore, group: &str, values: Vec<(String, String)>) -> Result<OnlineEffect> {
    let definition = store.group(group).await?;
    let mut pairs = Vec::with_capacity(values.len());
    for (name, text) in values {
        let (_, feature) = definition.schema.feature(&name)?;
        let value = if feature.collection.is_some() { RawValue::List(elements(&name, &text)?) } else { RawValue::Text(text) };
        pairs.push((name, value));
    }
    Ok(store.put(group, pairs, PutOptions::default()).await?.online)
}

/// The elements of a collection that was typed as JSON; numbers keep their text.
fn elements(name: &str, text: &str) -> Result<Vec<String>> {
    let refused = || Error::invalid(format!("'{name}' is a collection")).remedy("write it as JSON: [\"a\", \"b\"] or [0.1, 0.2]");
    let elements: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(text).map_err(|error| refused().source(error))?;
    elements
        .iter()
        .map(|element| match serde_json::from_str(element.get()) {
            Ok(serde_json::Value::String(text)) => Ok(text),
            Ok(serde_json::Value::Number(_)) => Ok(element.get().to_owned()),
            _ => Err(refused().why(format!("{} is neither text nor number", element.get()))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn elements_keep_their_text_and_nothing_else_is_taken() {
        assert_eq!(elements("e", "[0.10, 1e3, \"a, b\"]").unwrap(), ["0.10", "1e3", "a, b"]);
        assert_eq!(elements("e", "[]").unwrap(), Vec::<String>::new());
        for bad in ["", "a", "[1", "[null]", "[[1]]", "{}"] {
            assert!(elements("e", bad).is_err(), "{bad}");
        }
    }
}
