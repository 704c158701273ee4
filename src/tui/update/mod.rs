//! What each message does to the model. Pure: the same model and message always give the same model and effects.

pub(crate) mod catalog;
mod columns;
mod copying;
mod datasets;
mod exports;
pub(crate) mod facets;
mod files;
mod forms;
mod group;
pub(crate) mod groups;
mod help;
mod jobs;
mod layer;
mod lineage;
pub(crate) mod marks;
mod mouse;
mod news;
mod overview;
mod palette;
mod record;
mod rows;
mod sheets;
mod sql;
mod statistics;
mod tabs;
mod telling;
mod writes;

pub(crate) use help::{HelpRow, rows as help_rows};
pub(crate) use lineage::is_drawn;
pub(crate) use record::{offers, shown_identifier};
pub(crate) use rows::offers as row_offers;
pub(crate) use sql::{offers as sql_offers, result_facts};
pub(crate) use statistics::shown as shown_feature;

use crate::tui::keymap::{Action, Focus, Resolved};
use crate::tui::model::key::{Code, Key};
use crate::tui::model::line::{Edit, Line};
use crate::tui::model::list::Move;
use crate::tui::model::remote::Remote;
use crate::tui::model::screens::{Screen, Tab};
use crate::tui::model::{Model, WAYS_AFTER};
use crate::tui::msg::{Effect, Msg, Request, Slot};
use telling::{complain, tell};

/// Where the browser begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// The screen; the catalog, or the one that was left the last time, unless it is named.
    pub(crate) screen: Option<Screen>,
    /// What to look for in the catalog or among the groups.
    pub(crate) text: Option<String>,
}

/// Goes where the browser shall begin.
pub(crate) fn begin(model: &mut Model, from: Start) {
    if let Some(screen) = from.screen {
        model.screen = screen;
    }
    if let Some(text) = from.text {
        if from.screen.is_none() {
            model.screen = Screen::Catalog;
        }
        if let Some(filtered) = filter_of(model) {
            filtered.line.paste(&text);
        }
    }
}

/// The first questions, asked when the browser opens.
pub(crate) fn start(model: &mut Model) -> Vec<Effect> {
    let mut effects = refresh(model);
    effects.extend(show_screen(model, model.screen));
    effects
}

/// Takes a message in and returns what is to be done.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let now = model.now;
    model.toasts.retain(|toast| toast.until.is_none_or(|until| until > now));
    let mut effects = match msg {
        Msg::Key(key) => {
            model.toasts.retain(|toast| !toast.is_error);
            press(model, key)
        }
        Msg::Paste(text) => paste(model, &text),
        Msg::Mouse(mouse) => mouse::take(model, mouse),
        Msg::Resize(columns, rows) => {
            model.size = (columns, rows);
            Vec::new()
        }
        Msg::FocusGained => refresh(model),
        // What the demo writes is shown when it is complete.
        Msg::Changed if model.demo.waiting_since().is_some() => Vec::new(),
        Msg::Changed => refresh(model),
        Msg::Wake => Vec::new(),
        Msg::News(slot, generation, news) if model.awaits(slot, generation) => news::take(model, news),
        Msg::News(..) => Vec::new(),
    };
    effects.extend(catalog::follow(model));
    effects
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    let focus = model.focus();
    if model.pressed.is_empty() {
        model.pressed_at = model.now;
    }
    model.pressed.push(key);
    match model.keymap.resolve(focus, &model.pressed) {
        Resolved::Action(action) => {
            model.pressed.clear();
            act(model, focus, action)
        }
        Resolved::Begun => Vec::new(),
        Resolved::Nothing if model.pressed.len() > 1 => {
            // The sequence leads nowhere: this key begins anew, and Esc only ends the sequence.
            model.pressed.clear();
            if key.code == Code::Escape { Vec::new() } else { press(model, key) }
        }
        Resolved::Nothing => {
            model.pressed.clear();
            match key.typed() {
                Some(character) if focus.is_typing() => edit(model, focus, Edit::Insert(character)),
                // Shift with space or enter still means the key.
                _ if key.code == Code::Escape => act(model, focus, Action::Back),
                _ => Vec::new(),
            }
        }
    }
}

/// How the keys pressed so far can go on, once they have waited.
pub(crate) fn ways_on(model: &Model) -> Vec<(String, Action)> {
    if model.pressed.is_empty() || model.now < model.pressed_at + WAYS_AFTER {
        return Vec::new();
    }
    model.keymap.ways_on(model.focus(), &model.pressed)
}

