//! What the shop answers about documentation, usage and expectations; and what keys do on the tab Overview.

use super::shop::Shop;
use super::stage::Stage;
use crate::tui::model::data::Saying;
use crate::tui::model::overview::{Answer, Known, Question, Rule};
use crate::tui::model::remote::{ErrorText, Remote};
use crate::tui::units::SECOND;

pub(super) fn answer(question: &Question, broken: Option<ErrorText>) -> Answer {
    match (question, broken) {
        (Question::Known(_), Some(error)) => Answer::Known(Err(error)),
        (question, _) => whole(question),
    }
}

fn whole(question: &Question) -> Answer {
    match question {
        Question::Known(group) if group == "customer-features" => Answer::Known(Ok(Known {
            score: 0.72,
            parts: vec![("descriptions", Some(0.9)), ("owner", Some(1.0)), ("fresh", None)],
            fix: (0..6).map(|place| ((place > 0).then(|| format!("feature_{place}\u{1b}")), "description".to_owned())).collect(),
            datasets: 2,
            reads: Some((0..30).map(|day| day * day % 17).collect()),
            readers: vec![("anna".to_owned(), 1_204), ("scoring-service".to_owned(), 88)],
            disagreements: Vec::new(),
        })),
        Question::Known(_) => Answer::Known(Ok(Known::default())),
        Question::Check(_) => {
            let rule = |feature: Option<&str>, rule: &str, broken| Rule {
                feature: feature.map(str::to_owned),
                rule: rule.to_owned(),
                holds: broken == 0,
                broken: (broken, 84_112),
                detail: None,
            };
            Answer::Checked(Ok(vec![rule(None, "unique", 0), rule(Some("return_rate"), "range 0..1", 12)]))
        }
    }
}

#[test]
fn a_feature_of_the_schema_opens_and_esc_leads_back_to_the_group() {
    let mut stage = Stage::open(Shop::stocked(), (80, 24));
    stage.keys("j<enter>]jjjj<enter>");
    assert_eq!(stage.model.group_screen.feature.as_deref(), Some("loyalty_score"));
    stage.keys("<esc>");
    assert_eq!((stage.model.group_screen.feature.clone(), stage.model.group_screen.name.as_str()), (None, "customer-features"));
}

#[test]
fn a_page_says_that_it_waits_and_what_could_not_be_read() {
    let mut stage = Stage::open(Shop::stocked(), (120, 60));
    stage.hold = true;
    stage.keys("j<enter>");
    let waits = |shown: &str| shown.lines().any(|line| line.trim_end().ends_with(" reading"));
    let shown = stage.text();
    assert!(!waits(&shown), "a fast answer does not flash: {shown}");
    stage.model.now += 2 * SECOND;
    let shown = stage.text();
    assert!(waits(&shown), "{shown}");

    let mut stage = Stage::open(Shop::stocked(), (120, 60));
    stage.shop.broken = Shop::broken().broken;
    let failed = stage.keys("j<enter>").text();
    assert!(failed.contains("page 7 is damaged") && failed.contains("customer-features"), "{failed}");
}

#[test]
fn expectations_are_checked_when_asked_and_what_is_broken_comes_first() {
    let mut stage = Stage::open(Shop::stocked(), (120, 60));
    stage.keys("j<enter>");
    assert!(stage.text().contains("x checks them now"), "{}", stage.text());
    stage.keys("x");
    let shown = stage.text();
    assert!(shown.contains("1 of 2 hold, 0 s ago") && shown.contains("12 of 84 112 rows"), "{shown}");
    stage.keys("<esc><enter>");
    assert!(stage.text().contains("1 of 2 hold"), "it stays while the browser is open");
    stage.keys("<esc>k<enter>x");
    assert!(stage.text().contains("nothing is expected of this group"));
}

#[test]
fn what_sources_say_otherwise_stands_on_the_page_of_the_group_and_of_the_feature() {
    let mut stage = Stage::open(Shop::stocked(), (160, 60));
    stage.keys("j<enter>");
    let said = |source: &str, says: &str, is_shown| Saying { source: source.to_owned(), says: says.to_owned(), is_shown };
    let field = "features.loyalty_score.description".to_owned();
    let disagreements = vec![(field, vec![said("here", "Share of months", true), said("lake", "Points", false)])];
    stage.model.overview.known = Remote::Ready(Known { disagreements, ..Known::default() });
    for (feature, is_told) in [(None, true), (Some("loyalty_score"), true), (Some("return_rate"), false)] {
        stage.model.group_screen.feature = feature.map(str::to_owned);
        let shown = stage.text();
        assert_eq!(shown.contains("SOURCES DISAGREE"), is_told, "{feature:?}\n{shown}");
        assert_eq!(shown.contains("lake") && shown.contains("Points"), is_told, "{feature:?}\n{shown}");
    }
}
