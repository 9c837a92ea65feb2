//! `keyward audit`: the log as files that others can check, and the check itself.

mod archive;
mod export;
mod policy;
mod record;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use keyward_audit::{Trusted, Verification, VerifierKey, verify};

use crate::compose::{log_settings, open_durable};
use crate::settings::Settings;
use archive::Folder;
pub use record::CheckOptions;

/// Findings that are printed one by one.
const SHOWN: usize = 50;

/// Commands about the tamper-evident log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write checkpoint, tiles and entries as files (C2SP tlog-tiles), up to the newest checkpoint. The server may run.
    Export {
        /// The folder; made where it is missing. One that holds an earlier export of this log is brought up to date.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Check an export, offline. Exit code 1 when anything was changed, removed or moved, and says what.
    Verify(VerifyOptions),
    /// Check one record with its proof, offline, and print it as it was committed to. Exit code 1 when it does not hold.
    Check(CheckOptions),
    /// Print a policy set that was in force, as it was read; without a digest, list them, the oldest first.
    Policy {
        /// The digest that a decision's record names, or its first eight digits or more.
        #[arg(value_name = "DIGEST")]
        digest: Option<String>,
    },
    /// Print the newest checkpoint.
    Checkpoint,
    /// Print the public key that checkpoints are signed with, for `verify --key` and for witnesses.
    Key,
}

/// What to check, and against what.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    /// The exported folder.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The log's public key, as `keyward audit key` prints it. Keep it apart from the log. Without it, the checkpoint is
    /// taken at its word.
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// A checkpoint that was kept from an earlier time: the log must have grown from it.
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
}

pub(crate) type Outcome = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// Runs a command that needs no settings and no store: what is checked may have come from elsewhere. None for the others.
pub fn offline(command: &AuditCommand, out: &mut impl Write) -> Option<Outcome> {
    match command {
        AuditCommand::Verify(options) => Some(check(options, out)),
        AuditCommand::Check(options) => Some(record::check(options, out)),
        AuditCommand::Export { .. }
        | AuditCommand::Policy { .. }
        | AuditCommand::Checkpoint
        | AuditCommand::Key => None,
    }
}

/// Checks an export. Needs no settings and no store.
///
/// # Errors
/// When the key or the earlier checkpoint cannot be read, or `out` cannot be written.
fn check(options: &VerifyOptions, out: &mut impl Write) -> Outcome {
    let key = options.key.as_deref().map(VerifierKey::parse).transpose()?;
    let previous = options.previous.as_ref().map(std::fs::read_to_string).transpose()?;
    let trusted = Trusted { key: key.as_ref(), previous: previous.as_deref() };
    let bar = progress("records verified");
    let verified = verify(&Folder::new(&options.dir), &trusted, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    report(&verified, key.is_some(), out)?;
    Ok(if verified.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(verified: &Verification, signed: bool, out: &mut impl Write) -> io::Result<()> {
    for finding in verified.findings.iter().take(SHOWN) {
        writeln!(out, "WRONG  {finding}")?;
    }
    if let more @ 1.. = verified.findings.len().saturating_sub(SHOWN) {
        writeln!(out, "WRONG  and {more} more")?;
    }
    let Some(checkpoint) = verified.checkpoint.as_ref().filter(|_| verified.findings.is_empty()) else {
        return Ok(());
    };
    writeln!(
        out,
        "ok  {} records of {}, none changed, removed or moved",
        checkpoint.size, checkpoint.origin
    )?;
    if !signed {
        writeln!(out, "note: the checkpoint's signature was not checked, for no --key was given")?;
    }
    Ok(())
}

/// Runs a command.
///
/// # Errors
/// When the store, the key or a file cannot be read or written.
pub async fn run(command: &AuditCommand, settings: &Settings, out: &mut impl Write) -> Outcome {
    match command {
        AuditCommand::Verify(_) | AuditCommand::Check(_) => {
            return offline(command, out).unwrap_or(Ok(ExitCode::SUCCESS));
        }
        AuditCommand::Key => {
            let path = settings.audit_signing_key_file();
            if !path.exists() {
                return Err(format!("{}: is not there yet: has `keyward serve` run?", path.display()).into());
            }
            writeln!(out, "{}", log_settings(settings)?.signer.key())?;
        }
        AuditCommand::Checkpoint => {
            let store = open_durable(settings).await?;
            let head = store.head().await?.ok_or("there is no checkpoint yet: has `keyward serve` run?")?;
            write!(out, "{}", head.note)?;
        }
        AuditCommand::Policy { digest } => {
            let store = open_durable(settings).await?;
            match digest {
                Some(digest) => write!(out, "{}", policy::text(&*store, digest).await?)?,
                None => policy::list(&*store, out).await?,
            }
        }
        AuditCommand::Export { out: dir } => {
            let store = open_durable(settings).await?;
            let bar = progress("tiles written");
            let size = export::export(&*store, dir, &bar).await?;
            bar.finish_and_clear();
            writeln!(out, "{size} records exported to {}", dir.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn progress(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {msg} ({eta})");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}
