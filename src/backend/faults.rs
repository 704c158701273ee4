//! The seam through which crash tests make the k-th effectful step of the backends fail.
//!
//! A step is one call that changes something outside the process: an object written, a file removed, a
//! transaction committed. A test counts the steps of a script once ([`Faults::counting`]), then runs the
//! script again for every k with [`Faults::fail_at`] and checks the invariants after each. It is compiled
//! always, because integration tests and child processes use the ordinary library; a store without faults
//! pays for one check of an `Option` per step.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Error, ErrorKind};

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// An error, and the step has no effect.
    Before,
    /// The step takes effect, but its caller gets [`ErrorKind::OutcomeUnknown`].
    AfterLostReply,
    /// The process aborts before the step.
    AbortBefore,
    /// The process aborts right after the step.
    AbortAfter,
}

/// Counts steps and fails one of them, or all from one on.
#[derive(Debug)]
pub struct Faults {
    first: u64,
    last: u64,
    mode: Mode,
    seen: AtomicU64,
    names: Mutex<Vec<String>>,
}

impl Faults {
    fn failing(first: u64, last: u64, mode: Mode) -> Self {
        Self { first, last, mode, seen: AtomicU64::new(0), names: Mutex::new(Vec::new()) }
    }

    /// Fails nothing; [`Self::steps`] tells how many steps a script has.
    pub fn counting() -> Self {
        Self::failing(u64::MAX, u64::MAX, Mode::Before)
    }

    /// Fails the `k`-th step (from 1) and no other.
    pub fn fail_at(k: u64, mode: Mode) -> Self {
        Self::failing(k, k, mode)
    }

    /// Fails the `k`-th step (from 1) and every later one, as a disk that has died does.
    pub fn fail_from(k: u64, mode: Mode) -> Self {
        Self::failing(k, u64::MAX, mode)
    }

    /// Returns how many steps were seen.
    pub fn steps(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// Returns the names of the steps seen, in order.
    pub fn names(&self) -> Vec<String> {
        self.names.lock().map(|names| names.clone()).unwrap_or_default()
    }

    /// Counts a step; returns how it has to fail, if it has to.
    fn enter(&self, name: &str) -> Option<(u64, Mode)> {
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if let Ok(mut names) = self.names.lock() {
            names.push(name.to_owned());
        }
        (self.first..=self.last).contains(&number).then_some((number, self.mode))
    }
}

fn injected(number: u64, name: &str, mode: Mode) -> Error {
    match mode {
        Mode::AfterLostReply => {
            Error::new(ErrorKind::OutcomeUnknown, format!("no reply to {name}")).why(format!("injected at step {number}"))
        }
        _ => Error::new(ErrorKind::Io, format!("can't {name}")).why(format!("injected at step {number}")),
    }
}

/// Runs a step that blocks. Without faults this is a call of `op` and nothing else.
pub fn run<T, E: From<Error>>(faults: Option<&Faults>, name: impl Fn() -> String, op: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let Some(faults) = faults else { return op() };
    let name = name();
    match faults.enter(&name) {
        None => op(),
        Some((number, Mode::Before)) => Err(injected(number, &name, Mode::Before).into()),
        Some((_, Mode::AbortBefore)) => std::process::abort(),
        Some((number, mode)) => {
            op()?;
            if mode == Mode::AbortAfter {
                std::process::abort();
            }
            Err(injected(number, &name, mode).into())
        }
    }
}

/// Runs a step that awaits; see [`run`].
pub async fn step<T, E, F>(faults: Option<&Faults>, name: impl Fn() -> String, op: impl FnOnce() -> F) -> Result<T, E>
where
    E: From<Error>,
    F: Future<Output = Result<T, E>>,
{
    let Some(faults) = faults else { return op().await };
    let name = name();
    match faults.enter(&name) {
        None => op().await,
        Some((number, Mode::Before)) => Err(injected(number, &name, Mode::Before).into()),
        Some((_, Mode::AbortBefore)) => std::process::abort(),
        Some((number, mode)) => {
            op().await?;
            if mode == Mode::AbortAfter {
                std::process::abort();
            }
            Err(injected(number, &name, mode).into())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Result;
    use std::cell::Cell;

    fn effects_of(faults: Option<&Faults>) -> (u32, Vec<Result<()>>) {
        let effects = Cell::new(0);
        let results = (1..=3)
            .map(|number| {
                run(
                    faults,
                    || format!("write {number}"),
                    || {
                        effects.set(effects.get() + 1);
                        Ok(())
                    },
                )
            })
            .collect();
        (effects.get(), results)
    }

    #[test]
    fn only_the_chosen_step_fails_and_a_lost_reply_keeps_its_effect() {
        let counting = Faults::counting();
        assert!(effects_of(Some(&counting)).1.iter().all(Result::is_ok));
        assert_eq!((counting.steps(), counting.names()[2].as_str()), (3, "write 3"));

        let (effects, results) = effects_of(Some(&Faults::fail_at(2, Mode::Before)));
        assert_eq!((effects, results[1].as_ref().unwrap_err().kind()), (2, ErrorKind::Io));
        let (effects, results) = effects_of(Some(&Faults::fail_at(2, Mode::AfterLostReply)));
        assert_eq!((effects, results[1].as_ref().unwrap_err().kind()), (3, ErrorKind::OutcomeUnknown));
        assert!(results[0].is_ok() && results[2].is_ok());
    }

    #[test]
    fn a_dead_disk_stays_dead() {
        let (effects, results) = effects_of(Some(&Faults::fail_from(2, Mode::Before)));
        assert_eq!((effects, results.iter().filter(|result| result.is_err()).count()), (1, 2));
    }
}
