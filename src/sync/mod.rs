//! Sync: what others say of feature groups, brought into the catalog.

pub mod definitions;
