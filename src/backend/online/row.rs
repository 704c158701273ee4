//! The row codec: how a record lies in the online store and in the outbox. Version 1.
//!
//! ```text
//!  0  version (1)            16  arrival (8)               36  identifier length I (4)
//!  1  flags (1)              24  expiry, seconds (8)       40  directory: n × end offset (4)
//!  2  features n (2)         32  expiry, nanoseconds (4)       identifier (I)
//!  4  event seconds (8)                                        values
//! 12  event nanoseconds (4)                                    XXH3-64 of everything before (8)
//! ```
//! Little-endian. Flags: 1 tombstone, 2 has an expiry. A directory entry is the end of a value within the values,
//! shifted left by two, or-ed with its kind: 0 null, 1 text, 2 list (a count, then length and bytes of each). So a
//! reader touches only the features it was asked for, and a feature added after the row was written reads null.
//! The checksum is checked at every open: bytes that are not what was written are an error, never a value.

use xxhash_rust::xxh3::xxh3_64;

use crate::model::{Arrival, Error, ErrorKind, EventTime, FeatureValue, RawValue, Record, Result};

const VERSION: u8 = 1;
const HEADER: usize = 40;
const CHECKSUM: usize = 8;
const ARRIVAL: std::ops::Range<usize> = 16..24;

const TOMBSTONE: u8 = 1;
const EXPIRES: u8 = 2;

const NULL: u32 = 0;
const TEXT: u32 = 1;
const LIST: u32 = 2;

/// A row that is written: everything but its arrival, which the transaction stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWriter {
    bytes: Vec<u8>,
    values_at: usize,
}

impl RowWriter {
    /// Begins a row of `width` features; all are null until pushed.
    pub fn new(identifier: &str, event_time: EventTime, width: usize, capacity: usize) -> Self {
        let values_at = HEADER + 4 * width + identifier.len();
        let mut bytes = Vec::with_capacity(values_at + capacity + CHECKSUM);
        bytes.extend_from_slice(&[VERSION, 0]);
        bytes.extend_from_slice(&(width as u16).to_le_bytes());
        bytes.extend_from_slice(&event_time.unix_seconds().to_le_bytes());
        bytes.extend_from_slice(&event_time.subsecond_nanos().to_le_bytes());
        bytes.extend_from_slice(&[0; 20]);
        bytes.extend_from_slice(&(identifier.len() as u32).to_le_bytes());
        bytes.resize(HEADER + 4 * width, 0);
        bytes.extend_from_slice(identifier.as_bytes());
        Self { bytes, values_at }
    }

    /// The row of a checked record.
    pub fn of_record(record: &Record, expires_at: Option<EventTime>, is_tombstone: bool) -> Self {
        let mut row = Self::new(&record.identifier, record.event_time, record.values.len(), 16 * record.values.len());
        for (position, value) in record.values.iter().enumerate() {
            match value {
                None => row.push_null(position),
                Some(FeatureValue::Scalar(scalar)) => row.push_text(position, scalar.text()),
                Some(FeatureValue::Collection(scalars)) => {
                    row.push_list(position, scalars.len(), scalars.iter().map(|scalar| scalar.text()));
                }
            }
        }
        if let Some(expires_at) = expires_at {
            row.set_expiry(expires_at);
        }
        if is_tombstone {
            row.bytes[1] |= TOMBSTONE;
        }
        row
    }

    fn end(&mut self, position: usize, kind: u32) {
        let end = (self.bytes.len() - self.values_at) as u32;
        self.bytes[HEADER + 4 * position..][..4].copy_from_slice(&(end << 2 | kind).to_le_bytes());
    }

    /// Adds a null; positions must be pushed in order, each once.
    pub fn push_null(&mut self, position: usize) {
        self.end(position, NULL);
    }

    /// Adds a text.
    pub fn push_text(&mut self, position: usize, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end(position, TEXT);
    }

