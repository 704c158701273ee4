//! Features of different groups that say the same.
//!
//! ```text
//! names and descriptions -> candidates       `candidates`: never all pairs
//! the same records of both groups            `sample`: coordinated, one pass over each group
//! agreement on them -> verdict               `agreement`: equal, rounded, another unit, same order
//! who is read, written about, newer          advice which one to keep
//! ```
//!
//! Names only propose; values of the same records decide. A pair that a person dismissed is not shown again.

mod agreement;
mod candidates;
mod sample;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use agreement::{Agreement, SampledValue, Verdict};
pub use candidates::Likeness;

use self::candidates::{Described, candidates};
use super::FeatureStore;
use crate::catalog::search::{FeatureKey, READER_DAYS, entity};
use crate::model::{Error, EventTime, FeatureDefinition, FeatureGroup, GroupStatus, Result};

/// A feature by its group's name and its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeatureName {
    /// The group.
    pub group: String,
    /// The feature.
    pub feature: String,
}

impl std::fmt::Display for FeatureName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.group, self.feature)
    }
}

/// Two features that say the same, or nearly.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicatePair {
    /// The one that should stay.
    pub keep: FeatureName,
    /// The other one.
    pub other: FeatureName,
    /// What they are to each other.
    pub verdict: Verdict,
    /// On how many records, and how much, they agree; the ratio leads from `keep` to `other`.
    pub agreement: Agreement,
    /// Why they were compared.
    pub likeness: Likeness,
    /// Why that one should stay; empty if nothing speaks for either.
    pub reasons: Vec<&'static str>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct DuplicateReport {
    /// Pairs, duplicates first, then the most alike.
    pub pairs: Vec<DuplicatePair>,
    /// Pairs that were compared by value.
    pub compared: u64,
    /// Pairs that were dismissed earlier and therefore not compared.
    pub dismissed: u64,
    /// What was not looked at, as whole sentences in lower case.
    pub notes: Vec<String>,
}

/// A feature that may be one of a pair.
struct Column<'a> {
    group: &'a FeatureGroup,
    position: usize,
    described: Described,
}

impl Column<'_> {
    fn feature(&self) -> &FeatureDefinition {
        &self.group.schema.features()[self.position]
    }

    fn key(&self) -> FeatureKey {
        (self.group.id, self.feature().name.folded())
    }

    fn name(&self) -> FeatureName {
        FeatureName { group: self.group.name.to_string(), feature: self.feature().name.to_string() }
    }
}

impl FeatureStore {
    /// Looks for features of different groups that say the same; with a group, only for those of it.
    ///
    /// # Errors
    /// `NotFound` for a group that is not there; whatever reading records answers.
    pub async fn duplicates(&self, of_group: Option<&str>) -> Result<DuplicateReport> {
        let only = match of_group {
            Some(name) => Some(self.group(name).await?.id),
            None => None,
        };
        let mut groups = self.list_groups().await?;
        groups.retain(|group| group.status == GroupStatus::Created);
        let columns = self.columns(&groups)?;
        let described: Vec<&Described> = columns.iter().map(|column| &column.described).collect();
        let (mut pairs, left_out) = candidates(&described);
        pairs.retain(|(one, other, _)| only.is_none_or(|only| columns[*one].group.id == only || columns[*other].group.id == only));

        let mut report = DuplicateReport::default();
        if left_out > 0 {
            report.notes.push(format!(
                "{left_out} pairs were not looked at: too many features share the same words; name a group to look at its own"
            ));
        }
        let dismissed = self.inner.catalog.dismissed_duplicates().await?;
        let before = pairs.len();
        pairs.retain(|(one, other, _)| {
            let (one, other) = (columns[*one].key(), columns[*other].key());
            !dismissed.contains(&if one <= other { (one, other) } else { (other, one) })
        });
        report.dismissed = (before - pairs.len()) as u64;
        report.compared = pairs.len() as u64;

        let mut found = self.agreeing(&columns, &pairs, &mut report.notes).await?;
        found.sort_by(|one, two| {
            one.2.cmp(&two.2).then_with(|| strength(&two.3).total_cmp(&strength(&one.3))).then_with(|| one.0.cmp(&two.0))
        });
        let standing = self.standing(&groups).await?;
        report.pairs = found
            .into_iter()
            .map(|(place, likeness, verdict, agreement)| {
                let (one, other, _) = pairs[place];
                advised((&columns[one], &columns[other]), likeness, verdict, agreement, &standing)
            })
            .collect();
        Ok(report)
    }

    /// Remembers that two features, each written `group:feature`, are no duplicates.
    ///
    /// # Errors
    /// `Usage` if they are written otherwise or the same, `NotFound` if one is not there.
    pub async fn dismiss_duplicate(&self, one: &str, other: &str) -> Result<(FeatureName, FeatureName)> {
        self.check_writable()?;
        let ((one, one_name), (other, other_name)) = self.pair(one, other).await?;
        self.inner.catalog.dismiss_duplicate(&one, &other, self.now()).await?;
        Ok((one_name, other_name))
    }

    /// Takes a dismissal back; false if there was none.
    ///
    /// # Errors
    /// As [`Self::dismiss_duplicate`].
    pub async fn recall_duplicate(&self, one: &str, other: &str) -> Result<bool> {
        self.check_writable()?;
        let ((one, _), (other, _)) = self.pair(one, other).await?;
        self.inner.catalog.recall_duplicate(&one, &other).await
    }

    async fn pair(&self, one: &str, other: &str) -> Result<((FeatureKey, FeatureName), (FeatureKey, FeatureName))> {
        let (one, other) = (self.feature_by_path(one).await?, self.feature_by_path(other).await?);
        if one.0 == other.0 {
            return Err(Error::usage(format!("'{}' is named twice", one.1)).remedy("name two features"));
        }
        Ok((one, other))
    }

