//! Records written by hand, told as scripts.

use super::shop::Shop;
use super::stage::Stage;
use crate::model::Error;
use crate::tui::model::layer::Layer;
use crate::tui::model::writes::{Answer, Question};
use crate::tui::msg::Request;

pub(super) fn answer(question: &Question) -> Answer {
    match question {
        Question::Put { values, .. } if values.iter().any(|(_, value)| value == "abc") => {
            let error = Error::invalid("'abc' is not a number").remedy("give total_purchases a number");
            Answer::Failed((&error).into())
        }
        Question::Put { identifier, .. } => Answer::Done(identifier.clone(), format!("{identifier} is stored")),
        Question::Delete { identifier, .. } => Answer::Done(identifier.clone(), format!("{identifier} is deleted")),
    }
}

fn record() -> Stage {
    let mut stage = Stage::open(Shop::stocked(), (100, 30));
    stage.keys("j4C0042<enter>");
    stage
}

#[test]
fn a_put_shows_what_would_change_before_anything_is_written() {
    let mut stage = record();
    stage.keys("p<C-u>99.5<tab><tab><C-u><enter>");
    let shown = stage.text();
    assert!(shown.contains("→ 99.5") && shown.contains("0.95 → ∅"), "{shown}");
    assert!(stage.shop.edits.is_empty(), "nothing is written yet");
    stage.keys("<esc>");
    assert!(matches!(&stage.model.layer, Some(Layer::Record(form)) if !form.confirming), "Esc leads back to the fields");
    stage.keys("<enter><enter>");
    let [Request::Writes(Question::Put { group, values, .. })] = stage.shop.edits.as_slice() else { panic!("{:?}", stage.shop.edits) };
    assert_eq!(group, "customer-features");
    assert!(values.contains(&("total_purchases".to_owned(), "99.5".to_owned())));
    assert!(!values.iter().any(|(name, _)| name == "loyalty_score"), "an empty field is left out: null");
    assert!(stage.model.layer.is_none() && stage.text().contains("C0042 is stored"));
}

#[test]
fn what_the_store_refuses_stays_in_the_form_to_be_mended() {
    let mut stage = record();
    stage.keys("p<C-u>abc<enter><enter>");
    assert!(stage.text().contains("'abc' is not a number"));
    assert!(matches!(&stage.model.layer, Some(Layer::Record(form)) if form.text(2) == "abc"));
    stage.keys("<C-u>1<enter><enter>");
    assert!(stage.model.layer.is_none());
}

#[test]
fn a_delete_needs_the_identifier_typed() {
    let mut stage = record();
    stage.keys("D<enter>");
    assert!(stage.shop.edits.is_empty() && stage.text().contains("type C0042 to delete it"));
    stage.keys("C0042<tab><tab><C-u>maybe<enter>");
    assert!(stage.shop.edits.is_empty() && stage.text().contains("hard is yes or no"));
    stage.keys("<C-u>no<enter>");
    assert!(matches!(stage.shop.edits.as_slice(), [Request::Writes(Question::Delete { hard: false, .. })]));
}

#[test]
fn a_store_that_is_read_only_offers_neither() {
    let mut stage = record();
    stage.model.read_only = true;
    let hints = stage.text().lines().last().unwrap_or_default().to_owned();
    assert!(!hints.contains("put") && !hints.contains("delete"), "{hints}");
    stage.keys("p");
    assert!(stage.model.layer.is_none() && stage.text().contains("read-only"));
    stage.keys("D:put");
    assert!(!stage.text().contains("Put a record by hand"), "nor does the palette");
}
