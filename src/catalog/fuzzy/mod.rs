//! Finds names while they are being typed, among a million of them within one frame: the in-memory fuzzy index.
//!
//! ```text
//! all names, or what matched the query before this letter        narrowing     `search`
//!   -> has it every letter?   one AND over a column of masks     prefilter     `matching`
//!   -> are they in order?     a walk over its folded bytes
//!   -> how well, cheaply?     whole, start, word start, inside, misspelt, scattered
//!   -> the best few thousand: fuzzy-matcher's score              the only use of that crate here
//!   -> the best k
//! ```
//!
//! What must stay true:
//! - The answer to a query depends on the names alone: not on the number of threads, nor on what was asked before.
//!   Every step is a function of one name, the order is total, and a query that grows can only lose names.
//! - Only the [`SCORED`] best by the cheap class and the length of the name are scored. With fewer matches the order is
//!   that of scoring them all; with more, a name beyond them has a worse class or is longer than all of them.
//! - A newer query stops an older one between two chunks of names.
//! - No runtime, no terminal, no lock held while names are looked through: any face may use it.
//!
//! Columns instead of objects: a name costs its bytes twice, two masks, and four numbers, some 80 bytes in all.

mod columns;
mod matching;
mod search;
mod spelling;

pub use columns::{FuzzyIndex, FuzzyIndexBuilder};
pub use search::{Found, Hit, SCORED, Searcher};

pub(super) use spelling::nearest_slips;