/// True for what a browser that is read-only refuses: what changes the store, or writes a file beside it.
pub(crate) fn changes_the_store(action: Action) -> bool {
    matches!(action, Action::FillDemo | Action::Flush | Action::EditDescription | Action::EditTags | Action::EditOwner | Action::UndoEdit)
        || matches!(action, Action::PutRecord | Action::DeleteRecord | Action::PinBaseline | Action::UnpinBaseline)
        || matches!(action, Action::Export | Action::ExportList)
}

fn act(model: &mut Model, focus: Focus, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => {
            model.quit = true;
            Vec::new()
        }
        Action::Suspend => vec![Effect::Suspend],
        Action::Redraw => vec![Effect::Redraw],
        Action::Help => help::toggle(model),
        Action::Back => back(model),
        Action::Close => close(model),
        Action::Cancel => cancel(model, focus),
        Action::Refresh => refresh(model),
        Action::Copy | Action::CopyCell | Action::CopyReference | Action::CopyJson | Action::CopySql | Action::CopyCode => {
            copying::copy(model, focus, action)
        }
        Action::Palette => palette::open(model),
        Action::ThemePicker => layer::open_themes(model),
        Action::Messages => layer::open_messages(model),
        Action::Mouse => {
            model.mouse = !model.mouse;
            let key = model.keymap.shown(focus, action).map(|key| format!("; {key} takes it back")).unwrap_or_default();
            let said =
                if model.mouse { "the mouse is larder's".to_owned() } else { format!("the mouse is the terminal's, to select text{key}") };
            tell(model, said);
            vec![Effect::Mouse(model.mouse)]
        }
        Action::EditDescription => forms::describe(model),
        Action::EditTags => forms::tag(model),
        Action::EditOwner => forms::own(model),
        Action::UndoEdit => forms::undo(model),
        Action::Forward => forward(model),
        Action::BackInHistory => back_in_history(model),
        Action::Choose => layer::act(model),
        Action::ScreenGroups => go_to(model, Screen::Groups),
        Action::ScreenCatalog => go_to(model, Screen::Catalog),
        Action::ScreenLineage => show_screen(model, Screen::Lineage),
        Action::ScreenOnline => record::go_online(model),
        Action::ScreenSql => show_screen(model, Screen::Sql),
        Action::ScreenDatasets => show_screen(model, Screen::Datasets),
        Action::ScreenJobs => show_screen(model, Screen::Jobs),
        Action::ExportList => exports::list(model, focus),
        Action::Mark | Action::MarkRange | Action::MarkAll => marks::act(model, action),
        Action::ChooseColumns => columns::open(model),
        Action::Facets => facets::focus(model),
        Action::ToggleFacet => facets::toggle(model),
        Action::ClearFilters => facets::clear(model),
        Action::FillDemo => fill_demo(model),
        Action::Open => open(model),
        Action::Sort | Action::SortReverse => sort(model, action == Action::SortReverse),
        Action::NextTab => group::show_tab(model, model.group_screen.tab.step(1)),
        Action::PreviousTab => group::show_tab(model, model.group_screen.tab.step(-1)),
        Action::Older => record::step(model, |at, _| at.saturating_sub(1)),
        Action::Newer => record::step(model, |at, last| (at + 1).min(last)),
        Action::Oldest => record::step(model, |_, _| 0),
        Action::Newest => record::step(model, |_, last| last),
        Action::EditIdentifier => record::edit_identifier(model),
        Action::LookUp => record::look_up_typed(model),
        Action::Complete => record::complete(model),
        Action::Filter => set_typing(model, true),
        Action::Accept => set_typing(model, false),
        Action::OtherList => search_other_list(model),
        Action::Leave => leave(model, focus),
        Action::MoveDown => step(model, focus, Move::Down),
        Action::MoveUp => step(model, focus, Move::Up),
        Action::PageDown => step(model, focus, Move::PageDown),
        Action::PageUp => step(model, focus, Move::PageUp),
        Action::HalfDown => step(model, focus, Move::HalfDown),
        Action::HalfUp => step(model, focus, Move::HalfUp),
        Action::First => step(model, focus, Move::First),
        Action::Last => step(model, focus, Move::Last),
        Action::DeleteBack => edit(model, focus, Edit::Backspace),
        Action::DeleteForward => edit(model, focus, Edit::Delete),
        Action::DeleteWord => edit(model, focus, Edit::DeleteWord),
        Action::DeleteToStart => edit(model, focus, Edit::DeleteToStart),
        Action::CaretLeft => edit(model, focus, Edit::Left),
        Action::CaretRight => edit(model, focus, Edit::Right),
        Action::CaretStart => edit(model, focus, Edit::Start),
        Action::CaretEnd => edit(model, focus, Edit::End),
        _ => act_there(model, action),
    }
}

