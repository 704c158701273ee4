//! When the next request may go out: so many a second, and longer and longer pauses after trouble.
//!
//! Pauses are drawn at random between nothing and their limit, so that many machines that were refused together do not come back
//! together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The limit of the first pause; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Lets so many requests a second through. One second's worth may go at once.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    burst: Duration,
    /// When the next one would be due if all were evenly spaced.
    due: Mutex<Instant>,
}

impl Pace {
    /// A pace of so many a second.
    pub(super) fn new(rate: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        Self { interval, burst: Duration::from_secs(1).saturating_sub(interval), due: Mutex::new(Instant::now()) }
    }

    /// Waits for its turn.
    pub(super) async fn turn(&self) {
        let slot = self.take(Instant::now());
        tokio::time::sleep_until(slot).await;
    }

    fn take(&self, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        *due = (*due).max(now);
        let slot = due.checked_sub(self.burst).map_or(now, |slot| slot.max(now));
        *due += self.interval;
        slot
    }
}

/// The pause before another attempt: what the server asked for, else one drawn at random.
pub(super) fn pause(failed: u32, asked: Option<Duration>) -> Duration {
    if let Some(asked) = asked {
        return asked.min(LONGEST_PAUSE);
    }
    let limit = FIRST_PAUSE.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    limit.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_goes_at_once_and_the_rest_is_spaced() {
        let now = Instant::now();
        let pace = Pace::new(5);
        let waits: Vec<u128> = (0..8).map(|_| pace.take(now).saturating_duration_since(now).as_millis()).collect();
        assert_eq!(waits[..5], [0; 5], "{waits:?}");
        assert!((190..=210).contains(&waits[5]) && (590..=610).contains(&waits[7]), "{waits:?}");
    }

    #[test]
    fn pauses_grow_within_bounds_and_heed_the_server() {
        assert!((0..100).all(|_| pause(1, None) <= FIRST_PAUSE && pause(40, None) <= LONGEST_PAUSE));
        assert!((0..100).any(|_| pause(6, None) > FIRST_PAUSE * 4));
        assert_eq!(pause(1, Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(pause(1, Some(Duration::from_secs(3_600))), LONGEST_PAUSE);
    }
}
