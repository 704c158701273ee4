//! Bytes of profiles: little-endian numbers, blocks with their length in front, and a checksum.
//!
//! ```text
//! magic 4 bytes · version 1 byte · body · xxh3 of all before, 8 bytes
//! ```
//! The checksum is read first, so a disk's mistake is one clear error. The body is checked all the same: no bytes
//! whatever make a reader panic or ask for more room than they take up themselves.

use xxhash_rust::xxh3::xxh3_64;

use super::wide::Wide;
use crate::model::{Error, ErrorKind, Result};

/// An error of stored bytes.
pub(super) fn corrupt(why: &str) -> Error {
    Error::corrupt("stored statistics can't be read").why(why).remedy("take the statistics again: they are worked out from the data")
}

/// An error of a sketch that only a bug can cause.
pub(super) fn sketch_failed(error: datasketches::error::Error) -> Error {
    Error::internal("a sketch of statistics failed").source(error)
}

/// Writes a body.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(magic: [u8; 4], version: u8) -> Self {
        let mut bytes = magic.to_vec();
        bytes.push(version);
        Self(bytes)
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn signed(&mut self, number: i64) {
        self.number(number as u64);
    }

    pub(super) fn float(&mut self, number: f64) {
        self.number(number.to_bits());
    }

    /// A number of items that follow.
    pub(super) fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(super) fn block(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn wide(&mut self, wide: &Wide) {
        let (start, parts) = wide.significant();
        self.byte(start as u8);
        self.byte(parts.len() as u8);
        parts.iter().for_each(|part| self.number(*part));
    }

    /// Ends with the checksum.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let sum = xxh3_64(&self.0);
        self.number(sum);
        self.0
    }
}

/// Reads a body; every step checks that the bytes are there.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks magic, version and checksum.
    pub(super) fn open(bytes: &'a [u8], magic: [u8; 4], version: u8) -> Result<Self> {
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or_else(|| corrupt("they are cut short"))?;
        let (head, rest) = body.split_first_chunk::<5>().ok_or_else(|| corrupt("they are cut short"))?;
        if head[..4] != magic {
            return Err(corrupt("they are something else"));
        }
        if xxh3_64(body) != u64::from_le_bytes(*sum) {
            return Err(corrupt("their checksum is wrong"));
        }
        if head[4] != version {
            return Err(Error::new(ErrorKind::NewerFormat, format!("statistics of format {} can't be read", head[4]))
                .remedy("use the version of larder that wrote them, or take them again"));
        }
        Ok(Self(rest))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| corrupt("they are cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| corrupt("they are cut short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn signed(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn float(&mut self) -> Result<f64> {
        self.array().map(f64::from_le_bytes)
    }

    /// A number of items of at least `least` bytes each; never more than there are bytes for.
    pub(super) fn length(&mut self, least: usize) -> Result<usize> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        if length.saturating_mul(least) > self.0.len() {
            return Err(corrupt("they are cut short"));
        }
        Ok(length)
    }

    pub(super) fn block(&mut self) -> Result<&'a [u8]> {
        let length = self.length(1)?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.block()?).map_err(|_| corrupt("a text is not UTF-8"))
    }

    pub(super) fn wide(&mut self, limbs: usize) -> Result<Wide> {
        let start = usize::from(self.byte()?);
        let length = usize::from(self.byte()?);
        let mut parts = Vec::with_capacity(length);
        for _ in 0..length {
            parts.push(self.number()?);
        }
        Wide::from_significant(limbs, start, &parts).ok_or_else(|| corrupt("a sum is too long"))
    }

    /// Checks that nothing is left.
    pub(super) fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(corrupt("there are more bytes than were written")) }
    }
}