/// Reads everything again; what is on the screen stays until the answer is here.
fn refresh(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    model.groups.ask(now);
    let mut effects = vec![model.ask(Slot::Groups, Request::Groups)];
    effects.push(catalog::ask_evidence(model));
    effects.extend(record::again(model));
    effects.extend(match model.screen {
        Screen::Lineage => lineage::refresh(model),
        Screen::Datasets => datasets::refresh(model),
        Screen::Jobs => jobs::refresh(model),
        Screen::Group => tabs::refresh(model),
        // A statement is run again by its own key only; the rest shows what was just asked for.
        _ => Vec::new(),
    });
    effects
}

/// Goes to a screen of its own and asks for what it shows.
fn show_screen(model: &mut Model, screen: Screen) -> Vec<Effect> {
    go_to(model, screen);
    match screen {
        Screen::Catalog | Screen::Groups | Screen::Group => Vec::new(),
        Screen::Lineage => lineage::enter(model),
        Screen::Sql => sql::enter(model),
        Screen::Datasets => datasets::enter(model),
        Screen::Jobs => jobs::enter(model),
    }
}

/// An action of one screen or tab alone.
fn act_there(model: &mut Model, action: Action) -> Vec<Effect> {
    match model.screen {
        Screen::Lineage => lineage::act(model, action),
        Screen::Sql => sql::act(model, action),
        Screen::Datasets => datasets::act(model, action),
        Screen::Jobs => jobs::act(model, action),
        Screen::Group => tabs::act(model, action),
        _ => Vec::new(),
    }
}

fn go_to(model: &mut Model, screen: Screen) -> Vec<Effect> {
    if model.screen != screen {
        model.back.retain(|earlier| *earlier != screen);
        model.back.push(model.screen);
        model.ahead.clear();
        model.screen = screen;
    }
    Vec::new()
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.screen {
        Screen::Groups => groups::open(model),
        Screen::Catalog => catalog::open(model),
        _ => act_there(model, Action::Open),
    }
}

fn sort(model: &mut Model, reverse: bool) -> Vec<Effect> {
    match model.screen {
        Screen::Groups => groups::sort(model, reverse),
        Screen::Catalog => catalog::sort(model, reverse),
        _ => return act_there(model, if reverse { Action::SortReverse } else { Action::Sort }),
    }
    Vec::new()
}

/// One layer back: marks, a filter that narrows the list, then the screen before.
fn back(model: &mut Model) -> Vec<Effect> {
    if model.screen == Screen::Catalog && std::mem::take(&mut model.catalog_screen.facets.focused) {
        return Vec::new();
    }
    if marks::clear_if_any(model) {
        return Vec::new();
    }
    if let Some(filtered) = filter_of(model)
        && !filtered.line.is_empty()
    {
        filtered.line = Line::default();
        show_again(model, false);
        return Vec::new();
    }
    if let Some(effects) = tabs::back(model) {
        return effects;
    }
    if model.screen == Screen::Group && model.group_screen.feature.take().is_some() {
        return group::show_tab(model, model.group_screen.tab);
    }
    if let Some(screen) = model.back.pop() {
        model.screen = screen;
    }
    Vec::new()
}

fn back_in_history(model: &mut Model) -> Vec<Effect> {
    if let Some(screen) = model.back.pop() {
        model.ahead.push(model.screen);
        model.screen = screen;
    }
    Vec::new()
}

fn forward(model: &mut Model) -> Vec<Effect> {
    if let Some(screen) = model.ahead.pop() {
        model.back.push(model.screen);
        model.screen = screen;
    }
    Vec::new()
}

fn close(model: &mut Model) -> Vec<Effect> {
    match model.back.pop() {
        Some(screen) => model.screen = screen,
        None if model.demo.waiting_since().is_some() => tell(model, "the demo is being made; C-c stops it, C-q quits at once".to_owned()),
        None => model.quit = true,
    }
    Vec::new()
}

fn cancel(model: &mut Model, focus: Focus) -> Vec<Effect> {
    match focus {
        Focus::Help => help::toggle(model),
        Focus::Layer => layer::leave(model),
        Focus::FilterInput | Focus::IdentifierInput | Focus::ConditionInput => leave(model, focus),
        Focus::Sql | Focus::SqlInput => match sql::stop(model) {
            Some(slot) => vec![Effect::Stop(slot)],
            None if focus == Focus::SqlInput => sql::leave(model),
            None => back(model),
        },
        _ if model.demo.waiting_since().is_some() => {
            tell(model, "the demo stops after this group".to_owned());
            vec![Effect::Stop(Slot::Demo)]
        }
        _ => match tabs::stop(model) {
            Some(effects) => effects,
            None if model.back.is_empty() => close(model),
            None => back(model),
        },
    }
}

