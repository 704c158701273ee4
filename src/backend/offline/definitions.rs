//! Definitions of groups, kept beside their data: what is needed to rebuild a lost catalog.
//!
//! `group.json` holds `{"version": 1, "group": {…}}`, the group as [`FeatureGroup`] serialises. It is replaced as a
//! whole, so a reader finds the old or the new one. A group without an offline store of its own (online only, or
//! external files, whose folder is not ours to write in) has its definition in the folder it would have under the
//! default S3 URI. Dropping a group renames the file to `group.dropped.json`: its rows stay, as SageMaker's do, and
//! a rebuild does not bring the group back.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use super::durable::from_object_store;
use super::layout::{DEFAULT_S3_URI, DEFINITION, DROPPED_DEFINITION, GroupFolder};
use super::log::read;
use super::{Home, OfflineStore};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};

/// Version of the file. Readers refuse a greater one.
const VERSION: u64 = 1;
/// Folders between the root and a definition: bucket, prefix, account and the rest. Deeper ones are not looked at.
const MAX_DEPTH: usize = 48;

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    group: &'a FeatureGroup,
}

/// Read first, because a newer version may hold a group this program cannot read.
#[derive(Deserialize)]
struct Stamp {
    version: u64,
}

#[derive(Deserialize)]
struct Kept {
    group: FeatureGroup,
}

/// A definition that was found, or why it could not be read.
#[derive(Debug)]
pub struct FoundDefinition {
    /// Where it lies.
    pub folder: GroupFolder,
    /// The group, or what is wrong with the file.
    pub group: Result<FeatureGroup>,
}

impl OfflineStore {
    /// Folder of a group's definition.
    pub fn definition_folder(&self, group: &FeatureGroup) -> Result<GroupFolder> {
        if group.keeps_history() {
            return self.folder(group);
        }
        let home = self.inner.options.remote.as_ref().map_or(DEFAULT_S3_URI, |(url, _)| url);
        self.layout().folder_of(home, &group.name, group.created)
    }

    /// Writes or replaces the definition of a group; durable when it returns.
    ///
    /// # Errors
    /// AlreadyExists if the folder holds another group: one of the same name that was made in the same second.
    pub async fn write_definition(&self, group: &FeatureGroup) -> Result<()> {
        self.check_writable()?;
        let folder = self.definition_folder(group)?;
        let disk = self.disk()?;
        let written = Written { version: VERSION, group };
        let text = serde_json::to_vec_pretty(&written).map_err(|error| Error::internal("can't encode a definition").source(error))?;
        self.check_same_group(group, &folder.dropped_definition()).await?;
        let mode = if self.check_same_group(group, &folder.definition()).await? { PutMode::Overwrite } else { PutMode::Create };
        let options = PutOptions { mode, ..PutOptions::default() };
        match disk.put_opts(&folder.definition(), PutPayload::from(text), options).await {
            Ok(_) => self.note_change().await,
            Err(error) => Err(from_object_store(format!("can't write the definition of '{}'", group.name), error)),
        }
    }

    /// Tells whether a group that is about to be made can have its folder.
    ///
    /// # Errors
    /// AlreadyExists if a group of the same name was made, or made and dropped, in the same second: take the next one.
    pub async fn check_folder_is_free(&self, group: &FeatureGroup) -> Result<()> {
        if self.existing_disk()?.is_none() {
            return Ok(());
        }
        let folder = self.definition_folder(group)?;
        for location in [folder.definition(), folder.dropped_definition()] {
            self.check_same_group(group, &location).await?;
        }
        Ok(())
    }

    /// True if the definition there is of this group, false if there is none.
    async fn check_same_group(&self, group: &FeatureGroup, location: &Path) -> Result<bool> {
        let Some(bytes) = read(self.disk()?.as_ref(), location).await? else { return Ok(false) };
        let known = parse(location, &bytes)?;
        if known.id == group.id {
            return Ok(true);
        }
        Err(Error::new(ErrorKind::AlreadyExists, format!("the folder of '{}' belongs to another group", group.name))
            .why(format!("'{}' was made in the same second", known.name))
            .remedy("run the command again"))
    }

    /// Reads the definition of a group; none if there is none.
    pub async fn read_definition(&self, group: &FeatureGroup) -> Result<Option<FeatureGroup>> {
        let Some(disk) = self.existing_disk()? else { return Ok(None) };
        let location = self.definition_folder(group)?.definition();
        read(disk.as_ref(), &location).await?.map(|bytes| parse(&location, &bytes)).transpose()
    }

