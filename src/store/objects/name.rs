//! Buckets and keys, and the file that a key is.
//!
//! A key is split at its slashes, and each piece becomes one name on the disk, the same one for all that people use.
//! What a file can't be called is written with `%` and two digits, and an empty piece is a lone `%`:
//!
//! ```text
//! a/b c.csv       a/b c.csv
//! a//b  a/  /a    a/%/b  a/%  %/a
//! a/../b          a/%2E%2E/b
//! 100%#1          100%25%231      `#` is kept for files that the offline store is writing
//! ```
//!
//! Both ways are one to one: a file whose name no key can have is no object.

use std::fmt;
use std::path::PathBuf;

use super::fault::{ObjectResult, Refusal};

/// Longest key, in bytes.
const LONGEST_KEY: usize = 1_024;
/// Longest name of a file on the file systems there are.
const LONGEST_NAME: usize = 255;

/// The name of a bucket: 3 to 63 lower-case letters, digits, `-` and `.`, a letter or digit at both ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(String);

impl Bucket {
    /// Checks a name.
    ///
    /// # Errors
    /// `InvalidBucketName`.
    pub fn parse(name: &str) -> ObjectResult<Self> {
        match crate::backend::offline::layout::parse_s3_uri(&format!("s3://{name}")) {
            Ok(bucket) if !name.contains('/') => Ok(Self(bucket)),
            _ => Err(Refusal::InvalidBucketName.because(format!(
                "'{}' is no name for a bucket: use 3 to 63 lower-case letters, digits, '-' and '.'",
                name.escape_debug()
            ))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The key of an object in its bucket: any text of 1 to 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Checks a key.
    ///
    /// # Errors
    /// `KeyTooLong`, `InvalidRequest` for an empty one.
    pub fn parse(key: impl Into<String>) -> ObjectResult<Self> {
        let key = key.into();
        if key.is_empty() {
            return Err(Refusal::InvalidRequest.because("the key is empty"));
        }
        if key.len() > LONGEST_KEY {
            return Err(Refusal::KeyTooLong.because(format!("the key has {} bytes, {LONGEST_KEY} are allowed", key.len())));
        }
        Ok(Self(key))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its file lies, below the bucket's folder.
    ///
    /// # Errors
    /// `KeyTooLong` if a piece between slashes is too long for the name of a file.
    pub(super) fn relative_path(&self) -> ObjectResult<PathBuf> {
        let mut path = PathBuf::new();
        for piece in self.0.split('/') {
            let name = file_name(piece);
            if name.len() > LONGEST_NAME {
                return Err(Refusal::KeyTooLong
                    .because(format!("a part of the key between slashes takes {} bytes, {LONGEST_NAME} are possible", name.len())));
            }
            path.push(name);
        }
        Ok(path)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name on disk of a piece of a key.
pub(super) fn file_name(piece: &str) -> String {
    match piece {
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => {
            let mut name = String::with_capacity(piece.len());
            for letter in piece.chars() {
                if is_kept(letter) {
                    name.push(letter);
                } else {
                    let mut bytes = [0; 4];
                    for byte in letter.encode_utf8(&mut bytes).bytes() {
                        name.push_str(&format!("%{byte:02X}"));
                    }
                }
            }
            name
        }
    }
}

fn is_kept(letter: char) -> bool {
    !(letter.is_control() || matches!(letter, '%' | '#' | '\\'))
}

/// The piece of a key that a name on disk stands for; none if it stands for no key.
pub(super) fn piece_of(name: &str) -> Option<String> {
    if name == "%" {
        return Some(String::new());
    }
    let piece = percent_encoding::percent_decode_str(name).decode_utf8().ok()?.into_owned();
    (file_name(&piece) == name).then_some(piece)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Component;

    const KEYS: [&str; 20] = [
        "a",
        "a/b.csv",
        "a b+c=d",
        "a//b",
        "/a",
        "a/",
        "//",
        "..",
        "a/../../b",
        "./a",
        "100%",
        "100%25",
        "a#1",
        "a#",
        "C:\\x",
        "\u{0}",
        "\u{7f}\u{9f}",
        "名前/é",
        "*?<>|\"'",
        "%",
    ];

    #[test]
    fn a_key_is_one_file_within_its_bucket_and_comes_back() {
        let mut paths = std::collections::HashSet::new();
        for key in KEYS {
            let path = ObjectKey::parse(key).unwrap().relative_path().unwrap();
            assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{key}: {}", path.display());
            assert_eq!(path.components().count(), key.split('/').count(), "{key}");
            let pieces: Vec<String> = path.iter().map(|name| piece_of(name.to_str().unwrap()).unwrap()).collect();
            assert_eq!(pieces.join("/"), key);
            assert!(paths.insert(path), "{key}");
        }
    }

    #[test]
    fn names_that_no_key_has_are_no_objects() {
        for name in ["x#123", "100%", "%41", "%zz", "%2e", "a\\b", "%FF"] {
            assert_eq!(piece_of(name), None, "{name}");
        }
    }

    #[test]
    fn names_too_long_are_refused_before_the_disk_refuses_them() {
        assert!(ObjectKey::parse("").is_err());
        assert!(ObjectKey::parse("a".repeat(1_025)).is_err());
        let long = ObjectKey::parse("é".repeat(128)).unwrap();
        assert!(long.relative_path().is_err());
        assert!(ObjectKey::parse("a".repeat(255)).unwrap().relative_path().is_ok());
    }

    #[test]
    fn buckets_are_checked_as_s3_checks_them() {
        for good in ["abc", "sagemaker-us-east-1-000000000000", "a.b.c"] {
            assert_eq!(Bucket::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "ab", "Abc", "..", ".uploads", "a_b", "abc/d", "abc/", "-abc", "a..b"] {
            assert!(Bucket::parse(bad).is_err(), "{bad}");
        }
    }
}
