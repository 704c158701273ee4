//! What the shop answers about rows, files and training datasets; and what keys do there.

use super::shop::{NOW, Shop};
use super::stage::Stage;
use crate::tui::model::datasets::{self, Candidate, Column, Explained, Report, Tone};
use crate::tui::model::files::{self, File, Files};
use crate::tui::model::grid::{Head, Row, Stretch};
use crate::tui::model::rows::{self, MOST_FOUND};
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::model::{jobs, lineage, statistics};
use crate::tui::msg::{Effect, Msg, News, Request, Slot};
use crate::tui::units::SECOND;

const HOUR: i64 = 3_600 * SECOND;
/// Rows of the history, more than anybody could load.
const ROWS: u64 = 10_000_000;

fn heads() -> Vec<Head> {
    let head = |name: &str, right, added| Head { name: name.to_owned(), right, added };
    vec![
        head("customer_id", false, false),
        head("event_time", false, false),
        head("total_purchases", true, false),
        head("loyalty_score", true, false),
        head("preferred_category", false, false),
        head("interests", false, false),
        head("write_time", false, true),
        head("is_deleted", false, true),
    ]
}

fn row(place: u64) -> Row {
    vec![
        Some(format!("C{:07}", place * 7 % 9_999_991)),
        Some(format!("2026-11-{:02}T09:14:00Z", 1 + place % 23)),
        Some(format!("{}.25", place % 1_000)),
        (place % 5 != 2).then(|| "0.61".to_owned()),
        Some("books, garden\u{1b}[31m and a text that is much longer than any column may be".to_owned()),
        Some("[\"客户\",\"garden\"]".to_owned()),
        Some("2026-11-23T09:15:00Z".to_owned()),
        Some((place == 3).to_string()),
    ]
}

pub(super) fn answer(request: &Request) -> Vec<News> {
    match request {
        Request::Rows(rows::Question::At { from, limit, .. }) => {
            let end = (from + limit).min(ROWS);
            let stretch =
                Stretch { columns: heads(), from: *from, rows: (*from..end).map(row).collect(), total: ROWS, cut: false, edition: 7 };
            vec![News::Rows(rows::Answer::At(Ok(stretch)))]
        }
        Request::Rows(rows::Question::Where { condition, .. }) if condition.contains("nonsense") => {
            let error = crate::model::Error::usage("no column 'nonsense'").remedy("use one of customer_id, loyalty_score");
            vec![News::Rows(rows::Answer::Where(Err((&error).into())))]
        }
        Request::Rows(rows::Question::Where { condition, .. }) => {
            let (total, cut) = if condition.contains("none") { (0, false) } else { (MOST_FOUND, true) };
            let stretch = Stretch { columns: heads(), from: 0, rows: (0..total).map(row).collect(), total, cut, edition: 0 };
            vec![News::Rows(rows::Answer::Where(Ok(stretch)))]
        }
        Request::Files(files::Question::Of(_)) => {
            let file = |place: usize| {
                let at = NOW - HOUR * (40 - place as i64);
                File {
                    place,
                    name: format!("year=2026/month=11/day=23/hour=09/20261123T09140{place}Z_0123456789abcdef.parquet"),
                    bytes: 1_000 * (place as u64 * 37 % 50 + 1),
                    rows: (place != 2).then_some(100 * (place as u64 * 13 % 40 + 1)),
                    times: Some((at - 30 * HOUR, at)),
                    identifiers: Some((format!("C{place:04}"), format!("C9{place:03}\u{202e}"))),
                    version: (place > 0).then_some(place as u64),
                    written: Some(at),
                }
            };
            let files = Files { version: Some(41), files: (0..40).map(file).collect(), waiting: 87, to_compact: 38 };
            vec![News::Files(files::Answer::Of(Ok(files)))]
        }
        _ => Vec::new(),
    }
}

