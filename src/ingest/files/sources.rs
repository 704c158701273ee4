//! From FILE arguments to a list of inputs: paths, globs, folders and `-`, each with format and compression.
//!
//! An [`Input`] can be opened any number of times and always yields the same bytes: standard input and named
//! pipes are copied to a temporary file first, since a schema is inferred in one reading and loaded in
//! another. Its identity (path, size and time of change, or a hash of what came through the pipe) tells a
//! load that is run again whether it is the same load. The format follows the file's extension, and the first
//! bytes where there is none; compression always follows the first bytes, because no text starts like them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::Xxh3;

use crate::model::{Error, Result};

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Text with a header line; the byte between fields.
    Csv {
        /// `,` or a tab.
        delimiter: u8,
    },
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "parquet" | "pq" | "parq" => Some(Self::Parquet),
            "csv" => Some(Self::Csv { delimiter: b',' }),
            "tsv" | "tab" => Some(Self::Csv { delimiter: b'\t' }),
            "json" | "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// How the bytes of a text file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one member or several.
    Gzip,
    /// Zstandard, one frame or several.
    Zstd,
}

/// A file to read rows from.
#[derive(Debug, Clone)]
pub struct Input {
    /// What errors call it: the path as it was given, or `stdin`.
    pub name: String,
    /// Where its bytes are.
    pub path: PathBuf,
    /// How its rows are written.
    pub format: Format,
    /// How its bytes are packed.
    pub compression: Compression,
    /// Its size on disk.
    pub bytes: u64,
    /// Equal for two inputs only if they hold the same bytes, as far as size and time of change can tell.
    pub identity: String,
    spool: Option<Arc<Spool>>,
}

/// A temporary copy of a stream; removed when the last input that reads it is dropped.
#[derive(Debug)]
struct Spool(PathBuf);

impl Drop for Spool {
    fn drop(&mut self) {
        // A leftover in the temporary folder is the worst that can come of it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the inputs that FILE arguments name, in their order, each file once.
///
/// An argument is the path of a file, of a folder (its Parquet files), a glob, or `-` for standard input.
/// Nothing that matches is an error, as is a file whose format can't be told.
pub fn resolve(arguments: &[String]) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    if arguments.is_empty() {
        return Err(Error::usage("no file was named").remedy("name Parquet, CSV or JSON lines files, a glob, or '-' for standard input"));
    }
    for argument in arguments {
        let found = if argument == "-" {
            if inputs.iter().any(|input| input.name == "stdin") {
                return Err(Error::usage("'-' is given twice").remedy("standard input can be read once"));
            }
            vec![spool(&mut std::io::stdin().lock(), "stdin")?]
        } else {
            expand(argument)?.iter().map(|path| open_input(path)).collect::<Result<_>>()?
        };
        for input in found {
            if !inputs.iter().any(|known| known.path == input.path) {
                inputs.push(input);
            }
        }
    }
    Ok(inputs)
}

/// Paths of files that one argument stands for.
fn expand(argument: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(argument);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return folder(path),
        Ok(_) => return Ok(vec![path.to_owned()]),
        Err(error) if !argument.contains(['*', '?', '[']) => return Err(Error::io(format!("can't read '{argument}'"), error)),
        Err(_) => {}
    }
    let matches = glob::glob(argument).map_err(|error| {
        Error::usage(format!("'{argument}' is not a glob")).why(error.msg).remedy("quote the characters *, ? and [ as [*], [?], [[]")
    })?;
    let mut files = Vec::new();
    for entry in matches {
        let path = entry.map_err(|error| {
            let place = format!("can't read '{}'", error.path().display());
            Error::io(place, error.into())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::not_found(format!("no file matches '{argument}'"))
            .remedy("check the pattern; quote it so that the shell leaves it alone"));
    }
    files.sort();
    Ok(files)
}

/// The Parquet files that lie in a folder. A Delta table is refused: some of its files are no longer part of it.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let name = path.display();
    if path.join("_delta_log").is_dir() {
        return Err(Error::invalid(format!("'{name}' is a Delta table"))
            .why("its folder may hold files that are no longer part of the table")
            .remedy("write the rows you want to Parquet files and name those"));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| Error::io(format!("can't read folder '{name}'"), error))? {
        let path = entry.map_err(|error| Error::io(format!("can't read folder '{name}'"), error))?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with(['_', '.']));
        let parquet = path.extension().and_then(|e| e.to_str()).and_then(Format::from_extension) == Some(Format::Parquet);
        if parquet && !hidden && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::not_found(format!("folder '{name}' holds no Parquet file"))
            .remedy(format!("name its files, or a glob such as '{name}/**/*.csv'")));
    }
    files.sort();
    Ok(files)
}

