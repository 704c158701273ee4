//! What keys do, told as scripts.

use super::shop::{NOW, SLOTS, Shop, hostile};
use super::stage::Stage;
use crate::tui::keymap::Focus;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::msg::{Effect, Msg, News, Slot};
use crate::tui::units::SECOND;

fn shop() -> Stage {
    Stage::open(Shop::stocked(), (80, 24))
}

fn group_at_cursor(stage: &Stage) -> String {
    stage.model.group_under_cursor().map(|group| group.name.to_string()).unwrap_or_default()
}

#[test]
fn a_filter_narrows_while_typing_and_enter_keeps_it() {
    let mut stage = shop();
    stage.keys("/risk");
    assert_eq!(stage.model.groups_screen.filtered.rows.len(), 2, "payment-risk by name, account-features by owner");
    assert_eq!(group_at_cursor(&stage), "payment-risk");
    stage.keys("<enter>j");
    assert_eq!(group_at_cursor(&stage), "account-features");
    stage.keys("<esc>");
    assert_eq!((stage.model.groups_screen.filtered.rows.len(), group_at_cursor(&stage).as_str()), (8, "account-features"));
}

#[test]
fn tags_and_owners_filter_groups() {
    let mut stage = shop();
    stage.keys("/tag:pii=yes");
    assert_eq!(stage.model.groups_screen.filtered.rows.len(), 2);
    stage.keys("<C-u>owner:growth");
    assert_eq!(group_at_cursor(&stage), "customer-features");
    stage.keys("<C-u>refreshed");
    assert_eq!(group_at_cursor(&stage), "customer-features", "descriptions are searched");
}

#[test]
fn a_search_can_be_taken_to_the_features_and_back() {
    let mut stage = shop();
    stage.keys("/loyalty");
    assert!(stage.model.groups_screen.filtered.rows.len() <= 1);
    stage.keys("<tab>");
    assert_eq!((stage.model.screen, stage.model.catalog_screen.filtered.rows.len()), (Screen::Catalog, 3));
    stage.keys("_sc<tab>");
    assert_eq!(stage.model.groups_screen.filtered.line.text(), "loyalty_sc");
    assert!(stage.text().contains("1 feature matches"), "says where there is something");
    stage.keys("<esc><esc><esc>");
    assert!(!stage.model.quit);
}

fn listed(stage: &Stage) -> Vec<String> {
    let listing = stage.model.catalog_screen.shelf.as_ref().unwrap().listing();
    let name = |row: &usize| {
        let (group, place) = listing.place(*row).unwrap();
        format!("{}.{}", group.name, group.schema.features()[place].name)
    };
    stage.model.catalog_screen.filtered.rows.iter().map(name).collect()
}

#[test]
fn a_typo_still_finds_its_feature_and_is_said_to_be_one() {
    let mut stage = shop();
    stage.keys("1/loyality_scroe");
    assert!(!stage.text().contains("nearest"), "two words in one are too far away");
    stage.keys("<C-u>loyality");
    assert!(listed(&stage).iter().any(|name| name == "customer-features.loyalty_score"));
    assert!(stage.text().contains("these are the nearest"));
    stage.keys("<C-u>loyalty");
    assert!(!stage.text().contains("these are the nearest"));
}

#[test]
fn counts_beside_the_list_narrow_it_and_follow_it() {
    let mut stage = Stage::open(Shop::stocked(), (140, 40));
    stage.keys("1");
    let all = listed(&stage).len();
    stage.keys("f<space>");
    assert_eq!(stage.model.focus(), Focus::Facets);
    let text = stage.model.catalog_screen.filtered.line.text().to_owned();
    assert!(text.starts_with("type:"), "{text}");
    let some = listed(&stage).len();
    assert!(some > 0 && some < all);
    let counted: usize = stage.model.catalog_screen.facets.all[0].values.iter().map(|value| value.count).sum();
    assert_eq!(counted, some, "the counts are those of what is listed");
    stage.keys("<space>");
    assert_eq!(listed(&stage).len(), all, "taken out again");
    stage.keys("<space><esc>");
    assert_eq!((stage.model.focus(), listed(&stage).len()), (Focus::Catalog, some), "one layer back keeps the filter");
    stage.keys("/<C-e> loyal<enter>F");
    assert_eq!(stage.model.catalog_screen.filtered.line.text(), "loyal");
}

