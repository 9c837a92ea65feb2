//! What callers do, over the wire, in the order of the contract.

mod audit;
mod consent;
mod edge;
mod export;
mod friction;
mod habits;
mod learning;
mod passkeys;
mod records;
mod redis_keys;
mod replicas;
mod rhythm;
mod rights;
mod sessions;
mod step_up;
mod tokens;
mod travel;
