//! The guard: how many groups one run may take for deleted.
//!
//! A listing that is cut short looks like a mass deletion. So nothing is deleted after a listing that is incomplete or with faults,
//! not even by force; and nothing after an empty one, or beyond the limit, unless forced.

use std::str::FromStr;

use serde::Serialize;

use crate::model::{Error, Result};

/// Deletions up to this number are let through by the limit that holds when none is given.
const ALWAYS_ALLOWED: usize = 10;

/// Whether groups that are gone are marked as deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prune {
    /// Within the limit.
    #[default]
    Auto,
    /// Not at all.
    Never,
    /// Beyond the limit too.
    Force,
}

/// Most deletions of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaxDelete {
    /// A quarter, or ten.
    #[default]
    Usual,
    /// That many.
    Count(usize),
    /// That part of the groups known, in percent.
    Percent(usize),
}

impl FromStr for MaxDelete {
    type Err = Error;
    /// `N` or `N%`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::usage(format!("'{}' is no limit", text.escape_debug())).remedy("write a number as 20, or a part as 25%");
        match text.strip_suffix('%') {
            Some(number) => number.parse().ok().filter(|percent| *percent <= 100).map(Self::Percent).ok_or_else(wrong),
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

/// What the guard looks at.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Groups known before.
    pub known: usize,
    /// Groups the source listed.
    pub listed: usize,
    /// Known ones it did not list.
    pub gone: usize,
    /// True if the listing is incomplete or a group could not be read.
    pub degraded: bool,
}

/// Why deletions are withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum Withheld {
    /// It was asked for.
    Asked,
    /// The source could not be read as a whole.
    Degraded,
    /// The source lists nothing at all.
    Empty,
    /// More are gone than may be.
    TooMany,
}

impl Withheld {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "--prune never",
            Self::Degraded => "the source could not be read as a whole",
            Self::Empty => "the source lists nothing at all",
            Self::TooMany => "more groups are gone than --max-delete allows",
        }
    }
}

impl From<Withheld> for &'static str {
    fn from(why: Withheld) -> Self {
        why.as_str()
    }
}

/// Why deletions are withheld; none lets them through.
pub fn withheld(situation: Situation, prune: Prune, limit: MaxDelete) -> Option<Withheld> {
    let Situation { known, listed, gone, degraded } = situation;
    if gone == 0 {
        return None;
    }
    if prune == Prune::Never {
        return Some(Withheld::Asked);
    }
    if degraded {
        return Some(Withheld::Degraded);
    }
    if prune == Prune::Force {
        return None;
    }
    if listed == 0 {
        return Some(Withheld::Empty);
    }
    let too_many = match limit {
        MaxDelete::Usual => gone > ALWAYS_ALLOWED && gone * 4 > known,
        MaxDelete::Count(most) => gone > most,
        MaxDelete::Percent(percent) => gone * 100 > known * percent,
    };
    too_many.then_some(Withheld::TooMany)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn situation(known: usize, gone: usize) -> Situation {
        Situation { known, listed: known - gone, gone, degraded: false }
    }

    #[test]
    fn lets_few_through_and_holds_many_back() {
        let auto = |known, gone| withheld(situation(known, gone), Prune::Auto, MaxDelete::Usual).is_some();
        assert!(!auto(12, 10), "ten are always allowed");
        assert!(auto(12, 11));
        assert!(!auto(100, 25));
        assert!(auto(100, 26));
        assert!(auto(3, 3), "an empty listing");
        let with = |limit: &str| withheld(situation(100, 5), Prune::Auto, limit.parse().unwrap()).is_some();
        assert_eq!((with("4"), with("5"), with("4%"), with("5%")), (true, false, true, false));
    }

    #[test]
    fn force_overrules_the_limit_but_no_degraded_source() {
        assert!(withheld(situation(100, 100), Prune::Force, MaxDelete::Usual).is_none());
        let degraded = Situation { degraded: true, ..situation(100, 1) };
        assert!(withheld(degraded, Prune::Force, MaxDelete::Usual).is_some());
        assert!(withheld(situation(100, 1), Prune::Never, MaxDelete::Usual).is_some());
    }

    #[test]
    fn refuses_what_is_no_limit() {
        for text in ["", "%", "-1", "101%", "many"] {
            assert!(text.parse::<MaxDelete>().is_err(), "{text}");
        }
    }
}
