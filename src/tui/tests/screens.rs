//! What every screen looks like, at four sizes and in every state.

use super::shop::{Shop, hostile};
use super::stage::Stage;
use crate::tui::model::data::DemoProgress;
use crate::tui::msg::{Msg, News, Slot};
use crate::tui::units::SECOND;

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 30), (200, 60)];

fn with_settings(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}

fn check(name: &str, screen: &str) {
    with_settings(|| insta::assert_snapshot!(format!("tui_{name}"), screen));
}

/// One screen at every size.
fn at_every_size(name: &str, script: &str) {
    for (width, height) in SIZES {
        let mut stage = Stage::open(Shop::stocked(), (width, height));
        stage.keys(script);
        check(&format!("{name}_{width}x{height}"), &stage.text());
    }
}

#[test]
fn groups() {
    at_every_size("groups", "j");
}

#[test]
fn groups_filtered() {
    at_every_size("groups_filtered", "/ris");
}

#[test]
fn features() {
    at_every_size("features", "1/loy<enter>");
}

#[test]
fn features_all() {
    at_every_size("features_all", "1jj");
}

#[test]
fn facets() {
    at_every_size("facets", "1f<down><space>");
}

#[test]
fn overview() {
    at_every_size("overview", "j<enter>");
}

#[test]
fn schema() {
    at_every_size("schema", "j<enter>]jjj");
}

#[test]
fn identifier_being_typed() {
    at_every_size("identifier", "j4C004<down>");
}

#[test]
fn record_now() {
    at_every_size("record_now", "j4C0042<enter>");
}

#[test]
fn record_then() {
    at_every_size("record_then", "j4C0042<enter><left><left><left>jj");
}

#[test]
fn snippets() {
    at_every_size("use", "j4C0042<enter>]]]j");
}

#[test]
fn help() {
    at_every_size("help", "?");
}

#[test]
fn help_searched() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("help_searched_80x24", &stage.keys("j4C0042<enter>?version").text());
}

#[test]
fn first_run() {
    for (width, height) in SIZES {
        let mut stage = Stage::open(Shop::empty(), (width, height));
        check(&format!("first_run_{width}x{height}"), &stage.text());
    }
}

#[test]
fn filling_the_demo() {
    let mut stage = Stage::open(Shop::empty(), (80, 24));
    stage.hold = true;
    stage.keys("d");
    let progress = DemoProgress { what: "payment-risk".to_owned(), done: 84_000, total: 200_000 };
    stage.send(Msg::News(Slot::Demo, 1, News::DemoProgress(progress)));
    stage.model.now += 2 * SECOND;
    check("demo_80x24", &stage.text());
}

#[test]
fn failed() {
    for (width, height) in [(40, 10), (80, 24)] {
        let mut stage = Stage::open(Shop::broken(), (width, height));
        check(&format!("failed_{width}x{height}"), &stage.text());
    }
}

#[test]
fn failed_to_refresh() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.shop.broken = Shop::broken().broken;
    check("stale_80x24", &stage.keys("r").text());
    let dim_rows = stage.styles().lines().filter(|line| line.contains("dim") && line.contains("account-features")).count();
    assert_eq!(dim_rows, 1, "old data is dimmed");
}

#[test]
fn loading() {
    let mut stage = Stage::opening(Shop::stocked(), (80, 24));
    stage.model.now += 2 * SECOND;
    check("loading_80x24", &stage.text());
}

#[test]
fn nothing_matches() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("nothing_80x24", &stage.keys("/usr_agee").text());
}

#[test]
fn a_group_without_an_online_store() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("offline_only_80x24", &stage.keys("jjj4C00").text());
    check("offline_only_record_80x24", &stage.keys("42<enter>").text());
}

#[test]
fn nothing_here_but_in_the_other_list() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("elsewhere_80x24", &stage.keys("/loyalty_sc").text());
}

