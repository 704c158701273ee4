//! The SQL that AWS's client writes for a training dataset (`DatasetBuilder`), and the answers it must get.
//!
//! Statements are composed here after the client's grammar, one function a clause. The answers are worked out a second
//! time from the raw history by loops over rows: nothing of it is SQL. Histories are full of ties: few identifiers, few
//! event times, deletes before, at and after them, records of one load that share their arrival.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use larder::model::{EventTime, FeatureType, TimeMode};
use larder::store::{DeleteOptions, IngestOptions, OnError};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::sql::Shop;

/// A group, or a data frame that was uploaded as a table, as the client knows it.
#[derive(Clone)]
struct Side {
    group: &'static str,
    table: String,
    features: Vec<&'static str>,
    /// Features that were asked for.
    projected: Vec<&'static str>,
    is_text_time: bool,
    is_frame: bool,
}

impl Side {
    fn id(&self) -> &'static str {
        self.features[0]
    }

    fn time(&self) -> &'static str {
        self.features[1]
    }

    /// What is carried through the inner queries: what was asked for, and the keys.
    fn included(&self) -> Vec<&'static str> {
        let mut included = self.projected.clone();
        for key in [self.id(), self.time()] {
            if !included.contains(&key) {
                included.push(key);
            }
        }
        included
    }

    fn time_function(&self) -> &'static str {
        if self.is_text_time { "from_iso8601_timestamp" } else { "from_unixtime" }
    }
}

/// A group joined to the base.
#[derive(Clone)]
struct Joined {
    side: Side,
    base_feature: &'static str,
    own_feature: &'static str,
    comparator: &'static str,
    join: &'static str,
}

#[derive(Clone, Default)]
struct Options {
    duplicates: bool,
    deleted: bool,
    point_in_time: bool,
    recent: Option<usize>,
    limit: Option<usize>,
    as_of: Option<i64>,
    from: Option<f64>,
    to: Option<f64>,
}

// The statement, clause by clause.

fn event_time_conditions(options: &Options, alias: &str, side: &Side) -> Vec<String> {
    let condition =
        |operator, bound: f64| format!("{}({alias}.\"{}\") {operator} from_unixtime({bound:?})", side.time_function(), side.time());
    options.from.map(|from| condition(">=", from)).into_iter().chain(options.to.map(|to| condition("<=", to))).collect()
}

fn write_time_condition(options: &Options, alias: &str) -> Option<String> {
    options.as_of.map(|as_of| {
        let text = EventTime::from_unix_seconds(as_of).unwrap().to_iso8601().replace('T', " ").replace('Z', "");
        format!("{alias}.\"write_time\" <= to_timestamp('{text}', 'yyyy-mm-dd hh24:mi:ss')")
    })
}

fn outer_where(options: &Options, suffix: &str, side: &Side, base_is_frame: bool, first: &[String]) -> String {
    let mut conditions = first.to_vec();
    if !base_is_frame {
        conditions.extend(write_time_condition(options, &format!("table_{suffix}")));
    }
    conditions.extend(event_time_conditions(options, &format!("table_{suffix}"), side));
    if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join("\nAND ")) }
}

fn dedup_query(options: &Options, suffix: &str, side: &Side) -> String {
    let (id, time, table) = (side.id(), side.time(), &side.table);
    let mut conditions = Vec::new();
    let (mut order, mut chosen) = (String::new(), String::new());
    if !side.is_frame {
        order = format!("ORDER BY origin_{suffix}.\"api_invocation_time\" DESC, origin_{suffix}.\"write_time\" DESC\n");
        chosen = format!("WHERE dedup_row_{suffix} = 1\n");
        conditions.extend(write_time_condition(options, &format!("origin_{suffix}")));
    }
    conditions.extend(event_time_conditions(options, &format!("origin_{suffix}"), side));
    let conditions = if conditions.is_empty() { String::new() } else { format!("WHERE {}\n", conditions.join("\nAND ")) };
    format!(
        "table_{suffix} AS (\nSELECT *\nFROM (\nSELECT *, row_number() OVER (\n\
         PARTITION BY origin_{suffix}.\"{id}\", origin_{suffix}.\"{time}\"\n{order}) AS dedup_row_{suffix}\n\
         FROM \"sagemaker_featurestore\".\"{table}\" origin_{suffix}\n{conditions})\n{chosen})"
    )
}

