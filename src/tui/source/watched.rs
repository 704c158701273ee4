//! Long work of the store, watched: says now and then how far it is, and stops when it is told to or nobody waits any more.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::store::datasets::JoinWatch;
use crate::tui::jobs::Voice;
use crate::tui::msg::News;

/// How often progress is told.
const STEP: Duration = Duration::from_millis(200);

/// Stops the work when it is dropped: a job that is asked anew is dropped at its next await, but its threads go on.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does the work that `work` makes of a watch, and tells records read and to be read meanwhile.
pub(super) async fn watched<T, F>(voice: &Voice, told: impl Fn(u64, u64) -> News, work: impl FnOnce(JoinWatch) -> F) -> T
where
    F: Future<Output = T>,
{
    let watch = JoinWatch { cancel: voice.stop().clone(), ..JoinWatch::default() };
    let _stop = Stop(watch.cancel.clone());
    let work = work(watch.clone());
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(STEP) => {
                voice.mention(told(watch.rows_read.load(Ordering::Relaxed), watch.rows_to_read.load(Ordering::Relaxed)));
            }
        }
    }
}
