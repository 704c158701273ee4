//! Counts of what matches: by kind, type, owner, entity, tag, store, freshness, drift, documentation.

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

/// Values of one facet that are counted, the most frequent first.
const MOST_VALUES: usize = 20;

/// A way to part what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The filter that its values go with.
    pub name: String,
    /// Its values with their counts, the most frequent first.
    pub values: Vec<FacetCount>,
}

/// A value of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCount {
    /// The value.
    pub value: String,
    /// How many of what was found have it.
    pub count: u64,
}

/// The facets in their order, each a select of its values over `hits`.
const SELECTS: [(&str, &str); 9] = [
    ("kind", "SELECT kind FROM hits"),
    ("type", "SELECT value_type FROM hits WHERE kind = 'feature'"),
    ("owner", "SELECT owner FROM hits"),
    ("entity", "SELECT entity FROM hits"),
    ("tag", "SELECT l.key || '=' || l.value FROM hits, json_each(hits.labels) l"),
    ("store", "SELECT 'online' FROM hits JOIN feature_groups g ON g.id = hits.owner_key WHERE g.online_settings IS NOT NULL
               UNION ALL SELECT 'offline' FROM hits JOIN feature_groups g ON g.id = hits.owner_key WHERE g.offline_settings IS NOT NULL"),
    ("drift", "SELECT CASE max(CASE x.level WHEN 'alert' THEN 3 WHEN 'watch' THEN 2 WHEN 'ok' THEN 1 ELSE 0 END)
                      WHEN 3 THEN 'alert' WHEN 2 THEN 'watch' WHEN 1 THEN 'ok' ELSE 'few' END
               FROM hits JOIN drift_results x ON x.group_id = hits.owner_key AND (hits.kind = 'group' OR lower(x.feature) = hits.folded_name)
               GROUP BY hits.id"),
    ("fresh", "SELECT CASE WHEN o.newest_event_time >= now.at - 86400000000 THEN '<1d' WHEN o.newest_event_time >= now.at - 604800000000 THEN '<7d' ELSE '>7d' END
               FROM hits JOIN offline_summaries o ON o.group_id = hits.owner_key, now WHERE o.newest_event_time IS NOT NULL"),
    ("documented", "SELECT CASE WHEN description <> '' THEN 'yes' ELSE 'no' END FROM hits"),
];

/// Counts everything that matches, `models` of the lineage besides.
pub(super) async fn facets(
    connection: &mut SqliteConnection,
    now: i64,
    push_matching: impl FnOnce(&mut QueryBuilder<Sqlite>),
    models: u64,
) -> Result<Vec<Facet>, sqlx::Error> {
    let mut builder = QueryBuilder::new("WITH now (at) AS (SELECT ");
    builder.push_bind(now).push(
        "), hits AS MATERIALIZED (SELECT d.id, d.kind, d.owner_key, d.folded_name, d.value_type, d.owner, d.entity, d.labels, d.description ",
    );
    push_matching(&mut builder);
    builder.push(")");
    for (number, (name, select)) in SELECTS.iter().enumerate() {
        builder.push(if number == 0 { " " } else { " UNION ALL " });
        builder
            .push("SELECT * FROM (SELECT ")
            .push_bind(*name)
            .push(" AS facet, v AS value, count(*) AS n FROM (SELECT NULL AS v WHERE false UNION ALL ");
        builder.push(*select).push(") WHERE v <> '' GROUP BY v ORDER BY n DESC, v LIMIT ").push_bind(MOST_VALUES as i64).push(")");
    }
    let rows: Vec<(String, String, i64)> = builder.build_query_as().fetch_all(connection).await?;
    let mut facets: Vec<Facet> = Vec::new();
    for (name, value, count) in rows {
        let counted = FacetCount { value, count: count.unsigned_abs() };
        match facets.iter_mut().find(|facet| facet.name == name) {
            Some(facet) => facet.values.push(counted),
            None => facets.push(Facet { name, values: vec![counted] }),
        }
    }
    if models > 0 {
        if facets.first().is_none_or(|facet| facet.name != "kind") {
            facets.insert(0, Facet { name: "kind".to_owned(), values: Vec::new() });
        }
        if let Some(kinds) = facets.first_mut() {
            kinds.values.push(FacetCount { value: "model".to_owned(), count: models });
        }
    }
    Ok(facets)
}
