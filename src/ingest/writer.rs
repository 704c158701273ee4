//! Group commit: one thread writes what many callers put, one transaction and one fsync for all that wait.
//!
//! Callers await their answer; it comes after the fsync. While a transaction is on its way to the disk the next
//! batch gathers in a bounded queue, so a lone caller waits for one fsync and a crowd shares it. When the queue
//! is full, callers wait: back-pressure instead of memory. A crowd is gathered before the next transaction begins ([`gather`]).
//!
//! A batch that fails as a whole is tried again caller by caller, so that one caller's full outbox is not
//! another's failure; only an unknown outcome goes to everyone, since trying again could write twice.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::backend::online::{OnlineEffect, OnlineStore, RowWrite, WriteOutcome};
use crate::model::{Error, ErrorKind, EventTime, Result};

/// Callers that may wait in the queue before further ones wait for a place.
const QUEUE: usize = 4_096;
/// Most writes of one transaction: a transaction blocks the writers of every other process.
const MAX_BATCH: usize = 4_096;

/// Longest wait for callers that are likely to come.
const MAX_PATIENCE: Duration = Duration::from_millis(2);
/// How long such a wait sleeps between two looks into the queue.
const GLANCE: Duration = Duration::from_micros(50);

/// Tells the time; tests bring their own.
pub type Clock = Arc<dyn Fn() -> EventTime + Send + Sync>;

struct Job {
    writes: Vec<RowWrite>,
    reply: oneshot::Sender<Result<Vec<WriteOutcome>>>,
}

/// The one writer of a process. Its thread starts with the first write and ends when this is closed or dropped.
pub struct Writer {
    online: Arc<dyn OnlineStore>,
    clock: Clock,
    running: Mutex<Option<Running>>,
}

struct Running {
    queue: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// A writer over an online store.
    pub fn new(online: Arc<dyn OnlineStore>, clock: Clock) -> Self {
        Self { online, clock, running: Mutex::new(None) }
    }

    /// Writes; returns when the writes are durable. They share one transaction, all or nothing.
    pub async fn write(&self, writes: Vec<RowWrite>) -> Result<Vec<WriteOutcome>> {
        let (reply, answer) = oneshot::channel();
        let stopped = |_| Error::internal("the writer has stopped").remedy("open the store again");
        let queue = self.queue()?;
        queue.send(Job { writes, reply }).await.map_err(|error| stopped(error.to_string()))?;
        answer.await.map_err(|error| stopped(error.to_string()))?
    }

    fn queue(&self) -> Result<mpsc::Sender<Job>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref() {
            return Ok(running.queue.clone());
        }
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (online, clock) = (self.online.clone(), self.clock.clone());
        let thread = std::thread::Builder::new()
            .name("larder-writer".into())
            .spawn(move || serve(online.as_ref(), &clock, jobs))
            .map_err(|error| Error::io("can't start the writer thread", error))?;
        *running = Some(Running { queue: queue.clone(), thread });
        Ok(queue)
    }

    /// Waits until everything in the queue is written, then ends the thread.
    pub fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { queue, thread }) = running {
            drop(queue);
            // A panic of the thread has been answered as "the writer has stopped" to whoever waited.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(online: &dyn OnlineStore, clock: &Clock, mut jobs: mpsc::Receiver<Job>) {
    let mut pace = Pace::default();
    while let Some(first) = jobs.blocking_recv() {
        let batch = gather(&mut jobs, first, pace);
        let (begun, callers) = (Instant::now(), batch.len());
        commit(online, clock(), batch);
        pace = Pace { callers: callers.max(pace.callers / 2), commit: begun.elapsed() };
    }
}

/// What the last transactions were like.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// Callers that shared one.
    callers: usize,
    /// How long the last one took.
    commit: Duration,
}

/// Takes what waits in the queue. Callers who were just answered are on their way back, and whoever comes first would get a transaction
/// for itself while all others wait for the next one: so a crowd is waited for, never longer than half a transaction takes.
/// A lone caller is never kept waiting.
fn gather(jobs: &mut mpsc::Receiver<Job>, first: Job, pace: Pace) -> Vec<Job> {
    let mut writes = first.writes.len();
    let mut batch = vec![first];
    let begun = Instant::now();
    let patience = (pace.commit / 2).min(MAX_PATIENCE);
    loop {
        while writes < MAX_BATCH {
            let Ok(job) = jobs.try_recv() else { break };
            writes += job.writes.len();
            batch.push(job);
        }
        if writes >= MAX_BATCH || batch.len() >= pace.callers || begun.elapsed() >= patience {
            return batch;
        }
        std::thread::sleep(GLANCE);
    }
}

