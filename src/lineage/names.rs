//! What things are called: by people, and in OpenLineage.
//!
//! ```text
//! group     arn:aws:sagemaker:{region}:{account}   feature-group/{name}      customer-features
//! feature   the same, with a field                                           customer-features.loyalty_score
//! dataset   larder                                 {name}@{version}          churn-training@2
//! model …   larder                                 {name}                    model:churn
//! file      file                                   /absolute/path            source:/absolute/path
//! others    their own                              their own                 source:food_delivery/public.menus
//! ```
//!
//! Groups have no official name in OpenLineage; ours follows that of Glue tables. The scheme must never change: a graph that
//! was written with another one would fall into two. In an event, what is no group, file or table has its kind before its
//! name (`model/churn`), because the namespace `larder` holds several kinds.

use crate::catalog::{NodeKey, NodeKind};

/// Namespace of what larder itself names.
pub const LARDER: &str = "larder";
/// Namespace of local files.
pub const FILE: &str = "file";
/// Stands before a group's name.
const GROUP_PREFIX: &str = "feature-group/";

/// The scheme of a store: its region and account are in the names of its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    groups: String,
}

impl Names {
    /// The scheme of a store.
    pub fn new(region: &str, account: &str) -> Self {
        Self { groups: format!("arn:aws:sagemaker:{region}:{account}") }
    }

    /// Namespace of groups.
    pub fn group_namespace(&self) -> &str {
        &self.groups
    }

    /// A group.
    pub fn group(&self, name: &str) -> NodeKey {
        NodeKey::new(NodeKind::Group, &self.groups, format!("{GROUP_PREFIX}{name}"))
    }

    /// A feature.
    pub fn feature(&self, group: &str, feature: &str) -> NodeKey {
        self.group(group).field(feature)
    }

    /// A training dataset in a version.
    pub fn dataset(&self, label: &str) -> NodeKey {
        NodeKey::new(NodeKind::Dataset, LARDER, label)
    }

    /// A local file, by its absolute path.
    pub fn file(&self, path: &str) -> NodeKey {
        NodeKey::new(NodeKind::Source, FILE, path)
    }

    /// The name of the group that a node is or belongs to; none for what is no group of this store.
    pub fn group_name<'a>(&self, key: &'a NodeKey) -> Option<&'a str> {
        let is_of_group = matches!(key.kind, NodeKind::Group | NodeKind::Feature) && key.namespace == self.groups;
        is_of_group.then(|| key.name.strip_prefix(GROUP_PREFIX)).flatten()
    }

    /// Its bare name, as lists show it beside its kind.
    pub fn bare(&self, key: &NodeKey) -> String {
        let name = match self.group_name(key) {
            Some(group) => group.to_owned(),
            None if key.namespace == LARDER || key.namespace == FILE => key.name.clone(),
            None => format!("{}/{}", key.namespace, key.name),
        };
        if key.field.is_empty() { name } else { format!("{name}.{}", key.field) }
    }

    /// The text that stands for it alone, and that people may type.
    pub fn reference(&self, key: &NodeKey) -> String {
        match key.kind {
            NodeKind::Group | NodeKind::Feature if self.group_name(key).is_some() => self.bare(key),
            NodeKind::Dataset => self.bare(key),
            kind => format!("{kind}:{}", self.bare(key)),
        }
    }

    /// Whether an event's namespace and name are those of a group, whoever wrote their case.
    pub fn group_in_event<'a>(&self, namespace: &str, name: &'a str) -> Option<&'a str> {
        if !namespace.eq_ignore_ascii_case(&self.groups) {
            return None;
        }
        let group = name.strip_prefix(GROUP_PREFIX)?;
        // The online store of a group is the group: what it holds is one of its records.
        Some(group.strip_suffix("/online").unwrap_or(group))
    }

    /// Namespace and name of a node in an event.
    pub fn in_event(&self, key: &NodeKey) -> (String, String) {
        match key.kind {
            NodeKind::Group | NodeKind::Feature | NodeKind::Source | NodeKind::Column | NodeKind::Job => {
                (key.namespace.clone(), key.name.clone())
            }
            kind => (key.namespace.clone(), format!("{kind}/{}", key.name)),
        }
    }

    /// The node that an event's dataset stands for.
    pub fn of_event(&self, namespace: &str, name: &str) -> NodeKey {
        if let Some(group) = self.group_in_event(namespace, name) {
            return self.group(group);
        }
        if namespace == LARDER
            && let Some((kind, rest)) = name.split_once('/')
            && let Some(kind) = NodeKind::parse(kind)
            && !kind.is_field()
        {
            return NodeKey::new(kind, LARDER, rest);
        }
        if namespace == FILE || namespace.starts_with("file://") {
            return self.file(name);
        }
        NodeKey::new(NodeKind::Source, namespace, name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_node_comes_back_from_its_name_in_an_event() {
        let names = Names::new("eu-west-1", "111122223333");
        let keys = [
            names.group("customer-features"),
            names.dataset("churn@2"),
            names.file("/data/a.csv"),
            NodeKey::new(NodeKind::Model, LARDER, "churn/v1"),
            NodeKey::new(NodeKind::Source, "food_delivery", "public.menus"),
            NodeKey::new(NodeKind::Source, LARDER, "plain"),
        ];
        for key in keys {
            let (namespace, name) = names.in_event(&key);
            assert_eq!(names.of_event(&namespace, &name), key);
        }
        let online = names.of_event("arn:aws:sagemaker:eu-west-1:111122223333", "feature-group/customer-features/online");
        assert_eq!(online, names.group("customer-features"));
        let foreign = names.of_event("arn:aws:sagemaker:eu-west-1:999999999999", "feature-group/customer-features");
        assert_eq!(foreign.kind, NodeKind::Source, "another account's group is another thing");
    }

    #[test]
    fn references_tell_nodes_of_one_name_apart() {
        let names = Names::new("eu-west-1", "1");
        let churn = |kind| NodeKey::new(kind, LARDER, "churn");
        assert_eq!(names.reference(&churn(NodeKind::Model)), "model:churn");
        assert_eq!(names.reference(&churn(NodeKind::Endpoint)), "endpoint:churn");
        assert_eq!(names.reference(&names.feature("trips", "fare")), "trips.fare");
        assert_eq!(names.reference(&names.file("/a b.csv").field("x")), "column:/a b.csv.x");
        assert_eq!(names.reference(&NodeKey::new(NodeKind::Source, "pg", "t")), "source:pg/t");
    }
}
