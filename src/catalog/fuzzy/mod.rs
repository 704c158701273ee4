//! Finds names while they are being typed, among a million of them within one frame: the in-memory fuzzy index.
//!
//! ```text
//! all names, or what matched the query before this letter        narrowing     `search`
//!   -> has it every letter?   one AND over a column of masks     prefilter
//!   -> are they in order?     a step for each piece of the name  `pieces`
//!   -> how well, cheaply?     whole, start, word start, inside, misspelt, group, scattered   `matching`
//!   -> the best thousand:     fuzzy-matcher's score              the only use of that crate here
//!   -> the best k
//!   -> what else it is found by (descriptions), behind all that  a second answer
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
//! Columns instead of objects: a name costs its bytes, two masks, and a number for each of its pieces, some 100 bytes in all.

mod best;
mod bits;
mod builder;
mod columns;
mod matching;
mod pieces;
mod search;
mod spelling;

pub use bits::Bits;
pub use builder::FuzzyIndexBuilder;
pub use columns::{FuzzyIndex, Texts};
pub use search::{Among, Asked, Found, Hit, SCORED, Searcher, highlights};

pub(super) use columns::fold_in_place;
pub(super) use spelling::nearest_slips;
