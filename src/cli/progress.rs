//! Progress of long work on standard error: shown after a second, only to a person, and wiped away at the end.

use std::future::Future;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console::Console;
use super::text::{short_count, took};

/// Work shorter than this needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(100);

/// A line that tells how far the work has come.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    visible: bool,
}

impl Progress {
    /// Prepares a line for work whose end is not known.
    pub(crate) fn rows(console: &Console) -> Progress {
        let bar = console.shows_progress().then(|| {
            let style = ProgressStyle::with_template("  {spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style)
        });
        Progress { bar, started: Instant::now(), visible: false }
    }

    /// Prepares a bar for work of a known size.
    pub(crate) fn of(console: &Console) -> Progress {
        let bar = console.shows_progress().then(|| {
            let style = ProgressStyle::with_template("  {bar:24} {percent:>3}%  {msg}")
                .map(|style| style.progress_chars("█▉▊▋▌▍▎▏ "))
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()).with_style(style)
        });
        Progress { bar, started: Instant::now(), visible: false }
    }

    /// Runs a step and keeps the line alive meanwhile.
    pub(crate) async fn during<T>(&mut self, step: impl Future<Output = T>) -> T {
        if self.bar.is_none() {
            return step.await;
        }
        tokio::pin!(step);
        loop {
            tokio::select! {
                done = &mut step => return done,
                () = tokio::time::sleep(FRAME) => self.redraw(),
            }
        }
    }

    fn redraw(&mut self) {
        let Some(bar) = &self.bar else { return };
        if !self.visible && self.started.elapsed() >= PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            self.visible = true;
        }
        if self.visible {
            bar.tick();
        }
    }

    /// Says how many rows have passed.
    pub(crate) fn advance(&mut self, rows: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} rows, {}", short_count(rows), took(self.started.elapsed())));
        }
    }

    /// Says how much of the input has been read.
    pub(crate) fn advance_of(&mut self, rows: u64, read: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        let seconds = self.started.elapsed().as_secs_f64();
        let speed = if seconds > 0.0 { (rows as f64 / seconds) as u64 } else { 0 };
        bar.set_length(total);
        bar.set_position(read.min(total));
        let left = if read > 0 && read < total {
            format!(", {} left", took(self.started.elapsed().mul_f64((total - read) as f64 / read as f64)))
        } else {
            String::new()
        };
        bar.set_message(format!("{} rows, {} rows/s{left}", short_count(rows), short_count(speed)));
    }

    /// Says in words what is going on.
    pub(crate) fn say(&mut self, words: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(super::text::visible(words).into_owned());
        }
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
