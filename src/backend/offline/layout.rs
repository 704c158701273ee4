//! Names of objects of the offline store: the only file that formats or parses them.
//!
//! SageMaker's layout for the Glue format, below the group's S3 URI (UTC, by event time):
//!
//! ```text
//! s3://<bucket>/<prefix>/<account>/sagemaker/<region>/offline-store/<group>-<creation epoch s>/
//!     group.json                      the definition, from which a lost catalog is rebuilt
//!     group.dropped.json              the same, after the group was dropped (its rows stay, as SageMaker's do)
//!     data/                           ResolvedOutputS3Uri, root of the Delta table
//!         _delta_log/<20 digits>.json
//!         year=2026/month=11/day=23/hour=09/20261123T093000Z_<16 letters and digits>.parquet
//! ```
//!
//! The folder values and the stamp in a file's name are those of the latest event in the file. They are a
//! habit kept for tools that list prefixes: the Delta table itself is not partitioned.
//!
//! `s3://bucket/key` is `<root>/bucket/key` on disk. A bucket or key that could leave the root, or that would
//! need escaping in a path or URL, is refused here; everything behind may join strings.

use object_store::path::Path;
use uuid::Uuid;

use crate::model::{Error, EventTime, FeatureGroup, GroupName, Result};

/// Where a group's objects go unless it says otherwise.
pub const DEFAULT_S3_URI: &str = "s3://larder/feature-store";
/// The account in object names unless settings say otherwise.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// The region in object names unless settings say otherwise.
pub const DEFAULT_REGION: &str = "us-east-1";

/// File name of a definition.
pub(crate) const DEFINITION: &str = "group.json";
/// File name of the definition of a dropped group.
pub(crate) const DROPPED_DEFINITION: &str = "group.dropped.json";
/// Folder of the commits, below the data folder.
pub(crate) const LOG: &str = "_delta_log";

/// The parts of names that are the same for all groups of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    account: String,
    region: String,
}

impl Layout {
    /// Builds a layout; the account is 12 digits, the region letters, digits and `-`.
    pub fn new(account: &str, region: &str) -> Result<Self> {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(
                Error::invalid(format!("'{}' is not an account", account.escape_debug())).remedy("use 12 digits, like 000000000000")
            );
        }
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || region.len() > 64 || !region.bytes().all(legal) {
            return Err(Error::invalid(format!("'{}' is not a region", region.escape_debug())).remedy("use a name like us-east-1"));
        }
        Ok(Self { account: account.to_owned(), region: region.to_owned() })
    }

    /// Returns the folder of a group that keeps its history in objects of ours.
    ///
    /// # Errors
    /// Invalid if the group has no offline store, is external, or its S3 URI is not one.
    pub fn folder(&self, group: &FeatureGroup) -> Result<GroupFolder> {
        let Some(offline) = group.offline.as_ref().filter(|offline| offline.external.is_none()) else {
            return Err(Error::invalid(format!("'{}' has no offline store of its own", group.name))
                .remedy("use a group with an offline store that is not external"));
        };
        self.folder_of(&offline.s3_uri, &group.name, group.created)
    }

    /// Returns the folder for a name, an S3 URI and a creation time.
    pub fn folder_of(&self, s3_uri: &str, name: &GroupName, created: EventTime) -> Result<GroupFolder> {
        let base = parse_s3_uri(s3_uri)?;
        let Self { account, region } = self;
        let seconds = created.unix_seconds();
        Ok(GroupFolder { key: format!("{base}/{account}/sagemaker/{region}/offline-store/{name}-{seconds}"), is_bare: false })
    }
}