    /// Marks a group as dropped; its rows stay. Dropping it twice is the same as once.
    pub async fn drop_definition(&self, group: &FeatureGroup) -> Result<()> {
        self.check_writable()?;
        let folder = self.definition_folder(group)?;
        let Some(disk) = self.existing_disk()? else { return Ok(()) };
        match disk.rename(&folder.definition(), &folder.dropped_definition()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => self.note_change().await,
            Err(error) => Err(from_object_store(format!("can't drop the definition of '{}'", group.name), error)),
        }
    }

    /// Finds the definitions of all groups that were not dropped, without looking into any group's data. A file
    /// that cannot be read is reported in its place and does not hide the others.
    pub async fn definitions(&self) -> Result<Vec<FoundDefinition>> {
        self.find(DEFINITION).await
    }

    /// Finds the definitions of groups that were dropped.
    pub async fn dropped_definitions(&self) -> Result<Vec<FoundDefinition>> {
        self.find(DROPPED_DEFINITION).await
    }

    /// Tells other machines that share a bucket that definitions have changed: they look at this one object, not at all of them.
    async fn note_change(&self) -> Result<()> {
        let Some(bucket) = self.bucket()? else { return Ok(()) };
        let text = uuid::Uuid::now_v7().to_string();
        let put = bucket.put(&changes_of(bucket.home()), PutPayload::from(text)).await;
        put.map(|_| ()).map_err(|error| from_object_store("can't tell other machines of a changed definition", error))
    }

    /// What stands in a bucket for the last change of a definition; none in a local folder and where nothing was ever changed.
    pub async fn last_change(&self) -> Result<Option<String>> {
        let Some(bucket) = self.bucket()? else { return Ok(None) };
        let found = read(bucket.as_ref(), &changes_of(bucket.home())).await?;
        Ok(found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn find(&self, name: &str) -> Result<Vec<FoundDefinition>> {
        let Some(disk) = self.existing_disk()? else { return Ok(Vec::new()) };
        let fault = |error| from_object_store("can't look for definitions", error);
        let mut found = Vec::new();
        let mut folders: Vec<Option<Path>> = match disk {
            Home::Local(_) => vec![None],
            Home::Remote(bucket) => vec![Some(Path::from(bucket.home()))],
        };
        while let Some(folder) = folders.pop() {
            let listed = disk.list_with_delimiter(folder.as_ref()).await.map_err(fault)?;
            for object in &listed.objects {
                if object.location.filename() == Some(name)
                    && let Some(folder) = GroupFolder::of_definition(&object.location)
                    && let Some(bytes) = read(disk.as_ref(), &object.location).await?
                {
                    found.push(FoundDefinition { folder, group: parse(&object.location, &bytes) });
                }
            }
            // A group's folder holds its data and nothing else that could be a group.
            let is_group = folder
                .as_ref()
                .is_some_and(|folder| folder.parts().any(|part| part.as_ref() == "offline-store") && has_definition(&listed));
            if !is_group {
                let deeper = listed.common_prefixes.into_iter().filter(|prefix| prefix.parts().count() < MAX_DEPTH);
                folders.extend(deeper.map(Some));
            }
        }
        found.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(found)
    }

    /// Removes everything a group has here: for a group whose making failed half-way.
    pub async fn remove_all(&self, group: &FeatureGroup) -> Result<()> {
        self.check_writable()?;
        let folder = self.definition_folder(group)?;
        let Some(disk) = self.existing_disk()? else { return Ok(()) };
        let fault = |error| from_object_store(format!("can't remove the objects of '{}'", group.name), error);
        let objects: Vec<_> = disk.list(Some(&folder.path())).try_collect().await.map_err(fault)?;
        for object in objects {
            match disk.delete(&object.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        self.forget(&folder);
        Ok(())
    }
}

/// The object that changes with every definition.
fn changes_of(home: &str) -> Path {
    Path::from(format!("{home}/_larder/changes"))
}

fn has_definition(listed: &object_store::ListResult) -> bool {
    listed.objects.iter().any(|object| matches!(object.location.filename(), Some(DEFINITION | DROPPED_DEFINITION)))
}

/// Reads the text of a definition.
pub(crate) fn parse(location: &Path, bytes: &[u8]) -> Result<FeatureGroup> {
    let damaged = |error: serde_json::Error| {
        Error::corrupt(format!("definition {location} can't be read")).source(error).remedy("restore that file from a backup, or remove it")
    };
    let stamp: Stamp = serde_json::from_slice(bytes).map_err(damaged)?;
    if stamp.version > VERSION {
        return Err(Error::new(ErrorKind::NewerFormat, format!("definition {location} has version {}", stamp.version))
            .remedy("upgrade larder: a newer one made this store"));
    }
    let kept: Kept = serde_json::from_slice(bytes).map_err(damaged)?;
    Ok(kept.group)
}
