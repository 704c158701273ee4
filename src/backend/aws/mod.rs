//! Whose keys sign requests to Amazon's services, and to servers that speak like them: the bucket of a store, the AWS source of sync.
//!
//! What must stay true: there is one chain of credentials and one TLS stack, whoever asks; keys are never written anywhere.

mod chain;
mod connector;

pub(crate) use chain::{ChainOptions, HeldKeys, causes, provider, settings};
pub(crate) use connector::is_near;
