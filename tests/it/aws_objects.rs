//! Objects as S3 has them, over the store's folder. Lists are compared with what sorting all keys gives.

use std::collections::BTreeMap;

use larder::model::{ErrorKind, FeatureDefinition, FeatureName, FeatureType, GroupName, Schema};
use larder::store::objects::{
    Bucket, ChecksumAlgorithm, ChecksumKind, CompletedPart, Expected, ListEntry, ListRequest, ObjectAttributes, ObjectError, ObjectKey,
    Objects, Refusal, WriteCondition,
};
use larder::store::{FeatureStore, NewGroup, OpenOptions};
use md5::{Digest, Md5};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

async fn store(folder: &std::path::Path) -> FeatureStore {
    FeatureStore::open(folder, OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn put(objects: &Objects, bucket: &Bucket, name: &str, bytes: &[u8]) -> Result<(), ObjectError> {
    objects.put(bucket, &key(name), bytes, &ObjectAttributes::default()).map(drop)
}

fn read(objects: &Objects, bucket: &Bucket, name: &str) -> Option<Vec<u8>> {
    match objects.open(bucket, &key(name)) {
        Ok(object) => Some(object.read_at(0, 1 << 24).unwrap()),
        Err(ObjectError::Refused(Refusal::NoSuchKey, _)) => None,
        Err(error) => panic!("{error}"),
    }
}

fn refusal<T>(result: Result<T, ObjectError>) -> Option<Refusal> {
    match result {
        Ok(_) => None,
        Err(ObjectError::Refused(refusal, _)) => Some(refusal),
        Err(error) => panic!("{error}"),
    }
}

/// The list of all keys, by the definition of S3: filter, roll up, sort by bytes, cut.
fn listed(keys: &BTreeMap<String, Vec<u8>>, request: &ListRequest) -> (Vec<String>, bool) {
    let mut names: Vec<String> = Vec::new();
    for key in keys.keys().filter(|key| key.starts_with(&request.prefix)) {
        let rest = &key[request.prefix.len()..];
        let rolled = request.delimiter.as_ref().and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()));
        let name = rolled.map_or(key.clone(), |end| key[..request.prefix.len() + end].to_owned());
        if !names.contains(&name) && request.after.as_ref().is_none_or(|after| name > *after) {
            names.push(name);
        }
    }
    names.sort();
    let is_truncated = names.len() > request.limit;
    names.truncate(request.limit);
    (names, is_truncated)
}

#[tokio::test]
async fn lists_are_those_of_sorted_keys_however_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let objects = store(folder.path()).await.objects();
    let bucket = Bucket::parse("bucket-1").unwrap();
    assert_eq!(refusal(objects.list(&bucket, &ListRequest { limit: 1, ..ListRequest::default() })), Some(Refusal::NoSuchBucket));
    objects.create_bucket(&bucket).unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let pieces = ["a", "b", "a.b", "a-", "", ".", "..", "é", "%", "#1", "x y", "\u{1}", "ab"];
    let mut keys: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for step in 0..600 {
        let depth = random.random_range(1..4);
        let name = (0..depth).map(|_| *pieces.choose(&mut random).unwrap()).collect::<Vec<_>>().join("/");
        if name.is_empty() {
            continue;
        }
        if random.random_bool(0.3) {
            objects.delete(&bucket, &key(&name)).unwrap();
            keys.remove(&name);
        } else {
            let bytes = step.to_string().into_bytes();
            // The one thing that files can't be: an object and the folder of others.
            let clashes = keys.keys().any(|known| known.starts_with(&format!("{name}/")) || name.starts_with(&format!("{known}/")));
            match put(&objects, &bucket, &name, &bytes) {
                Ok(()) => assert!(!clashes, "{name}"),
                Err(ObjectError::Refused(Refusal::InvalidRequest, _)) if clashes => continue,
                Err(error) => panic!("{name}: {error}"),
            }
            keys.insert(name, bytes);
        }
    }
    assert!(keys.len() > 60, "{}", keys.len());
    for (name, bytes) in &keys {
        assert_eq!(read(&objects, &bucket, name).as_ref(), Some(bytes), "{name:?}");
    }
    for prefix in ["", "a", "a/", "a/b", "/", "é/", "zz", "%", ".."] {
        for delimiter in [None, Some("/"), Some("b"), Some("//")] {
            for limit in [1, 2, 7, 1_000] {
                let mut request = ListRequest { prefix: prefix.to_owned(), delimiter: delimiter.map(str::to_owned), after: None, limit };
                loop {
                    let found = objects.list(&bucket, &request).unwrap();
                    let names: Vec<String> = found.entries.iter().map(|entry| entry.name().to_owned()).collect();
                    assert_eq!((names, found.is_truncated), listed(&keys, &request), "{request:?}");
                    for entry in &found.entries {
                        if let ListEntry::Object(name, info) = entry {
                            assert_eq!(info.size, keys[name].len() as u64);
                        }
                    }
                    match found.entries.last() {
                        Some(last) if found.is_truncated => request.after = Some(last.name().to_owned()),
                        _ => break,
                    }
                }
            }
        }
    }
    assert_eq!(refusal(objects.delete_bucket(&bucket)), Some(Refusal::BucketNotEmpty));
    for name in keys.keys() {
        objects.delete(&bucket, &key(name)).unwrap();
    }
    objects.delete_bucket(&bucket).unwrap();
    assert!(!objects.has_bucket(&bucket) && objects.buckets().unwrap().is_empty());
    assert!(std::fs::read_dir(folder.path().join("s3/.uploads")).unwrap().next().is_none(), "nothing is left of what was refused");
}

