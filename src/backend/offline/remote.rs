//! The offline store's objects in a bucket: anything that speaks S3 with conditional puts.
//!
//! Inside this program an object is named `bucket/key`, as in a local folder; here the bucket is taken off on the way out and
//! put back on the way in. Every object lies below the URL the store was given: a name outside is refused, because another
//! bucket may have other owners and other rules.
//!
//! What must stay true: exactly one of several creates of a name wins ([`RemoteObjects::probe`] asks the server once);
//! what a put has acknowledged is durable, so nothing is fsynced here. Ranges of one file are fetched together only if what lies between is
//! a small part of them, so that reading some columns does not fetch the others. Data files, which never change, are looked
//! for in the pieces kept on this machine first ([`super::cached`]). Each call that changes something is one step for [`Faults`].

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::bucket_keys::with_keys;
use super::cached::{Held, PieceCache};
use super::durable::from_object_store;
use super::layout::parse_s3_uri;
use crate::backend::faults::{self, Faults};
use crate::model::{Error, ErrorKind, Result};

type StoreResult<T> = object_store::Result<T>;

/// Ranges fetched at once.
const PARALLEL: usize = 8;
/// Bytes between two ranges that are always fetched with them: less than a request costs.
const SMALL_GAP: u64 = 4 << 10;

/// Where a bucket is and how it is reached.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RemoteSettings {
    /// `s3://bucket/prefix`.
    pub url: String,
    /// `http(s)://HOST:PORT` of a server that is not Amazon's.
    pub endpoint: Option<String>,
    /// The bucket's region.
    pub region: Option<String>,
    /// The bucket in the path instead of the host name; true wherever an endpoint is named unless told otherwise.
    pub path_style: Option<bool>,
    /// Allow an endpoint without TLS.
    pub allow_http: bool,
    /// Bytes that pieces of files kept on this machine may take; none is the usual, 0 keeps nothing.
    pub cache: Option<u64>,
}

impl RemoteSettings {
    /// Settings with nothing but the URL.
    ///
    /// # Errors
    /// Usage for a URL of another kind of store, or one that is no bucket.
    pub fn of_url(url: &str) -> Result<Self> {
        let url = url.trim_end_matches('/');
        if let Some((scheme, _)) = url.split_once("://")
            && scheme != "s3"
        {
            let known = ["gs", "az", "abfs", "abfss", "adl", "azure", "gcs"].contains(&scheme);
            let why = if known { "this build speaks S3 only" } else { "it is no object store that is known" };
            return Err(Error::usage(format!("the object store '{}' can't be used", url.escape_debug()))
                .why(why)
                .remedy("write s3://BUCKET/PREFIX; Google's and Azure's stores need a build with their features of object_store"));
        }
        parse_s3_uri(url).map_err(|error| Error::usage(error.to_string()))?;
        Ok(Self { url: url.to_owned(), ..Self::default() })
    }

    /// A client for the bucket. Credentials come from the usual chain: the environment, a profile, single sign-on, a credential
    /// process, a web identity's token, the container's or the machine's role. Nothing is asked of the bucket yet.
    pub async fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let key = parse_s3_uri(&self.url)?;
        let (bucket, _) = key.split_once('/').unwrap_or((&key, ""));
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(path_style) = self.path_style {
            builder = builder.with_virtual_hosted_style_request(!path_style);
        }
        if self.allow_http {
            builder = builder.with_allow_http(true);
        }
        let client = with_keys(builder, &self.url).await?.build().map_err(|error| {
            Error::usage(format!("the object store '{}' can't be used", self.url))
                .source(error)
                .remedy("check [object_store] of larder.toml")
        })?;
        Ok(Arc::new(client))
    }
}

/// Objects of a bucket.
#[derive(Clone)]
pub struct RemoteObjects {
    inner: Arc<dyn ObjectStore>,
    bucket: String,
    /// Bucket and prefix.
    home: String,
    faults: Option<Arc<Faults>>,
    /// Pieces of data files on this machine.
    cache: Option<Arc<PieceCache>>,
}

