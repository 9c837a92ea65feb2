//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::embedded::{Embedded, Failed};
use crate::keyward::Keyward;
use crate::pages::Pages;
use crate::rehearsal;
use crate::server::{Portal, serve};

/// St Mary Telehealth: a small clinician portal that asks keyward who is there. Its people and patients are fictional.
#[derive(Debug, Parser)]
#[command(name = "keyward-portal", version)]
pub struct Cli {
    /// Where to listen. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where browsers find the portal, if not at http://localhost and the port: such as https://portal.example.org, behind a
    /// proxy that ends TLS. keyward must know it as an origin of passkeys.
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// A keyward that runs already, such as http://127.0.0.1:50051. Without it, one is started within this process.
    #[arg(long, value_name = "URL")]
    pub keyward: Option<String>,
    /// A file with the token by which that keyward knows the portal.
    #[arg(long, value_name = "PATH", requires = "keyward")]
    pub token_file: Option<PathBuf>,
    /// The portal's tenant at keyward.
    #[arg(long, value_name = "NAME", default_value = "st-mary")]
    pub tenant: String,
    /// Where the keyward of this process keeps its data. Without it, everything is gone at the end.
    #[arg(long, value_name = "PATH", conflicts_with = "keyward")]
    pub data_dir: Option<PathBuf>,
    /// Lets colleagues who never were sign in and be attacked first, so that keyward's log has something in it.
    #[arg(long)]
    pub rehearse: bool,
    /// The built pages. Without it, those of the source tree, which are built first where they are missing.
    #[arg(long, value_name = "PATH")]
    pub pages: Option<PathBuf>,
}

/// The pages' source.
const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web");

/// Runs the program.
pub fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let ended = tokio::runtime::Runtime::new()
        .map_err(Failed::from)
        .and_then(|runtime| runtime.block_on(run(&Cli::parse())));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyward-portal: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Failed> {
    let pages = if let Some(folder) = &cli.pages {
        Pages::read(folder)?
    } else {
        Pages::build(Path::new(WEB))?;
        Pages::read(&Path::new(WEB).join("dist"))?
    };
    let listener = TcpListener::bind(cli.listen).await?;
    let port = listener.local_addr()?.port();
    let origin = cli.origin.clone().unwrap_or_else(|| format!("http://localhost:{port}"));
    let embedded = match &cli.keyward {
        Some(_) => None,
        None => Some(Embedded::start(&origin, cli.data_dir.as_deref()).await?),
    };
    let address = match (&cli.keyward, &embedded) {
        (Some(address), _) => address.clone(),
        (None, Some(embedded)) => format!("http://{}", embedded.address()),
        (None, None) => unreachable!("one of them is there"),
    };
    let keyward = Keyward::at(&address, &cli.tenant, token(cli.token_file.as_deref())?.as_deref())?;
    if cli.rehearse {
        let decisions = rehearsal::play(&keyward, &origin).await?;
        println!(
            "Rehearsed: {decisions} decisions about colleagues who never were ({}...)",
            rehearsal::PREFIX
        );
    }
    println!("St Mary Telehealth is open at {origin}\nkeyward answers at {address}\nEnd with Ctrl-C.");
    serve(Portal::new(keyward, pages, origin), listener, told_to_stop()).await?;
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    Ok(())
}

fn token(file: Option<&Path>) -> Result<Option<String>, Failed> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(Some(text.trim().to_owned()))
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
