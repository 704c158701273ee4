//! The pictures of README, drawn from the demo store: they are what the browser shows, or this test fails.
//!
//! `LARDER_UPDATE_SCREENSHOTS=1 cargo test screenshots` draws them anew.

use std::path::Path;
use std::sync::Arc;

use super::live::Live;
use super::svg::svg;
use crate::model::{EventTime, TimeMode};
use crate::store::demo::DemoOptions;
use crate::store::{FeatureStore, OpenOptions};
use crate::tui::model::remote::Remote;

/// File, title, columns and rows, keys.
const PICTURES: [(&str, &str, (u16, u16), &str); 1] =
    [("catalog", "The catalog: facets, features, and the details of the one under the cursor", (140, 36), "/loyal<enter>")];

#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_readme_are_what_the_browser_shows() {
    let folder = tempfile::tempdir().unwrap();
    let now = EventTime::parse_text("2026-11-25T09:30:00Z", TimeMode::Lenient).unwrap();
    let options = OpenOptions { create: true, clock: Some(Arc::new(move || now)), ..OpenOptions::default() };
    let store = FeatureStore::open(folder.path(), options).await.unwrap();
    store.fill_demo(&DemoOptions::default(), Arc::new(|_| {})).await.unwrap();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screenshots");
    let updates = std::env::var_os("LARDER_UPDATE_SCREENSHOTS").is_some();
    let mut stale = Vec::new();
    for (name, title, size, script) in PICTURES {
        let mut live = Live::open(&store, size).await;
        live.keys(script).await;
        if let Remote::Ready(found) = &mut live.model.group_screen.record.found {
            // The one number that is measured.
            found.latency = found.latency.map(|_| 9);
        }
        let drawn = svg(&live.frame(), title);
        let file = assets.join(format!("{name}.svg"));
        if updates {
            std::fs::create_dir_all(&assets).unwrap();
            std::fs::write(&file, &drawn).unwrap();
        } else if steady(&std::fs::read_to_string(&file).unwrap_or_default()) != steady(&drawn) {
            stale.push(name);
        }
    }
    store.close().await.unwrap();
    assert!(stale.is_empty(), "{stale:?} no longer look so: draw them anew with LARDER_UPDATE_SCREENSHOTS=1 and look at them");
}

/// A picture without what a sketch estimates, which is a little different each time: heights of bars, and quantiles.
fn steady(svg: &str) -> String {
    let is_bar = |character: char| ('▁'..='█').contains(&character);
    let line = |line: &str| {
        let is_quantile = line.split_once(">p").is_some_and(|(_, text)| text.starts_with(|first: char| first.is_ascii_digit()));
        if is_quantile {
            return line.replace(|character: char| character.is_ascii_digit(), "0");
        }
        let line = line.replace(is_bar, " ");
        match line.split_once('>') {
            // Bars alone: how far they go is theirs to say.
            Some((tag, text)) if text.trim_end_matches("</text>").trim().is_empty() => {
                tag.split(" textLength").next().unwrap_or_default().to_owned()
            }
            _ => line,
        }
    };
    svg.lines().map(line).collect::<Vec<_>>().join("\n")
}
