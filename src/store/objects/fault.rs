//! What an operation on objects refuses, in the terms of S3: clients branch on these, so they are told apart here.

use std::fmt;

use crate::model::Error;

/// Result of an operation on objects.
pub type ObjectResult<T> = Result<T, ObjectError>;

/// Why an operation was refused. The names are S3's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Bytes don't have the digest that came with them.
    BadDigest,
    /// There are objects in it.
    BucketNotEmpty,
    /// A part that is not the last has less than 5 MiB.
    EntityTooSmall,
    /// Fewer bytes came than were announced.
    IncompleteBody,
    /// A name that no bucket has.
    InvalidBucketName,
    /// A part that was not uploaded, or with another ETag.
    InvalidPart,
    /// Parts are not in ascending order.
    InvalidPartOrder,
    /// A request that makes no sense, or one this store can't do.
    InvalidRequest,
    /// Longer than a key, or a part of it, may be.
    KeyTooLong,
    /// More metadata than is kept with an object.
    MetadataTooLarge,
    /// No such bucket.
    NoSuchBucket,
    /// No such object.
    NoSuchKey,
    /// No such upload.
    NoSuchUpload,
    /// The object is not the one that was asked to be replaced.
    PreconditionFailed,
    /// Bytes are not those that were signed.
    PayloadMismatch,
}

impl Refusal {
    /// Says it of something.
    pub fn because(self, message: impl Into<String>) -> ObjectError {
        ObjectError::Refused(self, message.into())
    }
}

/// An operation that did not do what it was asked.
#[derive(Debug)]
pub enum ObjectError {
    /// The request is at fault; the text says what of it.
    Refused(Refusal, String),
    /// The store is.
    Failed(Error),
}

impl From<Error> for ObjectError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ObjectError> for Error {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Refused(Refusal::NoSuchBucket | Refusal::NoSuchKey | Refusal::NoSuchUpload, text) => Self::not_found(text),
            ObjectError::Refused(_, text) => Self::invalid(text),
            ObjectError::Failed(error) => error,
        }
    }
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_, text) => f.write_str(text),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ObjectError {}