/// Turns `s3://bucket/prefix/` into `bucket/prefix`, after checking that it can be a path.
pub fn parse_s3_uri(uri: &str) -> Result<String> {
    let fault = |why: String| {
        let shown: String = uri.chars().take(120).collect();
        Error::invalid(format!("'{}' is not an S3 URI that can be used", shown.escape_debug()))
            .why(why)
            .remedy(format!("write it like {DEFAULT_S3_URI}"))
    };
    if uri.len() > 1024 {
        return Err(fault("it has more than 1024 bytes".into()));
    }
    let Some(rest) = uri.strip_prefix("s3://") else {
        return Err(fault("it does not start with s3://".into()));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let in_bucket = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = bucket.as_bytes();
    if !(3..=63).contains(&bucket.len())
        || !bytes.iter().copied().all(in_bucket)
        || !edge(bytes.first())
        || !edge(bytes.last())
        || bucket.contains("..")
    {
        return Err(fault("a bucket is 3 to 63 lower-case letters, digits, '-' and '.'".into()));
    }
    let mut key = bucket.to_owned();
    for segment in prefix.strip_suffix('/').unwrap_or(prefix).split('/') {
        if segment.is_empty() && prefix.is_empty() {
            break;
        }
        check_segment(segment).map_err(fault)?;
        key.push('/');
        key.push_str(segment);
    }
    Ok(key)
}

/// The characters S3 calls safe, which also need no escape in a path or URL.
fn check_segment(segment: &str) -> std::result::Result<(), String> {
    if segment.is_empty() {
        return Err("its prefix has an empty part".into());
    }
    if segment == "." || segment == ".." {
        return Err(format!("'{segment}' would leave the prefix"));
    }
    match segment.chars().find(|c| !c.is_ascii_alphanumeric() && !"!-_.*'()=".contains(*c)) {
        None => Ok(()),
        Some(bad) => Err(format!("its prefix holds '{}'", bad.escape_default())),
    }
}

/// The folder of one group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupFolder {
    /// Bucket and key, without slash at the end.
    key: String,
    /// True for a table of others: the folder itself is its data folder.
    is_bare: bool,
}

impl GroupFolder {
    /// The folder of a Delta table that somebody else keeps.
    pub(crate) fn of_table(root: &Path) -> Self {
        Self { key: root.as_ref().to_owned(), is_bare: true }
    }

    /// From the object of a definition, `…/<group>-<epoch>/group.json`.
    pub(crate) fn of_definition(location: &Path) -> Option<Self> {
        let key = location.as_ref().strip_suffix(DEFINITION).or_else(|| location.as_ref().strip_suffix(DROPPED_DEFINITION))?;
        Some(Self { key: key.strip_suffix('/')?.to_owned(), is_bare: false })
    }

    /// Bucket and key of the folder.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Bucket and key of the data folder.
    pub fn data_key(&self) -> String {
        if self.is_bare { self.key.clone() } else { format!("{}/data", self.key) }
    }

    /// What SageMaker calls `ResolvedOutputS3Uri`: the data folder, without slash at the end.
    pub fn resolved_uri(&self) -> String {
        format!("s3://{}", self.data_key())
    }

    /// Location of the folder.
    pub(crate) fn path(&self) -> Path {
        Path::from(self.key.as_str())
    }

    /// Location of the data folder.
    pub(crate) fn data(&self) -> Path {
        Path::from(self.data_key())
    }

    /// Location of a file named by the log, relative to the data folder.
    pub(crate) fn data_file(&self, relative: &str) -> Path {
        Path::from(format!("{}/{relative}", self.data_key()))
    }

    /// Location of a commit.
    pub(crate) fn log_entry(&self, version: u64) -> Path {
        Path::from(format!("{}/{LOG}/{version:020}.json", self.data_key()))
    }

    /// Location of the folder of commits.
    pub(crate) fn log(&self) -> Path {
        Path::from(format!("{}/{LOG}", self.data_key()))
    }

    /// Location of the hint at the newest checkpoint.
    pub(crate) fn last_checkpoint(&self) -> Path {
        Path::from(format!("{}/{LOG}/_last_checkpoint", self.data_key()))
    }

    /// Location of a checkpoint in one piece.
    pub(crate) fn checkpoint(&self, version: u64) -> Path {
        Path::from(format!("{}/{LOG}/{version:020}.checkpoint.parquet", self.data_key()))
    }

    /// Location of the definition.
    pub(crate) fn definition(&self) -> Path {
        Path::from(format!("{}/{DEFINITION}", self.key))
    }

    /// Location of the definition after the group was dropped.
    pub(crate) fn dropped_definition(&self) -> Path {
        Path::from(format!("{}/{DROPPED_DEFINITION}", self.key))
    }
}