/// The same questions to a store that can't answer.
pub(super) fn refused(request: &Request) -> Vec<News> {
    let error = Shop::broken().broken.unwrap();
    match request {
        Request::Rows(_) => vec![News::Rows(rows::Answer::At(Err(error)))],
        Request::Statistics(_) => vec![News::Statistics(statistics::Answer::Failed(error))],
        Request::Lineage(_) => vec![News::Lineage(lineage::Answer::Failed(error))],
        Request::Datasets(_) => vec![News::Datasets(datasets::Answer::Failed(error))],
        Request::Jobs(_) => vec![News::Jobs(jobs::Answer::Failed(error))],
        _ => vec![News::Files(files::Answer::Of(Err(error)))],
    }
}

pub(super) fn of_datasets(question: &datasets::Question) -> Vec<News> {
    let dataset = |version: u64, columns: Vec<String>| datasets::Dataset {
        reference: format!("churn_v3@{version}"),
        name: "churn_v3".to_owned(),
        version,
        rows: 1_500,
        built: NOW - HOUR * (3 - version as i64),
        description: Some("Who leaves".to_owned()),
        path: "/data/churn.parquet".to_owned(),
        hash: "xxh3:3b82e8265f602d724d2763d40b97550a".to_owned(),
        columns,
    };
    let answer = match question {
        datasets::Question::List => datasets::Answer::List(Ok(vec![dataset(2, Vec::new()), dataset(1, Vec::new())])),
        datasets::Question::Using { group, .. } if group != "customer-features" => datasets::Answer::List(Ok(Vec::new())),
        datasets::Question::Using { .. } => {
            datasets::Answer::List(Ok(vec![dataset(2, vec!["loyalty_score".to_owned(), "return_rate".to_owned()])]))
        }
        datasets::Question::Manifest(reference) => {
            let input = |name: &str, matched| datasets::Input { name: name.to_owned(), features: 4, matched, version: Some(12), ttl: None };
            let column = |name: &str, kind: &str, origin: Option<&str>| Column {
                name: name.to_owned(),
                kind: kind.to_owned(),
                origin: origin.map(str::to_owned),
            };
            let manifest = datasets::Manifest {
                spine: vec!["/data/labels.parquet".to_owned()],
                inputs: vec![input("customer-features", 1_480), input("payment-risk as risk", 700)],
                columns: vec![
                    column("customer_id", "Utf8", None),
                    column("churned", "Int64", None),
                    column("loyalty_score", "Float64", Some("customer-features.loyalty_score")),
                    column("risk__amount_1h", "Float64", Some("payment-risk.amount_1h")),
                ],
                seconds: 1.2,
                files: 0,
                bytes: 56_300,
            };
            datasets::Answer::Manifest(reference.clone(), Ok(manifest))
        }
        datasets::Question::Rows { reference, from, limit } => {
            let head = |name: &str, right, added| Head { name: name.to_owned(), right, added };
            let columns = vec![
                head("customer_id", false, true),
                head("at", false, true),
                head("churned", true, true),
                head("loyalty_score", true, false),
                head("risk__amount_1h", true, false),
            ];
            let row = |place: u64| {
                let keys = [Some(format!("C{place:04}")), Some("2026-11-20T00:00:00Z".to_owned()), Some((place % 2).to_string())];
                keys.into_iter().chain([(place % 3 != 1).then(|| "0.61".to_owned()), Some("12.5".to_owned())]).collect()
            };
            let rows = (*from..(from + limit).min(1_500)).map(row).collect();
            datasets::Answer::Rows(reference.clone(), Ok(Stretch { columns, from: *from, rows, total: 1_500, cut: false, edition: 0 }))
        }
        datasets::Question::Explain { row, column, .. } => {
            let candidate = |days: i64, verdict, value: Option<&str>| Candidate {
                event_time: Some(NOW - days * 24 * HOUR),
                before: Some((days - 3) as f64 * 86_400.0),
                written: Some(NOW - days * 24 * HOUR + SECOND),
                value: value.map(str::to_owned),
                deleted: days == 9,
                verdict,
                place: "20261120T091400Z.parquet".to_owned(),
            };
            let is_null = row % 3 == 1;
            datasets::Answer::Explained(Ok(Explained {
                row: *row,
                column: column.clone(),
                feature: "customer-features.loyalty_score".to_owned(),
                asked: format!("C{row:04} at 2026-11-20T00:00:00Z, ttl 30d"),
                value: (!is_null).then(|| "0.61".to_owned()),
                why: if is_null {
                    "the record has no value of this feature"
                } else {
                    "from the record of 2026-11-18T09:14:00Z, 2 d before the row"
                }
                .to_owned(),
                candidates: vec![
                    candidate(1, "later than the row", Some("0.9")),
                    candidate(5, "wins", Some("0.61").filter(|_| !is_null)),
                    candidate(9, "a newer one wins", Some("0.5\u{1b}")),
                ],
                winner: Some(1),
                left_out: 12,
                note: None,
            }))
        }
        datasets::Question::Verify(reference) => datasets::Answer::Report(Ok(Report {
            title: format!("{reference} verified"),
            lines: vec![
                (Tone::Good, "built again, it is the same: 1.50 k rows".to_owned()),
                (Tone::Bad, "/data/churn.parquet holds something else".to_owned()),
            ],
        })),
        datasets::Question::Compare(one, other) => datasets::Answer::Report(Ok(Report {
            title: format!("{one} → {other}"),
            lines: vec![
                (Tone::Plain, "1 500 → 1 500 rows".to_owned()),
                (Tone::Heading, "CELLS".to_owned()),
                (Tone::Plain, "loyalty_score of customer-features: 12 differ, 0.8%".to_owned()),
                (Tone::Plain, "  0.61 → 0.64  C0042 at 2026-11-20T00:00:00Z (row 17)".to_owned()),
            ],
        })),
    };
    vec![News::Datasets(answer)]
}

