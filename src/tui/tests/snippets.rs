//! Ready code: what is on offer for which group, and for a feature alone.

use super::shop::{feature, group};
use crate::model::{FeatureGroup, FeatureType};
use crate::tui::snippets::of;

fn texts(group: &FeatureGroup, feature: Option<&str>) -> Vec<(&'static str, String)> {
    of(group, feature, Some("a\"b")).into_iter().map(|snippet| (snippet.title, snippet.text)).collect()
}

fn shop_group() -> FeatureGroup {
    let features = [("id", FeatureType::String), ("at", FeatureType::String), ("score", FeatureType::Fractional)];
    group("shop", "", "", &[], features.into_iter().map(|(name, kind)| feature(name, kind, "")).collect())
}

#[test]
fn a_group_offers_only_what_it_can_answer() {
    let titles = |group: &FeatureGroup| texts(group, None).into_iter().map(|(title, _)| title).collect::<Vec<_>>();
    let mut group = shop_group();
    assert!(titles(&group).iter().any(|title| title.contains("boto3")) && titles(&group).contains(&"Shell: training dataset"));
    group.online = None;
    assert!(!titles(&group).iter().any(|title| title.contains("boto3")));
    let mut group = shop_group();
    group.offline = None;
    assert!(!titles(&group).contains(&"Shell: training dataset"));
}

#[test]
fn code_for_a_feature_reads_that_feature_alone() {
    let group = shop_group();
    let text = |feature, title: &str| texts(&group, feature).into_iter().find(|(known, _)| *known == title).map(|(_, text)| text).unwrap();
    assert!(text(Some("score"), "SQL: newest record of each identifier").starts_with("select id, score\n"));
    assert!(text(Some("score"), "Shell: training dataset").contains("--features shop:score "));
    assert!(text(Some("at"), "Shell: training dataset").contains("--features shop "), "the spine brings the keys");
    let boto3 = text(Some("score"), "Python: boto3, one record");
    assert!(boto3.contains("FeatureNames=[\"score\"]") && boto3.contains("RecordIdentifierValueAsString=\"a\\\"b\""), "{boto3}");
    assert!(!text(None, "Python: boto3, many records").contains("FeatureNames"));
}