fn deleted_query(options: &Options, suffix: &str, side: &Side) -> String {
    let (id, time, table) = (side.id(), side.time(), &side.table);
    let mut conditions = String::from("WHERE is_deleted\n");
    if let Some(condition) = write_time_condition(options, &format!("origin_{suffix}")) {
        conditions.push_str(&format!(" AND {condition}\n"));
    }
    if options.from.is_some() && options.to.is_some() {
        for condition in event_time_conditions(options, &format!("origin_{suffix}"), side) {
            conditions.push_str(&format!("AND {condition}\n"));
        }
    }
    format!(
        "deleted_{suffix} AS (\nSELECT *\nFROM (\nSELECT *, row_number() OVER (\nPARTITION BY origin_{suffix}.\"{id}\"\n\
         ORDER BY origin_{suffix}.\"{time}\" DESC, origin_{suffix}.\"api_invocation_time\" DESC, origin_{suffix}.\"write_time\" DESC\n\
         ) AS deleted_row_{suffix}\nFROM \"sagemaker_featurestore\".\"{table}\" origin_{suffix}\n{conditions})\n\
         WHERE deleted_row_{suffix} = 1\n)"
    )
}

/// Rows of a group after its delete markers, or without any.
fn undeleted(suffix: &str, side: &Side, table: &str, columns: &str) -> String {
    let (id, time) = (side.id(), side.time());
    let both = |column: &str, operator| format!("table_{suffix}.\"{column}\" {operator} deleted_{suffix}.\"{column}\"");
    format!(
        "SELECT {columns}\nFROM {table}\nLEFT JOIN deleted_{suffix}\nON {same_id}\nWHERE deleted_{suffix}.\"{id}\" IS NULL\nUNION ALL\n\
         SELECT {columns}\nFROM deleted_{suffix}\nJOIN {table}\nON {same_id}\nAND (\n{later}\nOR ({same} AND {later_call})\n\
         OR ({same} AND {same_call} AND {later_write})\n)\n",
        same_id = both(id, "="),
        later = both(time, ">"),
        same = both(time, "="),
        later_call = both("api_invocation_time", ">"),
        same_call = both("api_invocation_time", "="),
        later_write = both("write_time", ">"),
    )
}

fn table_query(options: &Options, suffix: &str, side: &Side, base_is_frame: bool) -> String {
    let columns = side.included().iter().map(|name| format!("table_{suffix}.\"{name}\"")).collect::<Vec<_>>().join(", ");
    let table = format!("\"sagemaker_featurestore\".\"{}\"", side.table);
    let outer = |first: &[String]| outer_where(options, suffix, side, base_is_frame, first);
    if options.duplicates && options.deleted {
        return format!("SELECT {columns}\nFROM {table} table_{suffix}\n{}", outer(&["NOT is_deleted".to_owned()]));
    }
    if !side.is_frame && options.deleted {
        return format!(
            "SELECT {columns}\nFROM (\nSELECT *, row_number() OVER (\nPARTITION BY origin_{suffix}.\"{}\", origin_{suffix}.\"{}\"\n\
             ORDER BY origin_{suffix}.\"api_invocation_time\" DESC, origin_{suffix}.\"write_time\" DESC\n) AS row_{suffix}\n\
             FROM {table} origin_{suffix}\nWHERE NOT is_deleted) AS table_{suffix}\n{}",
            side.id(),
            side.time(),
            outer(&[format!("row_{suffix} = 1")])
        );
    }
    if side.is_frame {
        return format!(
            "WITH {}\nSELECT {columns}\nFROM (\nSELECT {columns}\nFROM table_{suffix}\n) AS table_{suffix}\n{}",
            dedup_query(options, suffix, side),
            outer(&[])
        );
    }
    let carried = format!("{columns}, table_{suffix}.\"write_time\"");
    let (tables, from) = if options.duplicates {
        (deleted_query(options, suffix, side), format!("{table} table_{suffix}"))
    } else {
        (format!("{},\n{}", dedup_query(options, suffix, side), deleted_query(options, suffix, side)), format!("table_{suffix}"))
    };
    format!("WITH {tables}\nSELECT {columns}\nFROM (\n{}) AS table_{suffix}\n{}", undeleted(suffix, side, &from, &carried), outer(&[]))
}

