//! Asks the store how well a group is documented, who reads it, what sources say otherwise, and whether it is as expected.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::Result;
use crate::store::FeatureStore;
use crate::sync::disagreements;
use crate::tui::model::overview::{Answer, Known, Question, READ_DAYS, Rule};
use crate::tui::model::remote::ErrorText;

const DAY_SECONDS: i64 = 86_400;
/// Readers that are named.
const NAMED: usize = 3;

/// What the browser asks.
#[async_trait]
pub(crate) trait OverviewSource: Send + Sync + 'static {
    /// Answers.
    async fn answer_overview(&self, question: Question) -> Answer;
}

#[async_trait]
impl OverviewSource for FeatureStore {
    async fn answer_overview(&self, question: Question) -> Answer {
        let text = |error: crate::model::Error| ErrorText::from(&error);
        match question {
            Question::Known(group) => Answer::Known(known(self, &group).await.map_err(text)),
            Question::Check(group) => Answer::Checked(check(self, &group).await.map_err(text)),
        }
    }
}

async fn known(store: &FeatureStore, group: &str) -> Result<Known> {
    let report = store.documentation(Some(group)).await?;
    let mut known = Known { disagreements: disagreements(store, group).await?.iter().map(super::told).collect(), ..Known::default() };
    if let Some(found) = report.groups.first() {
        known.score = found.score;
        known.parts = found.parts.iter().map(|part| (part.name, part.value)).collect();
        known.datasets = found.datasets;
        // Without a number nobody has ever read, as far as is known.
        known.reads = found.readers.map(|_| vec![0; READ_DAYS]);
    }
    known.fix = report.fix_next.iter().map(|fix| (fix.feature.clone(), fix.missing.join(", "))).collect();
    if let Some(reads) = &mut known.reads {
        let definition = store.group(group).await?;
        let today = store.now().unix_seconds().div_euclid(DAY_SECONDS);
        let mut readers: BTreeMap<String, u64> = BTreeMap::new();
        for line in store.usage_days(&definition).await? {
            let age = usize::try_from(today - line.day).unwrap_or(0);
            if let Some(place) = (READ_DAYS - 1).checked_sub(age) {
                reads[place] += line.reads;
                *readers.entry(line.principal).or_default() += line.reads;
            }
        }
        known.readers = readers.into_iter().collect();
        known.readers.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        known.readers.truncate(NAMED);
    }
    Ok(known)
}

async fn check(store: &FeatureStore, group: &str) -> Result<Vec<Rule>> {
    let report = store.check_expectations(&[group.to_owned()]).await?;
    let rule = |rule: crate::store::statistics::CheckedRule| Rule {
        feature: rule.feature,
        rule: rule.rule,
        holds: rule.holds,
        broken: (rule.broken, rule.rows),
        detail: rule.detail,
    };
    Ok(report.rules.into_iter().map(rule).collect())
}
