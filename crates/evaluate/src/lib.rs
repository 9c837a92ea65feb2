#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod all;
mod data;
mod files;
pub mod free_text;
pub mod keystroke;
mod page;
mod plots;
pub mod pointer;
pub mod report;
pub mod session;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use report::Report;

/// What every evaluation is told.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Where to write tables (CSV), plots (SVG) and a page of both; nothing is written without it.
    #[arg(long, value_name = "FOLDER", global = true)]
    pub out: Option<PathBuf>,
    /// Chooses what is drawn by chance: attacks, forgeries, bootstrap samples.
    #[arg(long, value_name = "N", default_value_t = 1, global = true)]
    pub seed: u64,
    /// Shows no progress.
    #[arg(long, global = true)]
    pub quiet: bool,
}

impl Common {
    /// A bar on standard error, which is not drawn where that is no terminal.
    fn progress(&self, steps: usize, what: &str) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg:>28} {bar:32} {pos}/{len}");
        let bar = ProgressBar::new(steps as u64).with_message(what.to_owned());
        if let Ok(style) = style { bar.with_style(style) } else { bar }
    }
}

/// The signals that can be evaluated.
#[derive(Debug, Clone, Subcommand)]
pub enum Signal {
    /// Typing of a known text, on the CMU benchmark's file.
    Keystroke(keystroke::Options),
    /// Typing of any text, on the Buffalo data set by key zones.
    FreeText(free_text::Options),
    /// Pointer movement, on the Balabit data set.
    Pointer(pointer::Options),
    /// Record access within sessions, on synthetic staff and insiders.
    Session(session::Options),
    /// Everything with the data at hand, on one page; what is missing is skipped.
    All(all::Options),
}

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A file that was given could not be read as what it should be.
    #[error("{file}: {problem}", file = .path.display())]
    Data {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A result could not be written.
    #[error("results could not be written")]
    Write(#[from] std::io::Error),
    /// A plot could not be drawn.
    #[error("a plot could not be drawn: {0}")]
    Plot(String),
    /// Options that make no sense together, or with this data.
    #[error("{0}")]
    Options(String),
}

/// Evaluates one signal; prints one line of `name=value` figures for each protocol and detector.
///
/// # Errors
/// [`Failed`], naming the file or the option.
pub fn run(signal: &Signal, common: &Common, out: &mut impl Write) -> Result<(), Failed> {
    evaluate(signal, common, &mut Report::new(common, out))
}

fn evaluate(signal: &Signal, common: &Common, report: &mut Report) -> Result<(), Failed> {
    match signal {
        Signal::Keystroke(options) => keystroke::run(options, common, report),
        Signal::FreeText(options) => free_text::run(options, common, report),
        Signal::Pointer(options) => pointer::run(options, common, report),
        Signal::Session(options) => session::run(options, common, report),
        Signal::All(options) => all::run(options, common, report),
    }
}