    async fn feature_by_path(&self, path: &str) -> Result<(FeatureKey, FeatureName)> {
        let Some((group, feature)) = path.split_once(':') else {
            return Err(Error::usage(format!("'{}' names no feature of a group", path.escape_debug()))
                .remedy("write it like customer-features:loyalty_score"));
        };
        let group = self.group(group).await?;
        let (_, feature) = group.schema.feature(feature)?;
        let name = FeatureName { group: group.name.to_string(), feature: feature.name.to_string() };
        Ok(((group.id, feature.name.folded()), name))
    }

    /// All features but record identifiers, event times and collections.
    fn columns<'a>(&self, groups: &'a [FeatureGroup]) -> Result<Vec<Column<'a>>> {
        let synonyms = self.synonyms()?;
        let mut columns = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let entity = entity(group);
            let keys = [group.schema.identifier_position(), group.schema.event_time_position()];
            for (position, feature) in group.schema.features().iter().enumerate().filter(|(position, _)| !keys.contains(position)) {
                if let Some(described) = Described::new(number, &entity, feature, &synonyms) {
                    columns.push(Column { group, position, described });
                }
            }
        }
        Ok(columns)
    }

    /// Compares candidates by value; place, likeness, verdict and agreement of those that say something.
    async fn agreeing(
        &self,
        columns: &[Column<'_>],
        pairs: &[(usize, usize, Likeness)],
        notes: &mut Vec<String>,
    ) -> Result<Vec<(usize, Likeness, Verdict, Agreement)>> {
        // Which features of which group are needed, so that each group is read once and no column in vain.
        let mut wanted: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for place in pairs.iter().flat_map(|(one, other, _)| [*one, *other]) {
            wanted.entry(columns[place].described.group).or_default().insert(place);
        }
        let mut samples = HashMap::new();
        for (number, places) in &wanted {
            let Some(group) = places.first().map(|place| columns[*place].group) else { continue };
            let positions: Vec<usize> = places.iter().map(|place| columns[*place].position).collect();
            match self.coordinated_sample(group, &positions).await {
                Ok(sample) => drop(samples.insert(*number, sample)),
                // One group that can't be read hides no pair of others.
                Err(error) => notes.push(format!("the records of {} were not compared: {error}", group.name)),
            }
        }
        let column_in = |place: usize| {
            let number = columns[place].described.group;
            let column = wanted.get(&number)?.iter().position(|known| *known == place)?;
            Some((samples.get(&number)?, column))
        };
        let mut found = Vec::new();
        for (place, (one, other, likeness)) in pairs.iter().enumerate() {
            let (Some((one, one_column)), Some((other, other_column))) = (column_in(*one), column_in(*other)) else { continue };
            let agreement = Agreement::of(one.pairs(one_column, other, other_column));
            if let Some(verdict) = agreement.verdict() {
                found.push((place, *likeness, verdict, agreement));
            }
        }
        Ok(found)
    }

    async fn standing(&self, groups: &[FeatureGroup]) -> Result<Standing> {
        let today = self.now().unix_seconds().div_euclid(86_400);
        let readers = self.inner.catalog.readers_since(today - READER_DAYS).await?.unwrap_or_default();
        let summaries = self.group_summaries(groups).await?;
        Ok(Standing {
            readers: readers.into_iter().map(|(key, readers)| (key, readers.principals)).collect(),
            datasets: self.inner.catalog.dataset_counts().await?,
            newest: summaries.into_iter().filter_map(|(id, summary)| Some((id, summary.newest_event_time?))).collect(),
        })
    }
}

/// How strongly a pair agrees, for the order of those with one verdict.
fn strength(agreement: &Agreement) -> f64 {
    agreement.best_share().max(agreement.spearman.map_or(0.0, f64::abs))
}

/// What speaks for keeping a feature.
struct Standing {
    readers: HashMap<FeatureKey, u64>,
    datasets: HashMap<FeatureKey, u64>,
    newest: HashMap<crate::model::GroupId, EventTime>,
}

/// Decides which of two stays: more readers, more training datasets, documented, owned, fresher, in this order; then the name.
fn advised(
    pair: (&Column<'_>, &Column<'_>),
    likeness: Likeness,
    verdict: Verdict,
    agreement: Agreement,
    standing: &Standing,
) -> DuplicatePair {
    let weigh = |column: &Column<'_>| {
        let key = column.key();
        [
            standing.readers.get(&key).copied().unwrap_or(0) as i64,
            standing.datasets.get(&key).copied().unwrap_or(0) as i64,
            i64::from(column.feature().description.is_some()),
            i64::from(column.group.owner.is_some()),
            standing.newest.get(&column.group.id).map_or(i64::MIN, |newest| newest.unix_seconds() / 3_600),
        ]
    };
    const REASONS: [&str; 5] = ["more readers", "in more training datasets", "documented", "has an owner", "fresher"];
    let (one, other) = (weigh(pair.0), weigh(pair.1));
    let swapped = other > one || other == one && pair.1.name() < pair.0.name();
    let (better, worse) = if swapped { (other, one) } else { (one, other) };
    let reasons = REASONS
        .into_iter()
        .zip(better.iter().zip(&worse))
        .filter(|(_, (better, worse))| better > worse)
        .map(|(reason, _)| reason)
        .collect();
    let (keep, other) = if swapped { (pair.1, pair.0) } else { (pair.0, pair.1) };
    let scaled = agreement.scaled.map(|(ratio, share)| (if swapped { 1.0 / ratio } else { ratio }, share));
    DuplicatePair { keep: keep.name(), other: other.name(), verdict, agreement: Agreement { scaled, ..agreement }, likeness, reasons }
}
