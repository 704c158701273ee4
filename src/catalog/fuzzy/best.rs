//! Keeps the best few of many, by one number each.

/// Class, length and row in one number, so that the smaller is the better and no two are equal.
pub(super) fn key(class: u8, length: usize, row: usize) -> u64 {
    u64::from(class) << 56 | (length.min(0xff_ffff) as u64) << 32 | row as u64
}

pub(super) fn row_of(key: u64) -> usize {
    (key & 0xffff_ffff) as usize
}

/// The smallest so many keys of those offered. Which they are does not depend on the order of the offers.
pub(super) struct Best {
    keys: Vec<u64>,
    limit: usize,
    worst: u64,
}

impl Best {
    pub(super) fn new(limit: usize) -> Self {
        Self { keys: Vec::new(), limit: limit.max(1), worst: u64::MAX }
    }

    /// False if none of that class is among the best any more.
    pub(super) fn may_take(&self, class: u8) -> bool {
        u64::from(class) << 56 <= self.worst
    }

    pub(super) fn offer(&mut self, key: u64) {
        if key >= self.worst {
            return;
        }
        self.keys.push(key);
        // Selecting once in `limit` offers is cheaper than keeping a heap in order at each.
        if self.keys.len() >= 2 * self.limit {
            self.cut();
        }
    }

    /// Takes in what another one kept.
    pub(super) fn take(&mut self, other: Self) {
        other.keys.into_iter().for_each(|key| self.offer(key));
    }

    fn cut(&mut self) {
        if self.keys.len() > self.limit {
            let (_, worst, _) = self.keys.select_nth_unstable(self.limit - 1);
            self.worst = *worst;
            self.keys.truncate(self.limit);
        }
    }

    pub(super) fn into_sorted(mut self) -> Vec<u64> {
        self.cut();
        self.keys.sort_unstable();
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_the_same_in_whichever_order_they_come() {
        let keys: Vec<u64> = (0..5_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let mut expected = keys.clone();
        expected.sort_unstable();
        expected.truncate(37);
        for forwards in [true, false] {
            let mut best = Best::new(37);
            let mut offers = keys.clone();
            if !forwards {
                offers.reverse();
            }
            offers.into_iter().for_each(|key| best.offer(key));
            assert_eq!(best.into_sorted(), expected);
        }
    }
}
