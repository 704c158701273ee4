//! Checksums of objects: the five that S3 clients send and ask for.
//!
//! A checksum travels as base64 of its bytes, big-endian for the CRCs. That of an object uploaded in parts is either the
//! one of all its bytes, or that of its parts' checksums one after another, with `-<parts>` behind it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// How a checksum is reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 as in zip.
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32C, of Castagnoli.
    #[serde(rename = "CRC32C")]
    Crc32c,
    /// CRC-64 of NVME.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// S3's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries such a checksum.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The element that carries such a checksum.
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// How an object in parts is summed if nobody says how.
    pub fn usual_kind(self) -> ChecksumKind {
        if self == Self::Crc64Nvme { ChecksumKind::FullObject } else { ChecksumKind::Composite }
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ChecksumAlgorithm {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// What a checksum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// All bytes.
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// The checksums of the parts.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl ChecksumKind {
    /// S3's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// A checksum as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was reckoned.
    pub algorithm: ChecksumAlgorithm,
    /// What of.
    pub kind: ChecksumKind,
    /// Its base64, with `-<parts>` for a composite one.
    pub value: String,
}

/// Reckons a checksum over bytes as they come.
#[derive(Clone)]
pub struct Checksummer {
    algorithm: ChecksumAlgorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksummer {
    /// Starts with no bytes.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
            ChecksumAlgorithm::Crc32c => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
            ChecksumAlgorithm::Crc64Nvme => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme)),
            ChecksumAlgorithm::Sha1 => State::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    /// What it reckons.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Takes bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
        }
    }

    /// The bytes of the checksum.
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(digest) => {
                let bytes = digest.finalize().to_be_bytes();
                let width = if self.algorithm == ChecksumAlgorithm::Crc64Nvme { 8 } else { 4 };
                bytes[8 - width..].to_vec()
            }
            State::Sha1(digest) => digest.finalize().to_vec(),
            State::Sha256(digest) => digest.finalize().to_vec(),
        }
    }

    /// The checksum of all bytes.
    pub fn checksum(self) -> Checksum {
        let algorithm = self.algorithm;
        Checksum { algorithm, kind: ChecksumKind::FullObject, value: STANDARD.encode(self.finish()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of CRCs and of FIPS 180, for the bytes they are given for.
    #[test]
    fn checksums_are_those_of_their_standards() {
        for (algorithm, bytes, hex) in [
            (ChecksumAlgorithm::Crc32, &b"123456789"[..], "cbf43926"),
            (ChecksumAlgorithm::Crc32c, b"123456789", "e3069283"),
            (ChecksumAlgorithm::Crc64Nvme, b"123456789", "ae8b14860a799888"),
            (ChecksumAlgorithm::Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (ChecksumAlgorithm::Sha256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            let mut summer = Checksummer::new(algorithm);
            for byte in bytes.chunks(2) {
                summer.update(byte);
            }
            let found: String = summer.finish().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, hex, "{algorithm}");
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
    }
}
