//! The dialect: names, functions and forms of Athena's SQL, asked of a real store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use larder::model::{
    Collection, Error, ErrorKind, EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, RawValue, Schema, TimeMode,
};
use larder::store::{FeatureStore, NewGroup, OpenOptions, PutOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::differential::Beside;

/// A store whose clock the test moves.
pub struct Shop {
    _folder: tempfile::TempDir,
    pub store: FeatureStore,
    now: Arc<AtomicI64>,
    cluster: Beside,
}

/// Unix seconds of a time.
pub fn seconds(text: &str) -> i64 {
    EventTime::parse_text(text, TimeMode::Lenient).unwrap().unix_seconds()
}

impl Shop {
    /// An empty store at an instant.
    pub async fn open(now: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(seconds(now)));
        let clock = now.clone();
        let clock = move || EventTime::from_unix_seconds(clock.load(Ordering::Relaxed)).unwrap();
        let options = OpenOptions { create: true, clock: Some(Arc::new(clock)), ..OpenOptions::default() };
        let store = FeatureStore::open(folder.path().join("store"), options).await.unwrap();
        Self { _folder: folder, store, now, cluster: Beside::default() }
    }

    pub fn set_now(&self, seconds: i64) {
        self.now.store(seconds, Ordering::Relaxed);
    }

    /// Makes a group; the first feature is its identifier, the second its event time. A name with `[]` is a list.
    pub async fn group(&self, name: &str, features: &[(&str, FeatureType)]) {
        let plain = |name: &str| name.trim_end_matches("[]").to_owned();
        let definition = |(name, kind): &(&str, FeatureType)| {
            let collection = name.ends_with("[]").then_some(Collection::List);
            FeatureDefinition { collection, ..FeatureDefinition::new(FeatureName::parse(&plain(name)).unwrap(), *kind) }
        };
        let definitions = features.iter().map(definition).collect();
        let schema = Schema::new(definitions, &plain(features[0].0), &plain(features[1].0)).unwrap();
        let mut group = NewGroup::new(GroupName::parse(name).unwrap(), schema);
        // Lists are kept offline alone as well as online; the history is what is asked here.
        group.online = None;
        self.store.create_group(group).await.unwrap();
    }

    /// Puts a record; an empty value is left out, one with `|` is a list.
    pub async fn put(&self, group: &str, names: &[&str], values: &[&str]) {
        let value = |text: &str| match text.split_once('|') {
            Some(_) => RawValue::List(text.trim_matches('|').split('|').map(str::to_owned).collect()),
            None => RawValue::Text(text.to_owned()),
        };
        let pairs = names.iter().zip(values).filter(|(_, text)| !text.is_empty()).map(|(name, text)| ((*name).to_owned(), value(text)));
        self.store.put(group, pairs.collect(), PutOptions::default()).await.unwrap();
    }

    pub async fn try_query(&self, sql: &str) -> Result<RecordBatch, Error> {
        let answer = self.try_query_here(sql).await;
        self.cluster.statement(&self.store, sql, &answer).await;
        answer
    }

    /// The cells of one machine's answer and, where there is one, of a cluster's, which the caller compares.
    pub async fn cells_of_each(&self, sql: &str) -> Vec<Vec<Vec<String>>> {
        let mut answers = vec![cells(&self.try_query_here(sql).await.unwrap())];
        answers.extend(self.cluster.answer(&self.store, sql).await.map(|answer| cells(&answer.unwrap())));
        answers
    }

    async fn try_query_here(&self, sql: &str) -> Result<RecordBatch, Error> {
        let stream = self.store.query(sql, None).await?;
        let schema = stream.schema();
        Ok(concat_batches(&schema, &stream.collect().await?).unwrap())
    }

    pub async fn query(&self, sql: &str) -> RecordBatch {
        self.try_query(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// All cells as text, null as `-`, rows in the order of the answer.
    pub async fn cells(&self, sql: &str) -> Vec<Vec<String>> {
        cells(&self.query(sql).await)
    }

    /// The only cell.
    async fn cell(&self, sql: &str) -> String {
        let mut cells = self.cells(sql).await;
        assert_eq!((cells.len(), cells.first().map(Vec::len)), (1, Some(1)), "{sql}");
        cells.remove(0).remove(0)
    }

    async fn fault(&self, sql: &str) -> Error {
        self.try_query(sql).await.err().unwrap_or_else(|| panic!("{sql} was answered"))
    }

    /// Number of files a statement reads, by its plan.
    async fn files_read(&self, sql: &str) -> usize {
        let plan = cells(&self.query(&format!("explain {sql}")).await);
        plan.into_iter().flatten().collect::<String>().matches(".parquet").count()
    }

    async fn glue(&self, group: &str) -> String {
        self.store.group(group).await.unwrap().glue_table()
    }
}

pub fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |column: &Arc<dyn Array>, row| {
        if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

const NOW: &str = "2026-06-10T12:00:00Z";
const CUSTOMER: [&str; 6] = ["Customer_Id", "event_time", "plan", "score", "visits", "tags"];
const ORDER: [&str; 4] = ["order", "at", "customer", "amount"];

/// Four days of customers, a file each, with event times as text in the forms that users bring; and orders, whose event
/// time is a number.
async fn shop() -> Shop {
    let shop = Shop::open(NOW).await;
    let customer = [
        (CUSTOMER[0], FeatureType::String),
        (CUSTOMER[1], FeatureType::String),
        (CUSTOMER[2], FeatureType::String),
        (CUSTOMER[3], FeatureType::Fractional),
        (CUSTOMER[4], FeatureType::Integral),
        ("tags[]", FeatureType::String),
    ];
    shop.group("Customer-Features", &customer).await;
    let order = [
        (ORDER[0], FeatureType::String),
        (ORDER[1], FeatureType::Fractional),
        (ORDER[2], FeatureType::String),
        (ORDER[3], FeatureType::Integral),
    ];
    shop.group("orders", &order).await;
    // 7, 8, 9 and 10 June.
    let days = [
        "2026-06-07T12:00:00Z".to_owned(),
        "2026-06-08T14:00:00.250+02:00".to_owned(),
        seconds("2026-06-09T12:00:00Z").to_string(),
        "2026-06-10".to_owned(),
    ];
    for (day, time) in days.iter().enumerate() {
        for id in 0..3 {
            let (id, plan) = (format!("c{id}"), if (day + id) % 2 == 0 { "free" } else { "gold" });
            let score = if id == "c2" { String::new() } else { format!("{}.5", day) };
            shop.put("Customer-Features", &CUSTOMER, &[&id, time, plan, &score, &(day * 10).to_string(), "|a|b"]).await;
        }
        let at = seconds("2026-06-07T12:00:00Z") + 86_400 * i64::try_from(day).unwrap();
        shop.put("orders", &ORDER, &[&format!("o{day}"), &format!("{at}.25"), "c1", &(day * 100).to_string()]).await;
        shop.store.flush(&[]).await.unwrap();
    }
    shop
}

#[tokio::test]
async fn a_group_answers_to_its_glue_names() {
    let shop = shop().await;
    let table = shop.glue("customer-features").await;
    assert_eq!(table, format!("customer_features_{}", seconds(NOW)));
    for name in [
        format!("\"sagemaker_featurestore\".\"{table}\""),
        format!("SageMaker_FeatureStore.{}", table.to_uppercase()),
        format!("\"AwsDataCatalog\".\"sagemaker_featurestore\".\"{table}\""),
        format!("awsdatacatalog.sagemaker_featurestore.{table}"),
        format!("larder.sagemaker_featurestore.{table}"),
        table.clone(),
        format!("\"{table}\""),
        "\"customer-features\"".to_owned(),
        "main.\"customer-features\"".to_owned(),
    ] {
        assert_eq!(shop.cell(&format!("SELECT count(*) FROM {name}")).await, "12", "{name}");
        assert_eq!(shop.cell(&format!("SELECT max(x.\"VISITS\") FROM {name} x")).await, "30", "{name}");
    }
    assert_eq!(shop.cell(&format!("SELECT count(*) FROM sagemaker_featurestore.\"{table}$latest\"")).await, "3");
    // Two names of one group in one statement are the same rows.
    let joined = format!(
        "SELECT count(*) FROM \"customer-features\" a JOIN sagemaker_featurestore.{table} b
         ON a.customer_id = b.Customer_Id AND a.event_time = b.event_time AND {table}.x = 1"
    );
    assert_eq!(shop.cell(&joined.replace(&format!(" AND {table}.x = 1"), "")).await, "12");
    assert_eq!(shop.cell(&format!("SELECT max({table}.visits) FROM sagemaker_featurestore.{table}")).await, "30");
    assert_eq!(shop.cells("SHOW TABLES").await, [["Customer-Features"], ["orders"]]);
}

#[tokio::test]
async fn a_groups_own_name_comes_before_a_glue_name() {
    let shop = shop().await;
    let glue = shop.glue("orders").await;
    shop.group(&glue, &[("id", FeatureType::String), ("at", FeatureType::Fractional)]).await;
    assert_eq!(shop.cell(&format!("SELECT count(*) FROM {glue}")).await, "0");
    assert_eq!(shop.cell(&format!("SELECT count(*) FROM sagemaker_featurestore.{glue}")).await, "4");
    for (sql, what) in [
        ("SELECT * FROM sagemaker_featurestore.orders_17", "no table 'orders_17' in database sagemaker_featurestore"),
        ("SELECT * FROM sagemaker_featurestore.orders", "no table 'orders' in database"),
        ("SELECT * FROM otherdatabase.orders", "no table otherdatabase.orders"),
        ("SELECT * FROM othercatalog.sagemaker_featurestore.orders_17", "no table othercatalog.sagemaker_featurestore.orders_17"),
        ("SELECT * FROM ordres", "did you mean orders?"),
    ] {
        let error = shop.fault(sql).await;
        assert!(error.to_string().contains(what), "{sql}: {error}");
    }
}

#[tokio::test]
async fn times_are_read_from_whatever_a_group_holds() {
    let shop = shop().await;
    let read = "SELECT from_iso8601_timestamp(event_time) AS t FROM \"customer-features\" WHERE customer_id = 'c0' ORDER BY t";
    let times = shop.query(read).await;
    assert!(matches!(times.column(0).data_type(), DataType::Timestamp(_, Some(zone)) if zone.as_ref() == "UTC"));
    assert_eq!(
        cells(&times).concat(),
        ["2026-06-07T12:00:00Z", "2026-06-08T12:00:00.250Z", "2026-06-09T12:00:00Z", "2026-06-10T00:00:00Z"]
    );
    let read = "SELECT from_unixtime(at) FROM orders WHERE amount = 100";
    assert_eq!(shop.cell(read).await, "2026-06-08T12:00:00.250Z");
    assert_eq!(shop.cell("SELECT max(to_unixtime(from_unixtime(at)) - at) FROM orders").await, "0.0");
}

#[tokio::test]
async fn text_beside_a_time_is_a_time_and_files_are_left_out() {
    let shop = shop().await;
    for (filter, rows, files) in [
        // The seed's own question: the last day.
        ("event_time >= current_timestamp - INTERVAL '24' HOUR", 6, 2),
        ("event_time > now() - interval '71' hour", 9, 3),
        ("event_time >= timestamp '2026-06-09 12:00:00'", 6, 2),
        ("timestamp '2026-06-08 12:00:00 UTC' >= event_time", 3, 1),
        ("event_time >= date '2026-06-10'", 3, 1),
        ("event_time < date '2026-06-08'", 3, 1),
        ("event_time between timestamp '2026-06-08 00:00:00' and timestamp '2026-06-09 00:00:00'", 3, 1),
        ("event_time in (timestamp '2026-06-07 12:00:00', timestamp '2026-06-10 00:00:00')", 6, 2),
        ("event_time = from_unixtime(1780833600)", 3, 1),
        ("from_iso8601_timestamp(event_time) <= from_unixtime(1780833600.0)", 3, 1),
        ("cast(event_time as timestamp) > timestamp '2026-06-09 23:00:00'", 3, 1),
        ("cast(event_time as timestamp with time zone) > timestamp '2026-06-09 23:00:00'", 3, 1),
        ("event_time + interval '1' day > current_timestamp", 3, 4),
        ("try_cast(event_time as timestamp) >= current_date", 3, 1),
        ("try(from_iso8601_timestamp(event_time)) >= localtimestamp - interval '12' hour", 3, 1),
        ("event_time > timestamp '2027-01-01 00:00:00'", 0, 0),
        // Text beside text is text: Unix seconds come before all.
        ("event_time < '2026'", 3, 1),
    ] {
        let sql = format!("SELECT count(*) FROM \"customer-features\" WHERE {filter}");
        assert_eq!(shop.cell(&sql).await, rows.to_string(), "{filter}");
        assert_eq!(shop.files_read(&sql).await, files, "{filter}");
    }
    for (filter, rows, files) in [
        ("from_unixtime(at) >= current_timestamp - interval '2' day", 3, 3),
        ("from_unixtime(at) = timestamp '2026-06-08 12:00:00.25'", 1, 1),
        ("from_unixtime(at) < from_iso8601_timestamp('2026-06-08')", 1, 1),
        ("at >= 1780920000", 3, 3),
        ("write_time <= to_timestamp('2026-06-10 11:59:59', 'yyyy-mm-dd hh24:mi:ss')", 0, 0),
        ("write_time <= to_timestamp('2026-06-10 12:00:01', 'yyyy-mm-dd hh24:mi:ss')", 4, 4),
        ("write_time < current_timestamp + interval '1' hour", 4, 4),
    ] {
        let sql = format!("SELECT count(*) FROM orders WHERE {filter}");
        assert_eq!(shop.cell(&sql).await, rows.to_string(), "{filter}");
        assert_eq!(shop.files_read(&sql).await, files, "{filter}");
    }
}

/// Event times at, just before and just after each other, with more digits than a double or a microsecond holds.
#[tokio::test]
async fn leaving_files_out_by_time_never_changes_an_answer() {
    let shop = Shop::open(NOW).await;
    shop.group("numbers", &[("id", FeatureType::String), ("at", FeatureType::Fractional)]).await;
    shop.group("texts", &[("id", FeatureType::String), ("at", FeatureType::String)]).await;
    let mut random = StdRng::seed_from_u64(3);
    let mut bounds = Vec::new();
    for file in 0..8 {
        for row in 0..6 {
            let micros = (1_763_890_200 + file * 2) * 1_000_000_i128 + [0, 1, 999_999, 123_456][random.random_range(0..4)];
            let nanos = micros * 1_000 + [0, 1, 499, 500, 999][random.random_range(0..5)];
            let time = EventTime::from_unix_nanos(nanos).unwrap();
            // A finer number than nanoseconds, in seconds or milliseconds.
            let number = match random.random_range(0..3) {
                0 => format!("{}999", time.to_unix_text()),
                1 => format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000),
                _ => time.to_unix_text(),
            };
            let text = match random.random_range(0..3) {
                0 => number.clone(),
                1 => time.to_iso8601().replace('Z', "+00:00"),
                _ => time.to_iso8601(),
            };
            let id = format!("{file}-{row}");
            shop.put("numbers", &["id", "at"], &[&id, &number]).await;
            shop.put("texts", &["id", "at"], &[&id, &text]).await;
            bounds.push((number, text));
        }
        shop.store.flush(&[]).await.unwrap();
    }
    let mut left_out = 0;
    for _ in 0..16 {
        let (number, text) = &bounds[random.random_range(0..bounds.len())];
        let operator = ["=", "<", "<=", ">", ">="][random.random_range(0..5)];
        for (group, read, hidden, bound) in [
            ("numbers", "from_unixtime(at)", "from_unixtime(at + 0 * length(id))", format!("from_unixtime({number})")),
            ("texts", "from_iso8601_timestamp(at)", "from_iso8601_timestamp(concat(at, ''))", format!("from_iso8601_timestamp('{text}')")),
            ("texts", "at", "concat(at, '')", format!("from_iso8601_timestamp('{text}')")),
        ] {
            let ask = |time: &str| format!("SELECT id FROM {group} WHERE {time} {operator} {bound} ORDER BY id");
            let answer = shop.cells(&ask(read)).await;
            assert_eq!(answer, shop.cells(&ask(hidden)).await, "{}", ask(read));
            assert!(operator == "<" || operator == ">" || !answer.is_empty(), "{}", ask(read));
            left_out += 8 - shop.files_read(&ask(read)).await;
            assert_eq!(shop.files_read(&ask(hidden)).await, 8);
        }
    }
    assert!(left_out > 60, "{left_out} files were left out");
}

#[tokio::test]
async fn text_is_a_time_in_joins_subqueries_and_selected_columns() {
    let shop = shop().await;
    let joined =
        "SELECT count(*) FROM \"customer-features\" c JOIN orders o ON c.customer_id = o.customer AND c.event_time <= from_unixtime(o.at)";
    // For each order the customers' rows up to it: 1, 2, 3, and all 4 of them.
    assert_eq!(shop.cell(joined).await, "10");
    let correlated = "SELECT \"order\" FROM orders o WHERE EXISTS (
            SELECT 1 FROM \"customer-features\" c WHERE c.event_time > from_unixtime(o.at) AND c.event_time < timestamp '2026-06-09 00:00:00')
        ORDER BY 1";
    assert_eq!(shop.cells(correlated).await, [["o0"]]);
    let columns = shop
        .query(
            "SELECT event_time >= current_timestamp - interval '1' day AND visits > 0, cast(event_time as date) AS day,
                    date_trunc('day', event_time) AS midnight, year(event_time), event_time - interval '12' hour AS before
             FROM \"customer-features\" WHERE customer_id = 'c1' ORDER BY visits DESC LIMIT 1",
        )
        .await;
    assert_eq!(names(&columns)[3], "year(event_time)");
    assert_eq!(cells(&columns), [["true", "2026-06-10", "2026-06-10T00:00:00", "2026", "2026-06-09T12:00:00Z"]]);
    let latest = "SELECT count(*) FROM \"customer-features$latest\" WHERE event_time >= current_timestamp - interval '24' hour";
    assert_eq!(shop.cell(latest).await, "3");
    let grouped =
        "SELECT month(event_time) AS m, count(*) FROM \"customer-features\" GROUP BY month(event_time) ORDER BY month(event_time)";
    assert_eq!(shop.cells(grouped).await, [["6", "12"]]);
}

#[tokio::test]
async fn what_is_no_time_is_named_or_null() {
    let shop = Shop::open(NOW).await;
    shop.group("g", &[("id", FeatureType::String), ("at", FeatureType::String), ("born", FeatureType::String)]).await;
    for (id, born) in [("a", "1990-05-01"), ("b", "unknown"), ("c", "")] {
        shop.put("g", &["id", "at", "born"], &[id, "2026-01-01T00:00:00Z", born]).await;
    }
    for sql in [
        "SELECT from_iso8601_timestamp(born) FROM g",
        "SELECT id FROM g WHERE born < current_timestamp",
        "SELECT cast(born as date) FROM g",
        "SELECT to_timestamp(born, 'yyyy-mm-dd') FROM g",
        "SELECT date_parse(born, '%Y-%m-%d') FROM g",
    ] {
        let error = shop.fault(sql).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
        assert!(error.to_string().contains("'unknown'") && error.to_string().contains("try("), "{sql}: {error}");
    }
    for expression in [
        "cast(try(from_iso8601_timestamp(born)) as date)",
        "try_cast(born as date)",
        "try(cast(born as date))",
        "try(date(born))",
        "cast(try(to_timestamp(born, 'yyyy-mm-dd')) as date)",
        "try(to_date(born, 'yyyy-mm-dd'))",
        "date(try(date_parse(born, '%Y-%m-%d')))",
        "try(from_iso8601_date(born))",
    ] {
        assert_eq!(shop.cells(&format!("SELECT {expression} FROM g ORDER BY id")).await, [["1990-05-01"], ["-"], ["-"]], "{expression}");
    }
}

#[tokio::test]
async fn functions_answer_as_in_trino() {
    let shop = shop().await;
    for (expression, answer) in [
        // The instant of the statement
        ("current_timestamp", "2026-06-10T12:00:00Z"),
        ("current_timestamp(3)", "2026-06-10T12:00:00Z"),
        ("localtimestamp(0)", "2026-06-10T12:00:00"),
        ("now()", "2026-06-10T12:00:00Z"),
        ("localtimestamp", "2026-06-10T12:00:00"),
        ("current_date", "2026-06-10"),
        ("current_time", "12:00:00"),
        ("current_timestamp - INTERVAL '24' HOUR", "2026-06-09T12:00:00Z"),
        ("current_date - interval '7' day", "2026-06-03"),
        ("date '2024-01-31' + interval '1' month", "2024-02-29"),
        ("timestamp '9999-12-31 23:59:59'", "9999-12-31T23:59:59"),
        // Unix time
        ("from_unixtime(1763890200.25)", "2025-11-23T09:30:00.250Z"),
        ("from_unixtime(1763890200)", "2025-11-23T09:30:00Z"),
        ("from_unixtime(1763890200250)", "2025-11-23T09:30:00.250Z"),
        ("from_unixtime(-0.5)", "1969-12-31T23:59:59.500Z"),
        ("from_unixtime(1763890200, 'Asia/Kolkata')", "2025-11-23T15:00:00+05:30"),
        ("from_unixtime(null)", "-"),
        ("to_unixtime(timestamp '2025-11-23 09:30:00.25')", "1763890200.25"),
        ("to_unixtime(date '1970-01-02')", "86400.0"),
        // ISO-8601
        ("from_iso8601_timestamp('2025-11-23T09:30:00+02:00')", "2025-11-23T07:30:00Z"),
        ("from_iso8601_timestamp('1763890200')", "2025-11-23T09:30:00Z"),
        ("from_iso8601_timestamp('0000-01-01T00:00:00Z') < from_iso8601_timestamp('9999-12-31T23:59:59Z')", "true"),
        ("from_iso8601_date('2025-11-23')", "2025-11-23"),
        ("to_iso8601(from_unixtime(1763890200))", "2025-11-23T09:30:00Z"),
        ("to_iso8601(date '2025-11-23')", "2025-11-23"),
        // Patterns
        ("to_timestamp('2025-11-23 09:30:05', 'yyyy-mm-dd hh24:mi:ss')", "2025-11-23T09:30:05"),
        ("to_timestamp('23/11/2025', 'DD/MM/YYYY')", "2025-11-23T00:00:00"),
        ("to_timestamp('2025-11-23 09:30', '%Y-%m-%d %H:%M')", "2025-11-23T09:30:00"),
        ("to_timestamp('2025-11-23T09:30:00')", "2025-11-23T09:30:00"),
        ("to_timestamp(1763890200)", "2025-11-23T09:30:00"),
        ("to_date('2025.11.23', 'yyyy.mm.dd')", "2025-11-23"),
        ("to_date('2025-11-23')", "2025-11-23"),
        ("to_char(timestamp '2025-11-23 09:30:05', 'hh24:mi dd.mm.yy')", "09:30 23.11.25"),
        ("to_char(date '2025-11-23', '%d.%m.')", "23.11."),
        ("date_parse('2025-11-23 21:05', '%Y-%m-%d %H:%i')", "2025-11-23T21:05:00"),
        ("date_format(timestamp '2025-11-23 21:05:00', '%W %e %M %Y %l:%i %p')", "Sunday 23 November 2025 9:05 PM"),
        // Calendar
        ("date_diff('day', date '2025-11-01', date '2025-11-23')", "22"),
        ("date_diff('hour', timestamp '2025-11-23 00:30:00', from_unixtime(1763890200))", "9"),
        ("date_diff('month', timestamp '2025-01-31 00:00:00', timestamp '2025-02-28 00:00:00')", "1"),
        ("date_diff('second', '2025-11-23T00:00:00Z', '2025-11-22T23:59:00Z')", "-60"),
        ("date_add('month', 1, date '2025-01-31')", "2025-02-28"),
        ("date_add('hour', -12, timestamp '2025-11-23 09:30:00')", "2025-11-22T21:30:00"),
        ("date_add('day', 1, from_unixtime(0))", "1970-01-02T00:00:00Z"),
        ("date_add('day', null, from_unixtime(0))", "-"),
        ("year(date '2025-11-23') * 100 + month(date '2025-11-23')", "202511"),
        ("day_of_week(date '2025-11-23')", "7"),
        ("week(date '2025-12-29')", "1"),
        ("year_of_week(date '2025-12-29')", "2026"),
        ("day_of_year(date '2025-02-01')", "32"),
        ("millisecond(timestamp '2025-11-23 09:30:05.250')", "250"),
        ("last_day_of_month(date '2024-02-03')", "2024-02-29"),
        ("extract(hour from timestamp '2025-11-23 09:30:05')", "9"),
        ("date('2025-11-23')", "2025-11-23"),
        // Conditions
        ("if(1 > 2, 'a', 'b')", "b"),
        ("if(1 > 2, 'a')", "-"),
        ("IF(true, 1, 1/0)", "1"),
        ("try_cast('x' as bigint)", "-"),
        ("try(cast('7' as bigint))", "7"),
        // Arrays
        ("contains(array[1, 2], 2)", "true"),
        ("contains(array[1, 2], 1.5)", "false"),
        ("contains(array['a', null], 'b')", "false"),
        ("contains('larder', 'ard')", "true"),
        ("element_at(array['a', 'b'], -1)", "b"),
        ("element_at(array['a', 'b'], 3)", "-"),
        ("cardinality(array['a', 'b', null])", "3"),
        ("cardinality(split('a,b,', ','))", "3"),
        ("cardinality(split('', ','))", "1"),
        ("array_join(sequence(1, 3), '-')", "1-2-3"),
        // Text
        ("json_extract_scalar('{\"a\": [1, {\"b c\": \"x\"}]}', '$.a[1][\"b c\"]')", "x"),
        ("json_extract_scalar('{\"a\": [1]}', '$.a')", "-"),
        ("json_extract_scalar('broken', '$.a')", "-"),
        ("regexp_extract('order 17 of 23', '\\d+')", "17"),
        ("regexp_extract('order 17 of 23', '(\\d+) of (\\d+)', 2)", "23"),
        ("regexp_replace('a-b-c', '-', '+')", "a+b+c"),
        ("regexp_replace('a1b2', '\\d')", "ab"),
        ("regexp_like('larder', '^l.*r$')", "true"),
        ("levenshtein_distance('kitten', 'sitting')", "3"),
        // Numbers
        ("1.5 + 1", "2.5"),
        ("arrow_typeof(1763890200.0)", "Float64"),
        ("typeof(1)", "Int64"),
        ("7 / 2", "3"),
        ("mod(-7, 3)", "-1"),
        ("sign(-2.5)", "-1.0"),
        ("truncate(-2.5)", "-2.0"),
        ("ceiling(2.1)", "3.0"),
        ("is_nan(nan()) and is_infinite(infinity()) and is_finite(e()) and not is_finite(nan())", "true"),
        ("bitwise_and(6, 3) + bitwise_or(6, 3) + bitwise_xor(6, 3)", "14"),
    ] {
        assert_eq!(shop.cell(&format!("SELECT {expression}")).await, answer, "{expression}");
    }
}

#[tokio::test]
async fn aggregates_answer_as_in_trino() {
    let shop = shop().await;
    let answer = shop
        .query(
            "SELECT max_by(plan, visits), min_by(visits, score), max_by(visits, score), count_if(score > 1), arbitrary(score) IS NOT NULL,
                    any_value(plan) FILTER (WHERE visits = 0 AND customer_id = 'c0'), approx_distinct(customer_id), approx_percentile(visits, 0.5),
                    every(visits >= 0), max_by(customer_id, visits) FILTER (WHERE customer_id = 'c1'), bool_or(contains(tags, 'b'))
             FROM \"customer-features\" WHERE customer_id <> 'c0' OR visits = 0",
        )
        .await;
    let cells = cells(&answer).remove(0);
    assert!(["free", "gold"].contains(&cells[0].as_str()));
    assert_eq!(cells[1..7], ["0", "30", "3", "true", "free", "3"]);
    assert!(["0.0", "10.0", "20.0"].contains(&cells[7].as_str()), "{}", cells[7]);
    assert_eq!(cells[8..], ["true", "c1", "true"]);
    assert_eq!(
        shop.cell("SELECT max_by(score, visits) FROM \"customer-features\" WHERE customer_id = 'c2'").await,
        "-",
        "the newest, though null"
    );
    let running =
        "SELECT count_if(plan = 'gold') OVER (ORDER BY visits) FROM \"customer-features\" WHERE customer_id = 'c0' ORDER BY visits";
    assert_eq!(shop.cells(running).await, [["0"], ["1"], ["1"], ["2"]]);
    assert_eq!(shop.cell("SELECT variance(amount) = var_pop(amount) * 4 / 3 FROM orders").await, "true");
    assert_eq!(shop.cell("SELECT count_if(true) FROM orders WHERE amount > 1000").await, "0");
}

#[tokio::test]
async fn forms_of_generated_sql_run() {
    let shop = shop().await;
    let features = format!("\"sagemaker_featurestore\".\"{}\"", shop.glue("customer-features").await);
    // Nested WITH, derived tables without alias, an alias without AS, dots in names, a window without order, a limit on it.
    let nested = format!(
        "WITH fg_base AS (WITH table_base AS (SELECT *, row_number() OVER (PARTITION BY origin_base.\"customer_id\") AS n FROM {features} origin_base)
              SELECT table_base.\"customer_id\", table_base.\"plan\" FROM (SELECT * FROM table_base) AS table_base WHERE n <= 2),
              fg_0 AS (WITH table_0 AS (SELECT * FROM (SELECT * FROM {features} WHERE NOT is_deleted) WHERE is_deleted OR visits = 30)
              SELECT table_0.\"Customer_ID\" FROM table_0)
         SELECT Customer_Id, \"plan.1\", \"customer_id.2\" FROM (
             SELECT fg_base.customer_id, fg_base.\"plan\" as \"plan.1\", fg_0.\"customer_id\" as \"customer_id.2\",
                    row_number() OVER (PARTITION BY fg_base.\"customer_id\") AS row_recent
             FROM fg_base LEFT JOIN fg_0 ON fg_base.\"customer_id\" = fg_0.\"customer_id\")
         WHERE row_recent <= 1 -- and so on
         ORDER BY 1 /* blank lines follow */
         LIMIT 2;\n\n  \n"
    );
    let answer = shop.query(&nested).await;
    assert_eq!(names(&answer), ["Customer_Id", "plan.1", "customer_id.2"]);
    assert_eq!(cells(&answer).iter().map(|row| (row[0].as_str(), row[2].as_str())).collect::<Vec<_>>(), [("c0", "c0"), ("c1", "c1")]);

    let latest = format!(
        "SELECT count(*) FROM {features} WHERE is_deleted=False AND visits=(SELECT MAX(visits) FROM {features} WHERE is_deleted=False);"
    );
    assert_eq!(shop.cell(&latest).await, "3");

    // Trino refuses a condition on a cross join, the AWS client writes it.
    let crossed =
        "SELECT count(*) FROM \"customer-features\" c\nCROSS JOIN orders o\nON c.\"customer_id\" = o.\"customer\"\nAND visits > 0";
    assert_eq!(shop.cell(crossed).await, "12");
    assert_eq!(shop.cell("SELECT count(*) FROM \"customer-features\" CROSS JOIN orders").await, "48");
    assert_eq!(shop.cell("SELECT count(*) FROM generate_series(1, 3) g(n) CROSS JOIN orders WHERE n > 1").await, "8");
}

#[tokio::test]
async fn sorting_puts_nulls_last_either_way() {
    let shop = shop().await;
    for order in ["score", "score ASC", "score DESC"] {
        let sql = format!("SELECT score FROM \"customer-features\" WHERE visits = 10 ORDER BY {order}");
        assert_eq!(shop.cells(&sql).await, [["1.5"], ["1.5"], ["-"]], "{order}");
    }
    let ranked = "SELECT customer_id FROM (SELECT customer_id, row_number() OVER (ORDER BY score DESC, customer_id) AS n
                  FROM \"customer-features\" WHERE visits = 10) ORDER BY n";
    assert_eq!(shop.cells(ranked).await, [["c0"], ["c1"], ["c2"]]);
}

#[tokio::test]
async fn what_is_not_understood_is_said_clearly() {
    let shop = shop().await;
    for (sql, kind, text) in [
        (
            "SELECT from_unixtime(event_time) FROM \"customer-features\"",
            ErrorKind::Usage,
            "from_unixtime(Utf8) is not defined; its arguments are (seconds)",
        ),
        ("SELECT from_iso8601_timestamp(at) FROM orders", ErrorKind::Usage, "from_iso8601_timestamp(Float64) is not defined"),
        ("SELECT from_iso8601_timestamp('soon')", ErrorKind::Invalid, "can't read 'soon' as a time"),
        ("SELECT from_unixtime(infinity())", ErrorKind::Invalid, "can't read 'inf' as a time"),
        ("SELECT to_timestamp('2025', 'yyyyT')", ErrorKind::Usage, "the pattern 'yyyyT' is not understood"),
        ("SELECT to_timestamp('2025-13', 'yyyy-mm')", ErrorKind::Invalid, "to_timestamp can't read '2025-13'"),
        ("SELECT date_format(now(), '%D')", ErrorKind::Usage, "has %D"),
        ("SELECT date_add('fortnight', 1, now())", ErrorKind::Usage, "'fortnight' is not a unit of time"),
        ("SELECT date_add('hour', 1, current_date)", ErrorKind::Usage, "cast it to a timestamp"),
        ("SELECT date_add('year', 9000, current_date)", ErrorKind::Invalid, "outside the years"),
        ("SELECT date_diff('day', 1, 2)", ErrorKind::Usage, "unit, from, to"),
        ("SELECT try(amount / 0) FROM orders", ErrorKind::Usage, "nullif"),
        ("SELECT json_extract_scalar('{}', 'a')", ErrorKind::Usage, "is not a JSON path"),
        ("SELECT contains(1, 2)", ErrorKind::Usage, "contains takes"),
        ("SELECT * FROM orders TABLESAMPLE BERNOULLI (10)", ErrorKind::Usage, "random()"),
        ("SELECT millisecond(now()) OVER ()", ErrorKind::Usage, "neither FILTER nor OVER"),
    ] {
        let error = shop.fault(sql).await;
        assert!(!error.to_string().contains("can't be planned"), "{sql}: {error}");
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(error.to_string().contains(text) && !error.to_string().contains('\n'), "{sql}: {error}");
    }
}
