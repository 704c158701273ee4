//! Rows as Parquet files in a folder of the store, written by whoever has them: this process, or the workers of a cluster.
//!
//! ```text
//! <folder>/_open                               while files may be added
//! <folder>/00003-<uuid>.parquet                its place: in the order of their names they hold the rows in order, if they have one
//! <folder>/_manifest.json                      what they are, once all are there
//! ```
//!
//! What must stay true: a file that was not reported is in no complete folder, though a task may be run twice while the first
//! run goes on unheard. So a writer looks for `_open` once its file is there, and takes the file away again if that is gone;
//! whoever fills the folder removes `_open` first and lists what is there after that. Whichever comes first, one of the two
//! finds the file. Names begin with `_` where readers of such folders are to pass them over.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::AsyncArrowWriter;
use uuid::Uuid;

use super::content_hash::{BlockDigests, BlockHasher, cut};
use super::output::{file_properties, with_unique_names};
use crate::backend::offline::from_object_store;
use crate::model::{Error, ErrorKind, Result};

/// Stands in a folder that is being filled.
const OPEN: &str = "_open";
/// Tells what the files of a complete folder are.
pub const MANIFEST: &str = "_manifest.json";
/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 131_072;
/// How long a folder is left alone that may still be filled.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// A file of rows that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFile {
    /// Its place among the files. Rows without an order come from several writers, each of which counts from 0.
    pub number: u64,
    /// Its name in the folder.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Digests of its columns, if they were asked for: then its rows are one block.
    pub digests: Option<BlockDigests>,
}

/// Rows that lie in such files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRows {
    /// The files, in the order of their rows.
    pub files: Vec<RowFile>,
    /// Rows that found a record, by use of a group, in the order of the request.
    pub matched: Vec<u64>,
}

/// A folder of such files.
#[derive(Debug, Clone)]
pub struct RowFolder {
    objects: Arc<dyn ObjectStore>,
    path: Path,
}

impl RowFolder {
    /// A folder there, whether it exists or not.
    pub fn new(objects: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { objects, path }
    }

