//! `keyward export` and `keyward import`: everything that lasts, from one store into a file, and from the file into another.

mod format;
mod tally;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use keyward_store::StoreError;
use keyward_store::transfer::{Row, Transfer};
use keyward_store_embedded::EmbeddedStore;
use keyward_store_postgres::PostgresStore;

use crate::cli::Outcome;
use crate::compose::postgres_settings;
use crate::secrets;
use crate::settings::{DurableStore, Settings};
use crate::transport::tls;
use format::{Beginning, End, Line, Totals, VERSION};
use tally::Tally;

/// Rows at a time, in memory and in a statement.
const PAGE: usize = 256;

/// Where to.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// The file to write. It must not exist; it is readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// Where from.
#[derive(Debug, Args)]
pub struct ImportOptions {
    /// A file that `keyward export` wrote.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
}

/// Why a transfer was given up. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
enum TransferError {
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}:{1}: {2}")]
    Line(PathBuf, u64, String),
    #[error("{0}: is not whole: its last line is missing")]
    Cut(PathBuf),
    #[error("the store to be filled is not empty: an import fills an empty one alone")]
    NotEmpty,
    #[error("there is no store in {0}")]
    NoStore(PathBuf),
    #[error("{what} differ: {from} were read, {to} were written")]
    Differs { what: &'static str, from: String, to: String },
}

/// Writes everything of the store that the settings name into a file.
pub(crate) async fn export(options: &ExportOptions, settings: &Settings) -> Outcome {
    stopped();
    let mut source = source(settings).await?;
    let rows = source.counts().await?.total();
    let partial = options.to.with_added_extension("partial");
    let file = |e| TransferError::File(options.to.clone(), e);
    if options.to.exists() {
        return Err(file(io::ErrorKind::AlreadyExists.into()).into());
    }
    let out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial);
    let mut out = BufWriter::new(out.map_err(file)?);
    writeln!(out, "{}", serde_json::to_string(&Beginning { keyward_export: VERSION, rows })?)
        .map_err(file)?;
    let (bar, mut tally) = (bar("exported", rows), Tally::default());
    each(&mut *source, async |row| {
        bar.inc(1);
        Ok(writeln!(out, "{}", tally.line(row)?).map_err(file)?)
    })
    .await?;
    let totals = tally.totals();
    writeln!(out, "{}", serde_json::to_string(&End { end: totals.clone() })?).map_err(file)?;
    out.into_inner().map_err(|e| file(e.into_error()))?.sync_all().map_err(file)?;
    fs::rename(&partial, &options.to).map_err(file)?;
    source.commit().await?;
    bar.finish_and_clear();
    report("exported", &totals);
    println!("The key ring ({}) and the other keys are not in it.", settings.key_ring_file().display());
    Ok(ExitCode::SUCCESS)
}

/// Fills the empty store that the settings name from a file, all or nothing.
pub(crate) async fn import(options: &ImportOptions, settings: &Settings) -> Outcome {
    stopped();
    let mut lines = Lines::open(&options.from)?;
    let mut target = target(settings).await?;
    let bar_in = bar("read", lines.rows);
    let mut page = Vec::with_capacity(PAGE);
    let expected = loop {
        match lines.next()? {
            Next::Row(row) => page.push(row),
            Next::End(totals) => break totals,
        }
        if page.len() == PAGE {
            bar_in.inc(PAGE as u64);
            target.put(std::mem::take(&mut page)).await?;
        }
    };
    target.put(page).await?;
    bar_in.finish_and_clear();
    // What lies in the target is read back, and must be what the file says.
    let (bar_back, mut tally) = (bar("compared", expected.counts().total()), Tally::default());
    each(&mut *target, async |row| {
        bar_back.inc(1);
        tally.line(row)?;
        Ok(())
    })
    .await?;
    let there = tally.totals();
    same(&expected, &there)?;
    target.commit().await?;
    bar_back.finish_and_clear();
    report("imported", &there);
    Ok(ExitCode::SUCCESS)
}

/// Calls with each row of a store in turn, a page in memory.
async fn each(
    store: &mut dyn Transfer,
    mut call: impl AsyncFnMut(Row) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut last = None;
    loop {
        let page = store.rows_after(last.as_ref(), PAGE).await?;
        let Some(end) = page.last().cloned() else { return Ok(()) };
        last = Some(end);
        for row in page {
            call(row).await?;
        }
    }
}

