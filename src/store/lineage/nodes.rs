//! From what people type to nodes.
//!
//! ```text
//! customer-features                group            model:churn            any kind with a name
//! customer-features.loyalty_score  feature          source:/data/a.csv     a file
//! churn@2, churn:2, churn          dataset          job:etl/orders         namespace/name of another system
//! ```
//!
//! What exists in the store comes first, what lineage alone knows of second; so a group that was dropped is still found.

use crate::catalog::{NodeKey, NodeKind};
use crate::lineage::names::{FILE, LARDER};
use crate::model::suggest::suggest;
use crate::model::{Error, ErrorKind, Result};
use crate::store::FeatureStore;

/// Nodes that are looked through for a suggestion.
const CANDIDATES: u32 = 2_000;

impl FeatureStore {
    /// The node that a text stands for.
    ///
    /// # Errors
    /// `NotFound` with a suggestion; `Usage` for a name that several nodes have.
    pub async fn lineage_node(&self, text: &str) -> Result<NodeKey> {
        if let Some((kind, name)) = of_kind(text) {
            return self.node_of_kind(text, kind, name).await;
        }
        match self.stored_node(text).await? {
            Some(key) => Ok(key),
            None => self.remembered_node(text).await,
        }
    }

    /// The node that a text stands for; one that lineage does not know yet if it may be declared.
    pub(super) async fn node_to_declare(&self, text: &str) -> Result<NodeKey> {
        let found = self.lineage_node(text).await;
        let (kind, name) = match (&found, of_kind(text)) {
            (Err(error), Some((kind, name))) if error.kind() == ErrorKind::NotFound => (kind, name),
            (Err(error), None) if error.kind() == ErrorKind::NotFound && text.contains('/') => (NodeKind::Source, text),
            _ => return found,
        };
        match kind {
            // These are made, not said.
            NodeKind::Group | NodeKind::Feature | NodeKind::Dataset | NodeKind::Column => found,
            _ if name.is_empty() || name.chars().any(char::is_control) || name.len() > 1_024 => {
                Err(Error::usage(format!("'{}' is no name for a {kind}", name.escape_debug())))
            }
            _ => Ok(declared_key(kind, name)),
        }
    }

    async fn node_of_kind(&self, text: &str, kind: NodeKind, name: &str) -> Result<NodeKey> {
        let names = self.lineage_names();
        match kind {
            NodeKind::Group => match self.group(name).await {
                Ok(group) => Ok(names.group(group.name.as_str())),
                Err(error) => self.known_or(names.group(name), error).await,
            },
            NodeKind::Feature => self.feature_node(name).await,
            NodeKind::Dataset => match self.dataset_node(name).await? {
                Some(key) => Ok(key),
                None => self.find_dataset(name).await.map(|manifest| names.dataset(&manifest.label())),
            },
            kind => {
                for key in spellings(kind, name) {
                    if self.inner.catalog.lineage_node(&key).await?.is_some() {
                        return Ok(key);
                    }
                }
                Err(self.no_such_node(text).await)
            }
        }
    }

    /// Something that the store itself has.
    async fn stored_node(&self, text: &str) -> Result<Option<NodeKey>> {
        let names = self.lineage_names();
        if let Some(group) = self.inner.catalog.group(text).await? {
            return Ok(Some(names.group(group.name.as_str())));
        }
        if let Some((group, _)) = text.split_once('.')
            && self.inner.catalog.group(group).await?.is_some()
        {
            return self.feature_node(text).await.map(Some);
        }
        if let Some(key) = self.dataset_node(text).await? {
            return Ok(Some(key));
        }
        match self.find_dataset(text).await {
            Ok(manifest) => Ok(Some(names.dataset(&manifest.label()))),
            Err(_) => Ok(None),
        }
    }

    async fn feature_node(&self, text: &str) -> Result<NodeKey> {
        let names = self.lineage_names();
        let Some((group, feature)) = text.split_once('.') else {
            return Err(Error::usage(format!("'{}' is no feature", text.escape_debug())).remedy("write it like group.feature"));
        };
        match self.group(group).await {
            Ok(group) => match group.schema.feature(feature) {
                Ok((_, found)) => Ok(names.feature(group.name.as_str(), found.name.as_str())),
                Err(error) => self.known_or(names.feature(group.name.as_str(), feature), error).await,
            },
            Err(error) => self.known_or(names.feature(group, feature), error).await,
        }
    }

