//! Numbered tasks on a few threads, each with a state of its own.
//!
//! Kernels are plain functions that block, so they get threads of their own rather than the runtime's. The first error
//! stops the others; so does whoever watches.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::JoinWatch;
use crate::model::{Error, Result};

/// Does tasks `0..tasks` on at most `threads` threads and returns their states.
pub(in crate::dataset) fn in_parallel<S: Send>(
    threads: usize,
    tasks: usize,
    watch: &JoinWatch,
    make: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = || -> Result<S> {
        let mut state = make();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks || failed.load(Ordering::Relaxed) {
                return Ok(state);
            }
            if let Err(error) = watch.check().and_then(|()| work(&mut state, task)) {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    let threads = threads.clamp(1, tasks.max(1));
    if threads == 1 {
        return Ok(vec![run()?]);
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => Err(Error::internal("a thread of the join stopped")),
        });
        // All are waited for before the first error is told.
        joined.collect::<Vec<_>>().into_iter().collect()
    })
}