fn open_input(path: &Path) -> Result<Input> {
    let name = path.display().to_string();
    let unreadable = |error| Error::io(format!("can't read '{name}'"), error);
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return spool(&mut file, &name);
    }
    let canonical = path.canonicalize().map_err(unreadable)?;
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0, |age| age.as_nanos());
    let (format, compression) = detect(&canonical, &name, path)?;
    Ok(Input {
        identity: format!("{} {} {changed}", canonical.display(), metadata.len()),
        name,
        path: canonical,
        format,
        compression,
        bytes: metadata.len(),
        spool: None,
    })
}

/// Copies a stream to a temporary file, hashing on the way.
fn spool(stream: &mut dyn Read, name: &str) -> Result<Input> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("larder-{}-{serial}-{:016x}.spool", std::process::id(), rand::random::<u64>()));
    let unwritable = |error| Error::io(format!("can't copy {name} to '{}'", path.display()), error);
    let mut file = File::create_new(&path).map_err(unwritable)?;
    let guard = Arc::new(Spool(path.clone()));
    let mut hash = Xxh3::new();
    let mut bytes = 0u64;
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let read = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io(format!("can't read {name}"), error)),
        };
        hash.update(&buffer[..read]);
        bytes += read as u64;
        file.write_all(&buffer[..read]).map_err(unwritable)?;
    }
    if bytes == 0 {
        return Err(Error::invalid(format!("{name} is empty")).remedy("pipe CSV with a header line, JSON lines or a Parquet file into it"));
    }
    let (format, compression) = detect(&path, name, Path::new(""))?;
    let identity = format!("{name} {bytes} {:032x}", hash.digest128());
    Ok(Input { name: name.to_owned(), path, format, compression, bytes, identity, spool: Some(guard) })
}

/// Tells format and compression of a file; `given` is the path whose extension counts.
fn detect(path: &Path, name: &str, given: &Path) -> Result<(Format, Compression)> {
    let unreadable = |error| Error::io(format!("can't read '{name}'"), error);
    let mut start = Vec::with_capacity(8);
    File::open(path).and_then(|file| file.take(8).read_to_end(&mut start)).map_err(unreadable)?;
    let compression = match start.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ => Compression::None,
    };
    if start.starts_with(b"PAR1") {
        return Ok((Format::Parquet, compression));
    }
    let extension = |path: &Path| path.extension().and_then(|extension| extension.to_str()).map(str::to_owned);
    let last = extension(given).unwrap_or_default();
    let packed = matches!(last.to_ascii_lowercase().as_str(), "gz" | "gzip" | "zst" | "zstd");
    if packed && compression == Compression::None && !start.is_empty() {
        return Err(Error::invalid(format!("'{name}' is not compressed as .{last}"))
            .remedy("check that the file is whole, or name it without that ending"));
    }
    let named = if packed { given.file_stem().and_then(|stem| extension(Path::new(stem))) } else { Some(last) };
    let format = match named.as_deref().and_then(Format::from_extension) {
        Some(format) => format,
        None => sniff(&mut unpack(path, compression, &Arc::default()).map_err(unreadable)?).map_err(unreadable)?.ok_or_else(|| {
            Error::invalid(format!("the format of '{name}' can't be told"))
                .remedy("give it an ending: .parquet, .csv, .tsv, .jsonl (also .gz, .zst)")
        })?,
    };
    if format == Format::Parquet && compression != Compression::None {
        return Err(
            Error::invalid(format!("'{name}' is a compressed Parquet file")).remedy("unpack it first: Parquet is compressed inside")
        );
    }
    Ok((format, compression))
}

/// Tells the format by the first bytes: Parquet by its magic, JSON lines by `{`, else CSV if it is text.
fn sniff(stream: &mut dyn BufRead) -> std::io::Result<Option<Format>> {
    let mut start = Vec::new();
    stream.take(1 << 16).read_to_end(&mut start)?;
    if start.starts_with(b"PAR1") {
        return Ok(Some(Format::Parquet));
    }
    if start.is_empty() || start.contains(&0) {
        return Ok(None);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        return Ok(Some(Format::JsonLines));
    }
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if header.contains(&b'\t') && !header.contains(&b',') { b'\t' } else { b',' };
    Ok(Some(Format::Csv { delimiter }))
}

