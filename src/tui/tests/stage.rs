//! A browser without a terminal: key scripts go through the real update, answers come from a [`Shop`], screens through the real view.
//!
//! A script is plain characters and names in angle brackets: `/loy<enter>j`. After each key the stage runs until nothing is under way.

use std::collections::VecDeque;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use super::shop::{NOW, Shop};
use crate::tui::model::Model;
use crate::tui::model::key::Key;
use crate::tui::msg::{Effect, Msg};
use crate::tui::update::{start, update};
use crate::tui::view::{Look, draw};

pub(super) struct Stage {
    pub(super) model: Model,
    pub(super) shop: Shop,
    /// What was copied, suspended or redrawn.
    pub(super) done: Vec<Effect>,
    /// Questions are kept unanswered while true.
    pub(super) hold: bool,
    held: Vec<Effect>,
    terminal: Terminal<TestBackend>,
    pub(super) look: Look,
}

impl Stage {
    /// Opens the browser on a store and waits until it is idle.
    pub(super) fn open(shop: Shop, size: (u16, u16)) -> Self {
        let mut stage = Self::opening(shop, size);
        stage.release();
        stage
    }

    /// Opens the browser; nothing is answered yet.
    pub(super) fn opening(shop: Shop, size: (u16, u16)) -> Self {
        let mut model = Model::new("demo".to_owned(), false, size, NOW);
        // Most scripts are about groups; those about the catalog go there with a key.
        model.screen = crate::tui::model::screens::Screen::Groups;
        let effects = start(&mut model);
        let terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        let mut stage = Self { model, shop, done: Vec::new(), hold: true, held: Vec::new(), terminal, look: Look::default() };
        stage.run(effects);
        stage
    }

    /// Answers what was held back, and everything from now on.
    pub(super) fn release(&mut self) {
        self.hold = false;
        let held = std::mem::take(&mut self.held);
        self.run(held);
    }

    /// Questions of a slot that are held back.
    pub(super) fn waiting(&self, slot: crate::tui::msg::Slot) -> usize {
        self.held.iter().filter(|effect| matches!(effect, Effect::Ask(of, ..) if *of == slot)).count()
    }

    /// Presses the keys of a script.
    pub(super) fn keys(&mut self, script: &str) -> &mut Self {
        for key in parse_script(script) {
            self.send(Msg::Key(key));
        }
        self
    }

    pub(super) fn send(&mut self, msg: Msg) -> &mut Self {
        // The window heights that paging needs come from the last frame, as in life.
        self.frame();
        let effects = update(&mut self.model, msg);
        self.run(effects);
        self
    }

    fn run(&mut self, effects: Vec<Effect>) {
        let mut waiting: VecDeque<Effect> = effects.into();
        while let Some(effect) = waiting.pop_front() {
            match effect {
                Effect::Ask(..) if self.hold => self.held.push(effect),
                Effect::Ask(slot, generation, request) => {
                    for news in self.shop.answer(&request) {
                        waiting.extend(update(&mut self.model, Msg::News(slot, generation, news)));
                    }
                }
                other => self.done.push(other),
            }
        }
    }

    pub(super) fn frame(&mut self) -> Buffer {
        let (model, look) = (&self.model, &self.look);
        self.terminal.draw(|frame| draw(model, look, frame)).unwrap();
        self.terminal.backend().buffer().clone()
    }

    /// The screen as text.
    pub(super) fn text(&mut self) -> String {
        let buffer = self.frame();
        let mut out = String::new();
        for row in 0..buffer.area.height {
            let mut line = String::new();
            let mut column = 0;
            while column < buffer.area.width {
                let symbol = buffer[(column, row)].symbol();
                line.push_str(symbol);
                column += (unicode_width::UnicodeWidthStr::width(symbol) as u16).max(1);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The runs of cells that are not plain, one a line: row, columns, style, text.
    pub(super) fn styles(&mut self) -> String {
        let buffer = self.frame();
        let mut out = String::new();
        for row in 0..buffer.area.height {
            let mut column = 0;
            while column < buffer.area.width {
                let style = style_of(&buffer, column, row);
                let start = column;
                let mut text = String::new();
                while column < buffer.area.width && style_of(&buffer, column, row) == style {
                    text.push_str(buffer[(column, row)].symbol());
                    column += 1;
                }
                if style != style_of_nothing() {
                    out.push_str(&format!("{row:>2} {start:>3}-{:<3} {style:<28} {}\n", column - 1, text.trim_end()));
                }
            }
        }
        out
    }

    /// The characters of the frame, whatever they are.
    pub(super) fn symbols(&mut self) -> String {
        self.frame().content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    /// Where the terminal's cursor stands.
    pub(super) fn cursor(&mut self) -> (u16, u16) {
        self.frame();
        let position = self.terminal.get_cursor_position().unwrap();
        (position.x, position.y)
    }
}

fn style_of_nothing() -> String {
    describe(Style::default().fg(Color::Reset), Modifier::empty())
}

fn style_of(buffer: &Buffer, column: u16, row: u16) -> String {
    let cell = &buffer[(column, row)];
    describe(Style::default().fg(cell.fg).bg(cell.bg), cell.modifier)
}

fn describe(style: Style, modifier: Modifier) -> String {
    let mut words = Vec::new();
    if let Some(color) = style.fg.filter(|color| *color != Color::Reset) {
        words.push(color.to_string().to_lowercase());
    }
    if let Some(color) = style.bg.filter(|color| *color != Color::Reset) {
        words.push(format!("on {}", color.to_string().to_lowercase()));
    }
    words.extend(modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    words.join(" ")
}

pub(super) fn parse_script(script: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = script;
    while let Some(character) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|inside| inside.split_once('>'));
        match named.and_then(|(name, behind)| Some((Key::parse(name)?, behind))) {
            Some((key, behind)) => {
                keys.push(key);
                rest = behind;
            }
            None => {
                keys.push(Key::parse(&character.to_string()).unwrap());
                rest = &rest[character.len_utf8()..];
            }
        }
    }
    keys
}
