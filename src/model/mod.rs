//! What things are: names, feature types and values, event time, schema, group, record.
//!
//! Nothing here reads a disk, a clock or a socket, so every rule of the store can be tested as a plain
//! function. Text from outside is parsed here, once, into types that cannot be wrong; the layers above do
//! not check again. The rule that decides which of two records is newer lives in [`record`] and nowhere else.

pub mod error;
pub mod evolution;
pub mod expectation;
pub mod feature;
mod features;
pub mod group;
pub mod limits;
pub mod name;
pub mod record;
pub mod schema;
pub mod suggest;
pub mod time;
pub mod ttl;
pub mod value;

pub use error::{Error, ErrorKind, Result};
pub use evolution::RemovedFeature;
pub use expectation::{DriftLimits, Expectation, GroupExpectations, OnViolation, Rule};
pub use feature::{Collection, FeatureDefinition, FeatureType};
pub use features::FeatureKeeper;
pub use group::{Declared, FeatureGroup, GlueTable, GroupId, GroupStatus, OfflineSettings, OnlineSettings, Throughput};
pub use name::{DatasetName, FeatureName, GroupName};
pub use record::{Record, is_newer};
pub use schema::Schema;
pub use time::{Arrival, EventTime, TimeMode};
pub use ttl::Ttl;
pub use value::{FeatureValue, RawValue, Scalar};