#[test]
fn records_that_are_gone() {
    for (name, identifier) in [("deleted", "C0007"), ("expired", "C0009"), ("missing", "x-1"), ("single", "C0001"), ("crowded", "C0100")] {
        let mut stage = Stage::open(Shop::stocked(), (80, 24));
        check(&format!("record_{name}_80x24"), &stage.keys(&format!("j4{identifier}<enter>")).text());
    }
}

#[test]
fn wide_characters_and_hostile_names() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut stage = Stage::open(hostile(), (width, height));
        check(&format!("hostile_{width}x{height}"), &stage.text());
    }
    let mut stage = Stage::open(hostile(), (80, 24));
    check("hostile_schema_80x24", &stage.keys("k<enter>]G").text());
}

#[test]
fn too_small() {
    let mut stage = Stage::open(Shop::stocked(), (38, 9));
    check("too_small_38x9", &stage.text());
}

#[test]
fn styles() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    check("groups_styles_120x30", &stage.keys("/ris").styles());
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("record_styles_80x24", &stage.keys("j4C0042<enter><left>").styles());
}

#[test]
fn without_colour_the_weights_stay() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.look.no_color = true;
    let styles = stage.keys("/ris").styles();
    assert!(styles.contains("reversed") && styles.contains("underlined"), "{styles}");
    for color in ["cyan", "green", "red", "yellow"] {
        assert!(!styles.contains(color), "{color} in\n{styles}");
    }
    check("no_color_styles_80x24", &styles);
}

#[test]
fn palette() {
    at_every_size("palette", ":loyal");
}

#[test]
fn form() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("form_80x24", &stage.keys("jt<C-u>alone<enter>").text());
}

#[test]
fn plain_characters() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.look.ascii = true;
    let shown = stage.keys("j4C0042<enter><left>").text();
    assert!(shown.is_ascii(), "{shown}");
    check("record_ascii_120x30", &shown);
}

#[test]
fn stats() {
    at_every_size("stats", "j<enter>]]");
}

#[test]
fn stats_of_a_feature() {
    at_every_size("stats_feature", "j<enter>]]<enter>");
}

#[test]
fn drift() {
    at_every_size("drift", "j<enter>]]]");
}

#[test]
fn drift_of_a_feature() {
    at_every_size("drift_feature", "j<enter>]]]<enter>]");
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("drift_categories_80x24", &stage.keys("j<enter>]]]<down>").text());
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.look.ascii = true;
    check("drift_ascii_120x30", &stage.keys("j<enter>]]]").text());
}

#[test]
fn overview_of_a_feature() {
    for (width, height) in SIZES {
        let mut stage = Stage::open(Shop::stocked(), (width, height));
        stage.model.now += 10 * SECOND;
        stage.keys("j<enter>]]<enter>[[");
        check(&format!("overview_feature_{width}x{height}"), &stage.text());
    }
}

/// Screens that ask the store, with the keys that lead there and what is shown of the old answer.
const ASKING: [(&str, &str, &str); 6] = [
    ("stats", "]]", "loyalty_tier"),
    ("drift", "]]]", "average_order"),
    ("lineage", "3", "churn_v3@1"),
    ("record", "4C0042<enter>", "loyalty_score"),
    ("datasets", "6", "churn_v3"),
    ("jobs", "7", "running"),
];

#[test]
fn every_screen_says_that_it_waits_that_it_failed_and_keeps_what_it_had() {
    for (name, script, old) in ASKING {
        let mut stage = Stage::open(Shop::stocked(), (80, 24));
        stage.keys("j<enter>");
        stage.hold = true;
        stage.keys(script);
        let at_once = stage.text();
        assert!(!at_once.contains('⠋') && !at_once.contains('⠙'), "{name}: a fast answer does not flash\n{at_once}");
        stage.model.now += 2 * SECOND;
        check(&format!("{name}_loading_80x24"), &stage.text());

        let mut stage = Stage::open(Shop::stocked(), (80, 24));
        stage.keys("j<enter>");
        stage.shop.broken = Shop::broken().broken;
        let failed = stage.keys(script).text();
        assert!(failed.contains("could not be read") && failed.contains("try again"), "{name}\n{failed}");
        check(&format!("{name}_failed_80x24"), &failed);

        let mut stage = Stage::open(Shop::stocked(), (80, 24));
        stage.keys("j<enter>").keys(script);
        stage.hold = true;
        stage.keys("r");
        stage.model.now += 2 * SECOND;
        let stale = stage.text();
        assert!(stale.contains(old), "{name}: what was there stays\n{stale}");
    }
}