fn dataset_query(options: &Options, base: &Side, joins: &[Joined]) -> String {
    let mut sql = format!("WITH fg_base AS ({})", table_query(options, "base", base, base.is_frame));
    let (mut inner, mut outer) = (Vec::new(), Vec::new());
    for name in &base.projected {
        inner.push(format!("fg_base.{name}"));
        outer.push((*name).to_owned());
    }
    let mut order = format!("fg_base.\"{}\" DESC", base.time());
    let mut from = String::from("FROM fg_base");
    for (number, joined) in joins.iter().enumerate() {
        let side = &joined.side;
        sql.push_str(&format!(",\nfg_{number} AS ({})", table_query(options, &number.to_string(), side, base.is_frame)));
        for name in &side.projected {
            inner.push(format!("fg_{number}.\"{name}\" as \"{name}.{}\"", number + 1));
            outer.push(format!("\"{name}.{}\"", number + 1));
        }
        order.push_str(&format!(", fg_{number}.\"{}\" DESC", side.time()));
        from.push_str(&format!(
            "\n{} fg_{number}\nON fg_base.\"{}\" {} fg_{number}.\"{}\"",
            joined.join, joined.base_feature, joined.comparator, joined.own_feature
        ));
        if options.point_in_time {
            from.push_str(&format!(
                "\nAND {}(fg_base.\"{}\") >= {}(fg_{number}.\"{}\")",
                base.time_function(),
                base.time(),
                side.time_function(),
                side.time()
            ));
        }
    }
    let recent = options.recent.map_or_else(String::new, |recent| format!("WHERE row_recent <= {recent}"));
    sql.push_str(&format!(
        "\nSELECT {}\nFROM (\nSELECT {}, row_number() OVER (\nPARTITION BY fg_base.\"{}\"\nORDER BY {order}\n) AS row_recent\n{from}\n)\n{recent}",
        outer.join(", "),
        inner.join(", "),
        base.id()
    ));
    if let Some(limit) = options.limit {
        sql.push_str(&format!("\nLIMIT {limit}"));
    }
    sql
}

// The answer, row by row.

/// A record as the history has it. Values by feature; `-` is null.
#[derive(Clone, Debug)]
struct Row {
    values: BTreeMap<&'static str, String>,
    called: i64,
    written: i64,
    is_deleted: bool,
}

async fn history(shop: &Shop, side: &Side) -> Vec<Row> {
    let columns = side.features.join(", ");
    let sql =
        format!("SELECT cast(api_invocation_time AS bigint), cast(write_time AS bigint), is_deleted, {columns} FROM \"{}\"", side.group);
    let rows = shop.cells(&sql).await.into_iter().map(|cells| Row {
        called: cells[0].parse().unwrap(),
        written: cells[1].parse().unwrap(),
        is_deleted: cells[2] == "true",
        values: side.features.iter().copied().zip(cells[3..].iter().cloned()).collect(),
    });
    rows.collect()
}

impl Row {
    fn of<'a>(&'a self, name: &str) -> &'a str {
        &self.values[name]
    }

    /// How the statement orders rows of one identifier: event time as its type orders it, then the call, then the write.
    fn age(&self, side: &Side) -> (Order, i64, i64) {
        (Order::of(self.of(side.time())), self.called, self.written)
    }

    fn instant(&self, side: &Side) -> i64 {
        let text = self.of(side.time());
        let time = if side.is_text_time {
            EventTime::parse_text(text, TimeMode::Lenient)
        } else {
            EventTime::parse_fractional(text, TimeMode::Lenient)
        };
        time.unwrap().unix_micros()
    }
}

/// A value as SQL orders it: numbers as numbers, all else as text.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Order {
    Number(f64),
    Text(String),
}

impl Order {
    fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number)
    }
}

fn in_range(options: &Options, row: &Row, side: &Side) -> bool {
    let micros = |bound: f64| (bound * 1e6) as i64;
    options.from.is_none_or(|from| row.instant(side) >= micros(from)) && options.to.is_none_or(|to| row.instant(side) <= micros(to))
}