#[test]
fn a_filter_that_makes_no_sense_is_told_of_and_filters_nothing() {
    let mut stage = shop();
    stage.keys("1");
    let all = listed(&stage).len();
    stage.keys("/drift:terrible");
    assert_eq!(listed(&stage).len(), all);
    assert!(stage.text().contains("terrible' is not what drift: takes"), "{}", stage.text());
    stage.keys("<C-u>drift:alert");
    assert_eq!(listed(&stage), ["customer-features.loyalty_score"]);
}

#[test]
fn the_cursor_of_the_catalog_stays_on_its_feature() {
    let mut stage = shop();
    stage.keys("1jjjjj");
    let under_cursor = |stage: &Stage| listed(stage)[stage.model.catalog_screen.filtered.list.at].clone();
    let before = under_cursor(&stage);
    stage.keys("s");
    assert_eq!(under_cursor(&stage), before);
    stage.keys("r");
    assert_eq!(under_cursor(&stage), before);
    stage.keys("/zzzz<enter><esc>");
    assert_eq!(under_cursor(&stage), before, "through a filter that left nothing");
}

#[test]
fn a_group_from_elsewhere_says_where_it_comes_from() {
    let mut elsewhere = Shop::stocked();
    let history = crate::tui::model::data::Summary { records: 77_000, files: 7, newest: Some(NOW - 26 * 60_000_000), ..Default::default() };
    let seen = Some(NOW - 7_200_000_000);
    let origin = crate::tui::model::data::Origin { source: "lake".to_owned(), seen, history: Some(history), ..Default::default() };
    elsewhere.origins.insert("customer-features".to_owned(), origin);
    let mut stage = Stage::open(elsewhere, (200, 60));
    stage.keys("j");
    assert!(stage.text().contains("⇣lake"));
    let row = stage.text().lines().find(|line| line.contains("⇣lake")).unwrap_or_default().to_owned();
    assert!(row.contains("77.0 k") && row.contains("26 m "), "its history is counted as that of others is: {row}");
    stage.keys("<enter>");
    assert!(stage.text().contains("2 h ago"), "{}", stage.text());
    assert!(stage.text().contains("77.0 k rows · 7 files"), "{}", stage.text());
    stage.keys("]");
    assert!(stage.text().contains("loyalty_score"), "its schema is known");
    stage.keys("]");
    assert!(stage.text().contains("MEAN"), "statistics may be known: {}", stage.text());
    stage.keys("]");
    assert!(stage.text().contains("Its rows are not in this store"), "{}", stage.text());
    stage.keys("1/source:lake");
    assert!(listed(&stage).iter().all(|name| name.starts_with("customer-features.")));
    assert!(stage.text().contains("26 m "), "and its features are as fresh as it: {}", stage.text());
}