#[test]
fn lineage() {
    at_every_size("lineage", "j3jw");
}

#[test]
fn sql() {
    at_every_size("sql", "5<F5>jj");
}

#[test]
fn a_statement_says_that_it_runs_and_why_it_failed() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.keys("5");
    stage.hold = true;
    stage.keys("<F5>");
    assert!(!stage.text().contains("stops it"), "a fast answer does not flash: {}", stage.text());
    stage.model.now += 2 * SECOND;
    assert!(stage.text().contains("0 rows") && stage.text().contains("stops it"), "{}", stage.text());

    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    let failed = stage.keys("5nonsense<F5>").text();
    assert!(failed.contains("no column 'nonsense'") && failed.contains("use one of customer_id"), "{failed}");
}

#[test]
fn datasets() {
    at_every_size("datasets", "6j");
}

#[test]
fn data() {
    at_every_size("data", "j<enter>]]]]]jjll");
    at_every_size("data_condition", "j<enter>]]]]]/loyalty_score > 0.9<enter>ls");
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("data_typing_80x24", &stage.keys("j<enter>]]]]]/nonsense = loy").text());
    check("data_refused_80x24", &stage.keys("<enter>").text());
    check("data_empty_80x24", &stage.keys("<C-u>none<enter>").text());
}

#[test]
fn rows_and_files_that_fail_or_are_on_their_way() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.shop.broken = Shop::broken().broken;
    check("data_failed_80x24", &stage.keys("j<enter>]]]]]").text());
    check("files_failed_80x24", &stage.keys("]<tab>").text());
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.keys("j<enter>");
    stage.hold = true;
    stage.keys("]]]]]");
    stage.model.now += 2 * SECOND;
    check("data_loading_80x24", &stage.text());
    stage.keys("]<tab>");
    stage.model.now += 2 * SECOND;
    check("files_loading_80x24", &stage.text());
}

#[test]
fn files() {
    at_every_size("files", "j<enter>]]]]]]<tab>jj");
}

#[test]
fn datasets_of_a_group() {
    at_every_size("datasets_tab", "j<enter>]]]]]]<tab>]");
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("datasets_tab_empty_80x24", &stage.keys("<enter>]]]]]]<tab>]").text());
}

#[test]
fn cells_of_a_dataset() {
    at_every_size("cells", "6<enter>jlll<enter>");
}

#[test]
fn what_comparing_says() {
    at_every_size("compared", "6d");
}

#[test]
fn a_record_under_edit() {
    at_every_size("put", "j4C0042<enter>p<C-u>99.5<down>");
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("put_confirm_80x24", &stage.keys("j4C0042<enter>p<C-u>99.5<tab><tab><C-u><enter>").text());
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    check("delete_80x24", &stage.keys("j4C0042<enter>DC00<enter>").text());
}

#[test]
fn plain_characters_in_the_new_tabs() {
    for (name, script) in [("data", "j<enter>]]]]]jjll"), ("files", "j<enter>]]]]]]<tab>jj"), ("cells", "6<enter>jlll<enter>")] {
        let mut stage = Stage::open(Shop::stocked(), (120, 30));
        stage.look.ascii = true;
        check(&format!("{name}_ascii_120x30"), &stage.keys(script).text());
    }
}

#[test]
fn jobs() {
    at_every_size("jobs", "7j");
}
