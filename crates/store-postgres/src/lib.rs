#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod advice;
mod audit;
mod connections;
mod credentials;
mod documents;
mod error;
mod link;
mod policies;
mod samples;
mod schema;
mod settings;
mod statement;
mod store;
mod subjects;
mod transfer;
mod tree;

pub use schema::{SchemaState, Step};
pub use settings::{ClientCertificate, PostgresSettings, Tls};
pub use statement::STATEMENTS;
pub use store::PostgresStore;
