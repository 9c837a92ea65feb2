//! `keyward try`: the main job on one clinician, in under a minute, through the real gRPC API on loopback.
//!
//! The server runs in this process with its own settings, in a folder that is removed afterwards. Everything that is
//! printed came back over the wire. The story knows how it should end; where it does not, the program says so and fails.

pub(crate) mod cast;
pub(crate) mod portal;
mod server;
mod story;
mod table;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::clock::SystemClock;
use cast::Cast;
use portal::{Failed, Portal};
use server::Server;
use story::Story;
use table::Table;

/// The page that passkeys are used on: the origin of the default settings.
pub(crate) const ORIGIN: &str = "http://localhost:8080";

/// What to show.
#[derive(Debug, Clone, Default, Args)]
pub struct TryOptions {
    /// Recorded typing in the format of the CMU benchmark's DSL-StrongPasswordData.csv. One subject plays the clinician,
    /// others the impostors; then others play the clinician. Without it the typing is synthetic.
    #[arg(long, value_name = "CSV")]
    pub data: Option<PathBuf>,
    /// The subject of the recordings that plays the clinician of the story: the first whose typing tells them from strangers, unless
    /// named.
    #[arg(long, value_name = "SUBJECT", requires = "data")]
    pub clinician: Option<String>,
    /// Serve metrics on this address meanwhile, to watch dashboards come to life.
    #[arg(long, value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// Chooses the synthetic typists and the passkeys.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub seed: u64,
}

/// Shows the story. Whether it came out as told.
///
/// # Errors
/// When recordings cannot be read, or the server cannot be started or refuses a call.
pub async fn run(options: &TryOptions, out: impl Write, colour: bool) -> Result<bool, Failed> {
    let cast = match &options.data {
        Some(path) => Cast::recorded(path, options.clinician.as_deref())?,
        None => Cast::synthetic(options.seed),
    };
    let server = Server::start(options.http).await?;
    let as_told = show(&cast, &server, options.seed, Table::new(out, colour)).await;
    server.stop().await;
    as_told
}

async fn show(cast: &Cast, server: &Server, seed: u64, mut table: Table<impl Write>) -> Result<bool, Failed> {
    let portal = Portal::connect(server.address(), SystemClock, "try").await?;
    table.text(
        "keyward try: one clinician, her passkey and her typing, before a server of this program's own",
    )?;
    table.text(&format!("(gRPC on {}; its data folder is removed at the end)\n", server.address()))?;
    table.text(&cast.provenance())?;
    let mut story = Story::new(server, portal, cast.roles(), table, seed);
    story.tell().await?;
    story.others(cast).await?;
    story.close(cast)
}