impl RemoteObjects {
    /// Objects below a URL; `inner` names them without their bucket.
    pub fn new(url: &str, inner: Arc<dyn ObjectStore>, faults: Option<Arc<Faults>>) -> Result<Self> {
        let home = parse_s3_uri(url)?;
        let bucket = home.split('/').next().unwrap_or_default().to_owned();
        Ok(Self { inner, bucket, home, faults, cache: None })
    }

    /// The same objects, whose pieces are looked for on this machine first, and kept there.
    pub fn with_cache(self, cache: Option<Arc<PieceCache>>) -> Self {
        Self { cache, ..self }
    }

    /// Asks the server whether only one of two creates of one name wins.
    ///
    /// # Errors
    /// Invalid if both do: then two machines could overwrite each other's commits. Io if the bucket can't be reached.
    pub async fn probe(&self) -> Result<()> {
        let fault = |error| match error {
            // Not as NotFound: that would pass for a store that was never made.
            object_store::Error::NotFound { .. } => Error::usage(format!("can't keep a store in s3://{}", self.home))
                .why(format!("there is no bucket '{}'", self.bucket))
                .remedy("make the bucket first, or check the name and object_store.endpoint"),
            error => from_object_store(format!("can't write to s3://{}", self.home), error)
                .remedy("check credentials, object_store.endpoint and object_store.region"),
        };
        let location = Path::from(format!("{}/_larder/probe-{}", self.home, uuid::Uuid::now_v7()));
        let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.put_opts(&location, PutPayload::from_static(b"first"), create()).await.map_err(fault)?;
        let second = self.put_opts(&location, PutPayload::from_static(b"second"), create()).await;
        let cleared = self.delete(&location).await;
        match second {
            Err(object_store::Error::AlreadyExists { .. }) => cleared.map_err(fault),
            Err(error) => Err(fault(error)),
            Ok(_) => Err(Error::invalid(format!("s3://{} can't hold a store", self.home))
                .why("its server ignores If-None-Match: of two writers of one commit both would win, and records would be lost")
                .remedy("use a server with conditional puts: Amazon S3, MinIO, Cloudflare R2, `larder serve`")),
        }
    }

    /// The bucket's own names.
    pub(crate) fn physical_store(&self) -> Arc<dyn ObjectStore> {
        self.inner.clone()
    }

    /// Bucket and prefix of the store.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// The URL of a folder.
    pub(crate) fn url_of(&self, folder: &Path) -> Result<url::Url> {
        url::Url::parse(&format!("s3://{folder}/")).map_err(|error| Error::internal(format!("{folder} has no URL")).source(error))
    }

    /// The cache, for a data file.
    fn cache_for(&self, location: &Path) -> Option<Arc<PieceCache>> {
        self.cache.clone().filter(|_| PieceCache::keeps(location))
    }

    /// Ranges of a data file, from this machine where it has them, else fetched and kept.
    async fn pieces(&self, cache: Arc<PieceCache>, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Held>> {
        let physical = self.physical(location)?;
        let (looking, name, wanted) = (cache.clone(), location.clone(), ranges.to_vec());
        let find = move || wanted.iter().map(|range| looking.find(&name, range)).collect::<Vec<_>>();
        let found: Vec<Option<Held>> = blocking(find).await?;
        let missing: Vec<Range<u64>> =
            ranges.iter().zip(&found).filter(|(_, held)| held.is_none()).map(|(range, _)| range.clone()).collect();
        let joined = joined(&missing);
        let fetches = joined.clone().into_iter().map(|range| {
            let (inner, physical) = (self.inner.clone(), physical.clone());
            async move {
                let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
                let fetched = inner.get_opts(&physical, options).await?;
                let (size, modified) = (fetched.meta.size, fetched.meta.last_modified.timestamp_micros());
                Ok::<_, object_store::Error>(Held { bytes: fetched.bytes().await?, size, modified })
            }
        });
        let fetched: Vec<Held> = futures::stream::iter(fetches).buffered(PARALLEL).try_collect().await?;
        let (name, kept) = (location.clone(), joined.iter().cloned().zip(fetched.iter().cloned()).collect::<Vec<_>>());
        if !kept.is_empty() {
            blocking(move || kept.iter().for_each(|(range, held)| cache.keep(&name, range, held))).await?;
        }
        let part = |(range, held): (&Range<u64>, Option<Held>)| held.unwrap_or_else(|| part_of(&joined, &fetched, range));
        Ok(ranges.iter().zip(found).map(part).collect())
    }

    fn physical(&self, location: &Path) -> StoreResult<Path> {
        let name = location.as_ref();
        let is_inside = name.strip_prefix(&self.home).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !is_inside {
            let error = Error::invalid(format!("s3://{name} lies outside the object store s3://{}", self.home))
                .remedy("use a group below it, or another store");
            return Err(error.into());
        }
        Ok(Path::from(name[self.bucket.len()..].trim_start_matches('/')))
    }

    fn logical(&self, location: &Path) -> Path {
        Path::from(format!("{}/{location}", self.bucket))
    }

    fn meta(&self, meta: ObjectMeta) -> ObjectMeta {
        ObjectMeta { location: self.logical(&meta.location), ..meta }
    }

    /// Held bytes as the answer to a get.
    fn as_result(location: &Path, range: Range<u64>, held: Held) -> GetResult {
        let end = range.start + held.bytes.len() as u64;
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: (UNIX_EPOCH + Duration::from_micros(held.modified.max(0).unsigned_abs())).into(),
            size: held.size,
            e_tag: None,
            version: None,
        };
        let bytes = held.bytes;
        GetResult {
            payload: GetResultPayload::Stream(futures::stream::once(async move { Ok(bytes) }).boxed()),
            meta,
            range: range.start..end,
            attributes: Attributes::default(),
        }
    }