    /// A dataset by `name`, `name@version` or `name:version`.
    async fn dataset_node(&self, text: &str) -> Result<Option<NodeKey>> {
        let (name, version) = match text.rsplit_once(['@', ':']) {
            None => (text, None),
            Some((name, version)) => match version.parse() {
                Ok(version) => (name, Some(version)),
                Err(_) => return Ok(None),
            },
        };
        let found = self.inner.catalog.dataset(name, version).await?;
        Ok(found.map(|row| self.lineage_names().dataset(&format!("{}@{}", row.name, row.version))))
    }

    /// A node that only lineage remembers, or the error.
    async fn known_or(&self, key: NodeKey, error: Error) -> Result<NodeKey> {
        match self.inner.catalog.lineage_node(&key).await? {
            Some(_) => Ok(key),
            None => Err(error),
        }
    }

    /// Something that lineage alone knows of: a file, a table of another system, a group that was dropped.
    async fn remembered_node(&self, text: &str) -> Result<NodeKey> {
        let names = self.lineage_names();
        let mut keys = vec![names.group(text)];
        keys.extend(text.split_once('.').map(|(group, feature)| names.feature(group, feature)));
        if let Ok(path) = std::path::absolute(text) {
            keys.push(names.file(&path.display().to_string()));
        }
        keys.extend(spellings(NodeKind::Source, text));
        for key in keys {
            if self.inner.catalog.lineage_node(&key).await?.is_some() {
                return Ok(key);
            }
        }
        let mut named = self.inner.catalog.lineage_nodes_named(text).await?;
        match (named.pop(), named.is_empty()) {
            (Some(row), true) => Ok(row.key),
            (Some(row), false) => {
                named.push(row);
                let references: Vec<String> = named.iter().map(|row| names.reference(&row.key)).collect();
                Err(Error::usage(format!("several nodes are called '{}'", text.escape_debug()))
                    .remedy(format!("write one of {}", references.join(", "))))
            }
            (None, _) => Err(self.no_such_node(text).await),
        }
    }

    async fn no_such_node(&self, text: &str) -> Error {
        let names = self.lineage_names();
        let error = Error::not_found(format!("lineage knows no '{}'", text.escape_debug()));
        let mut known = self.inner.catalog.group_names().await.unwrap_or_default();
        known.extend(self.inner.catalog.datasets().await.unwrap_or_default().iter().map(|row| row.name.to_string()));
        let recent = self.inner.catalog.recent_lineage_nodes(CANDIDATES).await.unwrap_or_default();
        known.extend(recent.iter().map(|row| names.reference(&row.key)));
        match suggest(text, known.iter().map(String::as_str)) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None => error.remedy("name a group, group.feature, dataset or kind:name; `larder lineage add` declares what is missing"),
        }
    }
}

/// The node that a declaration means by the name of something outside: a file by its path, a table with its namespace before the last `/`.
pub(crate) fn declared_key(kind: NodeKind, name: &str) -> NodeKey {
    match (kind, name.rsplit_once('/')) {
        (NodeKind::Source, _) if name.starts_with('/') => NodeKey::new(kind, FILE, name),
        (NodeKind::Source, Some((namespace, name))) if !namespace.is_empty() && !name.is_empty() => NodeKey::new(kind, namespace, name),
        _ => NodeKey::new(kind, LARDER, name),
    }
}

/// A text that begins with a kind.
fn of_kind(text: &str) -> Option<(NodeKind, &str)> {
    let (word, name) = text.split_once(':')?;
    let kind = if word == "file" { NodeKind::Source } else { NodeKind::parse(word)? };
    Some((kind, name))
}

/// The nodes that a name may stand for: ours, a file, and `namespace/name` parted at each stroke.
fn spellings(kind: NodeKind, text: &str) -> Vec<NodeKey> {
    let (kinds, text, field): (Vec<NodeKind>, &str, &str) = match (kind, text.rsplit_once('.')) {
        (NodeKind::Column, Some((whole, field))) => (vec![NodeKind::Column], whole, field),
        _ => (vec![kind], text, ""),
    };
    let mut keys = Vec::new();
    for kind in kinds {
        let key = |namespace: &str, name: &str| NodeKey { field: field.to_owned(), ..NodeKey::new(kind, namespace, name) };
        keys.push(key(LARDER, text));
        keys.push(key(FILE, text));
        keys.extend(text.match_indices('/').map(|(at, _)| key(&text[..at], &text[at + 1..])));
    }
    keys
}
