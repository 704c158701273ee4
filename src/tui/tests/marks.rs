//! Marks, the choice of columns, and what is written into files.

use super::shop::Shop;
use super::stage::Stage;
use crate::tui::model::columns::Listed;
use crate::tui::model::export::{Cells, Exported, Sheet};
use crate::tui::model::layer::{Layer, Purpose};
use crate::tui::model::screens::Screen;
use crate::tui::msg::Effect;

fn shop() -> Stage {
    Stage::open(Shop::stocked(), (120, 30))
}

fn copied(stage: &Stage) -> String {
    let Some(Effect::Copy(text)) = stage.done.last() else { panic!("nothing was copied") };
    text.clone()
}

#[test]
fn what_is_marked_stays_marked_through_a_filter_and_is_copied_together() {
    let mut stage = shop();
    stage.keys("<space>j<space>");
    assert!(stage.text().contains("● 2 marked"), "{}", stage.text());
    let marked: Vec<String> = stage.model.groups_screen.filtered.marks.iter().cloned().collect();
    stage.keys("/payment<enter>yy");
    assert_eq!(copied(&stage).lines().collect::<Vec<_>>(), marked, "a filter that hides them takes no mark away");
    stage.keys("yj");
    let definitions: serde_json::Value = serde_json::from_str(&copied(&stage)).unwrap();
    assert_eq!(definitions.as_array().map(Vec::len), Some(2));
    stage.keys("<esc>");
    assert!(stage.model.groups_screen.filtered.marks.is_empty() && !stage.model.groups_screen.filtered.line.is_empty(), "marks go first");
    stage.keys("yy");
    assert_eq!(copied(&stage), "payment-risk");
}

#[test]
fn features_are_marked_in_ranges_and_become_one_statement_and_one_dataset() {
    let mut stage = shop();
    stage.keys("1/group:customer-features<enter>j<space>jv");
    assert_eq!(stage.model.catalog_screen.filtered.marks.len(), 3, "from the one marked last to the cursor");
    let names: Vec<String> = stage.model.catalog_screen.filtered.marks.iter().map(|name| name.replace("customer-features.", "")).collect();
    stage.keys("ys");
    let statement = copied(&stage);
    assert!(statement.contains("from \"customer-features$latest\"") && statement.matches("select").count() == 1, "{statement}");
    stage.keys("yp");
    let command = copied(&stage);
    assert!(command.starts_with("larder dataset build") && command.contains("--features customer-features:"), "{command}");
    assert!(names.iter().all(|name| statement.contains(name.as_str())), "{names:?} in {statement}");
    stage.keys("<C-a>");
    assert_eq!(stage.model.catalog_screen.filtered.marks.len(), stage.model.catalog_screen.filtered.rows.len());
    stage.keys("<C-a>");
    assert!(stage.model.catalog_screen.filtered.marks.is_empty(), "again takes them away");
}

#[test]
fn columns_are_hidden_and_shown_again() {
    let mut stage = Stage::open(Shop::stocked(), (200, 60));
    // The details beside the list have headings of their own.
    let heading = |stage: &mut Stage| stage.text().lines().find(|line| line.contains("RECORDS")).unwrap_or_default().to_owned();
    assert!(heading(&mut stage).contains("STORES"));
    stage.keys("a<space>");
    assert!(matches!(stage.model.layer, Some(Layer::Columns(_))));
    stage.keys("<enter>");
    assert!(!heading(&mut stage).contains("STORES") && stage.model.hidden_columns.holds(Listed::Groups, "STORES"));
    stage.keys("a<space><esc>");
    assert!(heading(&mut stage).contains("STORES"));
    stage.keys("5<F5>a<down><space><esc>");
    assert!(!stage.text().contains("loyalty_score"), "of a result as of a list");
}

#[test]
fn every_list_can_be_hidden_only_in_columns_that_it_has() {
    let mut stage = Stage::open(Shop::stocked(), (240, 40));
    for (list, script) in [(Listed::Groups, "2"), (Listed::Features, "1"), (Listed::Datasets, "6"), (Listed::Jobs, "7")] {
        stage.keys(script);
        let shown = stage.text();
        let absent = ["COLUMNS"];
        for title in list.columns().iter().filter(|title| !absent.contains(title)) {
            assert!(shown.contains(title), "{title} in\n{shown}");
        }
    }
    for (list, script) in [(Listed::Files, "]]]]]]<tab>"), (Listed::Schema, "]"), (Listed::Stats, "]]")] {
        let mut stage = Stage::open(Shop::stocked(), (240, 40));
        stage.keys("j<enter>").keys(script);
        for title in list.columns() {
            assert!(stage.text().contains(title), "{title} in\n{}", stage.text());
            stage.model.hidden_columns.toggle(list, title);
            assert!(!stage.text().contains(title), "{title} in\n{}", stage.text());
            stage.model.hidden_columns.toggle(list, title);
        }
    }
}

