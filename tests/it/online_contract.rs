//! What every online store promises, written once and run for each implementation.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use larder::backend::online::{
    self, GroupCounts, Lease, LmdbOptions, LmdbStore, LoadedRow, MemoryStore, OnlineEffect, OnlineStore, RowWrite, RowWriter, Targets,
};
use larder::model::{Arrival, ErrorKind, EventTime, GroupId, RawValue, is_newer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn group(number: u128) -> GroupId {
    GroupId(uuid::Uuid::from_u128(number))
}

fn time(seconds: i64) -> EventTime {
    EventTime::from_unix_seconds(seconds).unwrap()
}

fn row(identifier: &str, seconds: i64, value: Option<&str>) -> RowWriter {
    let mut row = RowWriter::new(identifier, time(seconds), 2, 16);
    row.push_text(0, identifier);
    match value {
        Some(value) => row.push_text(1, value),
        None => row.push_null(1),
    }
    row
}

fn put(identifier: &str, seconds: i64, value: &str) -> RowWrite {
    RowWrite { group: group(1), row: row(identifier, seconds, Some(value)), targets: Targets::BOTH, hard_delete: false, replaces: None }
}

fn delete(identifier: &str, seconds: i64, hard_delete: bool) -> RowWrite {
    let record = larder::model::Record { identifier: identifier.into(), event_time: time(seconds), values: vec![None, None] };
    RowWrite { group: group(1), row: RowWriter::of_record(&record, None, true), targets: Targets::BOTH, hard_delete, replaces: None }
}

fn value(store: &dyn OnlineStore, identifier: &str, now: i64) -> Option<String> {
    let found = online::get(store, group(1), identifier, Some(&[1]), 2, time(now)).unwrap()?;
    match &found.values[..] {
        [(1, Some(RawValue::Text(text)))] => Some(text.clone()),
        [(1, None)] => Some("null".into()),
        other => panic!("{other:?}"),
    }
}

fn apply(store: &dyn OnlineStore, writes: Vec<RowWrite>) -> Vec<OnlineEffect> {
    store.apply(time(1_000), writes).unwrap().into_iter().map(|outcome| outcome.online).collect()
}

fn outbox(store: &dyn OnlineStore) -> Vec<(String, i64, Arrival)> {
    let mut found = Vec::new();
    store
        .outbox(group(1), Arrival(0), &mut |row| {
            found.push((row.identifier().to_owned(), row.event_time().unix_seconds(), row.arrival()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    found
}

fn newest_wins_and_late_records_only_go_offline(store: &dyn OnlineStore) {
    use OnlineEffect::{Applied, Late};
    assert_eq!(apply(store, vec![put("A", 10, "first"), put("A", 5, "late"), put("A", 10, "equal")]), [Applied, Late, Applied]);
    assert_eq!(value(store, "A", 0).as_deref(), Some("equal"), "an equal event time replaces");
    assert_eq!(outbox(store).len(), 3, "all three are history");
    let arrivals: Vec<Arrival> = outbox(store).into_iter().map(|(_, _, arrival)| arrival).collect();
    assert!(arrivals.is_sorted_by(|a, b| a < b), "arrivals rise strictly: {arrivals:?}");
    assert!(arrivals[0] >= Arrival(1_000_000_000), "arrivals follow the clock");
}

fn a_soft_delete_hides_and_a_newer_put_brings_back(store: &dyn OnlineStore) {
    apply(store, vec![put("A", 10, "x"), delete("A", 11, false)]);
    assert_eq!(value(store, "A", 0), None);
    assert_eq!(online::identifiers(store, group(1), None, 9, false, time(0)).unwrap(), Vec::<String>::new());
    assert_eq!(online::identifiers(store, group(1), None, 9, true, time(0)).unwrap(), ["A"]);
    assert_eq!(apply(store, vec![put("A", 10, "older than the delete")]), [OnlineEffect::Late]);
    apply(store, vec![put("A", 12, "back")]);
    assert_eq!(value(store, "A", 0).as_deref(), Some("back"));
    assert_eq!(apply(store, vec![delete("A", 3, false)]), [OnlineEffect::Late], "a delete that is too old changes nothing online");
    assert_eq!(outbox(store).len(), 5, "yet it is history");
}

fn a_hard_delete_forgets_or_is_refused(store: &dyn OnlineStore) {
    apply(store, vec![put("A", 10, "x")]);
    assert_eq!(apply(store, vec![delete("A", 9, true)]), [OnlineEffect::Refused { standing: time(10) }]);
    assert_eq!((value(store, "A", 0).as_deref(), outbox(store).len()), (Some("x"), 1), "refused: nothing written anywhere");
    assert_eq!(apply(store, vec![delete("A", 10, true)]), [OnlineEffect::Applied]);
    assert_eq!(store.counts(group(1)).unwrap().records, 0);
    assert_eq!(apply(store, vec![put("A", 1, "older, yet the first again")]), [OnlineEffect::Applied]);
    assert_eq!(apply(store, vec![delete("nobody", 1, true)]), [OnlineEffect::Applied], "deleting what is not there is fine");
    assert!(store.counts(group(1)).unwrap().one_sided);
}

fn ttl_is_judged_at_read_and_inclusive(store: &dyn OnlineStore) {
    let mut expiring = put("A", 10, "x");
    expiring.row.set_expiry(time(20));
    apply(store, vec![expiring]);
    assert_eq!(value(store, "A", 20).as_deref(), Some("x"));
    assert_eq!(value(store, "A", 21), None);
    assert_eq!(online::identifiers(store, group(1), None, 9, true, time(21)).unwrap(), Vec::<String>::new());
}

fn targets_choose_the_stores(store: &dyn OnlineStore) {
    let to = |identifier, online, offline| RowWrite { targets: Targets { online, offline }, ..put(identifier, 10, "x") };
    assert_eq!(apply(store, vec![to("on", true, false), to("off", false, true)]), [OnlineEffect::Applied, OnlineEffect::NotAsked]);
    assert_eq!((value(store, "on", 0).is_some(), value(store, "off", 0).is_some()), (true, false));
    assert_eq!(outbox(store).iter().map(|(id, _, _)| id.as_str()).collect::<Vec<_>>(), ["off"]);
}

fn identifiers_of_any_length_keep_apart(store: &dyn OnlineStore) {
    let long = "é".repeat(1_000);
    let longer = format!("{long}x");
    apply(
        store,
        vec![put(&long, 10, "long"), put(&longer, 10, "longer"), put("", 10, "empty"), put("C1", 10, "C1"), put("C10", 10, "C10")],
    );
    for (identifier, expected) in [(long.as_str(), "long"), (&longer, "longer"), ("", "empty"), ("C1", "C1"), ("C10", "C10")] {
        assert_eq!(value(store, identifier, 0).as_deref(), Some(expected));
    }
    // Pages of two, each starting after the last: every identifier once.
    let mut seen = Vec::new();
    loop {
        let page = online::identifiers(store, group(1), seen.last().map(String::as_str), 2, false, time(0)).unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert_eq!(seen[..3], ["", "C1", "C10"]);
}

fn trimming_removes_what_is_drained_and_its_mark_only_rises(store: &dyn OnlineStore) {
    apply(store, (0..10).map(|number| put(&number.to_string(), number, "x")).collect());
    let third = outbox(store)[2].2;
    assert_eq!(store.trim_outbox(group(1), third).unwrap(), 3);
    assert_eq!((outbox(store).len(), store.trim_mark(group(1)).unwrap()), (7, third));
    assert_eq!(store.trim_outbox(group(1), Arrival(1)).unwrap(), 0);
    assert_eq!(store.trim_mark(group(1)).unwrap(), third);
    let counts = store.counts(group(1)).unwrap();
    assert_eq!((counts.records, counts.outbox_rows), (10, 7));
    assert!(store.backlog().unwrap().iter().any(|(id, waiting)| *id == group(1) && waiting.outbox_rows == 7));
}

fn a_long_backlog_is_trimmed_to_the_very_record(store: &dyn OnlineStore) {
    apply(store, (0..10_000).map(|number| put(&number.to_string(), number, "x")).collect());
    let waiting = outbox(store);
    let last = waiting[9_990].2;
    assert_eq!(store.trim_outbox(group(1), last).unwrap(), 9_991);
    assert_eq!(outbox(store), waiting[9_991..]);
    assert_eq!((store.trim_mark(group(1)).unwrap(), store.counts(group(1)).unwrap().outbox_rows), (last, 9));
    assert_eq!(store.trim_outbox(group(1), Arrival(u64::MAX)).unwrap(), 9);
    let counts = store.counts(group(1)).unwrap();
    assert_eq!((counts.outbox_rows, counts.outbox_bytes), (0, 0));
}

fn groups_do_not_see_each_other(store: &dyn OnlineStore) {
    let other = RowWrite { group: group(2), ..put("A", 10, "other") };
    apply(store, vec![put("A", 10, "x"), other]);
    store.drop_group(group(1)).unwrap();
    assert_eq!(value(store, "A", 0), None);
    assert_eq!(store.counts(group(1)).unwrap(), GroupCounts::default());
    assert!(online::get(store, group(2), "A", None, 2, time(0)).unwrap().is_some());
    assert_eq!(store.counts(group(2)).unwrap().outbox_rows, 1);
}

fn a_lease_has_one_holder_until_it_runs_out(store: &dyn OnlineStore) {
    let lease = |holder: &str, until| Lease { holder: holder.into(), until: time(until) };
    assert!(store.take_lease(group(1), &lease("a", 10), time(1)).unwrap());
    assert!(!store.take_lease(group(1), &lease("b", 20), time(10)).unwrap());
    assert!(store.take_lease(group(1), &lease("a", 15), time(10)).unwrap(), "its holder prolongs it");
    assert!(store.take_lease(group(1), &lease("b", 30), time(16)).unwrap(), "it ran out");
    store.release_lease(group(1), "a").unwrap();
    assert!(!store.take_lease(group(1), &lease("a", 40), time(17)).unwrap(), "only its holder gives it back");
    store.release_lease(group(1), "b").unwrap();
    assert!(store.take_lease(group(1), &lease("a", 40), time(17)).unwrap());
}

fn loads_bring_their_arrivals_and_replaying_changes_nothing(store: &dyn OnlineStore) {
    let first = store.allocate_arrivals(time(1_000), 2).unwrap();
    apply(store, vec![put("A", 10, "put after the arrivals were taken")]);
    let loaded = |identifier: &str, seconds, text, arrival| LoadedRow {
        identifier: identifier.into(),
        bytes: row(identifier, seconds, Some(text)).stamp(arrival),
    };
    let rows = [
        loaded("A", 10, "same time, arrived before the put", first),
        loaded("B", 10, "tie", first),
        loaded("B", 10, "tie, later row", first),
        loaded("C", 9, "older file", first),
        loaded("C", 9, "newer file", Arrival(first.0 + 1)),
    ];
    for _ in 0..2 {
        store.load(group(1), &rows).unwrap();
        assert_eq!(value(store, "A", 0).as_deref(), Some("put after the arrivals were taken"));
        assert_eq!(value(store, "B", 0).as_deref(), Some("tie, later row"));
        assert_eq!(value(store, "C", 0).as_deref(), Some("newer file"));
    }
    assert_eq!(store.counts(group(1)).unwrap().records, 3);
    assert_eq!(outbox(store).len(), 1, "a load goes past the outbox");
}

fn generation_changes_with_every_write(store: &dyn OnlineStore) {
    let before = store.generation().unwrap();
    apply(store, vec![put("A", 10, "x")]);
    assert_ne!(store.generation().unwrap(), before);
}

/// Random writes against a map that knows only the one rule.
fn agrees_with_a_map(store: &dyn OnlineStore) {
    let seed = 7;
    let mut random = StdRng::seed_from_u64(seed);
    let mut model: BTreeMap<String, ((EventTime, Arrival), Option<String>)> = BTreeMap::new();
    for step in 0..400 {
        let identifier = format!("C{}", random.random_range(0..12));
        let seconds = random.random_range(0..6);
        let kind = random.random_range(0..10);
        let text = format!("v{step}");
        let write = match kind {
            0..7 => put(&identifier, seconds, &text),
            7..9 => delete(&identifier, seconds, false),
            _ => delete(&identifier, seconds, true),
        };
        let outcome = store.apply(time(1_000 - step), vec![write]).unwrap()[0];
        let version = (time(seconds), outcome.arrival);
        let standing = model.get(&identifier).cloned();
        let newer = standing.as_ref().is_none_or(|(current, _)| is_newer(version, *current));
        match kind {
            9 if newer || standing.is_some_and(|(_, text)| text.is_none()) => {
                model.remove(&identifier);
            }
            9 => assert!(matches!(outcome.online, OnlineEffect::Refused { .. }), "seed {seed}, step {step}"),
            _ if newer => {
                model.insert(identifier, (version, (kind < 7).then_some(text)));
            }
            _ => assert_eq!(outcome.online, OnlineEffect::Late, "seed {seed}, step {step}"),
        }
        for number in 0..12 {
            let identifier = format!("C{number}");
            let expected = model.get(&identifier).and_then(|(_, text)| text.clone());
            assert_eq!(value(store, &identifier, 0), expected, "seed {seed}, step {step}");
        }
    }
    let counts = store.counts(group(1)).unwrap();
    let live = model.values().filter(|(_, text)| text.is_some()).count() as u64;
    assert_eq!((counts.records, counts.tombstones), (live, model.len() as u64 - live));
}

macro_rules! contract {
    ($($law:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $law() { super::$law(&super::MemoryStore::default()); })+
        }
        mod lmdb {
            $(#[test] fn $law() {
                let folder = tempfile::tempdir().unwrap();
                super::$law(&super::LmdbStore::open(folder.path(), super::LmdbOptions::default()).unwrap());
            })+
        }
        mod redis {
            $(#[test] fn $law() {
                let server = crate::redis::server::Redis::start();
                let folder = tempfile::tempdir().unwrap();
                super::$law(&crate::redis::server::store(folder.path(), crate::redis::server::options(&server.url())));
            })+
        }
    };
}

contract!(
    newest_wins_and_late_records_only_go_offline,
    a_soft_delete_hides_and_a_newer_put_brings_back,
    a_hard_delete_forgets_or_is_refused,
    ttl_is_judged_at_read_and_inclusive,
    targets_choose_the_stores,
    identifiers_of_any_length_keep_apart,
    trimming_removes_what_is_drained_and_its_mark_only_rises,
    a_long_backlog_is_trimmed_to_the_very_record,
    groups_do_not_see_each_other,
    a_lease_has_one_holder_until_it_runs_out,
    loads_bring_their_arrivals_and_replaying_changes_nothing,
    generation_changes_with_every_write,
    agrees_with_a_map,
);

#[test]
fn lmdb_survives_reopening_and_keeps_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    let open = |read_only| LmdbStore::open(folder.path(), LmdbOptions { read_only, ..LmdbOptions::default() });
    assert_eq!(open(true).err().unwrap().kind(), ErrorKind::NotFound);
    let id = {
        let store = open(false).unwrap();
        apply(&store, vec![put("A", 10, "x")]);
        store.store_id().to_owned()
    };
    let store = open(true).unwrap();
    assert_eq!((value(&store, "A", 0).as_deref(), store.store_id()), (Some("x"), id.as_str()));
    assert_eq!(store.apply(time(0), vec![put("A", 11, "y")]).unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[test]
fn a_full_map_keeps_what_was_there_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let options = LmdbOptions { map_size: 512 << 10, ..LmdbOptions::default() };
    let store: Arc<dyn OnlineStore> = Arc::new(LmdbStore::open(folder.path(), options).unwrap());
    let text = "x".repeat(4_000);
    let mut stored = 0;
    let error = loop {
        match store.apply(time(0), vec![put(&stored.to_string(), 10, &text)]) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("online.map_size"), "{error}");
    for number in 0..stored {
        assert!(value(store.as_ref(), &number.to_string(), 0).is_some(), "record {number} of {stored}");
    }
}

#[test]
fn a_full_outbox_refuses_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = LmdbStore::open(folder.path(), LmdbOptions { outbox_limit: 300, ..LmdbOptions::default() }).unwrap();
    let results: Vec<_> = (0..10).map(|number| store.apply(time(0), vec![put(&number.to_string(), 10, "x")])).collect();
    let refused = results.iter().position(Result::is_err).unwrap();
    assert!(results[refused].as_ref().unwrap_err().to_string().contains("larder flush"));
    store.trim_outbox(group(1), Arrival(u64::MAX)).unwrap();
    assert!(store.apply(time(0), vec![put("again", 10, "x")]).is_ok());
}