    fn prefix(&self, prefix: Option<&Path>) -> StoreResult<Path> {
        match prefix {
            Some(prefix) => self.physical(prefix),
            None => self.physical(&Path::from(self.home.as_str())),
        }
    }
}

/// Joins ranges, sorted by their start, where what lies between is small or at most a tenth of what is wanted on either side.
fn joined(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut out: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        if let Some(last) = out.last_mut()
            && range.start.saturating_sub(last.end) <= SMALL_GAP.max((last.end - last.start).min(range.end - range.start) / 10)
        {
            last.end = last.end.max(range.end);
            continue;
        }
        out.push(range);
    }
    out
}

/// The part of what was fetched that is a range; a file that was cut gives less, and whoever decodes it says so.
fn part_of(joined: &[Range<u64>], fetched: &[Held], range: &Range<u64>) -> Held {
    let at = joined.partition_point(|whole| whole.start <= range.start).saturating_sub(1);
    let held = &fetched[at];
    let end = |offset: u64| ((offset - joined[at].start) as usize).min(held.bytes.len());
    Held { bytes: held.bytes.slice(end(range.start)..end(range.end)), ..held.clone() }
}

/// The range, if nothing else is asked.
fn plain_range(options: &GetOptions) -> Option<Range<u64>> {
    let GetOptions { if_match: None, if_none_match: None, if_modified_since: None, if_unmodified_since: None, version: None, .. } = options
    else {
        return None;
    };
    match &options.range {
        Some(GetRange::Bounded(range)) if !options.head && range.start < range.end => Some(range.clone()),
        _ => None,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> StoreResult<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("reading kept pieces of files stopped").source(error).into())
}

impl fmt::Debug for RemoteObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteObjects(s3://{})", self.home)
    }
}

impl fmt::Display for RemoteObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteObjects(s3://{})", self.home)
    }
}

