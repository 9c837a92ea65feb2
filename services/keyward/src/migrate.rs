//! `keyward migrate`: the schema of the PostgreSQL database.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use keyward_store_postgres::{PostgresStore, SchemaState, Step};

use crate::cli::Outcome;
use crate::compose::postgres_settings;
use crate::settings::{DurableStore, Settings};
use crate::transport::tls;

/// What to do about the schema.
#[derive(Debug, Args)]
pub struct MigrateOptions {
    /// Changes nothing, and says what is to be done. Exit code 1 when servers of this program could not serve.
    #[arg(long)]
    pub check: bool,
}

/// Migrates, or says what would be done.
pub(crate) async fn run(options: &MigrateOptions, settings: &Settings) -> Outcome {
    if settings.store.durable == DurableStore::Embedded {
        println!("store.durable is \"embedded\": its schema is brought forward whenever it is opened");
        return Ok(ExitCode::SUCCESS);
    }
    // Fails when it was installed already, which is as well.
    let _ = Arc::unwrap_or_clone(tls::provider()).install_default();
    let postgres = postgres_settings(&settings.postgres)?;
    if options.check {
        return Ok(check(&PostgresStore::schema(&postgres).await?));
    }
    let steps = PostgresStore::migrate(&postgres).await?;
    if steps.is_empty() {
        println!("the schema is as it should be; nothing was done");
    }
    for Step { version, what } in steps {
        println!("step {version} ({what}): done");
    }
    Ok(ExitCode::SUCCESS)
}

fn check(state: &SchemaState) -> ExitCode {
    let (steps, what_of_it) = match state {
        SchemaState::Current => (&[][..], ""),
        SchemaState::Behind(steps) => (&steps[..], "to come"),
        SchemaState::Expanded(steps) => (&steps[..], "of a newer program, and no obstacle"),
        SchemaState::Ahead(steps) => (&steps[..], "of a newer program"),
    };
    for Step { version, what } in steps {
        println!("step {version} ({what}): {what_of_it}");
    }
    if steps.is_empty() {
        println!("the schema is as it should be");
    }
    if state.served().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
