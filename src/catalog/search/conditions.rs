//! The statements of a search: filters and words as SQL over the index.
//!
//! Everything typed is bound, never written into a statement. What a filter asks of things that are not known (a group never
//! profiled, reads never recorded) is not met.

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::find::Found;
use super::query::{Filter, SearchQuery, Side};
use crate::model::EventTime;

type SqlResult<T> = Result<T, sqlx::Error>;

/// Hits that are ranked by all factors: the most relevant by the index alone.
const RANKED: i64 = 1_000;

const DAY_SECONDS: i64 = 86_400;

/// The filters of a query, to be put into statements.
pub(super) struct Conditions<'q> {
    pub(super) query: &'q SearchQuery,
    pub(super) now: EventTime,
    /// Since when reads are recorded.
    pub(super) first_day: Option<i64>,
    /// Words that must not occur, in the index's language.
    pub(super) excluded: Option<String>,
}

impl Conditions<'_> {
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for filter in &self.query.filters {
            if let Filter::Unused(seconds) = filter {
                match self.first_day {
                    None => notes.push("reads are not recorded in this store yet, so nothing is known to be unused".to_owned()),
                    Some(first) if first > self.day_before(*seconds) => {
                        notes.push("reads are recorded for a shorter time than that, so nothing is known to be unused so long".to_owned());
                    }
                    Some(_) => {}
                }
            }
        }
        notes
    }

    fn day_before(&self, seconds: u64) -> i64 {
        (self.now.unix_seconds() - i64::try_from(seconds).unwrap_or(i64::MAX / 2)).div_euclid(DAY_SECONDS)
    }

    /// The most relevant rows.
    pub(super) async fn select(&self, connection: &mut SqliteConnection, expression: Option<&str>) -> SqlResult<Vec<Found>> {
        let mut builder = QueryBuilder::new(
            "SELECT d.id, d.kind, d.owner_key, d.name, d.folded_name, d.group_name, d.description, d.owner, d.entity, d.value_type,
                    d.deprecated, g.status, g.online_settings, o.newest_event_time, m.rank ",
        );
        self.push_source(&mut builder, expression);
        builder.push(" LEFT JOIN feature_groups g ON g.id = d.owner_key LEFT JOIN offline_summaries o ON o.group_id = d.owner_key ");
        self.push_filters(&mut builder);
        // Names that are or begin with what was typed come first whatever their rank, so that the limit never cuts them off.
        let whole = self.query.whole();
        builder.push(" ORDER BY d.folded_name = ").push_bind(whole.clone());
        builder.push(" DESC, substr(d.folded_name, 1, ").push_bind(whole.chars().count() as i64).push(") = ").push_bind(whole);
        builder.push(" DESC, m.rank * (CASE WHEN d.deprecated THEN 0.25 ELSE 1 END), length(d.name), d.id LIMIT ").push_bind(RANKED);
        builder.build().fetch_all(connection).await?.iter().map(Found::decode).collect()
    }

    pub(super) async fn count(&self, connection: &mut SqliteConnection, expression: Option<&str>) -> SqlResult<u64> {
        let mut builder = QueryBuilder::new("SELECT count(*) ");
        self.push_matching(&mut builder, expression);
        let count: i64 = builder.build_query_scalar().fetch_one(connection).await?;
        Ok(count.unsigned_abs())
    }

    /// `FROM … WHERE …` of everything that matches, as `d`.
    pub(super) fn push_matching(&self, builder: &mut QueryBuilder<Sqlite>, expression: Option<&str>) {
        match expression {
            // Without the rank there is nothing to work out for each match.
            Some(expression) => {
                builder.push(" FROM search_index f JOIN search_documents d ON d.id = f.rowid ");
                self.push_filters(builder);
                builder.push(" AND f.search_index MATCH ").push_bind(expression.to_owned());
            }
            None => {
                builder.push(" FROM search_documents d ");
                self.push_filters(builder);
            }
        }
    }

    fn push_source(&self, builder: &mut QueryBuilder<Sqlite>, expression: Option<&str>) {
        match expression {
            Some(expression) => {
                builder.push(
                    " FROM (SELECT rowid AS id, bm25(search_index, 10.0, 8.0, 6.0, 3.0, 4.0, 2.0, 4.0) AS rank
                            FROM search_index WHERE search_index MATCH ",
                );
                builder.push_bind(expression.to_owned()).push(") m JOIN search_documents d ON d.id = m.id ");
            }
            None => {
                builder.push(" FROM search_documents d JOIN (SELECT -1.0 AS rank) m ");
            }
        }
    }

    fn push_filters(&self, builder: &mut QueryBuilder<Sqlite>) {
        builder.push(" WHERE true ");
        if let Some(excluded) = &self.excluded {
            builder
                .push(" AND d.id NOT IN (SELECT rowid FROM search_index WHERE search_index MATCH ")
                .push_bind(excluded.clone())
                .push(") ");
        }
        for filter in &self.query.filters {
            builder.push(" AND ");
            self.push_filter(builder, filter);
        }
    }

    fn push_filter(&self, builder: &mut QueryBuilder<Sqlite>, filter: &Filter) {
        let contains = |builder: &mut QueryBuilder<Sqlite>, column: &str, text: &str| {
            builder.push("instr(lower(").push(column).push("), ").push_bind(text.to_owned()).push(") > 0");
        };
        let of_feature = "(d.kind = 'group' OR lower(x.feature) = d.folded_name)";
        match filter {
            Filter::Kind(kind) => drop(builder.push("d.kind = ").push_bind(kind.as_str())),
            Filter::Type(text) => contains(builder, "d.value_type", text),
            Filter::Owner(text) => contains(builder, "d.owner", text),
            Filter::Entity(text) => contains(builder, "d.entity", text),
            Filter::Group(text) => contains(builder, "d.group_name", text),
            Filter::Tag(key, value) => {
                builder.push("EXISTS (SELECT 1 FROM json_each(d.labels) x WHERE (");
                contains(builder, "x.key", key);
                match value {
                    Some(value) => {
                        builder.push(" AND ");
                        contains(builder, "x.value", value);
                    }
                    None => {
                        builder.push(" OR ");
                        contains(builder, "x.value", key);
                    }
                }
                builder.push("))");
            }
            Filter::Fresh(side, seconds) => {
                let since = self.now.unix_micros()
                    - i64::try_from(*seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000).min(self.now.unix_micros());
                let than = if *side == Side::Below { ">=" } else { "<" };
                builder.push("EXISTS (SELECT 1 FROM offline_summaries x WHERE x.group_id = d.owner_key AND x.newest_event_time ");
                builder.push(than).push(" ").push_bind(since).push(")");
            }
            Filter::Null(side, share) => {
                let than = if *side == Side::Below { "<" } else { ">" };
                builder.push(
                    "d.kind = 'feature' AND EXISTS (SELECT 1 FROM profiles p JOIN profile_columns x ON x.profile_id = p.id
                     WHERE p.group_id = d.owner_key AND p.population = 'events' AND p.grain = 'whole' AND x.n > 0
                     AND lower(x.feature) = d.folded_name AND 1.0 * x.n_null / x.n ",
                );
                builder.push(than).push(" ").push_bind(*share).push(")");
            }
            Filter::Drift(level) => {
                // The worst level of several comparisons counts: it is that one, and none is worse.
                let worse = match *level {
                    "alert" => "''",
                    "watch" => "'alert'",
                    "ok" => "'alert', 'watch'",
                    _ => "'alert', 'watch', 'ok'",
                };
                let some = |builder: &mut QueryBuilder<Sqlite>| {
                    builder
                        .push("EXISTS (SELECT 1 FROM drift_results x WHERE x.group_id = d.owner_key AND ")
                        .push(of_feature)
                        .push(" AND x.level ");
                };
                some(builder);
                builder.push("= ").push_bind(*level).push(") AND NOT ");
                some(builder);
                builder.push("IN (").push(worse).push("))");
            }
            Filter::Unused(seconds) => match self.first_day {
                Some(first) if first <= self.day_before(*seconds) => {
                    builder.push("d.kind <> 'dataset' AND NOT EXISTS (SELECT 1 FROM usage_days x WHERE x.group_id = d.owner_key AND (");
                    builder.push(of_feature).push(" OR coalesce(x.feature, '') = '') AND x.reads > 0 AND x.day >= ");
                    builder.push_bind(self.day_before(*seconds)).push(")");
                }
                _ => drop(builder.push("false")),
            },
            Filter::UsedBy(pattern) => {
                builder.push(
                    "EXISTS (SELECT 1 FROM dataset_columns x JOIN datasets s ON s.id = x.dataset_id WHERE x.group_id = d.owner_key AND ",
                );
                builder.push(of_feature).push(" AND s.folded_name GLOB ").push_bind(pattern.clone()).push(")");
            }
            Filter::Source(_) => drop(builder.push("false")),
            Filter::Documented(yes) => drop(builder.push(if *yes { "d.description <> ''" } else { "d.description = ''" })),
            Filter::Online(online) => {
                builder.push("EXISTS (SELECT 1 FROM feature_groups x WHERE x.id = d.owner_key AND x.");
                builder.push(if *online { "online_settings" } else { "offline_settings" }).push(" IS NOT NULL)");
            }
        }
    }
}