async fn source(settings: &Settings) -> Result<Box<dyn Transfer>, Box<dyn std::error::Error + Send + Sync>> {
    let dir = &settings.store.data_dir;
    Ok(match settings.store.durable {
        DurableStore::Embedded => EmbeddedStore::read_all(dir).await.map_err(|e| match e {
            StoreError::NotFound => TransferError::NoStore(dir.clone()).into(),
            other => Box::<dyn std::error::Error + Send + Sync>::from(other),
        })?,
        DurableStore::Postgres => PostgresStore::read_all(&postgres_settings(&settings.postgres)?).await?,
    })
}

async fn target(settings: &Settings) -> Result<Box<dyn Transfer>, Box<dyn std::error::Error + Send + Sync>> {
    let opened = match settings.store.durable {
        DurableStore::Embedded => {
            secrets::make_folder(&settings.store.data_dir)?;
            EmbeddedStore::fill(&settings.store.data_dir).await
        }
        DurableStore::Postgres => PostgresStore::fill(&postgres_settings(&settings.postgres)?).await,
    };
    opened.map_err(|e| match e {
        StoreError::Exists => TransferError::NotEmpty.into(),
        other => other.into(),
    })
}

fn stopped() {
    // Fails when it was installed already, which is as well.
    let _ = Arc::unwrap_or_clone(tls::provider()).install_default();
    eprintln!("All servers of this deployment must be stopped, and stay so until the new store is served.");
}

/// On a terminal; elsewhere it shows nothing.
fn bar(what: &'static str, rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows {msg}, {eta} to go");
    ProgressBar::new(rows)
        .with_message(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn report(what: &str, totals: &Totals) {
    println!(
        "{what}: {} subjects, {} passkeys, {} versions of documents, {} samples, {} records, {} rows of the tree, {} policy sets",
        totals.subjects,
        totals.credentials,
        totals.documents,
        totals.samples,
        totals.records,
        totals.tree,
        totals.policies
    );
    println!("log root: {}", totals.log_root);
    println!("content:  {}", totals.content);
}

fn same(from: &Totals, to: &Totals) -> Result<(), TransferError> {
    let differs = |what, from: &dyn std::fmt::Debug, to: &dyn std::fmt::Debug| {
        Err(TransferError::Differs { what, from: format!("{from:?}"), to: format!("{to:?}") })
    };
    if from.counts() != to.counts() {
        return differs("counts", &from.counts(), &to.counts());
    }
    if from.log_root != to.log_root {
        return differs("roots of the log", &from.log_root, &to.log_root);
    }
    if from.content != to.content {
        return differs("hashes of the content", &from.content, &to.content);
    }
    Ok(())
}

/// The lines of an export.
struct Lines {
    path: PathBuf,
    rest: io::Lines<BufReader<File>>,
    number: u64,
    rows: u64,
}

enum Next {
    Row(Row),
    End(Totals),
}

impl Lines {
    fn open(path: &Path) -> Result<Self, TransferError> {
        let file = File::open(path).map_err(|e| TransferError::File(path.to_owned(), e))?;
        let mut lines =
            Self { path: path.to_owned(), rest: BufReader::new(file).lines(), number: 0, rows: 0 };
        let text = lines.text()?;
        let beginning: Beginning =
            serde_json::from_str(&text).map_err(|_| lines.wrong("is no export of keyward"))?;
        if beginning.keyward_export != VERSION {
            return Err(lines.wrong(&format!(
                "has form {}, and this program reads form {VERSION}",
                beginning.keyward_export
            )));
        }
        lines.rows = beginning.rows;
        Ok(lines)
    }

    fn next(&mut self) -> Result<Next, TransferError> {
        let text = self.text()?;
        if let Ok(End { end }) = serde_json::from_str(&text) {
            return Ok(Next::End(end));
        }
        // The parser's words may quote what stands there.
        let line: Line = serde_json::from_str(&text).map_err(|_| self.wrong("is no row"))?;
        line.row().map(Next::Row).map_err(|why| self.wrong(why))
    }

    fn text(&mut self) -> Result<String, TransferError> {
        self.number += 1;
        match self.rest.next() {
            Some(Ok(text)) => Ok(text),
            Some(Err(e)) => Err(TransferError::File(self.path.clone(), e)),
            None => Err(TransferError::Cut(self.path.clone())),
        }
    }

    fn wrong(&self, why: &str) -> TransferError {
        TransferError::Line(self.path.clone(), self.number, why.to_owned())
    }
}