fn in_time(options: &Options, row: &Row) -> bool {
    options.as_of.is_none_or(|as_of| row.written <= as_of * 1_000_000)
}

/// For each pair of identifier and event time the row that came last.
fn newest_of_each_time(rows: impl Iterator<Item = Row>, side: &Side) -> Vec<Row> {
    let mut newest: Vec<Row> = Vec::new();
    for row in rows {
        match newest.iter_mut().find(|known| known.of(side.id()) == row.of(side.id()) && known.of(side.time()) == row.of(side.time())) {
            Some(known) if (known.called, known.written) < (row.called, row.written) => *known = row,
            Some(_) => {}
            None => newest.push(row),
        }
    }
    newest
}

/// The rows of one group that a dataset draws from.
fn drawn(options: &Options, side: &Side, rows: &[Row], base_is_frame: bool) -> Vec<Row> {
    let is_in_time = |row: &Row| base_is_frame || in_time(options, row);
    let all = rows.iter().cloned();
    let kept: Vec<Row> = if options.duplicates && options.deleted {
        all.filter(|row| !row.is_deleted).collect()
    } else if side.is_frame {
        all.collect()
    } else if options.deleted {
        newest_of_each_time(all.filter(|row| !row.is_deleted), side)
    } else {
        let seen: Vec<Row> = if options.duplicates {
            all.collect()
        } else {
            newest_of_each_time(all.filter(|row| in_time(options, row) && in_range(options, row, side)), side)
        };
        let is_both = options.from.is_some() && options.to.is_some();
        let last_delete = |id: &str| {
            let of_id = rows.iter().filter(|row| row.is_deleted && row.of(side.id()) == id && in_time(options, row));
            let of_id = of_id.filter(|row| !is_both || in_range(options, row, side));
            of_id.map(|row| row.age(side)).max_by(|a, b| a.partial_cmp(b).unwrap())
        };
        let survives = |row: &Row| last_delete(row.of(side.id())).is_none_or(|deleted| row.age(side) > deleted);
        seen.into_iter().filter(survives).collect()
    };
    kept.into_iter().filter(|row| is_in_time(row) && in_range(options, row, side)).collect()
}

