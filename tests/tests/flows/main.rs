//! What callers do, over the wire, in the order of the contract.

mod edge;
mod learning;
mod passkeys;
mod rights;
mod sessions;
mod step_up;
mod tokens;