/// The page of customer-features at its tab Data.
fn data(size: (u16, u16)) -> Stage {
    let mut stage = Stage::open(Shop::stocked(), size);
    stage.keys("j<enter>]]]]]");
    assert_eq!(stage.model.group_screen.tab, Tab::Data);
    stage
}

#[test]
fn the_end_of_ten_million_rows_is_a_key_away_and_only_pages_are_here() {
    let mut stage = data((80, 24));
    stage.keys("G");
    assert_eq!(stage.model.rows.grid.list.at as u64, ROWS - 1);
    assert!(stage.model.rows.grid.row().is_some(), "the last row is here");
    stage.keys("<pageup><pageup><C-u>");
    assert!(stage.model.rows.grid.row().is_some(), "and those before it");
    stage.keys("g");
    assert_eq!(stage.model.rows.grid.row().unwrap()[0].as_deref(), Some("C0000000"));
}

#[test]
fn while_a_page_is_on_its_way_the_keys_go_on_and_one_question_waits() {
    let mut stage = data((80, 24));
    stage.hold = true;
    stage.keys("G<pageup><pageup><pageup>");
    assert_eq!(stage.waiting(Slot::Rows), 1, "scrolling asks once, not for every key");
    assert!(stage.text().contains('·'), "rows on their way have their place");
    stage.release();
    assert!(stage.model.rows.grid.row().is_some());
}

#[test]
fn columns_are_walked_sorted_and_copied_and_the_keys_stay_in_sight() {
    let mut stage = data((80, 24));
    stage.keys("jlllllyc");
    assert!(matches!(stage.done.last(), Some(Effect::Copy(text)) if text.starts_with("[\"客户")), "{:?}", stage.done.last());
    stage.keys("$");
    let shown = stage.text();
    assert!(shown.contains("is_deleted") && shown.contains("customer_id") && shown.contains("event_time"), "{shown}");
    stage.keys("0lls");
    assert_eq!(stage.model.rows.order, Some(("total_purchases".to_owned(), false)));
    stage.keys("s");
    assert_eq!(stage.model.rows.order, Some(("total_purchases".to_owned(), true)));
    assert!(stage.text().contains("by total_purchases ↓"));
    stage.keys("<esc>");
    assert!(!stage.model.rows.is_query() && stage.model.screen == Screen::Group, "Esc takes the order back first");
    stage.keys("yj");
    assert!(matches!(stage.done.last(), Some(Effect::Copy(text)) if text.contains("\"total_purchases\": 0.25")), "{:?}", stage.done.last());
}

