//! What must hold of every screen, walked over all of them: at every size, in every theme, without colour, with plain characters,
//! with the mouse, and back again with Esc.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::shop::{Shop, hostile};
use super::stage::Stage;
use crate::tui::model::mouse::{Gesture, Mouse};
use crate::tui::model::screens::Screen;
use crate::tui::msg::Msg;
use crate::tui::theme::{Theme, built_in, sign};
use crate::tui::units::SECOND;

const SIZES: [(u16, u16); 3] = [(40, 10), (80, 24), (200, 60)];

/// Every screen and tab, and what can lie over one, with the keys that lead there from the list of groups.
const PLACES: [(&str, &str); 27] = [
    ("catalog", "1"),
    ("catalog filtered", "1/loy<enter>"),
    ("facets", "1f"),
    ("groups", "j"),
    ("lineage", "j3"),
    ("sql", "5<F5>"),
    ("datasets", "6"),
    ("cells", "6<enter>"),
    ("jobs", "7"),
    ("overview", "j<enter>"),
    ("schema", "j<enter>]"),
    ("stats", "j<enter>]]"),
    ("stats of a feature", "j<enter>]]<enter>"),
    ("drift", "j<enter>]]]"),
    ("drift of a feature", "j<enter>]]]<enter>]"),
    ("lineage tab", "j<enter>]]]]"),
    ("data", "j<enter>]]]]]"),
    ("online", "j4C0042<enter>"),
    ("online then", "j4C0042<enter><left><left>"),
    ("files", "j<enter>]]]]]]<tab>"),
    ("datasets tab", "j<enter>]]]]]]<tab>]"),
    ("use", "j4C0042<enter>]]]"),
    ("help", "j?"),
    ("palette", "j:loy"),
    ("theme picker", "jT"),
    ("form", "jt"),
    ("record form", "j4C0042<enter>p"),
];

fn at(script: &str, size: (u16, u16)) -> Stage {
    let mut stage = Stage::open(Shop::stocked(), size);
    stage.look.themes = built_in();
    stage.keys(script);
    stage
}

/// Runs `check` over every place at every size.
fn everywhere(check: impl Fn(&str, &mut Stage)) {
    for (place, script) in PLACES {
        for size in SIZES {
            check(&format!("{place} at {}×{}", size.0, size.1), &mut at(script, size));
        }
    }
}

#[test]
fn plain_characters_are_all_there_is_with_ascii() {
    everywhere(|place, stage| {
        stage.look.ascii = true;
        // A value of the history is Chinese; names and values stay what they are.
        let shown = stage.text().replace("客户", "");
        let odd: Vec<&str> = shown.lines().filter(|line| !line.is_ascii()).collect();
        assert!(odd.is_empty(), "{place}: {odd:#?}");
    });
}

#[test]
fn waiting_and_failing_are_told_with_plain_characters_too() {
    for (place, script) in PLACES {
        for size in SIZES {
            for shop in [Shop::stocked(), Shop::broken(), Shop::empty(), hostile()] {
                let of_data = shop.groups.len() == hostile().groups.len();
                let mut stage = Stage::open(shop, size);
                stage.look.ascii = true;
                stage.hold = true;
                stage.keys(script);
                stage.model.now += 2 * SECOND;
                let shown = stage.text();
                // Names and values stay what they are.
                assert!(of_data || shown.is_ascii(), "{place} at {size:?}:\n{shown}");
                assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{place} at {size:?}:\n{shown}");
            }
        }
    }
}

#[test]
fn nothing_has_a_colour_without_colours_and_what_is_chosen_is_still_seen() {
    everywhere(|place, stage| {
        stage.look.no_color = true;
        let frame = stage.frame();
        assert!(
            frame.content.iter().all(|cell| (cell.fg, cell.bg, cell.underline_color) == (Color::Reset, Color::Reset, Color::Reset)),
            "{place}"
        );
        let coloured = {
            stage.look.no_color = false;
            stage.frame()
        };
        let chosen = |frame: &Buffer| frame.content.iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED)).count();
        assert_eq!(chosen(&frame), chosen(&coloured), "{place}");
        assert_eq!(text_of(&frame), text_of(&coloured), "{place}: no word depends on colour");
    });
}

/// A theme in which each state has a colour that nothing else has.
fn tell_tale() -> Theme {
    let plain = Theme::default();
    let only = |number| plain.text.fg(Color::Indexed(number));
    Theme { good: only(201), watch: only(202), bad: only(203), ..plain }
}

