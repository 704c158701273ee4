//! Look-ups of many callers at once: whoever comes while Redis is asked goes with the next question.
//!
//! A question takes a thread, which does nothing but wait for most of it. So callers stand in a queue as tasks, and one thread asks for all of
//! them in one pipeline, again and again until nobody is left. What must stay true: whoever joins the queue is answered by a thread that is
//! asking already, or has to start one; the queue is empty when the last thread leaves, and both are seen under one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::keys::row_in;
use super::servers::{Answer, Command};
use super::{Inner, RedisStore};
use crate::backend::online::row::RowView;
use crate::model::{Error, GroupId, Result};

/// Callers that one pipeline asks for at most, and callers that wait before another thread helps.
const TOGETHER: usize = 64;

/// Callers who wait for rows.
#[derive(Default)]
pub(super) struct LookUps(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    callers: VecDeque<Caller>,
    /// Threads that ask.
    askers: usize,
}

struct Caller {
    command: Command,
    told: oneshot::Sender<Answer>,
}

impl LookUps {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a caller last. True if whoever calls has to start a thread that asks.
    fn join(&self, caller: Caller) -> bool {
        let mut queue = self.queue();
        queue.callers.push_back(caller);
        let is_short = queue.callers.len() > queue.askers * TOGETHER;
        queue.askers += usize::from(is_short);
        is_short
    }
}

/// A thread that asks. When it goes, whatever the reason, others know.
struct Asker<'a> {
    look_ups: &'a LookUps,
    has_left: bool,
}

impl Asker<'_> {
    /// The callers to ask for next; none is the end of its work.
    fn next(&mut self) -> Vec<Caller> {
        let mut queue = self.look_ups.queue();
        let count = queue.callers.len().min(TOGETHER);
        if count == 0 {
            queue.askers -= 1;
            self.has_left = true;
        }
        queue.callers.drain(..count).collect()
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        if !self.has_left {
            self.look_ups.queue().askers -= 1;
        }
    }
}

impl RedisStore {
    /// Shows one row to `visit`, tombstones and expired rows too, and asks for it together with those of other callers. Returns false if there
    /// is none.
    ///
    /// # Errors
    /// As [`crate::backend::online::OnlineStore::read`].
    pub async fn read_together(&self, group: GroupId, identifier: &str, visit: impl FnOnce(RowView<'_>)) -> Result<bool> {
        let Some(row) = self.inner.row(group, identifier).await? else { return Ok(false) };
        visit(row_in(&row).map_err(|error| error.within(format_args!("record '{}'", identifier.escape_debug())))?);
        Ok(true)
    }
}

impl Inner {
    async fn row(self: &Arc<Self>, group: GroupId, identifier: &str) -> Result<Option<Vec<u8>>> {
        let (told, answer) = oneshot::channel();
        if self.look_ups.join(Caller { command: self.get(group, identifier), told }) {
            let inner = self.clone();
            tokio::task::spawn_blocking(move || inner.ask_for_all());
        }
        let answer = answer.await.map_err(|_| Error::internal("a look-up in Redis stopped").remedy("ask again"))?;
        self.value(answer)
    }

    fn ask_for_all(&self) {
        let mut asker = Asker { look_ups: &self.look_ups, has_left: false };
        loop {
            let callers = asker.next();
            if callers.is_empty() {
                return;
            }
            let (commands, told): (Vec<Command>, Vec<_>) = callers.into_iter().map(|caller| (caller.command, caller.told)).unzip();
            for (told, answer) in told.into_iter().zip(self.servers.ask(&commands)) {
                // Whoever went away needs none.
                let _ = told.send(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller { command: Command { slot: 0, bytes: Vec::new() }, told: oneshot::channel().0 }
    }

    #[test]
    fn a_thread_starts_when_none_asks_or_too_many_wait_and_leaves_nobody() {
        let look_ups = LookUps::default();
        assert!(look_ups.join(caller()));
        let mut first = Asker { look_ups: &look_ups, has_left: false };
        assert_eq!(first.next().len(), 1);
        let started: Vec<bool> = (0..=TOGETHER).map(|_| look_ups.join(caller())).collect();
        assert_eq!(started.iter().filter(|started| **started).count(), 1, "one more thread for more than one question");
        let mut second = Asker { look_ups: &look_ups, has_left: false };
        assert_eq!((first.next().len(), second.next().len()), (TOGETHER, 1));
        assert!(first.next().is_empty());
        drop(second);
        assert_eq!(look_ups.queue().askers, 0, "one left, the other was lost");
        assert!(look_ups.join(caller()));
    }
}