/// Counts what is read from the disk, for progress.
struct Counting<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn unpack(path: &Path, compression: Compression, count: &Arc<AtomicU64>) -> std::io::Result<Box<dyn BufRead + Send>> {
    let file = BufReader::with_capacity(1 << 17, Counting { inner: File::open(path)?, count: Arc::clone(count) });
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(BufReader::with_capacity(1 << 17, flate2::bufread::MultiGzDecoder::new(file))),
        Compression::Zstd => Box::new(BufReader::with_capacity(1 << 17, zstd::stream::read::Decoder::with_buffer(file)?)),
    })
}

impl Input {
    /// Opens a text input from its start, unpacked; bytes read from disk are added to `count`.
    pub(super) fn open_text(&self, count: &Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>> {
        unpack(&self.path, self.compression, count).map_err(|error| self.unreadable(error))
    }

    /// Opens the bytes as they lie on disk.
    pub fn open_file(&self) -> Result<File> {
        File::open(&self.path).map_err(|error| self.unreadable(error))
    }

    /// True if the bytes came through a pipe and can't be asked for again.
    pub fn is_stream(&self) -> bool {
        self.spool.is_some()
    }

    pub(super) fn unreadable(&self, error: std::io::Error) -> Error {
        let packed = self.compression != Compression::None;
        let broken = matches!(
            error.kind(),
            std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::InvalidData
                | std::io::ErrorKind::InvalidInput
                | std::io::ErrorKind::Other
        );
        if packed && broken {
            return Error::invalid(format!("can't unpack '{}'", self.name))
                .source(error)
                .remedy("the file looks damaged or cut short: copy it again");
        }
        Error::io(format!("can't read '{}'", self.name), error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn fails(argument: String) -> String {
        resolve(&[argument]).unwrap_err().to_string()
    }

    #[test]
    fn tells_format_by_extension_and_by_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let gz = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"a,b\n1,2\n").unwrap();
            encoder.finish().unwrap()
        };
        let cases: [(&str, &[u8], Format); 7] = [
            ("a.CSV", b"a\n", Format::Csv { delimiter: b',' }),
            ("a.tsv", b"a\n", Format::Csv { delimiter: b'\t' }),
            ("a.ndjson", b"{}", Format::JsonLines),
            ("plain", b"a,b\n", Format::Csv { delimiter: b',' }),
            ("tabs", b"a\tb\n", Format::Csv { delimiter: b'\t' }),
            ("lines", b"\n {\"a\":1}", Format::JsonLines),
            ("packed", &gz, Format::Csv { delimiter: b',' }),
        ];
        for (name, bytes, format) in cases {
            let inputs = resolve(&[write(folder.path(), name, bytes)]).unwrap();
            assert_eq!(inputs[0].format, format, "{name}");
        }
        assert!(fails(write(folder.path(), "b.csv.gz", b"a,b\n")).contains("not compressed as .gz"));
        assert!(fails(write(folder.path(), "binary", &[1, 0, 2])).contains("can't be told"));
    }

    #[test]
    fn globs_are_sorted_and_a_file_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let b = write(folder.path(), "b.csv", b"a\n");
        write(folder.path(), "a.csv", b"a\n");
        let inputs = resolve(&[format!("{}/*.csv", folder.path().display()), b]).unwrap();
        let names: Vec<_> = inputs.iter().map(|input| input.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.csv", "b.csv"]);
    }

    #[test]
    fn says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        assert!(fails(format!("{root}/none.csv")).contains("none.csv"));
        assert!(fails(format!("{root}/*.csv")).contains("no file matches"));
        assert!(fails(root.clone()).contains("holds no Parquet file"));
        std::fs::create_dir(folder.path().join("_delta_log")).unwrap();
        assert!(fails(root).contains("Delta table"));
        assert!(resolve(&[]).is_err());
    }

    #[test]
    fn a_stream_is_kept_while_it_is_used_and_told_apart_by_content() {
        let input = spool(&mut &b"a,b\n1,2\n"[..], "stdin").unwrap();
        let same = spool(&mut &b"a,b\n1,2\n"[..], "stdin").unwrap();
        let other = spool(&mut &b"a,b\n1,3\n"[..], "stdin").unwrap();
        assert_eq!(input.identity, same.identity);
        assert_ne!(input.identity, other.identity);
        assert!(input.is_stream());
        for _ in 0..2 {
            let mut text = String::new();
            input.open_text(&Arc::default()).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "a,b\n1,2\n");
        }
        let path = input.path.clone();
        drop(input);
        assert!(!path.exists());
        assert!(spool(&mut &b""[..], "stdin").is_err());
    }
}
