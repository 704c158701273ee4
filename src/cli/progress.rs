//! Progress of long work on standard error: shown after a second, only to a person, and wiped away at the end.

use std::future::Future;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console::Console;
use super::text::{short_count, took, visible};

/// Work shorter than this needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(100);

/// How far some work is.
pub(crate) struct Stand {
    /// What it is doing.
    pub(crate) words: String,
    /// What else is to be said, at the end.
    pub(crate) note: String,
    /// Rows done.
    pub(crate) rows: u64,
    /// What is done, in the unit of `total`.
    pub(crate) done: u64,
    /// What there is to do, if that is known.
    pub(crate) total: Option<u64>,
}

/// A line that tells how far the work has come.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    words: String,
    words_since: Instant,
}

impl Progress {
    /// Prepares a line; it stays away where nobody watches.
    pub(crate) fn new(console: &Console) -> Progress {
        let bar = console.shows_progress().then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()));
        Progress { bar, started: Instant::now(), words: String::new(), words_since: Instant::now() }
    }

    /// Runs a step and shows how far it is.
    pub(crate) async fn during_showing<T>(&mut self, step: impl Future<Output = T>, stand: impl Fn() -> Option<Stand>) -> T {
        if self.bar.is_none() {
            return step.await;
        }
        tokio::pin!(step);
        loop {
            tokio::select! {
                done = &mut step => return done,
                () = tokio::time::sleep(FRAME) => self.draw(stand()),
            }
        }
    }

    fn draw(&mut self, stand: Option<Stand>) {
        let (Some(bar), Some(stand)) = (&self.bar, stand) else { return };
        if self.words != stand.words {
            // The first thing it does began with the work.
            self.words_since = if self.words.is_empty() { self.started } else { Instant::now() };
            self.words.clone_from(&stand.words);
        }
        if self.started.elapsed() < PATIENCE {
            return;
        }
        let spent = self.words_since.elapsed();
        let mut message = visible(&stand.words).into_owned();
        if stand.rows > 0 {
            let speed = stand.rows as f64 / spent.as_secs_f64().max(0.001);
            message.push_str(&format!("  {} rows  {} rows/s", short_count(stand.rows), short_count(speed as u64)));
        }
        match stand.total.filter(|total| *total > 0) {
            None => bar.set_style(style("  {spinner} {msg}")),
            Some(total) => {
                if stand.done > 0 && stand.done < total {
                    let left = spent.mul_f64((total - stand.done) as f64 / stand.done as f64);
                    message.push_str(&format!("  {} left", took(left)));
                }
                bar.set_style(style("  {bar:24} {percent:>3}%  {msg}").progress_chars("█▉▊▋▌▍▎▏ "));
                bar.set_length(total);
                bar.set_position(stand.done.min(total));
            }
        }
        message.push_str(&stand.note);
        bar.set_message(message);
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.tick();
    }

    /// Wipes the line away.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