fn holds(comparator: &str, left: &str, right: &str) -> bool {
    if left == "-" || right == "-" {
        return false;
    }
    let order = Order::of(left).partial_cmp(&Order::of(right)).unwrap();
    match comparator {
        "=" => order == Ordering::Equal,
        "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

/// One row of the dataset while it is being made: the base's record and one of each joined group, where there is one.
type Match = Vec<Option<Row>>;

fn joined(options: &Options, base: &Side, bases: Vec<Row>, joins: &[(Joined, Vec<Row>)]) -> Vec<Match> {
    let mut rows: Vec<Match> = bases.into_iter().map(|row| vec![Some(row)]).collect();
    for (number, (joined, others)) in joins.iter().enumerate() {
        let mut found = Vec::new();
        let mut was_matched = vec![false; others.len()];
        for row in &rows {
            let mut is_matched = false;
            for (at, other) in others.iter().enumerate() {
                let Some(one) = &row[0] else { continue };
                let is_then = !options.point_in_time || one.instant(base) >= other.instant(&joined.side);
                if is_then && holds(joined.comparator, one.of(joined.base_feature), other.of(joined.own_feature)) {
                    is_matched = true;
                    was_matched[at] = true;
                    found.push(row.iter().cloned().chain([Some(other.clone())]).collect());
                }
            }
            if !is_matched && ["LEFT JOIN", "FULL JOIN"].contains(&joined.join) {
                found.push(row.iter().cloned().chain([None]).collect());
            }
        }
        if ["RIGHT JOIN", "FULL JOIN"].contains(&joined.join) {
            for (other, _) in others.iter().zip(was_matched).filter(|(_, was_matched)| !was_matched) {
                found.push(vec![None; number + 1].into_iter().chain([Some(other.clone())]).collect());
            }
        }
        rows = found;
    }
    rows
}

/// What decides which rows of an identifier are the recent ones, largest first; none is last.
fn recency(row: &Match, sides: &[&Side]) -> Vec<Option<Order>> {
    row.iter().zip(sides).map(|(row, side)| row.as_ref().map(|row| Order::of(row.of(side.time())))).collect()
}

fn output(row: &Match, sides: &[&Side]) -> Vec<String> {
    let values = |(row, side): (&Option<Row>, &&Side)| {
        side.projected.iter().map(|name| row.as_ref().map_or("-", |row| row.of(name)).to_owned()).collect::<Vec<_>>()
    };
    row.iter().zip(sides).flat_map(values).collect()
}

/// Checks an answer against all rows there may be: it is these, or as many of them as were asked for, the most recent
/// ones of each identifier. Where two are equally recent either may be given.
fn check(sql: &str, options: &Options, base: &Side, joins: &[(Joined, Vec<Row>)], rows: Vec<Match>, answer: Vec<Vec<String>>) {
    let sides: Vec<&Side> = std::iter::once(base).chain(joins.iter().map(|(joined, _)| &joined.side)).collect();
    let mut of_each: BTreeMap<Option<String>, Vec<Match>> = BTreeMap::new();
    for row in rows {
        of_each.entry(row[0].as_ref().map(|row| row.of(base.id()).to_owned())).or_default().push(row);
    }
    // Rows that must be given, and rows of which some must.
    let (mut certain, mut possible, mut count) = (Vec::new(), Vec::new(), 0);
    for (_, mut rows) in of_each {
        let kept = options.recent.unwrap_or(usize::MAX).min(rows.len());
        count += kept;
        rows.sort_by(|a, b| recency(b, &sides).partial_cmp(&recency(a, &sides)).unwrap());
        let last = kept.checked_sub(1).map(|last| recency(&rows[last], &sides));
        for (at, row) in rows.iter().enumerate() {
            let is_tied = kept < rows.len() && Some(recency(row, &sides)) == last;
            if is_tied {
                possible.push(output(row, &sides));
            } else if at < kept {
                certain.push(output(row, &sides));
            }
        }
    }
    assert_eq!(answer.len(), options.limit.map_or(count, |limit| limit.min(count)), "{sql}");
    let take = |row: &Vec<String>, from: &mut Vec<Vec<String>>| {
        let at = from.iter().position(|known| known == row);
        at.map(|at| from.swap_remove(at)).is_some()
    };
    let mut extra = answer;
    if options.limit.is_none() {
        for row in certain.drain(..) {
            assert!(take(&row, &mut extra), "{sql}\n\nmissing: {row:?}");
        }
    }
    possible.append(&mut certain);
    for row in extra {
        assert!(take(&row, &mut possible), "{sql}\n\nno such row, or too often: {row:?}");
    }
}

// Histories.

const START: i64 = 1_780_000_000;
const LABELS: [&str; 4] = ["Label_Id", "event_time", "customer", "amount"];
const CUSTOMERS: [&str; 4] = ["customer_id", "updated", "plan", "Visits"];
const ORDERS: [&str; 4] = ["order_id", "at", "buyer", "total"];
const FRAME: [&str; 4] = ["row_id", "seen", "customer", "amount"];

/// Text of one of eight event times, in the form the group has: ISO-8601, Unix seconds as text, or a number.
fn time_text(group: &str, slot: i64) -> String {
    let at = START + slot * 1_800;
    match group {
        "Base-Labels" | "spine-frame" => EventTime::from_unix_seconds(at).unwrap().to_iso8601(),
        "customer-features" => at.to_string(),
        _ => format!("{at}.5"),
    }
}

/// Fills a group by puts, deletes and loads, some of them flushed; every call at its own instant.
async fn fill(shop: &Shop, random: &mut StdRng, group: &str, names: [&str; 4], is_frame: bool) {
    let folder = tempfile::tempdir().unwrap();
    let record = |random: &mut StdRng| {
        let id = format!("{}{}", &names[0][..1], random.random_range(0..5));
        let text = ["a", "b", "c", "l0", "c1", "c2", ""][random.random_range(0..7)].to_owned();
        let number = if random.random_bool(0.2) { String::new() } else { random.random_range(0..6).to_string() };
        [id, time_text(group, random.random_range(0..8)), text, number]
    };
    for step in 0..22 {
        shop.set_now(START + 20_000 + step * 60);
        match random.random_range(0..10) {
            0..6 => {
                let record = record(random);
                shop.put(group, &names, &record.each_ref().map(String::as_str)).await;
            }
            6..8 if !is_frame => {
                let [id, time, ..] = record(random);
                shop.store.delete(group, &id, &time, DeleteOptions::default()).await.unwrap();
            }
            8 => {
                // Rows of a load share their arrival, so that only a different key tells them apart.
                let records: BTreeMap<(String, String), [String; 4]> =
                    (0..6).map(|_| record(random)).map(|record| ((record[0].clone(), record[1].clone()), record)).collect();
                let lines: Vec<String> = records.values().map(|record| record.join(",")).collect();
                let file = folder.path().join(format!("{step}.csv"));
                std::fs::write(&file, format!("{}\n{}\n", names.join(","), lines.join("\n"))).unwrap();
                let files = vec![file.to_string_lossy().into_owned()];
                let options = IngestOptions { files, drop: Vec::new(), targets: None, on_error: OnError::Stop, rejects: None };
                shop.store.ingest(group, options, Arc::new(|_| {}), Arc::new(AtomicBool::new(false))).await.unwrap();
            }
            _ => drop(shop.store.flush(&[group.to_owned()]).await.unwrap()),
        }
    }
}

/// A store with a base of labels, two groups to join, and a table that stands for an uploaded data frame.
async fn filled(random: &mut StdRng) -> (Shop, BTreeMap<&'static str, Side>) {
    let shop = Shop::open("2026-01-01").await;
    let mut sides = BTreeMap::new();
    for (group, names, time) in [
        ("Base-Labels", LABELS, FeatureType::String),
        ("customer-features", CUSTOMERS, FeatureType::String),
        ("orders", ORDERS, FeatureType::Fractional),
        ("spine-frame", FRAME, FeatureType::String),
    ] {
        let types = [FeatureType::String, time, FeatureType::String, FeatureType::Integral];
        shop.group(group, &names.into_iter().zip(types).collect::<Vec<_>>()).await;
        let is_frame = group == "spine-frame";
        fill(&shop, random, group, names, is_frame).await;
        let table = shop.store.group(group).await.unwrap().glue_table();
        let is_text_time = time == FeatureType::String;
        let features = names.to_vec();
        sides.insert(group, Side { group, table, projected: features.clone(), features, is_text_time, is_frame });
    }
    (shop, sides)
}

/// Runs a statement and checks its answer.
async fn ask(shop: &Shop, options: &Options, base: &Side, joins: &[Joined]) -> usize {
    let mut drawn_of = Vec::new();
    for joined in joins {
        drawn_of.push((joined.clone(), drawn(options, &joined.side, &history(shop, &joined.side).await, base.is_frame)));
    }
    let records = history(shop, base).await;
    let sql = dataset_query(options, base, joins);
    let mut count = 0;
    // Among records that tie either may be taken, so each answer is held against what may be said.
    for answer in shop.cells_of_each(&sql).await {
        count = answer.len();
        let rows = joined(options, base, drawn(options, base, &records, base.is_frame), &drawn_of);
        check(&sql, options, base, &drawn_of, rows, answer);
    }
    count
}

fn to(side: &Side, base_feature: &'static str, own_feature: &'static str) -> Joined {
    Joined { side: side.clone(), base_feature, own_feature, comparator: "=", join: "JOIN" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_alone_is_answered_with_duplicates_and_deletes_as_asked() {
    for seed in 0..2 {
        let (shop, sides) = filled(&mut StdRng::seed_from_u64(seed)).await;
        let mut rows = 0;
        for (duplicates, deleted) in [(false, false), (true, false), (false, true), (true, true)] {
            let options = Options { duplicates, deleted, ..Options::default() };
            for base in sides.values() {
                rows += ask(&shop, &options, base, &[]).await;
            }
            let options = Options { recent: Some(1), ..options };
            rows += ask(&shop, &options, &sides["orders"], &[]).await;
        }
        assert!(rows > 80, "{rows} rows prove little");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_comparator_and_join_is_answered() {
    let (shop, sides) = filled(&mut StdRng::seed_from_u64(11)).await;
    let mut rows = 0;
    // Every second pair asks for a point in time, the others don't.
    let kinds = [Options::default(), Options { point_in_time: true, recent: Some(1), duplicates: true, ..Options::default() }];
    for (at, comparator) in ["=", ">", ">=", "<", "<=", "<>"].into_iter().enumerate() {
        for (kind, join) in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"].into_iter().enumerate() {
            let orders = Joined { comparator, join, ..to(&sides["orders"], "amount", "total") };
            rows += ask(&shop, &kinds[(at + kind) % 2], &sides["Base-Labels"], &[orders]).await;
        }
    }
    assert!(rows > 200, "{rows} rows prove little");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datasets_of_several_groups_are_answered() {
    let mut rows = 0;
    for seed in 20..24 {
        let mut random = StdRng::seed_from_u64(seed);
        let (shop, sides) = filled(&mut random).await;
        for _ in 0..10 {
            let bound = |random: &mut StdRng| {
                random
                    .random_bool(0.3)
                    .then(|| (START + random.random_range(0..8) * 1_800) as f64 + [0.0, 0.5, 60.25].choose(random).unwrap())
            };
            let options = Options {
                duplicates: random.random_bool(0.3),
                deleted: random.random_bool(0.3),
                point_in_time: random.random_bool(0.6),
                recent: random.random_bool(0.5).then(|| random.random_range(0..4)),
                limit: random.random_bool(0.2).then(|| random.random_range(0..20)),
                as_of: random.random_bool(0.4).then(|| START + 20_000 + random.random_range(0..22) * 60),
                from: bound(&mut random),
                to: bound(&mut random),
            };
            let mut base = sides[*["Base-Labels", "customer-features", "orders", "spine-frame"].choose(&mut random).unwrap()].clone();
            // Asked for as few features as may be; the keys are carried along all the same.
            if random.random_bool(0.5) {
                base.projected = vec![base.features[3], base.features[2]];
            }
            let mut joins = Vec::new();
            for group in ["customer-features", "orders"] {
                let mut side = sides[group].clone();
                let (base_feature, own_feature) = (base.features[2], side.features[[0, 2].choose(&mut random).copied().unwrap()]);
                if random.random_bool(0.5) {
                    side.projected.retain(|name| *name == own_feature || *name == side.features[3]);
                }
                let comparator = ["=", "=", "=", "<=", "<>"].choose(&mut random).unwrap();
                let join = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"].choose(&mut random).unwrap();
                joins.push(Joined { comparator, join, ..to(&side, base_feature, own_feature) });
            }
            rows += ask(&shop, &options, &base, &joins).await;
        }
    }
    assert!(rows > 500, "{rows} rows prove little");
}

/// The client writes SQL of this form; whoever changes the functions above sees it whole here.
#[test]
fn the_statement_has_the_clients_form() {
    let side = |group, features: [&'static str; 4], is_text_time| Side {
        group,
        table: format!("{group}_1780000000"),
        features: features.to_vec(),
        projected: features.to_vec(),
        is_text_time,
        is_frame: false,
    };
    let options =
        Options { point_in_time: true, recent: Some(1), as_of: Some(START), from: Some(1.5), to: Some(2.0), ..Options::default() };
    let orders = to(&side("orders", ORDERS, false), "customer", "buyer");
    insta::assert_snapshot!(dataset_query(&options, &side("labels", LABELS, true), &[orders]));
}

#[tokio::test]
async fn the_clients_latest_records_are_answered() {
    let (shop, sides) = filled(&mut StdRng::seed_from_u64(5)).await;
    let side = &sides["orders"];
    // What `get_feature_group_as_dataframe` asks.
    let sql = format!(
        "SELECT * FROM \"sagemaker_featurestore\".\"{0}\" WHERE is_deleted=False AND at=(SELECT MAX(at) FROM \"sagemaker_featurestore\".\"{0}\");",
        side.table
    );
    let rows = history(&shop, side).await;
    let newest = rows.iter().map(|row| row.of("at").parse::<f64>().unwrap()).fold(0.0, f64::max);
    let wanted = rows.iter().filter(|row| !row.is_deleted && row.of("at").parse::<f64>().unwrap() == newest).count();
    assert_eq!(shop.cells(&sql).await.len(), wanted);
}