#[test]
fn a_condition_is_typed_refused_mended_and_taken_back() {
    let mut stage = data((80, 24));
    stage.keys("/nonsense > 1<enter>");
    assert!(stage.model.rows.typing, "a condition that is refused is there to be mended");
    assert!(stage.text().contains("no column 'nonsense'"));
    stage.keys("<C-u>loy<tab> > 0.9<enter>");
    assert_eq!(stage.model.rows.applied, "loyalty_score > 0.9");
    assert!(stage.text().contains("of the first 10 000"), "{}", stage.text());
    stage.keys("/<C-u>none<enter>");
    assert!(stage.text().contains("No row matches"));
    stage.keys("<esc>");
    assert!(stage.text().contains("of 10 000 000 rows"));
}

#[test]
fn a_query_that_takes_long_is_stopped() {
    let mut stage = data((80, 24));
    stage.hold = true;
    stage.keys("/x > 1<enter><C-c>");
    assert!(stage.done.contains(&Effect::Stop(Slot::Rows)));
    assert!(!stage.model.rows.is_query());
    stage.release();
    assert!(stage.text().contains("of 10 000 000 rows"));
}

#[test]
fn enter_on_a_row_looks_its_record_up() {
    let mut stage = data((80, 24));
    stage.keys("j<enter>");
    assert_eq!(stage.model.group_screen.tab, Tab::Online);
    assert_eq!(stage.model.group_screen.record.found.value().map(|found| found.identifier.as_str()), Some("C0000007"));
}

#[test]
fn groups_without_a_history_say_so() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.keys("jj<enter>]]]]]");
    assert!(stage.text().contains("keeps no history"));
    stage.keys("]<tab>");
    assert!(stage.text().contains("keeps no history"));
}

#[test]
fn files_are_sorted_and_the_cursor_stays_on_its_file() {
    let mut stage = data((120, 30));
    stage.keys("]<tab>");
    assert_eq!(stage.model.group_screen.tab, Tab::Files);
    stage.keys("jj");
    let name = |stage: &Stage| stage.model.files.files.value().unwrap().files[stage.model.files.list.at].name.clone();
    let before = name(&stage);
    stage.keys("sr");
    assert_eq!(name(&stage), before);
    stage.keys("g");
    let rows = stage.model.files.files.value().unwrap().files.iter().filter_map(|file| file.rows).max();
    assert_eq!(stage.model.files.files.value().unwrap().files[0].rows, rows, "most rows first");
    assert!(stage.text().contains("larder compact customer-features"));
}

#[test]
fn a_cell_is_explained_and_the_answer_follows_the_cursor() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.keys("6<enter>lll<enter>");
    assert!(stage.text().contains("from the record of 2026-11-18"), "{}", stage.text());
    stage.keys("j");
    assert!(stage.text().contains("the record has no value of this feature"));
    stage.keys("h");
    assert!(stage.text().contains("a column of the spine"));
    stage.keys("<esc>");
    assert!(stage.model.datasets.open.as_ref().is_some_and(|open| !open.explaining));
    stage.keys("<esc>");
    assert!(stage.model.datasets.open.is_none() && stage.model.screen == Screen::Datasets);
}

#[test]
fn two_marked_datasets_are_compared_and_one_is_verified() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.keys("6d");
    assert!(stage.text().contains("churn_v3@1 → churn_v3@2"), "without marks: the version before with this one");
    stage.keys("<esc><space><space>d");
    assert!(stage.text().contains("churn_v3@2 → churn_v3@1"), "in the order of the marks");
    stage.keys("<esc>v");
    assert!(stage.text().contains("holds something else"));
    stage.keys("<esc>");
    stage.hold = true;
    stage.keys("v<C-c>");
    assert!(stage.done.contains(&Effect::Stop(Slot::Check)));
}