#[tokio::test]
async fn what_is_not_what_was_announced_leaves_the_old_object() {
    let folder = tempfile::tempdir().unwrap();
    let objects = store(folder.path()).await.objects();
    let bucket = Bucket::parse("bucket-1").unwrap();
    objects.create_bucket(&bucket).unwrap();
    put(&objects, &bucket, "k", b"old").unwrap();
    let etag = objects.info(&bucket, &key("k")).unwrap().etag;
    let md5: [u8; 16] = Md5::digest(b"old").into();
    assert_eq!(etag, md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let wrong = [
        (Expected { size: Some(4), ..Expected::default() }, WriteCondition::Always, Refusal::IncompleteBody),
        (Expected { md5: Some([0; 16]), ..Expected::default() }, WriteCondition::Always, Refusal::BadDigest),
        (Expected { checksum: Some("AAAAAA==".into()), ..Expected::default() }, WriteCondition::Always, Refusal::BadDigest),
        (Expected { signed_sha256: Some([0; 32]), ..Expected::default() }, WriteCondition::Always, Refusal::PayloadMismatch),
        (Expected::default(), WriteCondition::Absent, Refusal::PreconditionFailed),
        (Expected::default(), WriteCondition::Matches("x".into()), Refusal::PreconditionFailed),
    ];
    for (expected, condition, because) in wrong {
        let mut writer = objects.writer(&bucket, Some(ChecksumAlgorithm::Crc32), true).unwrap();
        writer.write(b"new").unwrap();
        let done = writer.finish(&bucket, &key("k"), &expected, &condition, &ObjectAttributes::default());
        assert_eq!(refusal(done), Some(because), "{expected:?}");
        assert_eq!(read(&objects, &bucket, "k").unwrap(), b"old");
    }
    // A reader keeps the version it opened, a dropped writer changes nothing.
    let open = objects.open(&bucket, &key("k")).unwrap();
    let mut writer = objects.writer(&bucket, None, false).unwrap();
    writer.write(b"never").unwrap();
    drop(writer);
    let mut writer = objects.writer(&bucket, None, false).unwrap();
    writer.write(b"new").unwrap();
    writer.finish(&bucket, &key("k"), &Expected::default(), &WriteCondition::Matches(etag), &ObjectAttributes::default()).unwrap();
    assert_eq!((open.read_at(0, 9).unwrap(), read(&objects, &bucket, "k").unwrap()), (b"old".to_vec(), b"new".to_vec()));
    assert!(std::fs::read_dir(folder.path().join("s3/.uploads")).unwrap().next().is_none());
}

#[tokio::test]
async fn parts_become_the_object_they_were_named_for() {
    let folder = tempfile::tempdir().unwrap();
    let objects = store(folder.path()).await.objects();
    let (bucket, name) = (Bucket::parse("bucket-1").unwrap(), key("big/one"));
    objects.create_bucket(&bucket).unwrap();
    let attributes = ObjectAttributes { metadata: [("a".to_owned(), "b".to_owned())].into(), ..ObjectAttributes::default() };
    let checksum = Some((ChecksumAlgorithm::Crc32, ChecksumKind::FullObject));
    let id = objects.create_upload(&bucket, &name, checksum, attributes.clone()).unwrap();
    let large = vec![7; 5 << 20];
    let upload = |number, bytes: &[u8]| {
        let mut writer = objects.part_writer(&bucket, &name, &id, Some(ChecksumAlgorithm::Crc32), false).unwrap();
        writer.write(bytes).unwrap();
        objects.finish_part(&id, number, writer, &Expected::default()).unwrap()
    };
    let completed = |number, etag: &str| CompletedPart { number, etag: etag.to_owned(), checksum: None };
    let complete =
        |parts: &[CompletedPart]| objects.complete_upload(&bucket, &name, &id, parts, &Expected::default(), &WriteCondition::Always);
    let replaced = upload(3, b"first");
    let (tail, head, small) = (upload(3, b"tail"), upload(1, &large), upload(2, b"small"));
    assert_eq!(objects.parts(&bucket, &name, &id).unwrap().iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2, 3]);
    for (parts, because) in [
        (vec![], Refusal::InvalidRequest),
        (vec![completed(3, &tail.etag), completed(1, &head.etag)], Refusal::InvalidPartOrder),
        (vec![completed(1, &head.etag), completed(3, &replaced.etag)], Refusal::InvalidPart),
        (vec![completed(1, &head.etag), completed(4, &tail.etag)], Refusal::InvalidPart),
        (vec![completed(1, "../../../catalog.db")], Refusal::InvalidPart),
        (vec![completed(2, &small.etag), completed(3, &tail.etag)], Refusal::EntityTooSmall),
    ] {
        assert_eq!(refusal(complete(&parts)), Some(because), "{parts:?}");
    }
    assert_eq!(read(&objects, &bucket, "big/one"), None);
    let info = complete(&[completed(1, &head.etag), completed(3, &tail.etag)]).unwrap();
    let whole = [large.as_slice(), b"tail"].concat();
    assert_eq!(read(&objects, &bucket, "big/one").unwrap(), whole);
    let digests = [Md5::digest(&large), Md5::digest(b"tail")].concat();
    assert_eq!(info.etag, format!("{:032x}-2", u128::from_be_bytes(Md5::digest(&digests).into())));
    let read_back = objects.info(&bucket, &name).unwrap();
    assert_eq!((read_back.attributes, read_back.checksum.map(|sum| sum.kind)), (attributes, Some(ChecksumKind::FullObject)));
    assert_eq!(refusal(complete(&[completed(1, &head.etag)])), Some(Refusal::NoSuchUpload));
}

