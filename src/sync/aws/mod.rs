//! The kind `aws`: the feature groups of a SageMaker account, over its wire API. A server of this program speaks the same API and is
//! read by the same code (kind `larder` with a URL).
//!
//! ```text
//! place      what LOCATION and options say -> region, profile, endpoint
//! client     one signed request: paced, timed out, repeated where trouble may pass; fault: what the answer means
//! listing    Search, or List where Search is not allowed: which groups there are, and all of them or none
//! groups     DescribeFeatureGroup and ListTags of single groups; metadata: what is written about features
//! account    the source over all of these; record: GetRecord
//! ```
//!
//! Every operation reads. Requests are written by hand: the service's SDK has hundreds of thousands of lines, of which six operations
//! are needed. Credentials come from the usual chain ([`credentials`]) and are never kept.

mod account;
mod client;
mod credentials;
mod fault;
mod groups;
mod listing;
mod metadata;
mod pace;
mod place;
mod record;
mod wire;

pub(super) use account::Account;
pub(super) use place::{AwsPlace, SERVER_OPTIONS};

use super::kinds::{Kind, SourcePlace};
use super::source::Source;
use crate::model::Result;

/// A SageMaker account.
pub(super) const KIND: Kind = Kind {
    name: "aws",
    location: "a SageMaker account: its REGION; ACCOUNT/REGION refuses the keys of others;\n\
               'default' is the region of the profile or the environment",
    options: &[
        ("profile", "profile of ~/.aws for keys and region"),
        ("region", "the region, where LOCATION does not name it"),
        ("endpoint-url", "where requests go in place of Amazon's endpoint"),
        ("feature-metadata", "'no' leaves out what is written about features"),
        ("listing", "'search' where ListFeatureGroups is not to be had"),
        ("rate", "most requests a second [default: 5]"),
        ("timeout", "how long a request may take [default: 30s]"),
        ("attempts", "how often a request is made at most [default: 8]"),
    ],
    settle: place::settle,
    make,
};

fn make(place: &SourcePlace<'_>) -> Result<Box<dyn Source>> {
    Ok(Box::new(Account::new(AwsPlace::of_account(place.location, place.options)?)))
}
