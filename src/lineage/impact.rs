//! What a change of a feature does to whom.
//!
//! One table, over the kind of change and how the consumer uses the feature. The feature's path to a consumer decides: values that
//! flow there are direct, values that only pair or choose rows indirect. Who reads records while running feels a change at once.
//! A consumer of whom only the group is known counts as direct: to say less would make missing detail look like safety.

use std::fmt;
use std::str::FromStr;

use super::answer::{Answer, AnswerNode, Coverage, is_consumer};
use super::walk::{Certainty, Direction};
use crate::catalog::UsageRow;
use crate::model::suggest::suggest;
use crate::model::{Error, Result};

/// A change of a feature or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is taken away.
    Remove,
    /// Its values get another type.
    Type,
    /// Its ttl becomes shorter, or a store is switched off.
    Ttl,
    /// Its values mean something else: expression, source, unit.
    Meaning,
    /// A feature beside it, a description, a tag.
    Add,
}

impl Change {
    /// All, in the order they are offered.
    pub const ALL: [Change; 5] = [Self::Remove, Self::Type, Self::Ttl, Self::Meaning, Self::Add];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Type => "type",
            Self::Ttl => "ttl",
            Self::Meaning => "meaning",
            Self::Add => "add",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Change {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|change| change.as_str() == text).ok_or_else(|| {
            let error = Error::usage(format!("'{}' is not a kind of change", text.escape_debug()));
            match suggest(text, Self::ALL.map(Self::as_str)) {
                Some(near) => error.remedy(format!("did you mean '{near}'?")),
                None => error.remedy("use remove, type, ttl, meaning or add"),
            }
        })
    }
}

/// What a change does to a consumer; the later the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing.
    Safe,
    /// Look whether it matters.
    Review,
    /// Values will be missing from datasets.
    Gaps,
    /// What was learnt no longer fits.
    Retrain,
    /// Look at once: values of the new meaning are served already.
    ReviewNow,
    /// It stops working, or reads nothing.
    Breaks,
}

impl Effect {
    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Review => "review",
            Self::Gaps => "gaps",
            Self::Retrain => "retrain",
            Self::ReviewNow => "review now",
            Self::Breaks => "breaks",
        }
    }
}

/// How a consumer uses a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Values flow to it.
    Direct,
    /// Values pair or choose its rows.
    Indirect,
    /// It reads records as it runs.
    Online,
}

/// The table.
pub fn effect(change: Change, used: Use) -> Effect {
    match (change, used) {
        (Change::Remove | Change::Type, _) => Effect::Breaks,
        (Change::Ttl, Use::Online) => Effect::Breaks,
        (Change::Ttl, Use::Direct | Use::Indirect) => Effect::Gaps,
        (Change::Meaning, Use::Direct) => Effect::Retrain,
        (Change::Meaning, Use::Indirect) => Effect::Review,
        (Change::Meaning, Use::Online) => Effect::ReviewNow,
        (Change::Add, _) => Effect::Safe,
    }
}

/// A consumer that a change reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Its kind, or `reader` for somebody who reads records.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The text that stands for it alone; for a reader its name.
    pub reference: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What happens to it.
    pub effect: Effect,
    /// How surely it is a consumer.
    pub certainty: Certainty,
    /// Edges between; 0 for a reader.
    pub depth: u32,
    /// Reads of late; none for what is no reader.
    pub reads: Option<u64>,
}

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// What is changed.
    pub node: AnswerNode,
    /// How.
    pub change: Change,
    /// Whom it reaches, the worst first.
    pub affected: Vec<Affected>,
    /// How much of the world this can know of.
    pub coverage: Coverage,
}

impl Impact {
    /// Works out what a change does, from a walk down from what is changed.
    ///
    /// None if the answer has no node to start from.
    pub fn of(answer: &Answer, change: Change) -> Option<Self> {
        let node = answer.start()?.clone();
        let consumers = answer.nodes.iter().filter(|node| node.direction == Some(Direction::Down) && is_consumer(node.key.kind));
        let mut affected: Vec<Affected> = consumers.map(|node| of_node(node, change)).collect();
        affected.extend(answer.readers.iter().map(|reader| of_reader(reader, change)));
        affected.retain(|consumer| consumer.effect > Effect::Safe);
        affected.sort_by(|one, two| {
            two.effect.cmp(&one.effect).then(one.depth.cmp(&two.depth)).then_with(|| one.reference.cmp(&two.reference))
        });
        Some(Self { node, change, affected, coverage: answer.coverage.clone() })
    }

    /// The worst of it.
    pub fn worst(&self) -> Effect {
        self.affected.iter().map(|consumer| consumer.effect).max().unwrap_or(Effect::Safe)
    }
}

fn of_node(node: &AnswerNode, change: Change) -> Affected {
    let used = match node.certainty {
        _ if node.key.kind.reads_online() => Use::Online,
        Certainty::Indirect => Use::Indirect,
        Certainty::Direct | Certainty::Inferred | Certainty::ColumnUnknown => Use::Direct,
    };
    Affected {
        kind: node.key.kind.as_str(),
        name: node.name.clone(),
        reference: node.reference.clone(),
        owner: node.owner.clone(),
        effect: if node.is_deleted { Effect::Safe } else { effect(change, used) },
        certainty: node.certainty,
        depth: node.depth,
        reads: None,
    }
}

fn of_reader(reader: &UsageRow, change: Change) -> Affected {
    let online = matches!(reader.operation.as_str(), "get" | "batch-get");
    Affected {
        kind: "reader",
        name: format!("{} ({})", reader.principal, reader.operation),
        reference: reader.principal.clone(),
        owner: None,
        effect: effect(change, if online { Use::Online } else { Use::Direct }),
        certainty: Certainty::Direct,
        depth: 0,
        reads: Some(reader.reads),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_table_is_the_one_that_is_documented() {
        let row = |change| [Use::Direct, Use::Indirect, Use::Online].map(|used| effect(change, used).as_str());
        assert_eq!(row(Change::Remove), ["breaks"; 3]);
        assert_eq!(row(Change::Type), ["breaks"; 3]);
        assert_eq!(row(Change::Ttl), ["gaps", "gaps", "breaks"]);
        assert_eq!(row(Change::Meaning), ["retrain", "review", "review now"]);
        assert_eq!(row(Change::Add), ["safe"; 3]);
    }

    #[test]
    fn a_change_that_is_mistyped_gets_a_suggestion() {
        let error = "removed".parse::<Change>().unwrap_err().to_string();
        assert!(error.contains("did you mean 'remove'?"), "{error}");
    }
}