#[tokio::test]
async fn objects_of_any_name_do_not_hide_groups_when_the_catalog_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = store(folder.path()).await;
        let objects = store.objects();
        let bucket = Bucket::parse("larder").unwrap();
        objects.create_bucket(&bucket).unwrap();
        for name in ["a//b", "..", "100%", "h#12", "\u{1}\u{7f}", "名前/é", "a\\b", "x/", "{}[]<>|^`\"?*~ "] {
            put(&objects, &bucket, name, b"x").unwrap();
        }
        let features = ["id", "at"].map(|name| FeatureDefinition::new(FeatureName::parse(name).unwrap(), FeatureType::String));
        let schema = Schema::new(features.to_vec(), "id", "at").unwrap();
        store.create_group(NewGroup::new(GroupName::parse("kept").unwrap(), schema)).await.unwrap();
        store.close().await.unwrap();
    }
    std::fs::remove_file(folder.path().join("catalog.db")).unwrap();
    let reopened = store(folder.path()).await;
    assert!(!reopened.list_groups().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_is_read_only_takes_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Bucket::parse("bucket-1").unwrap();
    store(folder.path()).await.objects().create_bucket(&bucket).unwrap();
    let store = FeatureStore::open(folder.path(), OpenOptions { read_only: true, ..OpenOptions::default() }).await.unwrap();
    match put(&store.objects(), &bucket, "k", b"x") {
        Err(ObjectError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::ReadOnly),
        other => panic!("{other:?}"),
    }
}
