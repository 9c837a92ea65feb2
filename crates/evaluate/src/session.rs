//! Login context and record access, on a generator.

use std::path::PathBuf;

use clap::Args;

use crate::report::Report;
use crate::{Common, Failed};

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The data.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
}

/// Runs the protocol that the options name.
///
/// # Errors
/// [`Failed`], naming the file or the option.
pub fn run(options: &Options, _common: &Common, _report: &mut Report) -> Result<(), Failed> {
    Err(Failed::Options(format!("not evaluated yet: {}", options.data.display())))
}