#[test]
fn who_says_what_stands_beside_the_group_where_sources_disagree() {
    let mut elsewhere = Shop::stocked();
    let said =
        |source: &str, says: &str, is_shown| crate::tui::model::data::Saying { source: source.to_owned(), says: says.to_owned(), is_shown };
    let origin = crate::tui::model::data::Origin {
        source: "lake".to_owned(),
        local: vec!["owner".to_owned()],
        disagreements: vec![("owner".to_owned(), vec![said("here", "team:us", true), said("lake", "ops\u{1b}[31m", false)])],
        ..Default::default()
    };
    elsewhere.origins.insert("customer-features".to_owned(), origin);
    let mut stage = Stage::open(elsewhere, (200, 60));
    stage.keys("j<enter>");
    let text = stage.text();
    for told in ["noted here", "SOURCES DISAGREE", "✓ team:us", "ops"] {
        assert!(text.contains(told), "{told} is missing in {text}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn escape_goes_back_one_layer_at_a_time_and_never_quits() {
    let mut stage = shop();
    stage.keys("/cust<enter><enter>");
    assert_eq!((stage.model.screen, stage.model.group_screen.name.as_str()), (Screen::Group, "customer-features"));
    stage.keys("]/loy<enter>?x");
    assert!(stage.model.help.is_some());
    stage.keys("<esc>");
    assert!(stage.model.help.is_some(), "the first Esc clears the search in the help");
    stage.keys("<esc>");
    assert!(stage.model.help.is_none());
    stage.keys("<esc>");
    assert!(stage.model.group_screen.schema.line.is_empty());
    stage.keys("<esc>");
    assert_eq!(stage.model.screen, Screen::Groups);
    stage.keys("<esc><esc><esc>");
    assert!(!stage.model.quit);
    assert!(stage.model.groups_screen.filtered.line.is_empty());
}

#[test]
fn q_closes_a_screen_and_quits_on_the_first() {
    let mut stage = shop();
    stage.keys("<enter>q");
    assert_eq!(stage.model.screen, Screen::Groups);
    stage.keys("q");
    assert!(stage.model.quit);
    let mut stage = shop();
    stage.keys("/q");
    assert!(!stage.model.quit, "typed text is never a command");
    stage.keys("<C-q>");
    assert!(stage.model.quit);
}

#[test]
fn interrupting_clears_then_leaves_then_quits() {
    let mut stage = shop();
    stage.keys("<enter>]/x<C-c><C-c><C-c>");
    assert_eq!(stage.model.screen, Screen::Groups);
    stage.keys("<C-c>");
    assert!(stage.model.quit);
}

#[test]
fn a_refresh_keeps_cursor_filter_and_data() {
    let mut stage = shop();
    stage.keys("jjj");
    let before = group_at_cursor(&stage);
    stage.hold = true;
    stage.keys("r");
    assert_eq!(stage.model.groups.value().map(Vec::len), Some(8), "old data stays while new data is on its way");
    stage.shop.groups.remove(0);
    stage.release();
    assert_eq!(group_at_cursor(&stage), before, "the cursor is on its group, not on its row");
}

#[test]
fn coming_to_the_front_refreshes() {
    let mut stage = shop();
    stage.shop.groups.truncate(3);
    stage.send(Msg::FocusGained);
    assert_eq!(stage.model.groups.value().map(Vec::len), Some(3));
}

#[test]
fn an_answer_that_comes_too_late_is_dropped() {
    let mut stage = shop();
    for slot in SLOTS {
        stage.send(Msg::News(slot, 0, News::Groups(Ok(Default::default()))));
    }
    assert_eq!(stage.model.groups.value().map(Vec::len), Some(8));
    stage.keys("1");
    stage.send(Msg::News(Slot::Record, 99, News::Groups(Ok(Default::default()))));
    assert_eq!(stage.model.groups.value().map(Vec::len), Some(8));
}

#[test]
fn numbers_switch_screens_and_back_returns() {
    let mut stage = shop();
    stage.keys("1");
    assert_eq!(stage.model.screen, Screen::Catalog);
    stage.keys("/loyalty_sc<enter><enter>");
    assert_eq!((stage.model.screen, stage.model.group_screen.tab), (Screen::Group, Tab::Schema));
    let group = stage.model.open_group().unwrap().clone();
    let at = stage.model.group_screen.schema.selected().unwrap();
    assert_eq!(group.schema.features()[at].name.as_str(), "loyalty_score", "opened at the feature");
    stage.keys("<esc>");
    assert_eq!(stage.model.screen, Screen::Catalog);
    stage.keys("2");
    assert_eq!(stage.model.screen, Screen::Groups);
}

#[test]
fn a_record_is_looked_up_and_walked_through() {
    let mut stage = shop();
    stage.keys("/cust<enter>4C0042<enter>");
    let record = |stage: &Stage| (stage.model.group_screen.record.version, stage.model.group_screen.record.typing);
    assert_eq!(record(&stage), (11, false));
    stage.keys("<left>h");
    assert_eq!(record(&stage), (9, false));
    stage.keys("<home><left>");
    assert_eq!(record(&stage), (0, false));
    stage.keys("r");
    assert_eq!(record(&stage).0, 0, "a refresh stays at the version");
    stage.keys("<end>l");
    assert_eq!(record(&stage).0, 11);
    stage.keys("/");
    assert!(record(&stage).1);
}

#[test]
fn identifiers_are_offered_chosen_and_remembered() {
    let mut stage = shop();
    stage.keys("j4C00<down><down><enter>");
    assert_eq!(stage.model.group_screen.record.line.text(), "C0002");
    stage.keys("/<C-u>C01<tab>");
    assert_eq!(stage.model.group_screen.record.line.text(), "C0100");
    stage.keys("<C-u>C0");
    assert_eq!(crate::tui::update::offers(&stage.model)[0], "C0002", "what was looked up comes first");
}

#[test]
fn leaving_the_look_up_without_a_record_leaves_the_tab() {
    let mut stage = shop();
    stage.keys("4abc<esc>");
    assert!(stage.model.group_screen.record.line.is_empty());
    stage.keys("<esc>");
    assert_eq!((stage.model.screen, stage.model.group_screen.tab), (Screen::Group, Tab::Overview));
}

#[test]
fn tabs_go_around() {
    let mut stage = shop();
    stage.keys("<enter>]");
    assert_eq!(stage.model.group_screen.tab, Tab::Schema);
    stage.keys("[[");
    assert_eq!(stage.model.group_screen.tab, Tab::Use);
    stage.keys("<tab><right>");
    assert_eq!(stage.model.group_screen.tab, Tab::Schema);
}

#[test]
fn copying_says_so_and_copies_what_is_shown() {
    let mut stage = shop();
    stage.keys("jyy");
    assert_eq!(stage.done, [Effect::Copy("customer-features".to_owned())]);
    assert_eq!(stage.model.toasts[0].text, "customer-features sent to the terminal's clipboard");
    stage.keys("4C0042<enter><left>yy");
    let Some(Effect::Copy(json)) = stage.done.last() else { panic!("nothing copied") };
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["record_identifier"], "C0042");
    assert_eq!(json["features"]["avg_order_value"], 55.0);
    assert_eq!(json["features"]["return_rate"], serde_json::Value::Null);
    stage.keys("]]]yy");
    assert_eq!(stage.done.last(), Some(&Effect::Copy("larder get customer-features C0042 --json".to_owned())));
}

#[test]
fn a_message_leaves_by_itself_and_then_nothing_wakes_the_process() {
    let mut stage = shop();
    assert_eq!(stage.model.next_wake(), None, "idle");
    stage.keys("yy");
    assert_eq!(stage.model.next_wake(), Some(NOW + 3 * SECOND));
    stage.model.now += 3 * SECOND;
    stage.send(Msg::Wake);
    assert!(stage.model.toasts.is_empty());
    assert_eq!(stage.model.next_wake(), None);
}

#[test]
fn what_is_typed_before_the_catalog_is_here_is_looked_for_once_it_is() {
    for (screen, script) in [(Screen::Catalog, "/loyalty_sc"), (Screen::Groups, "/payment")] {
        let mut stage = Stage::opening(Shop::stocked(), (80, 24));
        stage.model.screen = screen;
        stage.keys(script);
        let typed = script.trim_start_matches('/');
        assert!(stage.text().contains(typed), "it is seen at once\n{}", stage.text());
        stage.release();
        let shown = stage.text();
        let (found, other) = if screen == Screen::Catalog { ("loyalty_score", "fare_amount") } else { ("payment-risk", "green-trips") };
        assert!(shown.contains(found) && !shown.contains(other), "{shown}");
        stage.keys("x");
        assert!(stage.text().contains(&format!("{typed}x")), "typing goes on");
    }
    let mut stage = Stage::opening(Shop::broken(), (80, 24));
    stage.keys("/q").release();
    assert!(stage.text().contains("try again"));
    stage.shop = Shop::stocked();
    stage.keys("r");
    assert!(stage.model.groups.value().is_some(), "the key is a key again where nothing can be looked through");
}

#[test]
fn waiting_shows_only_after_a_while() {
    let mut stage = Stage::opening(Shop::stocked(), (80, 24));
    assert!(!stage.text().contains("reading the catalog"));
    let wake = stage.model.next_wake().unwrap();
    assert_eq!(wake, NOW + SECOND * 12 / 100);
    stage.model.now = wake;
    assert!(stage.text().contains("reading the catalog"));
    stage.release();
    assert_eq!(stage.model.next_wake(), None);
}

#[test]
fn an_empty_store_is_filled_with_one_key() {
    let mut stage = Stage::open(Shop::empty(), (80, 24));
    assert!(stage.text().contains("Nothing on the shelf yet."));
    stage.keys("d");
    assert_eq!(stage.model.groups.value().map(Vec::len), Some(8));
    assert!(stage.text().contains("customer-features"));
}

#[test]
fn filling_the_demo_can_be_stopped_but_not_left_by_accident() {
    let mut stage = Stage::open(Shop::empty(), (80, 24));
    stage.hold = true;
    stage.keys("dq");
    assert!(!stage.model.quit);
    assert!(stage.text().contains("C-c stops it"));
    stage.keys("<C-c>");
    assert_eq!(stage.done, [Effect::Stop(Slot::Demo)]);
    stage.release();
    stage.keys("q");
    assert!(stage.model.quit);
}

#[test]
fn a_read_only_store_is_not_filled() {
    let mut stage = Stage::open(Shop::empty(), (80, 24));
    stage.model.read_only = true;
    stage.keys("d");
    assert!(stage.shop.groups.is_empty());
    assert!(stage.text().contains("read-only"));
}

#[test]
fn sorting_goes_through_the_columns_and_back() {
    let mut stage = shop();
    let first = |stage: &Stage| {
        let place = stage.model.groups_screen.filtered.rows[0];
        stage.model.groups.value().unwrap()[place].name.to_string()
    };
    stage.keys("s");
    assert_eq!(first(&stage), "customer-features", "most features");
    stage.keys("s");
    assert_eq!(first(&stage), "customer-features", "most records");
    stage.keys("S");
    assert_eq!(first(&stage), "order-features-failed", "fewest records");
    stage.keys("sss");
    assert_eq!(first(&stage), "account-features", "by name again");
}

#[test]
fn pasted_text_goes_into_the_input_and_nowhere_else() {
    let mut stage = shop();
    stage.send(Msg::Paste("q\nq".to_owned()));
    assert!(!stage.model.quit);
    stage.keys("4");
    stage.send(Msg::Paste("C0042\n".to_owned()));
    assert_eq!(stage.model.group_screen.record.line.text(), "C0042");
}

#[test]
fn a_group_that_disappears_while_it_is_open_is_said_to_be_gone() {
    let mut stage = shop();
    stage.keys("<enter>");
    stage.shop.groups.remove(0);
    stage.keys("r");
    assert!(stage.text().contains("account-features is no longer in the store"));
    stage.keys("]]]]]jkGg<enter>yy/x<esc><esc>");
    assert!(!stage.model.quit);
}

#[test]
fn hostile_text_never_reaches_the_screen_or_the_clipboard() {
    for size in [(40, 10), (80, 24), (200, 60)] {
        let mut stage = Stage::open(hostile(), size);
        for script in [
            "",
            "j",
            "yy",
            "yj",
            "ys",
            "<enter>",
            "]",
            "yy",
            "yr",
            "4C1<enter>",
            "]]]",
            "yy",
            "?",
            "<esc>",
            ":",
            "<esc>",
            "E",
            "<esc>",
            "1",
            "yj",
            "2",
            "3",
            "5",
            "6",
            "7",
        ] {
            stage.keys(script);
            let shown = stage.symbols();
            assert!(!shown.chars().any(crate::tui::clean::is_hostile), "after {script:?} at {size:?}: {shown:?}");
        }
        for effect in &stage.done {
            let Effect::Copy(text) = effect else { continue };
            assert!(!text.chars().any(|c| c != '\n' && crate::tui::clean::is_hostile(c)), "{text:?}");
        }
    }
}

#[test]
fn any_size_and_any_keys_draw_something() {
    let script = "jjG/loy<enter><enter>]]C0042<enter><left><left>]?pag<down><esc><esc>2/x<enter>1<esc>3";
    for width in [1, 2, 5, 20, 39, 40, 41, 60, 79, 119, 120, 121, 199, 300] {
        for height in [1, 2, 5, 9, 10, 11, 13, 14, 24, 29, 30, 31, 61] {
            let mut stage = Stage::open(Shop::stocked(), (width, height));
            stage.keys(script);
            assert!(!stage.text().is_empty());
        }
    }
}

#[test]
fn the_cursor_of_the_terminal_stands_in_the_input() {
    let mut stage = shop();
    stage.keys("/客户a<left>");
    assert_eq!(stage.cursor(), (3 + 4, 1));
}

#[test]
fn the_palette_finds_actions_groups_and_features_and_does_them() {
    let mut stage = shop();
    stage.keys(":reverse<enter>");
    assert!(stage.model.layer.is_none() && stage.model.groups_screen.reversed);
    stage.keys(":open loyalty_sc<enter>");
    assert_eq!(stage.model.screen, Screen::Group);
    assert_eq!(stage.model.group_screen.feature.as_deref(), Some("loyalty_score"));
    stage.keys("<esc>");
    assert_eq!((stage.model.screen, stage.model.group_screen.feature.clone()), (Screen::Group, None), "from a feature to its group");
    stage.keys(":theme<esc>");
    assert!(stage.model.layer.is_some(), "Esc clears what was typed first");
    stage.keys("<esc>");
    assert!(stage.model.layer.is_none());
}

#[test]
fn a_read_only_store_offers_no_edits() {
    let mut stage = shop();
    stage.model.read_only = true;
    stage.keys(":edit description");
    assert!(!stage.text().contains("Edit the description"));
    stage.keys("<esc><esc>E");
    assert!(stage.model.layer.is_none());
    assert!(stage.model.toasts[0].text.contains("read-only"));
}

#[test]
fn a_read_only_browser_writes_no_files() {
    let mut stage = shop();
    stage.model.read_only = true;
    stage.keys("e");
    assert!(stage.model.layer.is_none() && stage.text().contains("writes no files"), "{}", stage.text());
    stage.keys(":export");
    assert!(!stage.text().contains("into a file"), "{}", stage.text());
}

#[test]
fn colours_are_seen_before_they_are_chosen_and_esc_goes_back() {
    let mut stage = shop();
    stage.model.themes = vec!["terminal".to_owned(), "slate".to_owned()];
    stage.model.theme = "terminal".to_owned();
    stage.keys("T<down>");
    assert_eq!(stage.model.theme, "slate");
    stage.keys("<esc>");
    assert_eq!(stage.model.theme, "terminal");
    stage.keys("T<down><enter>");
    assert_eq!(stage.model.theme, "slate");
}

#[test]
fn what_is_written_about_a_group_is_edited_in_place_and_undone() {
    use crate::tui::model::edits::{Edit, Written};
    use crate::tui::msg::Request;
    let mut stage = shop();
    stage.keys("jE<C-u>Who buys what<enter>");
    let Some(Request::Edits(done)) = stage.shop.edits.first().cloned() else { panic!("nothing was written") };
    let written = Written::Description(Some("Who buys what".to_owned()));
    assert_eq!(done.edit, Edit { group: "customer-features".to_owned(), feature: None, written: written.clone() });
    assert!(stage.model.toasts[0].text.contains("U undoes it"));
    stage.keys("U");
    let Some(Request::Edits(undone)) = stage.shop.edits.get(1) else { panic!("nothing was undone") };
    assert_eq!((&undone.edit.written, &undone.before, undone.undoes), (&done.before, &written, true));
    stage.keys("U");
    assert!(stage.model.toasts.last().unwrap().text.contains("nothing to undo"));
    stage.keys("t<C-u>alone<enter>");
    assert!(stage.text().contains("write key=value"), "the form stays open with what is wrong");
    stage.keys("=1<enter>");
    assert!(stage.model.layer.is_none());
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let mut stage = shop();
    stage.keys("jE<enter>");
    assert!(stage.model.layer.is_none() && stage.shop.edits.is_empty());
}

#[test]
fn a_click_moves_a_second_opens_and_hints_and_tabs_can_be_clicked() {
    use crate::tui::model::mouse::{Gesture, Mouse};
    let mut stage = shop();
    let click = |column, row| Msg::Mouse(Mouse { gesture: Gesture::Click, column, row });
    let find = |stage: &mut Stage, text: &str| {
        let screen = stage.text();
        let row = screen.lines().position(|line| line.contains(text)).unwrap();
        let line = screen.lines().nth(row).unwrap();
        (line[..line.find(text).unwrap()].chars().count() as u16, row as u16)
    };
    let (column, row) = find(&mut stage, "driver-stats");
    stage.send(click(column, row));
    assert_eq!(group_at_cursor(&stage), "driver-stats");
    stage.send(click(column, row));
    assert_eq!((stage.model.screen, stage.model.group_screen.name.as_str()), (Screen::Group, "driver-stats"));
    let (column, row) = find(&mut stage, "Schema");
    stage.send(click(column, row));
    assert_eq!(stage.model.group_screen.tab, Tab::Schema);
    let (column, row) = find(&mut stage, "? help");
    stage.send(click(column, row));
    assert!(stage.model.help.is_some());
    stage.keys("<esc>");
    stage.send(Msg::Mouse(Mouse { gesture: Gesture::WheelDown, column: 5, row: 8 }));
    assert_eq!(stage.model.group_screen.schema.list.at, 3);
    stage.send(click(0, 0));
    assert_eq!(stage.model.screen, Screen::Group, "a click on nothing does nothing");
}

#[test]
fn a_begun_sequence_shows_its_ways_on_and_ends_with_esc() {
    let mut stage = shop();
    stage.keys("y");
    assert!(!stage.text().contains("Copy as JSON"), "whoever knows the keys sees nothing");
    stage.model.now += SECOND / 2;
    assert!(stage.text().contains("Copy as JSON"));
    stage.keys("<esc>");
    assert!(stage.model.pressed.is_empty() && stage.done.is_empty());
    stage.keys("yj");
    let Some(Effect::Copy(text)) = stage.done.first() else { panic!("nothing was copied") };
    let copied: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(copied["name"], "account-features");
}

#[test]
fn history_goes_back_and_forward() {
    let mut stage = shop();
    stage.keys("<enter>15");
    assert_eq!(stage.model.screen, Screen::Sql);
    stage.keys("<esc><A-left><A-left>");
    assert_eq!(stage.model.screen, Screen::Group);
    stage.keys("<A-right>");
    assert_eq!(stage.model.screen, Screen::Catalog);
}

#[test]
fn a_feature_is_opened_from_its_statistics_and_esc_goes_to_its_group() {
    let mut stage = shop();
    stage.keys("j<enter>]]<enter>");
    assert_eq!(stage.model.group_screen.feature.as_deref(), Some("loyalty_score"));
    stage.keys("<esc>");
    assert_eq!((stage.model.screen, stage.model.group_screen.feature.clone()), (Screen::Group, None));
    assert!(!stage.model.statistics.latest);
    stage.keys("e");
    assert!(stage.model.statistics.latest && stage.text().contains("latest record of each identifier"));
}

#[test]
fn lineage_puts_another_node_in_the_middle_and_back() {
    let mut stage = shop();
    stage.keys("j3");
    assert_eq!(stage.model.lineage.node, "customer-features");
    stage.keys("j<enter>");
    assert_eq!(stage.model.lineage.node, "churn_v3@1");
    stage.keys("<backspace>");
    assert_eq!(stage.model.lineage.node, "customer-features");
    for asked in ["if it were removed", "if its type changed", "if its ttl became shorter", "if it meant something else"] {
        stage.keys("w");
        let shown = stage.text();
        assert!(shown.contains("✖ breaks") && shown.contains(asked), "{asked}: {shown}");
    }
    stage.keys("w");
    assert!(!stage.text().contains("✖ breaks"), "after the last change none is asked about");
}

#[test]
fn a_drawn_graph_is_walked_by_its_edges_and_can_be_listed() {
    let mut stage = Stage::open(Shop::stocked(), (120, 30));
    stage.keys("j3");
    let under_cursor = |stage: &Stage| stage.model.lineage.graph.value().unwrap().nodes[stage.model.lineage.at].reference.clone();
    assert!(stage.text().contains("──▶"), "{}", stage.text());
    stage.keys("h");
    assert_eq!(under_cursor(&stage), "source:/data/purchases.parquet");
    stage.keys("lll");
    assert_eq!(under_cursor(&stage), "model:churn");
    stage.keys("v");
    assert!(stage.text().contains("GOES INTO"), "the tree");
    stage.keys("h<enter>");
    assert_eq!(stage.model.lineage.node, "churn_v3@1", "in the tree the edge leads back to the row above");
    stage.keys("v");
    assert!(stage.text().contains("──▶"));
    assert_eq!(under_cursor(&stage), "churn_v3@1");
}

#[test]
fn a_statement_is_typed_completed_run_recalled_and_exported() {
    let mut stage = shop();
    stage.keys("j5<C-u><backspace><C-u><backspace><C-u>select loyalty_s<tab><enter>from t");
    assert_eq!(stage.model.sql.editor.text(), "select loyalty_score\nfrom t");
    stage.keys("<F5>");
    assert!(!stage.model.sql.typing, "a result is there to be read");
    assert!(stage.text().contains("C0001"));
    stage.keys("e<enter>");
    assert!(stage.model.toasts.last().unwrap().text.contains("120 rows in result.parquet"));
    stage.keys("i<C-u>nonsense<F5>");
    assert!(stage.model.sql.typing && stage.text().contains("no column 'nonsense'"), "a fault is there to be mended");
    stage.keys("<C-r><C-r>");
    assert_eq!(stage.model.sql.editor.text(), "select loyalty_score\nfrom t");
}

#[test]
fn a_statement_that_runs_is_stopped_for_real() {
    let mut stage = shop();
    stage.keys("5");
    stage.hold = true;
    stage.keys("<F5><C-c>");
    assert!(stage.done.contains(&Effect::Stop(Slot::Sql)));
    stage.keys("<esc>e<enter>e<enter>");
    assert!(stage.model.toasts.last().unwrap().text.contains("an export is under way"), "one at a time");
    stage.keys("<C-c>");
    assert!(stage.done.contains(&Effect::Stop(Slot::Export)));
    assert!(stage.model.sql.grid.rows.waiting_since().is_none());
    stage.release();
    assert!(stage.model.sql.grid.rows.value().is_none(), "an answer that comes late is not taken");
}

#[test]
fn jobs_flush_unless_the_store_is_read_only() {
    let mut stage = shop();
    stage.keys("7f");
    assert!(stage.model.toasts[0].text.contains("in 2 files"));
    stage.model.read_only = true;
    stage.keys("f");
    assert!(stage.model.toasts.last().unwrap().text.contains("read-only"));
}

#[test]
fn the_lineage_tab_can_be_left_by_its_keys() {
    let mut stage = shop();
    stage.keys("j<enter>]]]]");
    assert_eq!(stage.model.group_screen.tab, Tab::Lineage);
    stage.keys("]");
    assert_eq!(stage.model.group_screen.tab, Tab::Data);
}

#[test]
fn every_tab_is_passed_by_its_keys_both_ways() {
    let mut stage = shop();
    stage.keys("j<enter>");
    let mut seen = vec![stage.model.group_screen.tab];
    for _ in 1..Tab::ALL.len() {
        stage.keys("<tab>");
        seen.push(stage.model.group_screen.tab);
    }
    assert_eq!(seen, Tab::ALL.map(|(tab, _)| tab), "none holds who only passes by");
    for tab in Tab::ALL.iter().rev().skip(1) {
        stage.keys("<backtab>");
        assert_eq!(stage.model.group_screen.tab, tab.0);
    }
}

#[test]
fn a_click_reaches_the_rows_of_every_screen() {
    use crate::tui::model::Model;
    use crate::tui::model::list::List;
    use crate::tui::model::mouse::{Gesture, Mouse};
    let clicked = |script: &str, list: fn(&Model) -> &List, place: usize| {
        let mut stage = shop();
        stage.keys(script);
        let screen = stage.text();
        let row = (0..40).find(|row| list(&stage.model).row_at(8, *row) == Some(place));
        let row = row.unwrap_or_else(|| panic!("row {place} is not shown:\n{screen}"));
        stage.send(Msg::Mouse(Mouse { gesture: Gesture::Click, column: 8, row }));
        assert_eq!(list(&stage.model).at, place, "{script}\n{screen}");
        stage
    };
    clicked("j<enter>]]", |model| &model.statistics.list, 1);
    clicked("j<enter>]]]", |model| &model.statistics.drift_list, 1);
    clicked("6", |model| &model.datasets.list, 1);
    clicked("7", |model| &model.jobs.list, 1);
    let result = clicked("5<F5>i", |model| &model.sql.grid.list, 1);
    assert!(!result.model.sql.typing, "a click on a row leaves the statement");
}
