//! Where a registry is: a file, a bucket's object, or what `feature_store.yaml` of a repository says.

use std::path::{Path, PathBuf};

use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use serde_json::Value;

use crate::backend::offline::RemoteSettings;
use crate::model::{Error, Result};

/// Most bytes of a registry.
const MAX_BYTES: u64 = 512 << 20;
/// The settings of a repository.
const SETTINGS: &str = "feature_store.yaml";
/// Where `feast init` puts the repository.
const INNER: &str = "feature_repo";

/// A registry that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path or URL.
    pub(super) place: String,
    /// The folder of its repository, which relative paths start from, if it is known.
    pub(super) repository: Option<PathBuf>,
    /// The repository's project, if it is known.
    pub(super) project: Option<String>,
}

/// Finds the registry of a location.
pub(super) fn find(location: &str) -> Result<Found> {
    if location.contains("://") {
        return Ok(Found { place: location.to_owned(), repository: None, project: None });
    }
    let path = Path::new(location);
    let fault = |error| Error::io(format!("can't read '{location}'"), error);
    if !std::fs::metadata(path).map_err(fault)?.is_dir() {
        return match path.file_name().is_some_and(|name| name == SETTINGS) {
            true => of_repository(path.parent().unwrap_or(Path::new("/")), path),
            // Feast's own layout: <repository>/data/registry.db.
            false => Ok(Found { place: location.to_owned(), repository: repository_of(path), project: None }),
        };
    }
    let candidates = [path.to_path_buf(), path.join(INNER)];
    let Some(folder) = candidates.iter().find(|folder| folder.join(SETTINGS).is_file()) else {
        return Err(Error::not_found(format!("there is no {SETTINGS} in '{location}'"))
            .remedy("name the folder of a Feast repository, its registry file, or the JSON of `feast registry-dump`"));
    };
    of_repository(folder, &folder.join(SETTINGS))
}

fn repository_of(registry: &Path) -> Option<PathBuf> {
    registry.ancestors().skip(1).take(3).find(|folder| folder.join(SETTINGS).is_file()).map(Path::to_path_buf)
}

fn of_repository(folder: &Path, settings: &Path) -> Result<Found> {
    let shown = settings.display();
    let text = std::fs::read_to_string(settings).map_err(|error| Error::io(format!("can't read {shown}"), error))?;
    let read: Value = serde_saphyr::from_str(&text)
        .map_err(|error| Error::invalid(format!("{shown} is no YAML")).source(error).remedy("check it with `feast configuration`"))?;
    let registry = &read["registry"];
    let kind = registry["registry_type"].as_str().unwrap_or("file");
    let written = registry.as_str().or_else(|| registry["path"].as_str()).unwrap_or("data/registry.db");
    let other = |what: String| {
        Error::usage(what)
            .remedy("sync the JSON of its dump instead: `feast registry-dump > FILE.json`, `larder source add NAME feast FILE.json`")
    };
    if written.contains('$') {
        return Err(Error::usage(format!("{shown} takes the place of its registry from a variable: '{}'", written.escape_debug()))
            .remedy("name the registry itself"));
    }
    let place = match kind {
        "file" | "s3" if written.contains("://") => written.to_owned(),
        "file" => folder.join(written).display().to_string(),
        "sql" => match written.strip_prefix("sqlite:///") {
            Some(path) => folder.join(path).display().to_string(),
            None => {
                return Err(other(format!("{shown} has its registry in a database that this program does not read: {}", scheme(written))));
            }
        },
        kind => return Err(other(format!("{shown} has a registry of type '{}', which this program does not read", kind.escape_debug()))),
    };
    Ok(Found { place, repository: Some(folder.to_path_buf()), project: read["project"].as_str().map(str::to_owned) })
}

/// The scheme of a URL alone: what follows may hold a password.
fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("no URL", |(scheme, _)| scheme)
}

/// The bytes of a registry.
pub(super) async fn bytes(place: &str, bucket: &RemoteSettings) -> Result<Vec<u8>> {
    let too_large = |size: u64| {
        Error::invalid(format!("'{place}' has {size} bytes"))
            .why(format!("a registry may have {MAX_BYTES}"))
            .remedy("sync a dump of one project")
    };
    if !place.contains("://") {
        let path = PathBuf::from(place.strip_prefix("file://").unwrap_or(place));
        let fault = |error| Error::io(format!("can't read the Feast registry '{}'", path.display()), error);
        let size = std::fs::metadata(&path).map_err(fault)?.len();
        if size > MAX_BYTES {
            return Err(too_large(size));
        }
        return std::fs::read(&path).map_err(fault);
    }
    let (parent, name) = place.rsplit_once('/').unwrap_or((place, ""));
    let settings = RemoteSettings { url: RemoteSettings::of_url(parent)?.url, ..bucket.clone() };
    let client = settings.connect().await?;
    let prefix = settings.url.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map_or("", |(_, prefix)| prefix);
    let fault =
        |error: object_store::Error| crate::backend::offline::from_object_store(format!("can't read the Feast registry '{place}'"), error);
    let object = client.get(&ObjectPath::from(format!("{prefix}/{name}"))).await.map_err(fault)?;
    if object.meta.size > MAX_BYTES {
        return Err(too_large(object.meta.size));
    }
    Ok(object.bytes().await.map_err(fault)?.to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn repository(settings: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(INNER)).unwrap();
        std::fs::write(folder.path().join(INNER).join(SETTINGS), settings).unwrap();
        folder
    }

    fn found(settings: &str) -> Result<Found> {
        let folder = repository(settings);
        let found = find(folder.path().to_str().unwrap())?;
        let inner = format!("{}/{INNER}/", folder.path().display());
        Ok(Found { place: found.place.replace(&inner, "…/"), ..found })
    }

    #[test]
    fn follows_what_the_settings_say() {
        let simple = found("project: shop\nregistry: data/registry.db\n").unwrap();
        assert_eq!((simple.place.as_str(), simple.project.as_deref()), ("…/data/registry.db", Some("shop")));
        assert_eq!(found("registry:\n  registry_type: file\n  path: s3://b/r.db\n").unwrap().place, "s3://b/r.db");
        assert_eq!(found("registry:\n  registry_type: sql\n  path: sqlite:///r.db\n").unwrap().place, "…/r.db");
        assert_eq!(found("registry:\n  registry_type: sql\n  path: sqlite:////abs/r.db\n").unwrap().place, "/abs/r.db");
        assert_eq!(found("project: p\n").unwrap().place, "…/data/registry.db");
    }

    #[test]
    fn says_what_it_can_not_read_without_the_password() {
        let error = found("registry:\n  registry_type: sql\n  path: postgresql+psycopg://me:secret@db/x\n").unwrap_err().to_string();
        assert!(error.contains("postgresql") && error.contains("registry-dump") && !error.contains("secret"), "{error}");
        for settings in ["registry:\n  registry_type: snowflake.registry\n  path: x\n", "registry: ${R}/registry.db\n", "a: [\n"] {
            assert!(found(settings).is_err(), "{settings}");
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(find(empty.path().to_str().unwrap()).unwrap_err().to_string().contains(SETTINGS));
    }
}
