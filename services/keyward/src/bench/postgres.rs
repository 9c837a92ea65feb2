//! PostgreSQL under the bench: the server, and the deployment that is measured moved into it.

use std::path::Path;
use std::process::{Command, Stdio};

use keyward_testkit::{Durability, PostgresError, PostgresServer};

use super::process::without_settings;
use crate::demo::portal::Failed;

/// The database on a server of ours.
const DATABASE: &str = "keyward";

/// Where PostgreSQL is.
pub(super) enum Postgres {
    Off(&'static str),
    Ours(PostgresServer),
    Url(String),
}

impl Postgres {
    /// A server of ours syncs as in production.
    pub(super) async fn find(wanted: &str) -> Result<Self, Failed> {
        match wanted {
            "off" => Ok(Self::Off("off")),
            "auto" => match PostgresServer::start_with(Durability::Synced, |_| Ok(Vec::new())).await {
                Ok(server) => {
                    server.create(DATABASE)?;
                    Ok(Self::Ours(server))
                }
                Err(PostgresError::NotInstalled) => Ok(Self::Off("not installed")),
                Err(error) => Err(error.into()),
            },
            url => Ok(Self::Url(url.to_owned())),
        }
    }

    pub(super) fn url(&self) -> Option<String> {
        match self {
            Self::Off(_) => None,
            Self::Ours(server) => Some(server.url(DATABASE)),
            Self::Url(url) => Some(url.clone()),
        }
    }

    /// What is said of it beside the figures.
    pub(super) fn condition(&self) -> String {
        match self {
            Self::Off(why) => format!("postgres {why}"),
            Self::Ours(_) => "postgres started on the generator's core".to_owned(),
            Self::Url(_) => "postgres given".to_owned(),
        }
    }
}

/// The settings that put durable state there.
pub(super) fn settings(url: &str) -> Vec<String> {
    vec!["store.durable=postgres".to_owned(), "postgres.tls=off".to_owned(), format!("postgres.url={url}")]
}

/// Moves what the data folder holds into an empty database, as an operator would: the same people, the same keys.
pub(super) fn move_in(data: &Path, file: &Path, url: &str) -> Result<(), Failed> {
    let (data, file) = (data.display().to_string(), file.display().to_string());
    let there: Vec<String> = settings(url).into_iter().flat_map(|set| ["--set".to_owned(), set]).collect();
    run(&["export", "--data-dir", &data, "--to", &file], &[])?;
    run(&["migrate", "--data-dir", &data], &there)?;
    run(&["import", "--data-dir", &data, "--from", &file], &there)
}

fn run(arguments: &[&str], settings: &[String]) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    without_settings(&mut command);
    let done = command.args(arguments).args(settings).stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&done.stderr);
    Err(format!("keyward {}: {text}", arguments.first().copied().unwrap_or_default()).into())
}