#[test]
fn columns_are_chosen_in_the_schema_and_among_the_statistics() {
    for (tab, title) in [("]", "TYPE"), ("]]", "TYPE")] {
        let mut stage = Stage::open(Shop::stocked(), (240, 40));
        stage.keys("j<enter>").keys(tab);
        assert!(stage.text().contains(title));
        stage.keys("a<space><esc>");
        assert!(!stage.text().contains(title), "{}", stage.text());
    }
}

#[test]
fn columns_of_rows_are_frozen_up_to_the_cursor() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.keys("j<enter>]]]]]ll|");
    assert_eq!(stage.model.rows.grid.frozen, Some(3));
    stage.keys("$");
    let heading = stage.text().lines().find(|line| line.contains("customer_id")).unwrap().to_owned();
    assert!(heading.contains("is_deleted"), "the last column is seen beside those that are frozen: {heading}");
    stage.keys("0ll|");
    assert_eq!(stage.model.rows.grid.frozen, None, "only the keys again");
}

/// What a form is about to write.
fn exported(stage: &Stage) -> Exported {
    match &stage.model.layer {
        Some(Layer::Form(form)) => match &form.purpose {
            Purpose::Export(what) => what.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn sheet(stage: &Stage) -> Sheet {
    match exported(stage) {
        Exported::Sheet(sheet) => sheet,
        other => panic!("{other:?}"),
    }
}

fn column(sheet: &Sheet, name: &str) -> Cells {
    sheet.columns.iter().find(|(known, _)| known == name).map(|(_, cells)| cells.clone()).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn what_is_listed_is_written_with_whole_numbers_and_instants() {
    let mut stage = shop();
    stage.keys("7e");
    let runs = sheet(&stage);
    assert_eq!(column(&runs, "rows_refused"), Cells::Counts(vec![Some(12); 3]));
    stage.keys("<esc>6e");
    assert_eq!(sheet(&stage).rows(), 2);
    stage.keys("<esc>2j<enter>]]]e");
    let drift = sheet(&stage);
    assert_eq!(column(&drift, "ks"), Cells::Numbers(vec![Some(0.31), None]));
    stage.keys("<esc>[E");
    stage.keys("<enter>");
    assert!(stage.model.layer.is_none() && stage.model.toasts.last().unwrap().text.contains("rows in customer-features-statistics.csv"));
}

#[test]
fn the_history_of_a_record_is_written_with_every_version() {
    let mut stage = shop();
    stage.keys("j4C0042<enter>e");
    let history = sheet(&stage);
    assert_eq!(history.rows(), 12);
    let Cells::Texts(identifiers) = column(&history, "customer_id") else { panic!("no texts") };
    assert!(identifiers.iter().all(|identifier| identifier.as_deref() == Some("C0042")));
    assert!(history.columns.iter().any(|(name, _)| name == "is_deleted"));
}

#[test]
fn rows_of_a_history_are_written_with_their_condition_and_order() {
    let mut stage = shop();
    stage.keys("j<enter>]]]]]/loyalty_score > 0.9<enter>lse");
    let Exported::Rows { group, condition, order } = exported(&stage) else { panic!("no rows") };
    assert_eq!((group.as_str(), condition.as_str()), ("customer-features", "loyalty_score > 0.9"));
    assert_eq!(order, Some(("event_time".to_owned(), false)));
}

#[test]
fn only_the_marked_rows_are_written_if_any_are() {
    let mut stage = shop();
    stage.keys("j<space>e");
    let Exported::Groups(groups) = exported(&stage) else { panic!("no groups") };
    assert_eq!(groups.iter().map(|(group, _)| group.name.as_str()).collect::<Vec<_>>(), ["customer-features"]);
    stage.keys("<esc><esc>1<space>e");
    let Exported::Features(list) = exported(&stage) else { panic!("no features") };
    assert_eq!((stage.model.screen, list.rows.len()), (Screen::Catalog, 1));
}