/// Version in the name of a commit (`00000000000000000012.json`), if it is one.
pub(crate) fn version_of(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// Name of a new data file, relative to the data folder, from the latest event in it.
pub(crate) fn data_file_name(latest: EventTime, token: &str) -> String {
    let (year, month, day, hour) = latest.year_month_day_hour();
    let second_of_hour = latest.unix_seconds().rem_euclid(3_600);
    let (minute, second) = (second_of_hour / 60, second_of_hour % 60);
    format!(
        "year={year:04}/month={month:02}/day={day:02}/hour={hour:02}/{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z_{token}.parquet"
    )
}

/// True for a name that [`data_file_name`] could have made.
pub(crate) fn is_data_file_name(relative: &str) -> bool {
    let Some((folder, name)) = relative.rsplit_once('/') else { return false };
    let Some((stamp, token)) = name.strip_suffix(".parquet").and_then(|name| name.split_once('_')) else { return false };
    let is_stamp = stamp.len() == 16
        && stamp.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    is_stamp && token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()) && folder.starts_with("year=")
}

/// Sixteen letters and digits that no other file has: 74 random bits and the low bits of the clock.
pub(crate) fn new_token() -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = Uuid::now_v7().as_u128();
    let mut token = String::with_capacity(16);
    for _ in 0..16 {
        token.push(DIGITS[(rest % 62) as usize] as char);
        rest /= 62;
    }
    token
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::TimeMode;

    #[test]
    fn names_are_sagemakers() {
        let layout = Layout::new(DEFAULT_ACCOUNT, DEFAULT_REGION).unwrap();
        let created = EventTime::from_unix_seconds(1_718_694_943).unwrap();
        for uri in ["s3://bucket/some/prefix", "s3://bucket/some/prefix/"] {
            let folder = layout.folder_of(uri, &GroupName::parse("Fire-image").unwrap(), created).unwrap();
            assert_eq!(
                folder.resolved_uri(),
                "s3://bucket/some/prefix/000000000000/sagemaker/us-east-1/offline-store/Fire-image-1718694943/data"
            );
            assert_eq!(GroupFolder::of_definition(&folder.definition()), Some(folder));
        }
        let latest = EventTime::parse_text("2026-11-23T09:30:07.5Z", TimeMode::Strict).unwrap();
        assert_eq!(
            data_file_name(latest, "0123456789abcdef"),
            "year=2026/month=11/day=23/hour=09/20261123T093007Z_0123456789abcdef.parquet"
        );
        assert_eq!(data_file_name(EventTime::MIN, "x"), "year=0000/month=01/day=01/hour=00/00000101T000000Z_x.parquet");
        assert_eq!(version_of("00000000000000000012.json"), Some(12));
        assert_eq!(version_of("00000000000000000012.checkpoint.parquet"), None);
    }

    #[test]
    fn names_of_ours_are_told_from_those_of_others() {
        let latest = EventTime::parse_text("2026-11-23T09:30:07Z", TimeMode::Strict).unwrap();
        assert!(
            is_data_file_name(&data_file_name(latest, &new_token())) && is_data_file_name(&data_file_name(EventTime::MIN, &new_token()))
        );
        for other in [
            "part-00000-3f1d5b6e-c000.snappy.parquet",
            "0-3f1d5b6e-0.parquet",
            "year=2026/month=11/part-0_0123456789abcdef.parquet",
            "year=2026/20261123T093007Z_0123456789abcde.parquet",
            "x/20261123T093007Z_0123456789abcdef.parquet",
            "20261123T093007Z_0123456789abcdef.parquet",
        ] {
            assert!(!is_data_file_name(other), "{other}");
        }
    }

    #[test]
    fn no_uri_leaves_the_root() {
        assert_eq!(parse_s3_uri("s3://bucket").unwrap(), "bucket");
        assert_eq!(parse_s3_uri("s3://bucket/").unwrap(), "bucket");
        for bad in [
            "",
            "bucket/key",
            "s3://",
            "s3://b",
            "s3:///etc/passwd",
            "s3://../../etc",
            "s3://Bucket/x",
            "s3://bucket/../x",
            "s3://bucket/a//b",
            "s3://bucket/.",
            "s3://bucket/a b",
            "s3://bucket/a\u{0}b",
            "s3://bucket/a%2e%2e/b",
            "s3://bucket/é",
            "https://bucket/x",
            "s3://bucket/a\\b",
        ] {
            assert!(parse_s3_uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_differ_and_are_letters_and_digits() {
        let tokens: std::collections::HashSet<String> = (0..1000).map(|_| new_token()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}
