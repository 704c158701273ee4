//! The online store in Redis, beyond the contract that all online stores keep (`online_contract`).

mod cluster;
mod crash;
mod rows;
pub mod server;
mod store;