#[test]
fn the_datasets_of_a_group_name_the_columns_they_have_of_it() {
    let mut stage = data((200, 60));
    stage.keys("]<tab>]");
    assert_eq!(stage.model.group_screen.tab, Tab::Datasets);
    assert!(stage.text().contains("loyalty_score, return_rate"), "{}", stage.text());
    stage.keys("6");
    assert_eq!(stage.model.datasets.datasets.value().map(Vec::len), Some(2), "the screen lists all");
    stage.keys("<esc>");
    assert_eq!(stage.model.screen, Screen::Group);
}

#[test]
fn baselines_are_walked_pinned_and_forgotten() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.keys("j<enter>]]]");
    assert_eq!(stage.model.group_screen.tab, Tab::Drift);
    stage.keys("bbb");
    assert_eq!(stage.model.statistics.chosen_baseline(), "dataset:churn_v3@2");
    assert!(stage.text().contains("against dataset:churn_v3@2"), "{}", stage.text());
    stage.keys("X");
    assert!(stage.text().contains("only a baseline that was pinned"));
    stage.keys("Pbefore<enter>");
    assert_eq!(stage.model.statistics.chosen_pin(), Some("before"));
    stage.keys("X");
    assert_eq!(stage.model.statistics.chosen_baseline(), "previous", "what is gone is not compared with");
    stage.model.read_only = true;
    stage.keys("P");
    assert!(stage.model.layer.is_none() && stage.text().contains("read-only"));
}

#[test]
fn drift_is_compared_again_only_once_the_group_holds_something_else() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.keys("j<enter>]]]");
    stage.hold = true;
    stage.send(Msg::Changed);
    assert_eq!(stage.waiting(Slot::Drift), 0, "a note of the comparison is no reason to compare");
    let before = stage.model.statistics.drift_of.clone();
    stage.shop.groups.remove(0);
    stage.release();
    assert!(before.is_some() && stage.model.statistics.drift_of != before, "other rows are");
}

#[test]
fn reading_values_anew_is_stopped_and_what_was_known_stays() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.keys("j<enter>]]");
    stage.hold = true;
    stage.keys("R<C-c>");
    assert!(stage.done.contains(&Effect::Stop(Slot::Statistics)));
    assert!(stage.text().contains("loyalty_score"));
    assert!(stage.model.statistics.numbers.waiting_since().is_none());
}

#[test]
fn the_most_changed_come_first_or_names_do_and_the_cursor_stays_on_its_feature() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    let names = |stage: &Stage| {
        let drift = stage.model.statistics.drift.value().unwrap();
        drift.features.iter().map(|feature| feature.name.clone()).collect::<Vec<_>>()
    };
    stage.keys("j<enter>]]]");
    assert_eq!(names(&stage), ["loyalty_score", "average_order"], "worst first, whatever the store's order");
    stage.keys("js");
    assert_eq!(names(&stage), ["average_order", "loyalty_score"]);
    assert_eq!(stage.model.statistics.drift_list.at, 0, "still on average_order");
    stage.keys("b");
    assert_eq!(names(&stage)[0], "average_order", "the order outlives another baseline");
    stage.keys("s");
    assert_eq!(names(&stage)[0], "loyalty_score");
}

#[test]
fn the_page_of_a_feature_shows_that_feature_on_every_tab_that_can() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    let shown = stage.keys("j<enter>]]]<enter>]").text();
    assert_eq!(stage.model.group_screen.feature.as_deref(), Some("loyalty_score"));
    assert!(shown.contains("+0.90 std") && !shown.contains("average_order"), "drift\n{shown}");
    stage.keys("yy");
    assert!(stage.done.contains(&Effect::Copy("customer-features.loyalty_score".to_owned())), "{:?}", stage.done);
    stage.model.now += 10 * SECOND;
    let shown = stage.keys("[[[").text();
    assert_eq!(stage.model.group_screen.tab, Tab::Overview);
    assert!(shown.contains("no drift") || shown.contains("alert"), "how it stands\n{shown}");
    assert!(shown.contains("VALUES") && shown.contains("p95 0.95"), "what its values look like\n{shown}");
    stage.done.clear();
    stage.keys("yy");
    assert!(stage.done.contains(&Effect::Copy("customer-features.loyalty_score".to_owned())), "{:?}", stage.done);
}