#[async_trait]
impl ObjectStore for RemoteObjects {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        let physical = self.physical(location)?;
        let put = || self.inner.put_opts(&physical, payload, options);
        faults::step(self.faults.as_deref(), || format!("put {location}"), put).await
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        let physical = self.physical(location)?;
        let begin = || self.inner.put_multipart_opts(&physical, options);
        faults::step(self.faults.as_deref(), || format!("begin {location}"), begin).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        if let (Some(cache), Some(range)) = (self.cache_for(location), plain_range(&options)) {
            let held = self.pieces(cache, location, std::slice::from_ref(&range)).await?;
            if let Some(held) = held.into_iter().next() {
                return Ok(Self::as_result(location, range, held));
            }
        }
        let mut found = self.inner.get_opts(&self.physical(location)?, options).await?;
        found.meta = self.meta(found.meta);
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        if let Some(cache) = self.cache_for(location) {
            let pieces = self.pieces(cache, location, ranges).await?;
            return Ok(pieces.into_iter().map(|held| held.bytes).collect());
        }
        let physical = self.physical(location)?;
        let joined = joined(ranges);
        let fetches = joined.clone().into_iter().map(|range| {
            let (inner, physical) = (self.inner.clone(), physical.clone());
            async move { inner.get_range(&physical, range).await }
        });
        let fetched: Vec<Bytes> = futures::stream::iter(fetches).buffered(PARALLEL).try_collect().await?;
        let part = |range: &Range<u64>| {
            let at = joined.partition_point(|whole| whole.start <= range.start).saturating_sub(1);
            let (from, to) = ((range.start - joined[at].start) as usize, (range.end - joined[at].start) as usize);
            let bytes = &fetched[at];
            // A file that was cut gives less; whoever decodes it says so.
            bytes.slice(from.min(bytes.len())..to.min(bytes.len()))
        };
        Ok(ranges.iter().map(part).collect())
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        let store = self.clone();
        locations
            .and_then(move |location| {
                let store = store.clone();
                async move {
                    let physical = store.physical(&location)?;
                    let name = || format!("delete {location}");
                    faults::step(store.faults.as_deref(), name, || store.inner.delete(&physical)).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let store = self.clone();
        match self.prefix(prefix) {
            Ok(prefix) => self.inner.list(Some(&prefix)).map_ok(move |meta| store.meta(meta)).boxed(),
            Err(error) => futures::stream::once(futures::future::ready(Err(error))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        let mut listed = self.inner.list_with_delimiter(Some(&self.prefix(prefix)?)).await?;
        listed.objects = listed.objects.into_iter().map(|meta| self.meta(meta)).collect();
        listed.common_prefixes = listed.common_prefixes.iter().map(|prefix| self.logical(prefix)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        let (source, target) = (self.physical(from)?, self.physical(to)?);
        faults::step(self.faults.as_deref(), || format!("copy to {to}"), || self.inner.copy_opts(&source, &target, options)).await
    }
}

/// True if a failed create may still take effect: anything but the server's clear refusal.
pub(crate) fn may_have_happened(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ReadOnly | ErrorKind::Invalid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use object_store::memory::InMemory;

    #[test]
    fn ranges_are_joined_only_across_small_gaps() {
        assert_eq!(joined(&[0..10, 10..20]), vec![0..20]);
        assert_eq!(joined(&[500_000..1_000_000, 0..400_000]), vec![0..400_000, 500_000..1_000_000]);
        assert_eq!(joined(&[0..400_000, 430_000..900_000]), vec![0..900_000]);
    }

    #[tokio::test]
    async fn objects_keep_their_bucket_inside_and_lose_it_outside() {
        let inner = Arc::new(InMemory::new());
        let store = RemoteObjects::new("s3://bucket/a/b", inner.clone(), None).unwrap();
        store.probe().await.unwrap();
        store.put(&Path::from("bucket/a/b/x/y"), PutPayload::from_static(b"0123456789")).await.unwrap();
        assert_eq!(inner.get(&Path::from("a/b/x/y")).await.unwrap().bytes().await.unwrap(), "0123456789");
        let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["bucket/a/b/x/y"], "the probe left nothing");
        let parts = store.get_ranges(&Path::from("bucket/a/b/x/y"), &[7..9, 1..3]).await.unwrap();
        assert_eq!(parts, [Bytes::from("78"), Bytes::from("12")]);
        for outside in ["bucket/a/bc/x", "bucket/a", "other/a/b/x"] {
            assert!(store.put(&Path::from(outside), PutPayload::default()).await.is_err(), "{outside}");
        }
    }

    #[test]
    fn stores_this_build_can_not_speak_to_are_named() {
        for url in ["gs://bucket/x", "az://bucket/x", "https://bucket", "s3://B", "bucket"] {
            assert_eq!(RemoteSettings::of_url(url).unwrap_err().kind(), ErrorKind::Usage, "{url}");
        }
        assert_eq!(RemoteSettings::of_url("s3://bucket/x/").unwrap().url, "s3://bucket/x");
    }
}