#[test]
fn no_state_is_told_by_colour_alone() {
    everywhere(|place, stage| {
        stage.look.themes = vec![crate::tui::theme::NamedTheme { name: "tell-tale".to_owned(), theme: tell_tale() }];
        stage.model.theme = "tell-tale".to_owned();
        let frame = stage.frame();
        for row in 0..frame.area.height {
            let mut column = 0;
            while column < frame.area.width {
                let color = frame[(column, row)].fg;
                let mut run = String::new();
                while column < frame.area.width && frame[(column, row)].fg == color {
                    run.push_str(frame[(column, row)].symbol());
                    column += 1;
                }
                if matches!(color, Color::Indexed(201..=203)) && !run.trim().is_empty() {
                    let told = run.chars().any(char::is_alphanumeric)
                        || [sign::GOOD, sign::WATCH, sign::BAD].iter().any(|sign| run.contains(sign));
                    assert!(told, "{place}: '{run}' in row {row} says what it means by {color} alone\n{}", stage.text());
                }
            }
        }
    });
}

/// How well one colour is read on another, from 1 to 21, as the accessibility guidelines of the web reckon it.
fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.039_28 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |(red, green, blue): (u8, u8, u8)| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_theme_is_read_on_its_ground_on_every_screen() {
    let grounds =
        [("slate", (0x1e, 0x1e, 0x1e)), ("paper", (0xff, 0xff, 0xff)), ("blue-orange", (0x1e, 0x1e, 0x1e)), ("contrast", (0, 0, 0))];
    assert_eq!(grounds.len() + 1, built_in().len(), "every theme but the terminal's own");
    everywhere(|place, stage| {
        for (theme, ground) in grounds {
            stage.model.theme = theme.to_owned();
            let stale = built_in().into_iter().find(|known| known.name == theme).and_then(|known| known.theme.stale.fg);
            for cell in &stage.frame().content {
                let of = |color: Color| match color {
                    Color::Rgb(red, green, blue) => Some((red, green, blue)),
                    _ => None,
                };
                let (Some(ink), on) = (of(cell.fg), of(cell.bg).unwrap_or(ground)) else { continue };
                let least = if Some(cell.fg) == stale { 3.0 } else { 4.5 };
                let found = contrast(ink, on);
                assert!(cell.symbol().trim().is_empty() || found >= least, "{place} in {theme}: '{}' is read at {found:.1}", cell.symbol());
            }
        }
    });
}

#[test]
fn the_terminals_own_colours_are_those_that_are_read_on_any_ground() {
    everywhere(|place, stage| {
        for cell in &stage.frame().content {
            let usual = [Color::Reset, Color::Cyan, Color::Green, Color::Yellow, Color::Red];
            assert!(usual.contains(&cell.fg) && cell.bg == Color::Reset, "{place}: {:?} on {:?}", cell.fg, cell.bg);
        }
    });
}

#[test]
fn esc_takes_one_layer_away_and_leaves_what_was_below() {
    for (place, script) in PLACES {
        for layer in ["?", ":", "T", "?x", ":x"] {
            let mut stage = at(script, (80, 24));
            if stage.model.layer.is_some() || stage.model.help.is_some() {
                continue;
            }
            let below = stage.text();
            stage.keys(layer);
            assert_ne!(stage.text(), below, "{place}: {layer} opens something");
            // What was typed goes first.
            for _ in 0..layer.chars().count() {
                stage.keys("<esc>");
            }
            assert_eq!(stage.text(), below, "{place}: Esc leads back from {layer}");
        }
    }
}

#[test]
fn esc_leads_from_everywhere_to_the_first_screen_and_never_out() {
    everywhere(|place, stage| {
        let mut presses = 0;
        while stage.model.screen != Screen::Groups || stage.model.layer.is_some() || stage.model.help.is_some() {
            stage.keys("<esc>");
            presses += 1;
            assert!(presses <= 8 && !stage.model.quit, "{place}: {presses} presses");
        }
        stage.keys("<esc><esc><esc>");
        assert!(!stage.model.quit, "{place}");
    });
}

#[test]
fn the_mouse_may_be_anywhere_and_the_wheel_is_the_cursor() {
    for (place, script) in PLACES {
        let mut stage = at(script, (80, 24));
        for row in 0..24 {
            // Another column in each row: all of them over the screens, and not all of them on each.
            let column = row * 37 % 80;
            for gesture in [Gesture::Click, Gesture::WheelDown, Gesture::WheelUp, Gesture::Menu] {
                stage.send(Msg::Mouse(Mouse { gesture, column, row }));
            }
            // A click may lead anywhere, also out; some of the others begin where we were.
            if stage.model.quit || row % 3 == 0 {
                stage = at(script, (80, 24));
            }
        }
        assert!(!stage.text().trim().is_empty(), "{place}");
    }
}

#[test]
fn the_hints_are_buttons() {
    for (place, script) in PLACES {
        let mut stage = at(script, (80, 24));
        stage.text();
        let last = stage.model.size.1 - 1;
        let buttons = stage.model.targets.borrow().iter().filter(|(place, _)| place.y == last).count();
        assert!(buttons > 0, "{place} has hints that can be clicked");
    }
}

fn text_of(frame: &Buffer) -> String {
    frame.content.iter().map(|cell| cell.symbol()).collect()
}
