//! What the groups of a folder have in common: a document of kind `Defaults` holds for its folder and those below; the nearest wins.

use std::collections::BTreeMap;

use super::document::{DefaultsDocument, Stage};

/// Defaults that hold for one text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Defaults {
    pub(super) owner: Option<String>,
    pub(super) stage: Option<Stage>,
    pub(super) entity: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) role_arn: Option<String>,
    pub(super) s3_uri: Option<String>,
}

impl Defaults {
    fn then(mut self, nearer: &DefaultsDocument) -> Self {
        self.owner = nearer.owner.clone().or(self.owner);
        self.stage = nearer.stage.or(self.stage);
        self.entity = nearer.entity.clone().or(self.entity);
        self.tags.extend(nearer.tags.clone());
        self.role_arn = nearer.role_arn.clone().or(self.role_arn);
        self.s3_uri = nearer.s3_uri.clone().or(self.s3_uri);
        self
    }
}

/// The folder of a text's name; empty for the top.
pub(super) fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Defaults by folder.
#[derive(Debug, Default)]
pub(super) struct DefaultsOfFolders(BTreeMap<String, DefaultsDocument>);

impl DefaultsOfFolders {
    /// Notes the defaults of a folder; false if it has some already.
    pub(super) fn insert(&mut self, folder: &str, defaults: DefaultsDocument) -> bool {
        if self.0.contains_key(folder) {
            return false;
        }
        self.0.insert(folder.to_owned(), defaults);
        true
    }

    /// What holds for a text of that name.
    pub(super) fn of(&self, name: &str) -> Defaults {
        let folder = folder(name);
        let ends = std::iter::once(0).chain(folder.match_indices('/').map(|(at, _)| at)).chain([folder.len()]);
        let mut above: Vec<&str> = ends.map(|end| &folder[..end]).collect();
        above.dedup();
        above.into_iter().filter_map(|folder| self.0.get(folder)).fold(Defaults::default(), Defaults::then)
    }
}