fn commit(online: &dyn OnlineStore, now: EventTime, batch: Vec<Job>) {
    let all: Vec<RowWrite> = if batch.len() == 1 { Vec::new() } else { batch.iter().flat_map(|job| job.writes.iter().cloned()).collect() };
    if all.is_empty() {
        for job in batch {
            answer(job.reply, online.apply(now, job.writes));
        }
        return;
    }
    match online.apply(now, all) {
        Ok(outcomes) => {
            let mut outcomes = outcomes.into_iter();
            for job in batch {
                answer(job.reply, Ok(outcomes.by_ref().take(job.writes.len()).collect()));
            }
        }
        Err(error) if error.kind() == ErrorKind::OutcomeUnknown => {
            for job in batch {
                answer(job.reply, Err(error.repeated()));
            }
        }
        Err(_) => {
            for job in batch {
                answer(job.reply, online.apply(now, job.writes));
            }
        }
    }
}

/// A caller that went away does not want its answer; its write stands all the same.
fn answer(reply: oneshot::Sender<Result<Vec<WriteOutcome>>>, result: Result<Vec<WriteOutcome>>) {
    let _ = reply.send(result.and_then(whole));
}

/// The outcomes of one caller's writes, unless an online store elsewhere left one of them open: one caller's trouble, not the batch's.
fn whole(outcomes: Vec<WriteOutcome>) -> Result<Vec<WriteOutcome>> {
    let any = |effect: OnlineEffect| outcomes.iter().any(|outcome| outcome.online == effect);
    if any(OnlineEffect::Unknown) {
        return Err(Error::new(ErrorKind::OutcomeUnknown, "the write may or may not have been stored")
            .why("the online store did not answer; it is asked again until that is known")
            .remedy("read it back, then write again if it is missing"));
    }
    if any(OnlineEffect::Unreached) {
        return Err(Error::new(ErrorKind::Unavailable, "nothing was written")
            .why("the online store, which alone can say whether the write may take place, does not answer")
            .remedy("try again when it does"));
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::backend::online::{MemoryStore, OnlineEffect, RowWriter, Targets};
    use crate::model::GroupId;

    fn put(identifier: &str, seconds: i64) -> RowWrite {
        RowWrite {
            group: GroupId(uuid::Uuid::from_u128(1)),
            row: RowWriter::new(identifier, EventTime::from_unix_seconds(seconds).unwrap(), 0, 0),
            targets: Targets::BOTH,
            hard_delete: false,
            replaces: None,
        }
    }

    fn writer(online: Arc<MemoryStore>) -> Writer {
        Writer::new(online, Arc::new(|| EventTime::from_unix_seconds(100).unwrap()))
    }

    #[tokio::test]
    async fn every_caller_gets_its_own_outcomes() {
        let online = Arc::new(MemoryStore::default());
        let writer = Arc::new(writer(online.clone()));
        let calls = (0..200).map(|caller| {
            let writer = writer.clone();
            tokio::spawn(async move {
                let newer = writer.write(vec![put(&format!("C{caller}"), 10)]).await.unwrap();
                let both = writer.write(vec![put(&format!("C{caller}"), 5), put(&format!("C{caller}"), 20)]).await.unwrap();
                assert_eq!(newer[0].online, OnlineEffect::Applied);
                assert_eq!((both[0].online, both[1].online), (OnlineEffect::Late, OnlineEffect::Applied));
                [newer[0].arrival, both[0].arrival, both[1].arrival]
            })
        });
        let mut arrivals = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            arrivals.extend(call.await.unwrap());
        }
        arrivals.sort();
        arrivals.dedup();
        assert_eq!(arrivals.len(), 600, "no two writes share an arrival");
        assert_eq!(online.counts(GroupId(uuid::Uuid::from_u128(1))).unwrap().outbox_rows, 600);
    }

    #[test]
    fn a_crowd_that_does_not_come_is_not_waited_for_long() {
        let (queue, mut jobs) = mpsc::channel(8);
        let job = || Job { writes: vec![put("C1", 1)], reply: oneshot::channel().0 };
        queue.try_send(job()).unwrap();
        let begun = Instant::now();
        let batch = gather(&mut jobs, job(), Pace { callers: 64, commit: Duration::from_secs(60) });
        assert_eq!(batch.len(), 2, "what waits is taken");
        assert!(begun.elapsed() >= MAX_PATIENCE && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(gather(&mut jobs, job(), Pace { callers: 1, commit: Duration::from_secs(60) }).len(), 1);
    }

    #[tokio::test]
    async fn writes_again_after_it_was_closed() {
        let writer = writer(Arc::new(MemoryStore::default()));
        writer.write(vec![put("C1", 1)]).await.unwrap();
        writer.close();
        assert!(writer.write(vec![put("C1", 2)]).await.is_ok());
    }
}
