//! `larder search`: finds features, groups, training datasets and models.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::place::{Place, now};
use super::table::{Side, Table};
use super::text::{UNKNOWN, counted, relative_time, visible};
use crate::model::EventTime;
use crate::store::{Facet, Factor, Filter, Kind, SearchAnswer, SearchHit, SearchRequest};
use crate::sync::{ListedGroup, found, listed_groups};

/// Find features, groups, training datasets and models
#[derive(Args, Debug)]
#[command(after_help = "\
Every word must be the begin of a word in a name, description, tag, owner or entity; words that were
misspelt are forgiven, `!word` must not occur. Exact names come first, then names that begin so. Filters:
  kind:feature  type:fractional  owner:growth  entity:customer  group:clicks  tag:pii  tag:pii=no
  'fresh:<1d'  'null:<5%'  drift:alert  unused:90d  'used-by:churn*'  documented:no  store:online
  source:lake (what sync brought in from there; it stands behind what this store has itself)

Words that mean the same are in synonyms.toml in the store's folder, if it is there:
  sets = [[\"customer\", \"client\", \"cust\"], [\"mean\", \"avg\"]]   # each finds the others
  one_way = { n = [\"count\"] }                               # only the left finds the right

Examples:
  larder search loyalty
  larder search order value owner:growth type:fractional
  larder search --kind feature 'null:>50%' --json | jq -r '.[].name'
  larder search customer --facets")]
pub(crate) struct Search {
    /// Words and filters; none lists everything
    text: Vec<String>,
    /// Show only things of this kind
    #[arg(long, value_name = "KIND", value_parser = ["feature", "group", "dataset", "model"])]
    kind: Option<String>,
    /// Show at most so many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Prefer what is about the same as this group
    #[arg(long, value_name = "GROUP")]
    near: Option<String>,
    /// Say why each hit stands where it stands
    #[arg(long)]
    explain: bool,
    /// Count what was found by kind, type, owner, entity, tag, drift and more
    #[arg(long)]
    facets: bool,
}

/// An entry of `search --json`.
#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    name: &'a str,
    group: Option<&'a str>,
    score: f64,
    description: Option<&'a str>,
    owner: Option<&'a str>,
    entity: Option<&'a str>,
    #[serde(rename = "type")]
    value_type: Option<&'a str>,
    matched: &'static str,
    relevance: f64,
    factors: serde_json::Map<String, serde_json::Value>,
    /// Where it was synced from; not there for what is of this store.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// When that source was last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

/// `search --facets --json`.
#[derive(Serialize)]
struct Counted<'a> {
    total: u64,
    hits: Vec<Entry<'a>>,
    facets: serde_json::Map<String, serde_json::Value>,
    corrections: serde_json::Map<String, serde_json::Value>,
}

impl Search {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let kind = self.kind.as_deref().and_then(|word| Kind::ALL.into_iter().find(|kind| kind.as_str() == word));
        let request = SearchRequest {
            limit: self.limit,
            filters: kind.map(Filter::Kind).into_iter().collect(),
            near: self.near.clone(),
            facets: self.facets,
        };
        let text = self.text.join(" ");
        let answer = store.search(&text, &request).await?;
        let synced = match kind {
            None | Some(Kind::Feature) => found(&listed_groups(&store).await?, &text, self.limit, now())?,
            _ => Vec::new(),
        };
        if console.json() {
            self.write_json(&answer, &synced, console)?;
        } else {
            self.write_text(&text, &answer, &synced, console)?;
        }
        for note in &answer.notes {
            console.hint(note);
        }
        Ok(Exit::Done)
    }

    fn write_json(&self, answer: &SearchAnswer, synced: &[(ListedGroup, usize)], console: &mut Console) -> Result<(), Failure> {
        let mut hits: Vec<_> = answer.hits.iter().map(entry).collect();
        // What is here comes first; what lies elsewhere fills up what is left.
        let left = self.limit.saturating_sub(hits.len());
        hits.extend(synced.iter().take(left).enumerate().filter_map(|(rank, (listed, place))| entry_elsewhere(rank, listed, *place)));
        if !self.facets {
            return console.document(&hits);
        }
        let counts = |facet: &Facet| {
            let counts = facet.values.iter().map(|counted| (counted.value.clone(), counted.count.into()));
            (facet.name.clone(), serde_json::Value::Object(counts.collect()))
        };
        let corrections = answer.corrections.iter().map(|(typed, meant)| (typed.clone(), meant.clone().into())).collect();
        console.document(&Counted { total: answer.total, hits, facets: answer.facets.iter().map(counts).collect(), corrections })
    }

    fn write_text(&self, text: &str, answer: &SearchAnswer, synced: &[(ListedGroup, usize)], console: &mut Console) -> Result<(), Failure> {
        if answer.hits.is_empty() && synced.is_empty() {
            console.hint(format!("nothing found for '{}'", visible(text)));
            return Ok(());
        }
        for (typed, meant) in &answer.corrections {
            console.hint(format!("'{}' was taken for {} as well", visible(typed), visible(&meant.join(", "))));
        }
        let mut columns =
            vec![("KIND", Side::Left), ("NAME", Side::Left), ("GROUP", Side::Left), ("TYPE", Side::Left), ("OWNER", Side::Left)];
        if self.explain {
            columns.extend([("SCORE", Side::Right), ("WHY", Side::Left)]);
        }
        columns.push(("DESCRIPTION", Side::Left));
        let mut table = Table::new(&columns);
        for hit in &answer.hits {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let mut cells = vec![hit.kind.as_str().to_owned(), hit.name.clone(), text(&hit.group), text(&hit.value_type), text(&hit.owner)];
            if self.explain {
                cells.extend([format!("{:.3}", hit.score), why(hit)]);
            }
            cells.push(text(&hit.description));
            table.row(cells);
        }
        if !answer.hits.is_empty() {
            console.table(&table)?;
        }
        write_elsewhere(synced, self.limit.saturating_sub(answer.hits.len()), !answer.hits.is_empty(), console)?;
        let shown = answer.hits.len() as u64;
        if answer.total > shown {
            console.hint(format!("{} of {}; --limit N shows more", shown, counted(answer.total, "hit")));
        }
        if self.facets {
            write_facets(&answer.facets, console)?;
        }
        Ok(())
    }
}

fn entry(hit: &SearchHit) -> Entry<'_> {
    Entry {
        kind: hit.kind.as_str(),
        name: &hit.name,
        group: hit.group.as_deref(),
        score: hit.score,
        description: hit.description.as_deref(),
        owner: hit.owner.as_deref(),
        entity: hit.entity.as_deref(),
        value_type: hit.value_type.as_deref(),
        matched: hit.matched.as_str(),
        relevance: hit.relevance,
        factors: hit.factors.iter().map(|factor| (factor.name.to_owned(), factor.value.into())).collect(),
        source: None,
        seen: None,
    }
}

/// A feature of a group that a sync brought in; its score only says which of them is better.
fn entry_elsewhere(rank: usize, listed: &ListedGroup, place: usize) -> Option<Entry<'_>> {
    let feature = listed.group.schema.features().get(place)?;
    Some(Entry {
        kind: Kind::Feature.as_str(),
        name: feature.name.as_str(),
        group: Some(listed.group.name.as_str()),
        score: 1.0 / (rank + 2) as f64,
        description: feature.description.as_deref(),
        owner: listed.group.owner.as_deref(),
        entity: None,
        value_type: Some(feature.feature_type.as_str()),
        matched: "synced",
        relevance: 0.0,
        factors: serde_json::Map::new(),
        source: Some(&listed.source),
        seen: listed.seen.map(EventTime::to_iso8601),
    })
}