    /// Adds a list of `count` texts.
    pub fn push_list<'a>(&mut self, position: usize, count: usize, texts: impl Iterator<Item = &'a str>) {
        self.bytes.extend_from_slice(&(count as u32).to_le_bytes());
        for text in texts {
            self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.end(position, LIST);
    }

    /// Sets the last instant at which the record exists.
    pub fn set_expiry(&mut self, expires_at: EventTime) {
        self.bytes[1] |= EXPIRES;
        self.bytes[24..32].copy_from_slice(&expires_at.unix_seconds().to_le_bytes());
        self.bytes[32..36].copy_from_slice(&expires_at.subsecond_nanos().to_le_bytes());
    }

    /// Text of the record identifier.
    pub fn identifier(&self) -> &str {
        let length = read_u32(&self.bytes, 36) as usize;
        std::str::from_utf8(&self.bytes[self.values_at - length..self.values_at]).unwrap_or_default()
    }

    /// When the record was true.
    pub fn event_time(&self) -> EventTime {
        read_time(&self.bytes, 4).unwrap_or(EventTime::MIN)
    }

    /// True for a delete marker.
    pub fn is_tombstone(&self) -> bool {
        self.bytes[1] & TOMBSTONE != 0
    }

    /// The finished row.
    pub fn stamp(mut self, arrival: Arrival) -> Vec<u8> {
        self.bytes[ARRIVAL].copy_from_slice(&arrival.0.to_le_bytes());
        let checksum = xxh3_64(&self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        self.bytes
    }
}

/// A finished row under another arrival.
pub fn restamped(row: &[u8], arrival: Arrival) -> Result<Vec<u8>> {
    RowView::open(row)?;
    let mut bytes = row[..row.len() - CHECKSUM].to_vec();
    bytes[ARRIVAL].copy_from_slice(&arrival.0.to_le_bytes());
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

fn read_time(bytes: &[u8], at: usize) -> Option<EventTime> {
    EventTime::new(read_u64(bytes, at) as i64, read_u32(bytes, at + 8))
}

/// A row that is read, over the bytes of the store.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    /// Everything before the checksum.
    bytes: &'a [u8],
    width: usize,
    identifier: &'a str,
    event_time: EventTime,
    expires_at: Option<EventTime>,
    values: &'a [u8],
}

impl<'a> RowView<'a> {
    /// Opens a row and checks all of it but the text of its values.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not what was written, `NewerFormat` for another version.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let damaged = |why: &str| Error::corrupt("a row of the online store is damaged").why(why).remedy("run `larder doctor`");
        if bytes.len() < HEADER + CHECKSUM {
            return Err(damaged("it is too short"));
        }
        let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if xxh3_64(body) != read_u64(checksum, 0) {
            return Err(damaged("its checksum is wrong"));
        }
        if body[0] != VERSION {
            return Err(Error::new(ErrorKind::NewerFormat, format!("a row of the online store has format {}", body[0]))
                .why(format!("this version reads {VERSION}"))
                .remedy("use a newer larder"));
        }
        let width = usize::from(u16::from_le_bytes([body[2], body[3]]));
        let identifier_at = HEADER + 4 * width;
        let values_at = identifier_at + read_u32(body, 36) as usize;
        if values_at > body.len() {
            return Err(damaged("its directory is too long"));
        }
        let identifier = std::str::from_utf8(&body[identifier_at..values_at]).map_err(|_| damaged("its identifier is not UTF-8"))?;
        let event_time = read_time(body, 4).ok_or_else(|| damaged("its event time is out of range"))?;
        let expires_at = match body[1] & EXPIRES {
            0 => None,
            _ => Some(read_time(body, 24).ok_or_else(|| damaged("its expiry is out of range"))?),
        };
        Ok(Self { bytes: body, width, identifier, event_time, expires_at, values: &body[values_at..] })
    }

    /// Text of the record identifier.
    pub fn identifier(&self) -> &'a str {
        self.identifier
    }

    /// When it was true.
    pub fn event_time(&self) -> EventTime {
        self.event_time
    }

    /// When it reached the store.
    pub fn arrival(&self) -> Arrival {
        Arrival(read_u64(self.bytes, ARRIVAL.start))
    }

    /// The last instant at which it exists, if it has a ttl.
    pub fn expires_at(&self) -> Option<EventTime> {
        self.expires_at
    }

    /// True for a delete marker.
    pub fn is_tombstone(&self) -> bool {
        self.bytes[1] & TOMBSTONE != 0
    }

    /// True if a look-up at `now` finds it: no tombstone, and its expiry, inclusive, not past.
    pub fn is_live(&self, now: EventTime) -> bool {
        !self.is_tombstone() && self.expires_at.is_none_or(|expires_at| now <= expires_at)
    }

    /// What newer-wins compares.
    pub fn version(&self) -> (EventTime, Arrival) {
        (self.event_time, self.arrival())
    }

    /// Number of features the row knows.
    pub fn width(&self) -> usize {
        self.width
    }

    fn entry(&self, position: usize) -> (u32, &'a [u8]) {
        let end_of = |position: usize| read_u32(self.bytes, HEADER + 4 * position);
        if position >= self.width {
            return (NULL, &[]);
        }
        let entry = end_of(position);
        let start = if position == 0 { 0 } else { end_of(position - 1) >> 2 };
        (entry & 3, self.values.get(start as usize..(entry >> 2) as usize).unwrap_or(&[]))
    }

    /// The text of a feature with one value, without copying; none if it is null or a list.
    pub fn text(&self, position: usize) -> Option<&'a str> {
        match self.entry(position) {
            (TEXT, bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The texts of a list.
    pub fn list(&self, position: usize) -> Option<Vec<&'a str>> {
        let (LIST, bytes) = self.entry(position) else { return None };
        let mut texts = Vec::new();
        let mut at = 4;
        while at + 4 <= bytes.len() {
            let length = read_u32(bytes, at) as usize;
            texts.push(std::str::from_utf8(bytes.get(at + 4..at + 4 + length)?).ok()?);
            at += 4 + length;
        }
        Some(texts)
    }

    /// The value of a feature as it came; none is null.
    pub fn value(&self, position: usize) -> Option<RawValue> {
        match self.entry(position).0 {
            TEXT => self.text(position).map(|text| RawValue::Text(text.to_owned())),
            LIST => self.list(position).map(|texts| RawValue::List(texts.into_iter().map(str::to_owned).collect())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn time(seconds: i64) -> EventTime {
        EventTime::from_unix_seconds(seconds).unwrap()
    }

    fn sample() -> Vec<u8> {
        let mut row = RowWriter::new("C1", time(10), 4, 0);
        row.push_text(0, "C1");
        row.push_null(1);
        row.push_list(2, 2, ["a", ""].into_iter());
        row.push_text(3, "");
        row.set_expiry(time(20));
        assert_eq!(row.identifier(), "C1");
        row.stamp(Arrival(99))
    }

    #[test]
    fn reads_back_what_was_written() {
        let bytes = sample();
        let row = RowView::open(&bytes).unwrap();
        assert_eq!((row.identifier(), row.version(), row.width()), ("C1", (time(10), Arrival(99)), 4));
        assert_eq!(row.value(0), Some(RawValue::Text("C1".into())));
        assert_eq!(row.value(1), None, "null");
        assert_eq!(row.value(2), Some(RawValue::List(vec!["a".into(), String::new()])));
        assert_eq!(row.value(3), Some(RawValue::Text(String::new())), "an empty text is not null");
        assert_eq!(row.value(4), None, "a feature added later");
        assert!(row.is_live(time(20)) && !row.is_live(time(21)), "the expiry is inclusive");
        let again = restamped(&bytes, Arrival(100)).unwrap();
        assert_eq!(RowView::open(&again).unwrap().version(), (time(10), Arrival(100)));
        assert_eq!(restamped(&again, Arrival(99)).unwrap(), bytes);
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let bytes = sample();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(RowView::open(&damaged).is_err(), "byte {at}");
            assert!(RowView::open(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    /// Rows of version 1 must be readable by every later version: these bytes were fixed when the format was.
    #[test]
    fn the_format_stays() {
        let hex: String = sample().iter().map(|byte| format!("{byte:02x}")).collect();
        let body = "01020400\
            0a00000000000000\
            00000000\
            6300000000000000\
            1400000000000000\
            00000000\
            02000000\
            09000000080000003e0000003d000000\
            4331\
            4331\
            02000000010000006100000000";
        assert_eq!(hex[..hex.len() - 16], *body);
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), sealed in any::<bool>()) {
            if sealed {
                let checksum = xxh3_64(&bytes);
                bytes.extend_from_slice(&checksum.to_le_bytes());
            }
            if let Ok(row) = RowView::open(&bytes) {
                for position in 0..row.width().min(50) {
                    let _ = row.value(position);
                }
            }
        }
    }
}
