//! All features of a catalog as columns, to be searched, filtered and counted while somebody types.
//!
//! ```text
//! what was typed -> words, words that must not occur, filters          `query`
//!   filters      -> a set of rows                                      `filters`
//!   words        -> the best of that set                               the fuzzy index
//!   what matches -> how many there are of each type, owner, tag …      `facets`
//! ```
//!
//! Definitions are kept as columns (`columns`), at a quarter of the memory; a group of the list reads its own again when it is asked for them
//! (`listed`). How things stand is known to columns beside these (`standing`).
//!
//! The filters are those of [`super::search`]; what is asked of things that are not known (a group never profiled) is not met, here as there.
//! Everything but the words is a matter of groups or of one small number for each feature, so a million rows are filtered and counted in
//! milliseconds. No runtime, no terminal, no database: a face hands in what it knows and asks on whichever thread it likes.

mod columns;
mod facets;
mod filters;
mod find;
mod listed;
mod query;
mod standing;

pub use facets::{ListedCount, ListedFacet};
pub use find::{Asked, Finder, Listed, Order};
pub use listed::{Listing, ListingBuilder};
pub use query::{ListQuery, terms};
pub use standing::{Drift, Standing};
