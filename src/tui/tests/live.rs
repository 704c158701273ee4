//! A browser without a terminal on a real store: keys go through the real update, questions to the real store by the real jobs.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use tokio::sync::mpsc::Receiver;

use super::stage::parse_script;
use crate::store::FeatureStore;
use crate::tui::jobs::Jobs;
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Msg};
use crate::tui::source::Source;
use crate::tui::update::{start, update};
use crate::tui::view::{Look, draw};

pub(super) struct Live {
    pub(super) model: Model,
    pub(super) look: Look,
    jobs: Jobs,
    answers: Receiver<Msg>,
    terminal: Terminal<TestBackend>,
}

impl Live {
    /// Opens the browser on a store and waits until it is idle.
    pub(super) async fn open(store: &FeatureStore, size: (u16, u16)) -> Self {
        let source: Arc<dyn Source> = Arc::new(store.clone());
        let model = Model::new("demo".to_owned(), true, size, store.now().unix_micros());
        let (jobs, answers) = Jobs::new(source);
        let terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        let mut live = Self { model, look: Look::default(), jobs, answers, terminal };
        let effects = start(&mut live.model);
        live.settle(effects).await;
        live
    }

    /// Presses the keys of a script; after each, everything that was asked is answered.
    pub(super) async fn keys(&mut self, script: &str) {
        for key in parse_script(script) {
            self.frame();
            let effects = update(&mut self.model, Msg::Key(key));
            self.settle(effects).await;
        }
    }

    async fn settle(&mut self, effects: Vec<Effect>) {
        self.carry_out(effects);
        while self.jobs.busy() || !self.answers.is_empty() {
            // A job that has ended may have said its last word already.
            let said = tokio::time::timeout(std::time::Duration::from_millis(50), self.answers.recv()).await;
            if let Ok(Some(msg)) = said {
                let effects = update(&mut self.model, msg);
                self.carry_out(effects);
            }
            if self.model.known.due.is_some() && !self.jobs.busy() {
                // The cursor rests.
                self.model.now = self.model.known.due.unwrap_or(self.model.now);
                let effects = update(&mut self.model, Msg::Wake);
                self.carry_out(effects);
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Ask(slot, generation, request) = effect {
                self.jobs.start(slot, generation, request);
            }
        }
    }

    pub(super) fn frame(&mut self) -> Buffer {
        let (model, look) = (&self.model, &self.look);
        self.terminal.draw(|frame| draw(model, look, frame)).unwrap();
        self.terminal.backend().buffer().clone()
    }
}
