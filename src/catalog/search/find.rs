//! Asks the index: words into its language, filters into SQL, rows into hits.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::conditions::Conditions;
use super::evidence::{self, FeatureKey, READER_DAYS, Readers};
use super::facets::{Facet, facets};
use super::query::{Filter, Kind, SearchQuery};
use super::rank::{Factor, Matched, Standing, score};
use super::words::{folded_words, words};
use super::{Synonyms, index};
use crate::catalog::Catalog;
use crate::catalog::fuzzy::nearest_slips;
use crate::model::{EventTime, GroupId, OnlineSettings, Result};

type SqlResult<T> = std::result::Result<T, sqlx::Error>;

/// With fewer hits than this, words are taken for misspelt as well.
const FEW: usize = 5;

/// Words that a misspelt one may have meant, at most.
const MOST_MEANT: usize = 8;

const DAY_SECONDS: i64 = 86_400;

/// What a search is told besides its words.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    /// Hits at most.
    pub limit: usize,
    /// What time it is.
    pub now: EventTime,
    /// What finds what.
    pub synonyms: Synonyms,
    /// The entity of the group in view, which comes first.
    pub near: Option<String>,
    /// Whether to count by kind, type, owner …
    pub facets: bool,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchHit {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its group, for a feature.
    pub group: Option<String>,
    /// What is written about it.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is about.
    pub entity: Option<String>,
    /// Type of a feature, format of a dataset.
    pub value_type: Option<String>,
    /// Larger is better; see [`Matched`].
    pub score: f64,
    /// How it matched.
    pub matched: Matched,
    /// Relevance by the index alone.
    pub relevance: f64,
    /// What made it better or worse.
    pub factors: Vec<Factor>,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct SearchAnswer {
    /// The best, in order.
    pub hits: Vec<SearchHit>,
    /// How many there are in all.
    pub total: u64,
    /// Misspelt words and what they were taken for.
    pub corrections: Vec<(String, Vec<String>)>,
    /// Counts, if asked for.
    pub facets: Vec<Facet>,
    /// What could not be answered, as whole sentences in lower case.
    pub notes: Vec<String>,
}

impl Catalog {
    /// Finds what a query asks for; without words, everything that the filters let through.
    pub async fn search(&self, query: &SearchQuery, options: &SearchOptions) -> Result<SearchAnswer> {
        let what = "search the catalog";
        if !self.read_only {
            let stale = index::is_stale(&mut *self.reader.lock().await).await.map_err(self.fault(what))?;
            if stale {
                let mut writer = self.writer(what).await?;
                let transaction = self.begin(&mut writer, what).await?;
                self.commit(transaction, what).await?;
            }
        }
        let mut reader = self.reader.lock().await;
        // One snapshot for hits, counts and evidence.
        let mut snapshot = sqlx::Connection::begin(&mut *reader).await.map_err(self.fault(what))?;
        let answer = search(&mut snapshot, query, options).await.map_err(self.fault(what))?;
        snapshot.rollback().await.map_err(self.fault(what))?;
        Ok(answer)
    }
}

async fn search(connection: &mut SqliteConnection, query: &SearchQuery, options: &SearchOptions) -> SqlResult<SearchAnswer> {
    let first_day = evidence::first_recorded_day(connection).await?;
    let conditions = Conditions { query, now: options.now, first_day, excluded: excluded(query) };
    let mut answer = SearchAnswer { notes: conditions.notes(), ..SearchAnswer::default() };
    let pieces: Vec<String> = query.words.iter().flat_map(|word| pieces(word)).collect();
    let literal = (!pieces.is_empty()).then(|| expression(pieces.iter().map(|piece| alternatives(piece, &options.synonyms))));
    if literal.is_none() && !query.is_wordless() {
        // Nothing but separators was typed: no word is in them, and that is no reason to show everything.
        return Ok(answer);
    }

    let mut found = conditions.select(connection, literal.as_deref()).await?;
    answer.total = conditions.count(connection, literal.as_deref()).await?;
    let mut wide = literal.clone();
    let literal_ids: HashSet<i64> = found.iter().map(|row| row.id).collect();
    if !pieces.is_empty() && found.len() < FEW {
        let meant = meant(connection, &pieces).await?;
        if meant.iter().any(|words| !words.is_empty()) {
            let all = pieces.iter().zip(&meant).map(|(piece, meant)| {
                let mut all = alternatives(piece, &options.synonyms);
                all.extend(meant.iter().map(|word| quoted(word)));
                all
            });
            wide = Some(expression(all));
            let more = conditions.select(connection, wide.as_deref()).await?;
            found.extend(more.into_iter().filter(|row| !literal_ids.contains(&row.id)));
            answer.total = conditions.count(connection, wide.as_deref()).await?;
            if found.len() > literal_ids.len() {
                answer.corrections = pieces.iter().cloned().zip(meant.clone()).filter(|(_, meant)| !meant.is_empty()).collect();
            }
        }
    }
    let readers = evidence::readers_since(connection, options.now.unix_seconds().div_euclid(DAY_SECONDS) - READER_DAYS).await?;
    let alerts = alerts(connection).await?;
    let whole = query.whole();
    answer.hits = found
        .into_iter()
        .map(|row| {
            let matched = if !literal_ids.contains(&row.id) { Matched::Misspelt } else { row.matched(&whole) };
            row.into_hit(matched, options, readers.as_ref(), &alerts)
        })
        .collect();
    answer.hits.extend(models(connection, &conditions, &pieces, &whole).await?.inspect(|_| answer.total += 1));
    answer.hits.sort_by(|one, two| {
        let name = |hit: &SearchHit| (hit.name.len(), hit.name.clone(), hit.group.clone(), hit.kind);
        two.score.total_cmp(&one.score).then_with(|| name(one).cmp(&name(two)))
    });
    if options.facets {
        let models = answer.hits.iter().filter(|hit| hit.kind == Kind::Model).count() as u64;
        answer.facets =
            facets(connection, options.now.unix_micros(), |builder| conditions.push_matching(builder, wide.as_deref()), models).await?;
    }
    answer.hits.truncate(options.limit);
    Ok(answer)
}

/// Words as the index has them: what stands between separators, in lower case, but with its own words still to be seen.
fn pieces(word: &str) -> Vec<String> {
    word.split(|character: char| !character.is_alphanumeric()).filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

/// A string of the index's language: nothing in it means anything there.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

/// What a piece of a query may stand as: itself as the begin of a word, its own words, its synonyms.
fn alternatives(piece: &str, synonyms: &Synonyms) -> Vec<String> {
    let folded = piece.to_lowercase();
    let mut all = vec![format!("{}*", quoted(&folded))];
    let own = folded_words(piece);
    if own.len() > 1 {
        all.push(format!("({})", own.iter().map(|word| format!("{}*", quoted(word))).collect::<Vec<_>>().join(" AND ")));
    }
    all.extend(synonyms.of(&folded).map(quoted));
    all
}

fn expression(pieces: impl Iterator<Item = Vec<String>>) -> String {
    pieces.map(|alternatives| format!("({})", alternatives.join(" OR "))).collect::<Vec<_>>().join(" AND ")
}

fn excluded(query: &SearchQuery) -> Option<String> {
    let words: Vec<String> = query.excluded.iter().flat_map(|word| pieces(word)).map(|piece| format!("{}*", quoted(&piece))).collect();
    (!words.is_empty()).then(|| words.join(" OR "))
}

/// For each piece the words of the index that it may have meant: a few slips away, or around it.
async fn meant(connection: &mut SqliteConnection, pieces: &[String]) -> SqlResult<Vec<Vec<String>>> {
    // One text instead of a row for each word: rows come one by one from another thread.
    let known: Option<String> =
        sqlx::query_scalar("SELECT group_concat(term, ' ') FROM search_words WHERE length(term) > 1").fetch_one(connection).await?;
    let known = known.unwrap_or_default();
    let mut all = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let folded = piece.to_lowercase();
        let letters = folded.chars().count();
        let mut near: Vec<(usize, usize, &str)> = Vec::new();
        for term in known.split(' ') {
            match nearest_slips(&folded, term) {
                Some(slips) => near.push((slips, term.len(), term)),
                // In the middle of a word; a word that begins so was found already.
                None if letters >= 3 && term.len() > folded.len() && term.contains(&folded) && !term.starts_with(&folded) => {
                    near.push((1, term.len(), term));
                }
                None => {}
            }
        }
        near.sort_unstable();
        near.truncate(MOST_MEANT);
        all.push(near.into_iter().map(|(_, _, term)| term.to_owned()).collect());
    }
    Ok(all)
}

/// A row of the index with what is known of its group.
pub(super) struct Found {
    pub(super) id: i64,
    kind: Kind,
    group: Option<GroupId>,
    name: String,
    folded_name: String,
    group_name: String,
    description: String,
    owner: String,
    entity: String,
    value_type: String,
    is_deprecated: bool,
    status: Option<String>,
    online: Option<String>,
    newest_event_time: Option<i64>,
    relevance: f64,
}

impl Found {
    pub(super) fn decode(row: &SqliteRow) -> SqlResult<Self> {
        let kind: &str = row.try_get(1)?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap_or(Kind::Group);
        Ok(Self {
            id: row.try_get(0)?,
            kind,
            group: if kind == Kind::Dataset { None } else { Uuid::from_slice(row.try_get::<&[u8], _>(2)?).ok().map(GroupId) },
            name: row.try_get(3)?,
            folded_name: row.try_get(4)?,
            group_name: row.try_get(5)?,
            description: row.try_get(6)?,
            owner: row.try_get(7)?,
            entity: row.try_get(8)?,
            value_type: row.try_get(9)?,
            is_deprecated: row.try_get(10)?,
            status: row.try_get(11)?,
            online: row.try_get(12)?,
            newest_event_time: row.try_get(13)?,
            relevance: -row.try_get::<f64, _>(14)?,
        })
    }

    /// How it matched what was typed, given that its words do.
    fn matched(&self, whole: &str) -> Matched {
        if whole.is_empty() {
            return Matched::Words;
        }
        let group = self.group_name.to_lowercase();
        let is_path =
            |separator| whole.strip_prefix(group.as_str()).and_then(|rest| rest.strip_prefix(separator)) == Some(&self.folded_name);
        if self.folded_name == whole || self.kind == Kind::Feature && [':', '.', '/', ' '].into_iter().any(is_path) {
            return Matched::Exact;
        }
        if self.folded_name.starts_with(whole) { Matched::Beginning } else { Matched::Words }
    }

    fn into_hit(
        self,
        matched: Matched,
        options: &SearchOptions,
        readers: Option<&HashMap<FeatureKey, Readers>>,
        alerts: &HashSet<FeatureKey>,
    ) -> SearchHit {
        let key = self.group.map(|group| (group, if self.kind == Kind::Feature { self.folded_name.clone() } else { String::new() }));
        let ttl = self.online.as_deref().and_then(|text| serde_json::from_str::<OnlineSettings>(text).ok()).and_then(|online| online.ttl);
        let fresh = ttl.zip(self.newest_event_time.and_then(EventTime::from_unix_micros));
        let standing = Standing {
            is_deprecated: self.is_deprecated,
            is_going: self.status.as_deref().is_some_and(|status| status.starts_with("Delet")),
            is_described: !self.description.is_empty(),
            is_owned: (self.kind != Kind::Dataset).then_some(!self.owner.is_empty()),
            is_fresh: fresh.map(|(ttl, newest)| ttl.expiry(newest) >= options.now),
            has_alert: key.as_ref().is_some_and(|key| alerts.contains(key)),
            readers: readers.zip(key.as_ref()).map(|(readers, key)| readers.get(key).map_or(0, |readers| readers.principals)),
            is_near: options.near.as_ref().is_some_and(|near| *near == self.entity && !near.is_empty()),
        };
        let factors = standing.factors();
        let some = |text: String| (!text.is_empty()).then_some(text);
        SearchHit {
            score: score(matched, self.relevance, &factors),
            group: if self.kind == Kind::Feature { some(self.group_name) } else { None },
            kind: self.kind,
            name: self.name,
            description: some(self.description),
            owner: some(self.owner),
            entity: some(self.entity),
            value_type: some(self.value_type),
            matched,
            relevance: self.relevance,
            factors,
        }
    }
}

/// Features whose last comparison rang, and groups with such a feature.
async fn alerts(connection: &mut SqliteConnection) -> SqlResult<HashSet<FeatureKey>> {
    let rows: Vec<(Vec<u8>, String)> =
        sqlx::query_as("SELECT DISTINCT group_id, lower(feature) FROM drift_results WHERE level = 'alert'").fetch_all(connection).await?;
    let ids = rows.iter().filter_map(|(id, feature)| Some((GroupId(Uuid::from_slice(id).ok()?), feature)));
    Ok(ids.flat_map(|(id, feature)| [(id, feature.clone()), (id, String::new())]).collect())
}

/// Models whose names have all the words; what filters ask of other things, a model is not known to be.
async fn models(
    connection: &mut SqliteConnection,
    conditions: &Conditions<'_>,
    pieces: &[String],
    whole: &str,
) -> SqlResult<impl Iterator<Item = SearchHit>> {
    let wanted = conditions.query.filters.iter().all(|filter| *filter == Filter::Kind(Kind::Model));
    let known = if wanted { evidence::models(connection).await? } else { Vec::new() };
    let excluded: BTreeSet<String> = conditions.query.excluded.iter().flat_map(|word| pieces_of(word)).collect();
    let mut hits = Vec::new();
    for (namespace, name) in known {
        let own = folded_words(&name);
        let begins = |piece: &String| own.iter().any(|word| word.starts_with(piece.as_str()));
        let is_near = |piece: &String| begins(piece) || own.iter().any(|word| nearest_slips(piece, word).is_some());
        let folded: Vec<String> = pieces.iter().flat_map(|piece| pieces_of(piece)).collect();
        if excluded.iter().any(begins) || !folded.iter().all(is_near) {
            continue;
        }
        let matched = match name.to_lowercase() {
            lower if lower == whole && !whole.is_empty() => Matched::Exact,
            lower if lower.starts_with(whole) && !whole.is_empty() => Matched::Beginning,
            _ if folded.iter().all(begins) => Matched::Words,
            _ => Matched::Misspelt,
        };
        hits.push(SearchHit {
            kind: Kind::Model,
            score: score(matched, 1.0, &[]),
            name,
            group: None,
            description: None,
            owner: None,
            entity: None,
            value_type: (!namespace.is_empty()).then_some(namespace),
            matched,
            relevance: 1.0,
            factors: Vec::new(),
        });
    }
    Ok(hits.into_iter())
}

/// The words of a piece in lower case.
fn pieces_of(piece: &str) -> Vec<String> {
    words(piece).map(|(_, word)| word.to_lowercase()).collect()
}
