//! Search, duplicates and documentation as a user meets them: through the store and through the binary.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use larder::catalog::{Catalog, CatalogOptions};
use larder::model::{EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, RawValue, Schema, TimeMode};
use larder::store::demo::DemoOptions;
use larder::store::lineage::Declaration;
use larder::store::{FeatureStore, FeatureUpdate, GroupUpdate, Kind, Matched, NewGroup, OpenOptions, PutOptions, SearchRequest};
use sqlx::{Connection, SqliteConnection};

use crate::cli::Larder;

fn now() -> EventTime {
    EventTime::parse_text("2026-11-23T09:30:00Z", TimeMode::Strict).unwrap()
}

async fn store(folder: &Path) -> FeatureStore {
    let clock: larder::store::Clock = Arc::new(now);
    FeatureStore::open(folder, OpenOptions { create: true, clock: Some(clock), ..OpenOptions::default() }).await.unwrap()
}

fn feature(name: &str, kind: FeatureType, description: &str) -> FeatureDefinition {
    let mut feature = FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    feature.description = (!description.is_empty()).then(|| description.to_owned());
    feature
}

/// A group about customers with these Fractional features.
fn group(name: &str, features: &[(&str, &str)]) -> NewGroup {
    let mut all = vec![feature("customer_id", FeatureType::String, ""), feature("at", FeatureType::String, "")];
    all.extend(features.iter().map(|(name, description)| feature(name, FeatureType::Fractional, description)));
    NewGroup::new(GroupName::parse(name).unwrap(), Schema::new(all, "customer_id", "at").unwrap())
}

async fn found(store: &FeatureStore, text: &str) -> Vec<String> {
    let answer = store.search(text, &SearchRequest { limit: 100, ..SearchRequest::default() }).await.unwrap();
    let path = |hit: &larder::store::SearchHit| hit.group.as_ref().map_or(hit.name.clone(), |group| format!("{group}:{}", hit.name));
    answer.hits.iter().map(path).collect()
}

