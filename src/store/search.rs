//! Search over the store: the catalog's index, with the team's synonyms and the group in view.

use super::FeatureStore;
use crate::catalog::fuzzy::{FuzzyIndex, FuzzyIndexBuilder};
use crate::catalog::search::{Filter, SearchAnswer, SearchOptions, SearchQuery, Synonyms, entity};
use crate::model::{Error, Result};

/// File of a team's own synonyms in the store's folder; see [`Synonyms`] for its form.
pub const SYNONYMS_FILE: &str = "synonyms.toml";

/// What to search for besides the text.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Hits at most.
    pub limit: usize,
    /// Filters besides those in the text.
    pub filters: Vec<Filter>,
    /// A group; what is about the same comes first.
    pub near: Option<String>,
    /// Whether to count by kind, type, owner …
    pub facets: bool,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self { limit: 20, filters: Vec::new(), near: None, facets: false }
    }
}

impl FeatureStore {
    /// Finds features, groups, training datasets and models by a text of words and filters (see [`SearchQuery`]).
    ///
    /// # Errors
    /// `Usage` for a filter that makes no sense or a synonyms file that can't be read, `NotFound` for the group in view.
    pub async fn search(&self, text: &str, request: &SearchRequest) -> Result<SearchAnswer> {
        let mut query = SearchQuery::parse(text)?;
        for filter in &request.filters {
            query = query.with(filter.clone());
        }
        let near = match &request.near {
            Some(group) => Some(entity(&*self.group(group).await?)),
            None => None,
        };
        let options = SearchOptions { limit: request.limit, now: self.now(), synonyms: self.synonyms()?, near, facets: request.facets };
        self.fold_usage_or_go_on().await;
        self.inner.catalog.search(&query, &options).await
    }

    /// The words that mean the same: the team's own, else the built-in ones.
    pub fn synonyms(&self) -> Result<Synonyms> {
        let path = self.folder().join(SYNONYMS_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Synonyms::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Synonyms::built_in()),
            Err(error) => Err(Error::io(format!("can't read {}", path.display()), error)),
        }
    }

    /// The names of all features, for search while they are being typed; as of now.
    pub async fn fuzzy_index(&self) -> Result<FuzzyIndex> {
        let mut builder = FuzzyIndexBuilder::default();
        for group in self.list_groups().await? {
            builder.group(group.name.as_str())?;
            for feature in group.schema.features() {
                builder.name(feature.name.as_str())?;
            }
        }
        Ok(builder.build())
    }
}