/// Writes what was found elsewhere, with the source and how long ago it was read.
fn write_elsewhere(synced: &[(ListedGroup, usize)], limit: usize, apart: bool, console: &mut Console) -> Result<(), Failure> {
    if synced.is_empty() || limit == 0 {
        return Ok(());
    }
    if apart {
        console.line("")?;
    }
    let columns = ["FEATURE", "GROUP", "SOURCE", "SEEN", "TYPE", "OWNER", "DESCRIPTION"];
    let mut table = Table::new(&columns.map(|name| (name, Side::Left)));
    for (listed, place) in synced.iter().take(limit) {
        let Some(feature) = listed.group.schema.features().get(*place) else { continue };
        let seen = listed.seen.map_or_else(|| UNKNOWN.to_owned(), |seen| relative_time(seen.unix_micros(), now()));
        table.row([
            feature.name.as_str(),
            listed.group.name.as_str(),
            &listed.source,
            &seen,
            &feature.type_text(),
            listed.group.owner.as_deref().unwrap_or_default(),
            feature.description.as_deref().unwrap_or_default(),
        ]);
    }
    console.table(&table)
}

/// `beginning · relevance 8.21 · no description ×0.80`
fn why(hit: &SearchHit) -> String {
    let factor = |factor: &Factor| format!(" · {} ×{:.2}", factor.name, factor.value);
    format!("{} · relevance {:.3}{}", hit.matched.as_str(), hit.relevance, hit.factors.iter().map(factor).collect::<String>())
}

fn write_facets(facets: &[Facet], console: &mut Console) -> Result<(), Failure> {
    console.line("")?;
    let mut table = Table::new(&[("FILTER", Side::Left), ("COUNT", Side::Right)]);
    for facet in facets {
        for counted in &facet.values {
            table.row([format!("{}:{}", facet.name, counted.value), counted.count.to_string()]);
        }
    }
    console.table(&table)
}