async fn put(store: &FeatureStore, group: &str, pairs: &[(&str, String)]) {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), RawValue::Text(value.clone()))).collect();
    store.put(group, pairs, PutOptions::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_names_come_first_then_beginnings_then_words_then_slips() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    store
        .create_group(group(
            "risk",
            &[("score", "Risk of default"), ("score_7d", "The same a week ago"), ("credit_score", "By the bureau")],
        ))
        .await
        .unwrap();
    store.create_group(group("texts", &[("rating", "Score of the text"), ("scoer_typo", "Nobody meant this")])).await.unwrap();
    let answer = store.search("score", &SearchRequest::default()).await.unwrap();
    let order: Vec<(&str, Matched)> = answer.hits.iter().map(|hit| (hit.name.as_str(), hit.matched)).collect();
    assert_eq!(order[..2], [("score", Matched::Exact), ("score_7d", Matched::Beginning)]);
    assert_eq!(
        order[2..4].iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["credit_score", "rating"],
        "a name tells more than a description"
    );
    assert_eq!(order[4], ("scoer_typo", Matched::Misspelt));
    assert!(answer.hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert_eq!(found(&store, "risk:score").await[0], "risk:score");
    // Words in any order, written together, in the middle of a word, by their synonyms.
    assert_eq!(found(&store, "score credit").await, ["risk:credit_score"]);
    assert_eq!(found(&store, "creditscore").await, ["risk:credit_score"]);
    assert_eq!(found(&store, "redit").await, ["risk:credit_score"]);
    assert_eq!(found(&store, "score !credit !typo !text kind:feature").await, ["risk:score", "risk:score_7d"]);
    assert!(found(&store, "\"' OR * NEAR( -").await.is_empty(), "nothing typed is a command to the index");
    assert_eq!(found(&store, "___").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_found_by_the_next_search_and_what_is_gone_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let other = self::store(folder.path()).await;
    store.create_group(group("clicks", &[("dwellTime30d", "")])).await.unwrap();
    assert_eq!(found(&other, "dwell").await, ["clicks:dwellTime30d"]);
    assert_eq!(found(&other, "time 30").await, ["clicks:dwellTime30d"]);

    other.add_features("clicks", vec![feature("bounces", FeatureType::Integral, "Visits of one page")]).await.unwrap();
    assert_eq!(found(&store, "visits").await, ["clicks:bounces"]);
    let update = FeatureUpdate {
        description: Some(Some("Short stays".into())),
        add_parameters: BTreeMap::from([("unit".into(), "visits".into())]),
        ..FeatureUpdate::default()
    };
    store.update_feature("clicks", "bounces", &update).await.unwrap();
    assert_eq!(found(&other, "stays").await, ["clicks:bounces"]);
    assert_eq!(found(&other, "tag:unit=visits").await, ["clicks:bounces"]);

    let update = GroupUpdate {
        owner: Some(Some("team:web".into())),
        add_tags: BTreeMap::from([("stage".into(), "beta".into())]),
        ..GroupUpdate::default()
    };
    store.update_group("clicks", &update).await.unwrap();
    assert_eq!(found(&other, "owner:web tag:stage=beta").await.len(), 5, "the group and all of its features");
    let update = GroupUpdate { remove_tags: ["stage".to_owned()].into(), ..GroupUpdate::default() };
    store.update_group("clicks", &update).await.unwrap();
    assert!(found(&other, "tag:stage").await.is_empty() && found(&other, "beta").await.is_empty());

    other.drop_group("clicks").await.unwrap();
    assert!(found(&store, "").await.is_empty());
    store.create_group(group("clicks", &[("anew", "")])).await.unwrap();
    assert_eq!(found(&other, "anew").await, ["clicks:anew"]);
    assert!(found(&other, "dwell").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalog_searches_again_and_so_does_one_of_an_older_version() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path()).await;
    first.create_group(group("clicks", &[("dwell_time", "Seconds on a page")])).await.unwrap();
    first.close().await.unwrap();
    drop(first);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let again = store(folder.path()).await;
    assert_eq!(found(&again, "seconds").await, ["clicks:dwell_time"]);
    again.close().await.unwrap();
    drop(again);

    // As an older version left it: without the index, the triggers, and the note of the migration.
    let path = folder.path().join("catalog.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetch_all(&mut connection).await.unwrap();
    for trigger in triggers {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut connection).await.unwrap();
    }
    for statement in [
        "DROP TABLE search_words",
        "DROP TABLE search_index",
        "DROP TABLE search_documents",
        "DROP TABLE search_stale",
        "DROP TABLE duplicate_dismissals",
        "DELETE FROM _sqlx_migrations WHERE version = 5",
        "PRAGMA user_version = 3",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let catalog = Catalog::open(&path, CatalogOptions::default()).await.unwrap();
    catalog.close().await.unwrap();
    // It was opened once where it could be written; from then on reading is enough.
    let reading = FeatureStore::open(folder.path(), OpenOptions { read_only: true, ..OpenOptions::default() }).await.unwrap();
    assert_eq!(found(&reading, "seconds").await, ["clicks:dwell_time"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_that_nothing_is_known_for_match_nothing_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let made = store.create_group(group("clicks", &[("dwell", "Seconds"), ("flat", "")])).await.unwrap();
    for filter in ["null:<100%", "null:>0%", "drift:ok", "unused:1d", "fresh:<1d", "used-by:*"] {
        assert!(found(&store, filter).await.is_empty(), "{filter}");
    }
    assert!(store.search("unused:1d", &SearchRequest::default()).await.unwrap().notes[0].contains("not recorded"));
    assert_eq!(found(&store, "documented:yes").await, ["clicks:dwell"]);
    assert_eq!(found(&store, "type:frac documented:no").await, ["clicks:flat"]);

    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", folder.path().join("catalog.db").display())).await.unwrap();
    sqlx::query("INSERT INTO profiles (id, group_id, population, grain, row_count, taken) VALUES (1, ?1, 'events', 'whole', 100, 0)")
        .bind(made.id.bytes().as_slice())
        .execute(&mut connection)
        .await
        .unwrap();
    for (name, nulls, distinct) in [("Dwell", 100, 0.0), ("flat", 0, 1.0)] {
        sqlx::query("INSERT INTO profile_columns VALUES (1, ?1, 100, ?2, NULL, ?3, ?3, '{}')")
            .bind(name)
            .bind(nulls)
            .bind(distinct)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    for (baseline, level) in [("a", "ok"), ("b", "alert")] {
        sqlx::query("INSERT INTO drift_results (group_id, feature, baseline, metric, level, taken) VALUES (?1, 'flat', ?2, 'ks', ?3, 0)")
            .bind(made.id.bytes().as_slice())
            .bind(baseline)
            .bind(level)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    assert_eq!(found(&store, "null:>50%").await, ["clicks:dwell"]);
    assert_eq!(found(&store, "null:<5%").await, ["clicks:flat"]);
    assert_eq!(found(&store, "drift:alert kind:feature").await, ["clicks:flat"]);
    assert!(found(&store, "drift:ok").await.is_empty(), "the worst of several comparisons counts");

    let report = store.documentation(None).await.unwrap();
    let dead: Vec<(&str, &[&str])> = report.dead.iter().map(|dead| (dead.feature.as_str(), &dead.reasons[..])).collect();
    assert_eq!(dead, [("dwell", &["all null"][..]), ("flat", &["constant"])]);

    let today = now().unix_seconds() / 86_400;
    for (day, name) in [(today - 100, "flat"), (today - 2, "dwell")] {
        sqlx::query("INSERT INTO usage_days VALUES (?1, ?2, ?3, 'ann', 'get', 7)")
            .bind(day)
            .bind(made.id.bytes().as_slice())
            .bind(name)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    assert_eq!(found(&store, "unused:30d kind:feature type:frac").await, ["clicks:flat"]);
    let report = store.documentation(Some("clicks")).await.unwrap();
    assert_eq!((report.fix_next[0].feature.as_deref(), report.fix_next[0].readers), (None, Some(1)), "the group itself, read by ann");
    let never: Vec<&str> =
        report.dead.iter().filter(|dead| dead.reasons.contains(&"never read")).map(|dead| dead.feature.as_str()).collect();
    assert_eq!(never, Vec::<&str>::new(), "both were read once");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_of_the_lineage_are_found_once_there_is_lineage() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    store.create_group(group("clicks", &[("churn_risk", "")])).await.unwrap();
    for to in ["model:churn-model", "job:churn-job"] {
        let declaration = Declaration { from: "clicks".into(), to: to.into(), kind: None, since: None, owner: None };
        store.declare_lineage(&declaration).await.unwrap();
    }
    let answer = store.search("churn", &SearchRequest { facets: true, ..SearchRequest::default() }).await.unwrap();
    let mut kinds: Vec<Kind> = answer.hits.iter().map(|hit| hit.kind).collect();
    kinds.sort_unstable();
    assert_eq!((kinds, answer.total), (vec![Kind::Feature, Kind::Model], 2));
    assert_eq!(answer.facets[0].values.iter().map(|counted| counted.count).sum::<u64>(), 2);
    assert_eq!(found(&store, "kind:model chrn").await, ["churn-model"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_count_all_that_matches_not_only_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    for (name, owner) in [("web", "team:web"), ("app", "team:app"), ("shop", "team:web")] {
        store
            .create_group(NewGroup { owner: Some(owner.into()), ..group(name, &[("visits_7d", "Visits"), ("visits_30d", "")]) })
            .await
            .unwrap();
    }
    let answer = store.search("visits", &SearchRequest { limit: 2, facets: true, ..SearchRequest::default() }).await.unwrap();
    assert_eq!((answer.hits.len(), answer.total), (2, 6));
    let facet = |name: &str| -> Vec<(&str, u64)> {
        let facet = answer.facets.iter().find(|facet| facet.name == name);
        facet.map_or(Vec::new(), |facet| facet.values.iter().map(|counted| (counted.value.as_str(), counted.count)).collect())
    };
    assert_eq!(facet("owner"), [("team:web", 4), ("team:app", 2)]);
    assert_eq!(facet("documented"), [("no", 3), ("yes", 3)]);
    assert_eq!((facet("entity"), facet("store")), (vec![("customer", 6)], vec![("offline", 6), ("online", 6)]));
    assert!(facet("drift").is_empty(), "what is not known is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_bring_their_own_synonyms() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    store.create_group(group("shop", &[("basket_mean", ""), ("cart_total", "")])).await.unwrap();
    assert_eq!(found(&store, "avg basket").await, ["shop:basket_mean"]);
    std::fs::write(folder.path().join("synonyms.toml"), "sets = [[\"cart\", \"basket\"]]").unwrap();
    assert_eq!(found(&store, "cart").await, ["shop:cart_total", "shop:basket_mean"]);
    std::fs::write(folder.path().join("synonyms.toml"), "sets = 3").unwrap();
    assert!(store.search("cart", &SearchRequest::default()).await.unwrap_err().to_string().contains("synonyms.toml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_value_in_another_unit_is_found_and_what_is_only_called_alike_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    store.create_group(group("shop", &[("order_total", "Paid in EUR"), ("visits", "Visits"), ("is_vip", "")])).await.unwrap();
    store
        .create_group(NewGroup {
            online: None,
            ..group("bank", &[("order_cents", "Paid, in cents"), ("visit_count", "Visits"), ("vip", "")])
        })
        .await
        .unwrap();
    store.create_group(NewGroup { offline: false, ..group("crm", &[("orders_sum", "What was paid")]) }).await.unwrap();
    for number in 0..80_u64 {
        let (id, noise) = (format!("C{number}"), number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
        let (total, at) = ((noise % 90_000) as f64 / 100.0 + 1.0, "2026-11-20T00:00:00Z".to_owned());
        let rare = u64::from(number == 7);
        put(
            &store,
            "shop",
            &[
                ("customer_id", id.clone()),
                ("at", at.clone()),
                ("order_total", total.to_string()),
                ("visits", (noise % 50).to_string()),
                ("is_vip", rare.to_string()),
            ],
        )
        .await;
        put(
            &store,
            "bank",
            &[
                ("customer_id", id.clone()),
                ("at", at.clone()),
                ("order_cents", format!("{:.0}", total * 100.0)),
                ("visit_count", (noise / 50 % 50).to_string()),
                ("vip", u64::from(number == 9).to_string()),
            ],
        )
        .await;
        put(&store, "crm", &[("customer_id", id), ("at", at), ("orders_sum", total.to_string())]).await;
    }
    let report = store.duplicates(None).await.unwrap();
    let pairs: Vec<[String; 2]> = report
        .pairs
        .iter()
        .map(|pair| {
            let mut names = [pair.keep.to_string(), pair.other.to_string()];
            names.sort();
            names
        })
        .collect();
    let expected =
        [["crm:orders_sum", "shop:order_total"], ["bank:order_cents", "crm:orders_sum"], ["bank:order_cents", "shop:order_total"]];
    assert_eq!(pairs.len(), 3, "{pairs:?} {:?}", report.notes);
    for pair in expected {
        assert!(pairs.iter().any(|found| found == &pair), "{pair:?} of {pairs:?}");
    }
    let unit = report.pairs.iter().find(|pair| pair.keep.group != "crm" && pair.other.group != "crm").unwrap();
    let (ratio, share) = unit.agreement.scaled.unwrap();
    let expected: f64 = if unit.keep.group == "shop" { 100.0 } else { 0.01 };
    assert!((ratio / expected - 1.0).abs() < 0.01 && share > 0.99 && unit.agreement.records == 80, "{unit:?}");

    store.dismiss_duplicate("bank:ORDER_cents", "shop:order_total").await.unwrap();
    let report = store.duplicates(Some("bank")).await.unwrap();
    assert_eq!((report.pairs.len(), report.dismissed), (1, 1));
    assert!(store.recall_duplicate("shop:order_total", "bank:order_cents").await.unwrap());
    assert_eq!(store.duplicates(Some("bank")).await.unwrap().pairs.len(), 2);
    assert!(store.dismiss_duplicate("shop", "bank:vip").await.is_err() && store.dismiss_duplicate("shop:vip2", "bank:vip").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_searched_with_slips_and_has_one_pair_of_duplicates() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    store.fill_demo(&DemoOptions { percent: 10, ..DemoOptions::default() }, Arc::new(|_| {})).await.unwrap();
    for (typed, meant) in [("loyality", "loyalty_score"), ("custmer", "customer_id"), ("amont", "amount")] {
        let answer = store.search(typed, &SearchRequest { limit: 50, ..SearchRequest::default() }).await.unwrap();
        assert!(
            answer.hits.iter().any(|hit| hit.name.contains(meant)),
            "{typed}: {:?}",
            answer.hits.iter().map(|hit| &hit.name).collect::<Vec<_>>()
        );
    }
    assert_eq!(found(&store, "loyality").await[0], "customer-features:loyalty_score");
    assert_eq!(found(&store, "kind:dataset").await.len(), 1);
    assert!(found(&store, "used-by:* loyalty").await.contains(&"customer-features:loyalty_score".to_owned()));

    let report = store.duplicates(None).await.unwrap();
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let duplicates: Vec<_> = report
        .pairs
        .iter()
        .filter(|pair| pair.verdict.as_str() == "duplicate")
        .map(|pair| (pair.keep.to_string(), pair.other.to_string()))
        .collect();
    assert_eq!(
        duplicates,
        [("customer-features:avg_order_value".to_owned(), "customer-account:mean_basket_value".to_owned())],
        "{:#?}",
        report.pairs
    );
    let index = Arc::new(store.fuzzy_index().await.unwrap());
    let searcher = larder::store::fuzzy::Searcher::new(index.clone(), None);
    let best = searcher.search("loyality", 5).unwrap().hits[0];
    assert_eq!((index.group(best.row), index.name(best.row)), ("customer-features", "loyalty_score"));
    store.close().await.unwrap();
}

#[test]
fn the_binary_searches_explains_counts_and_refuses() {
    let larder = Larder::with_readings();
    larder.run_words(&["update", "readings", "--description", "What the sensors say"]).ok();
    let hits = larder.run("search celsius --json").ok().json();
    let first = &hits[0];
    assert_eq!((&first["kind"], &first["name"], &first["group"]), (&"feature".into(), &"celsius".into(), &"readings".into()));
    assert!(first["score"].as_f64().unwrap() >= 3.0 && first["description"].is_null());
    assert_eq!(larder.run("search celcius --json").ok().json()[0]["name"], "celsius");
    let explained = larder.run("search sensors --explain").ok().out;
    assert!(explained.contains("relevance") && explained.contains("×"), "{explained}");
    let counted = larder.run("search --facets --kind feature --json").ok().json();
    assert_eq!(counted["facets"]["kind"]["feature"], 6);
    assert_eq!((&counted["total"], counted["hits"].as_array().unwrap().len()), (&6.into(), 6));
    let refused = larder.run("search null:lots").ended(2);
    assert!(refused.err.contains("null:<5%"), "{}", refused.err);
    assert_eq!(larder.run("search zzzzzz --json").ok().json(), serde_json::json!([]));
    assert_eq!(larder.run("duplicates --json").ok().json(), serde_json::json!([]));
    let judged = larder.run("documentation --json").ok().json();
    assert_eq!((&judged["groups"][0]["group"], &judged["groups"][0]["readers"]), (&"readings".into(), &serde_json::Value::Null));
    larder.run("duplicates --dismiss readings:celsius readings:celsius").ended(2);
    larder.run("duplicates nothere").ended(1);
}