    /// Where it lies among the objects.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn object(&self, name: &str) -> Path {
        self.path.clone().join(name)
    }

    fn unwritten(&self, error: object_store::Error) -> Error {
        from_object_store(format!("can't write to {} of the store", self.path), error)
    }

    /// Lets files be added.
    pub async fn open(&self) -> Result<()> {
        let opened = self.objects.put(&self.object(OPEN), PutPayload::default()).await;
        opened.map(drop).map_err(|error| self.unwritten(error))
    }

    async fn is_open(&self) -> Result<bool> {
        match self.objects.head(&self.object(OPEN)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(from_object_store(format!("can't look into {} of the store", self.path), error)),
        }
    }

    /// Lets no more files be added, and removes those that are not to be kept.
    pub async fn close(&self, kept: &[RowFile]) -> Result<()> {
        self.remove_object(&self.object(OPEN)).await?;
        let found: Vec<ObjectMeta> = self.objects.list(Some(&self.path)).try_collect().await.map_err(|error| self.unwritten(error))?;
        for other in found {
            let is_kept = other.location.filename().is_some_and(|name| kept.iter().any(|file| file.name == name));
            if !is_kept {
                self.remove_object(&other.location).await?;
            }
        }
        Ok(())
    }

    /// Removes the folder with everything in it.
    pub async fn remove(&self) -> Result<()> {
        self.close(&[]).await
    }

    /// Says what its files are; what was said before is replaced.
    pub async fn describe(&self, manifest: String) -> Result<()> {
        let put = self.objects.put(&self.object(MANIFEST), PutPayload::from(manifest.into_bytes())).await;
        put.map(drop).map_err(|error| self.unwritten(error))
    }

    async fn remove_object(&self, location: &Path) -> Result<()> {
        match self.objects.delete(location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.unwritten(error)),
        }
    }

    /// Removes what killed processes left below a folder of folders: those without a manifest in which nothing has happened for
    /// a day. Returns how many.
    pub async fn remove_left_behind(objects: &Arc<dyn ObjectStore>, above: &Path) -> Result<usize> {
        let Some(before) = SystemTime::now().checked_sub(LEFT) else { return Ok(0) };
        let fault = |error| from_object_store(format!("can't look into {above} of the store"), error);
        let mut found: Vec<ObjectMeta> = objects.list(Some(above)).try_collect().await.map_err(fault)?;
        found.sort_by(|one, other| one.location.cmp(&other.location));
        let folder = |object: &ObjectMeta| object.location.prefix_match(above).map(|parts| parts.take(2).collect::<Path>());
        let mut removed = 0;
        for files in found.chunk_by(|one, other| folder(one) == folder(other)) {
            let is_complete = files.iter().any(|file| file.location.filename() == Some(MANIFEST));
            if !is_complete && files.iter().all(|file| SystemTime::from(file.last_modified) < before) {
                for file in files {
                    objects.delete(&file.location).await.map_err(fault)?;
                }
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Starts a file; `is_hashed` if its rows are a block whose columns are to be hashed.
    pub fn file(&self, schema: &SchemaRef, number: u64, is_hashed: bool) -> Result<RowFileWriter> {
        let name = format!("{number:05}-{}.parquet", Uuid::now_v7().simple());
        let schema = with_unique_names(schema);
        let out = BufWriter::new(self.objects.clone(), self.object(&name));
        let properties = file_properties(&schema, ROW_GROUP_ROWS);
        let writer = AsyncArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(super::output::unholdable)?;
        let hasher = is_hashed.then(|| BlockHasher::new(&schema));
        Ok(RowFileWriter { folder: self.clone(), number, name, schema, writer, hasher, rows: 0 })
    }
}

/// A file on its way. It is there once it is finished; dropped before, it is not.
pub struct RowFileWriter {
    folder: RowFolder,
    number: u64,
    name: String,
    schema: SchemaRef,
    writer: AsyncArrowWriter<BufWriter>,
    hasher: Option<BlockHasher>,
    rows: u64,
}

impl RowFileWriter {
    /// Its place among the files.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows, whose columns are taken by position.
    pub async fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let rows = super::output::renamed(rows, &self.schema)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.add(&rows)?;
        }
        self.writer.write(&rows).await.map_err(super::output::unholdable)?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// `Conflict` if the folder takes no files any more; the file is gone then.
    pub async fn finish(mut self) -> Result<RowFile> {
        self.writer.finish().await.map_err(super::output::unholdable)?;
        if !self.folder.is_open().await? {
            self.folder.remove_object(&self.folder.object(&self.name)).await?;
            return Err(
                Error::new(ErrorKind::Conflict, format!("nobody waits for rows in {} any more", self.folder.path)).remedy("ask again")
            );
        }
        Ok(RowFile {
            number: self.number,
            name: self.name,
            rows: self.rows,
            bytes: self.writer.bytes_written() as u64,
            digests: self.hasher.map(|hasher| hasher.finish()),
        })
    }
}

/// Rows cut into files of a folder, one after another.
pub struct RowFilesWriter {
    folder: RowFolder,
    schema: SchemaRef,
    file_rows: u64,
    is_hashed: bool,
    next: u64,
    file: Option<RowFileWriter>,
    files: Vec<RowFile>,
}

impl RowFilesWriter {
    /// Files of so many rows, but for the last; `is_hashed` if each is a block whose columns are to be hashed.
    pub fn new(folder: RowFolder, schema: SchemaRef, file_rows: u64, is_hashed: bool) -> Self {
        Self { folder, schema, file_rows, is_hashed, next: 0, file: None, files: Vec::new() }
    }

    /// Rows of the file at hand; none before it is begun.
    pub fn held(&self) -> u64 {
        self.file.as_ref().map_or(0, RowFileWriter::rows)
    }

    /// The number of the file at hand, or of the next one.
    pub fn number(&self) -> u64 {
        self.file.as_ref().map_or(self.next, RowFileWriter::number)
    }

    /// Gives the next file that is begun this number; else it is one more than that before.
    pub fn go_on_at(&mut self, number: u64) {
        self.next = number;
    }

    /// Adds rows, whose columns are taken by position.
    pub async fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        for rows in cut(batch, self.held(), self.file_rows) {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => self.folder.file(&self.schema, self.next, self.is_hashed)?,
            };
            file.add(&rows).await?;
            if file.rows() >= self.file_rows {
                self.done(file).await?;
            } else {
                self.file = Some(file);
            }
        }
        Ok(())
    }

    async fn done(&mut self, file: RowFileWriter) -> Result<()> {
        self.next = file.number() + 1;
        self.files.push(file.finish().await?);
        Ok(())
    }

    /// Completes the last file. Without rows there is none.
    pub async fn finish(mut self) -> Result<Vec<RowFile>> {
        if let Some(file) = self.file.take() {
            self.done(file).await?;
        }
        Ok(self.files)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};
    use object_store::memory::InMemory;

    use super::*;

    fn folder(objects: &Arc<dyn ObjectStore>, path: &str) -> RowFolder {
        RowFolder::new(objects.clone(), Path::from(path))
    }

    async fn names(objects: &Arc<dyn ObjectStore>) -> Vec<String> {
        let found: Vec<ObjectMeta> = objects.list(None).try_collect().await.unwrap();
        found.into_iter().map(|object| object.location.to_string()).collect()
    }

    fn rows() -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef)]).unwrap()
    }

    async fn written(folder: &RowFolder, number: u64) -> Result<RowFile> {
        let mut file = folder.file(&rows().schema(), number, true)?;
        file.add(&rows()).await?;
        file.finish().await
    }

    #[tokio::test]
    async fn only_files_that_were_reported_stay() {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let folder = folder(&objects, "datasets/t/1");
        folder.open().await.unwrap();
        let (kept, _twice) = (written(&folder, 0).await.unwrap(), written(&folder, 0).await.unwrap());
        let mut late = folder.file(&rows().schema(), 1, true).unwrap();
        late.add(&rows()).await.unwrap();
        folder.close(std::slice::from_ref(&kept)).await.unwrap();
        // A task that nobody hears any more ends after that.
        assert_eq!(late.finish().await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(names(&objects).await, [format!("datasets/t/1/{}", kept.name)]);
        let bytes = objects.get(&folder.object(&kept.name)).await.unwrap().bytes().await.unwrap();
        assert_eq!((kept.rows, kept.bytes), (3, bytes.len() as u64));
        let read = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let read: Vec<RecordBatch> = read.map(|batch| batch.unwrap()).collect();
        assert_eq!(read, [rows()]);
        folder.remove().await.unwrap();
        assert_eq!(names(&objects).await, [""; 0]);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_goes_after_a_day_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let objects: Arc<dyn ObjectStore> = Arc::new(object_store::local::LocalFileSystem::new_with_prefix(dir.path()).unwrap());
        for (name, is_complete) in [("old", false), ("complete", true), ("young", false)] {
            let folder = folder(&objects, &format!("datasets/t/{name}"));
            folder.open().await.unwrap();
            let file = written(&folder, 0).await.unwrap();
            if is_complete {
                folder.close(&[file]).await.unwrap();
                folder.describe("{}".to_owned()).await.unwrap();
            }
        }
        let long_ago = SystemTime::now() - 2 * LEFT;
        for name in ["old", "complete"] {
            for entry in std::fs::read_dir(dir.path().join("datasets/t").join(name)).unwrap() {
                std::fs::File::options().write(true).open(entry.unwrap().path()).unwrap().set_modified(long_ago).unwrap();
            }
        }
        assert_eq!(RowFolder::remove_left_behind(&objects, &Path::from("datasets")).await.unwrap(), 1);
        let left = names(&objects).await;
        assert!(left.len() == 4 && !left.iter().any(|name| name.contains("/old/")), "{left:?}");
    }
}