/// Clears the input that is being typed into, or leaves it if it is clear.
fn leave(model: &mut Model, focus: Focus) -> Vec<Effect> {
    match focus {
        Focus::Help => help::leave(model),
        Focus::SqlInput => sql::leave(model),
        Focus::Layer => layer::leave(model),
        Focus::IdentifierInput => record::leave(model),
        Focus::ConditionInput => rows::leave(model),
        _ => {
            let Some(filtered) = filter_of(model) else { return Vec::new() };
            if filtered.line.is_empty() {
                filtered.typing = false;
            } else {
                filtered.line = Line::default();
                show_again(model, false);
            }
            Vec::new()
        }
    }
}

fn set_typing(model: &mut Model, typing: bool) -> Vec<Effect> {
    if let Some(filtered) = filter_of(model) {
        filtered.typing = typing;
    }
    model.catalog_screen.facets.focused = false;
    if !typing && model.screen == Screen::Catalog {
        catalog::remember(model);
    }
    Vec::new()
}

/// Takes the filter that is being typed to the other list.
fn search_other_list(model: &mut Model) -> Vec<Effect> {
    let (from, to, other) = match model.screen {
        Screen::Groups => (&mut model.groups_screen.filtered, &mut model.catalog_screen.filtered, Screen::Catalog),
        Screen::Catalog => (&mut model.catalog_screen.filtered, &mut model.groups_screen.filtered, Screen::Groups),
        _ => return Vec::new(),
    };
    to.line = std::mem::take(&mut from.line);
    to.typing = true;
    from.typing = false;
    show_again(model, false);
    let effects = go_to(model, other);
    show_again(model, true);
    effects
}

/// The filter of the list that is shown.
fn filter_of(model: &mut Model) -> Option<&mut crate::tui::model::filtered::Filtered> {
    match (model.screen, model.group_screen.tab) {
        (Screen::Groups, _) => Some(&mut model.groups_screen.filtered),
        (Screen::Catalog, _) => Some(&mut model.catalog_screen.filtered),
        (Screen::Group, Tab::Schema) => Some(&mut model.group_screen.schema),
        _ => None,
    }
}

/// Applies the filter of the list that is shown; typing goes to the best match, anything else stays on its row.
fn show_again(model: &mut Model, to_best: bool) {
    match model.screen {
        Screen::Groups => groups::show(model, to_best),
        Screen::Catalog => catalog::show(model, to_best),
        Screen::Group => group::show_schema(model, to_best),
        _ => {}
    }
}

fn edit(model: &mut Model, focus: Focus, edit: Edit) -> Vec<Effect> {
    match focus {
        Focus::Help => help::edit(model, edit),
        Focus::SqlInput => sql::edit(model, edit),
        Focus::Layer => layer::edit(model, edit),
        Focus::IdentifierInput => record::edit(model, edit),
        Focus::ConditionInput => rows::edit(model, edit),
        _ => {
            if filter_of(model).is_some_and(|filtered| filtered.edit(edit)) {
                show_again(model, true);
            }
            Vec::new()
        }
    }
}

fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    match model.focus() {
        Focus::Help => help::paste(model, text),
        Focus::SqlInput => sql::paste(model, text),
        Focus::Layer => layer::paste(model, text),
        Focus::IdentifierInput => record::paste(model, text),
        Focus::ConditionInput => rows::paste(model, text),
        Focus::FilterInput => {
            if let Some(filtered) = filter_of(model) {
                filtered.line.paste(text);
                show_again(model, true);
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn step(model: &mut Model, focus: Focus, to: Move) -> Vec<Effect> {
    match focus {
        Focus::Help => help::go(model, to),
        Focus::Layer => layer::go(model, to),
        Focus::IdentifierInput => record::choose(model, to),
        Focus::ConditionInput => {}
        _ => match model.screen {
            Screen::Groups => groups::go(model, to),
            Screen::Catalog => catalog::go(model, to),
            Screen::Lineage => return lineage::go(model, to),
            Screen::Sql => return sql::go(model, to),
            Screen::Datasets => return datasets::go(model, to),
            Screen::Jobs => return jobs::go(model, to),
            Screen::Group => return tabs::step(model, to),
        },
    }
    Vec::new()
}

fn fill_demo(model: &mut Model) -> Vec<Effect> {
    if model.demo.waiting_since().is_some() {
        return Vec::new();
    }
    if model.read_only {
        complain(model, "the store is open read-only; start without --read-only to fill it".to_owned());
        return Vec::new();
    }
    model.demo = Remote::Loading(model.now);
    vec![model.ask(Slot::Demo, Request::FillDemo)]
}
