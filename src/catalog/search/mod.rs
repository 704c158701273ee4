//! Search over everything the catalog knows: features, groups, training datasets, models.
//!
//! ```text
//! text -> words and filters                                          `query`, `conditions`
//!      -> full-text index over names, words, tags, descriptions      `index` keeps it right, `find` asks it
//!      -> misspelt words: the nearest words of the index             `find`
//!      -> how it matched, relevance, factors                         `rank`
//!      -> counts by kind, type, owner …                              `facets`
//! ```
//!
//! The index is part of the catalog file and of its transactions. What changes without a definition changing (freshness,
//! profiles, drift, readers) is not in it but joined when asked.

mod conditions;
mod dismissals;
mod evidence;
mod facets;
mod find;
mod index;
mod query;
mod rank;
mod synonyms;
pub mod words;

pub use evidence::{FeatureFigures, FeatureKey, FeatureLine, READER_DAYS, Readers};
pub use facets::{Facet, FacetCount};
pub use find::{SearchAnswer, SearchHit, SearchOptions};
pub use index::entity;
pub(super) use index::refresh;
pub use query::{Filter, Kind, SearchQuery, Side};
pub use rank::{Factor, Matched};
pub use synonyms::Synonyms;
