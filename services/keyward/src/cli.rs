//! The command line.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use keyward_keys::RingProvider;
use keyward_store_embedded::EmbeddedStore;
use tokio::signal::unix::{SignalKind, signal};

use crate::audit::AuditCommand;
use crate::bench::{BenchOptions, EchoOptions};
use crate::compose::compose;
use crate::demo::TryOptions;
use crate::keys::KeysCommand;
use crate::migrate::MigrateOptions;
use crate::observability::Telemetry;
use crate::settings::{Settings, Sources};
use crate::transfer::{ExportOptions, ImportOptions};
use crate::transport::{Drained, Reload, serve, tls};
use crate::{audit, bench, demo, doctor, keys, migrate, probe, settings, startup, transfer};

/// Behavioural authentication for healthcare: ALLOW, STEP_UP or DENY. Without a command, serves.
#[derive(Debug, Parser)]
#[command(name = "keyward", version)]
pub struct Cli {
    /// Where settings come from.
    #[command(flatten)]
    pub layers: Layers,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where settings come from.
#[derive(Debug, Args)]
pub struct Layers {
    /// A settings file (TOML); `keyward config sample` prints one.
    #[arg(long, value_name = "PATH", env = "KEYWARD_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Sets one key, such as server.max_in_flight=64. May be repeated.
    #[arg(long, value_name = "SECTION.KEY=VALUE", global = true)]
    pub set: Vec<String>,
    /// Short for --set server.listen=ADDRESS.
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub listen: Option<String>,
    /// Short for --set store.data_dir=PATH.
    #[arg(long, value_name = "PATH", global = true)]
    pub data_dir: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve gRPC (the default).
    Serve,
    /// Make the schema of the PostgreSQL database, or bring it forward; says what it did. Safe beside running servers.
    Migrate(MigrateOptions),
    /// Write everything that lasts into a file, to be imported elsewhere. The servers must be stopped.
    Export(ExportOptions),
    /// Fill an empty store from a file that `export` wrote, all or nothing, and compare. The servers must be stopped.
    Import(ImportOptions),
    /// Look at settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make the keys that replicas share; rotate those that wrap everybody's data keys, beside running servers.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The tamper-evident log: export it, verify an export offline, show checkpoint and key.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Tell what is wrong with this deployment. Exit code 1 when something would fail.
    Doctor,
    /// Copy the embedded store into a folder, beside a running server. The keys are not in the copy.
    Backup {
        /// The folder; it is made where it is missing, and must not hold a store.
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
    /// Ask a running deployment for a real decision. Exit code 1 when the answer is not ALLOW.
    Probe(probe::ProbeOptions),
    /// Show the main job in under a minute: a clinician, her passkey, her typing, and an impostor.
    Try(TryOptions),
    /// Measure this build on this machine: one `name=value` line a figure, ratios beside their bars.
    Bench(BenchOptions),
    /// Measure what the models are worth, on recordings of real people: one line of figures a detector.
    Evaluate {
        /// Which signal.
        #[command(subcommand)]
        signal: keyward_evaluate::Signal,
        /// What every evaluation is told.
        #[command(flatten)]
        common: keyward_evaluate::Common,
    },
    /// Serve the yardsticks of `bench`.
    #[command(hide = true)]
    BenchEcho(EchoOptions),
}

/// Commands about settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every key with its documentation and default.
    Sample,
    /// Read all layers and say whether they are sound, without opening any file that they name.
    Check,
}

/// How a command ends.
pub(crate) type Outcome = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    run(&cli).unwrap_or_else(|error| {
        eprintln!("keyward: {error}");
        ExitCode::FAILURE
    })
}

fn run(cli: &Cli) -> Outcome {
    let sources = cli.layers.sources();
    match &cli.command {
        None | Some(Command::Serve) => runtime()?.block_on(serve_until_told(&Settings::load(&sources)?)),
        Some(Command::Migrate(options)) => {
            runtime()?.block_on(migrate::run(options, &Settings::load(&sources)?))
        }
        Some(Command::Export(options)) => {
            runtime()?.block_on(transfer::export(options, &Settings::load(&sources)?))
        }
        Some(Command::Import(options)) => {
            runtime()?.block_on(transfer::import(options, &Settings::load(&sources)?))
        }
        Some(Command::Config(ConfigCommand::Sample)) => {
            print!("{}", settings::sample());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Config(ConfigCommand::Check)) => {
            Settings::load(&sources)?;
            println!("settings are sound");
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Keys(command)) => {
            let settings = Settings::load(&sources)?;
            runtime()?.block_on(keys::run(command, &settings, &mut std::io::stdout()))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Audit(command)) => {
            if let Some(outcome) = audit::offline(command, &mut std::io::stdout()) {
                return outcome;
            }
            let settings = Settings::load(&sources)?;
            runtime()?.block_on(audit::run(command, &settings, &mut std::io::stdout()))
        }
        Some(Command::Doctor) => {
            let findings = runtime()?.block_on(doctor::examine(&sources));
            print!("{}", doctor::report(&findings));
            Ok(if doctor::failed(&findings) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Some(Command::Backup { to }) => {
            let store = Settings::load(&sources)?.store;
            if store.durable == settings::DurableStore::Postgres {
                return Err("store.durable is \"postgres\", which keyward does not copy: back the database up with pg_dump or \
                            WAL archiving, as deploy/runbooks/restore.md says".into());
            }
            let from = store.data_dir;
            runtime()?
                .block_on(EmbeddedStore::copy(&from, to))
                .map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))?;
            println!("copied {} to {}; keep the keys apart from it", from.display(), to.display());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Probe(options)) => {
            // Fails when it was installed already, which is as well.
            let _ = Arc::unwrap_or_clone(tls::provider()).install_default();
            let well = runtime()?.block_on(probe::run(options))?;
            Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(Command::Try(options)) => {
            let out = std::io::stdout();
            let colour = out.is_terminal();
            let as_told = runtime()?.block_on(demo::run(options, out, colour))?;
            Ok(if as_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(Command::Bench(options)) => {
            bench::run(options, &mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Evaluate { signal, common }) => {
            keyward_evaluate::run(signal, common, &mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::BenchEcho(options)) => {
            runtime()?.block_on(bench::serve_echo(options))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

impl Layers {
    /// The layers, with this process's environment. Variables that are not UTF-8 cannot be ours.
    pub fn sources(&self) -> Sources {
        let short = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}={value}"));
        let flags = self.set.iter().cloned();
        let flags =
            flags.chain(short("server.listen", &self.listen)).chain(short("store.data_dir", &self.data_dir));
        let environment = std::env::vars_os();
        let environment =
            environment.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Sources { file: self.config.clone(), environment: environment.collect(), flags: flags.collect() }
    }
}

async fn serve_until_told(settings: &Settings) -> Outcome {
    // Fails when it was installed already, which is as well.
    let _ = Arc::unwrap_or_clone(tls::provider()).install_default();
    let telemetry = Telemetry::start(&settings.telemetry)?;
    telemetry.metrics().friction_budget(settings.assessment.friction_budget);
    let composed = compose(settings, telemetry.metrics()).await?;
    let serving = serve(settings, composed.app(settings), &telemetry, told_to_stop()?).await?;
    if settings.callers.is_empty() {
        tracing::warn!("no callers are set: whoever can connect on this machine may act for every tenant");
    }
    reload_on_hangup(serving.reload.clone(), composed.ring.clone())?;
    print!("{}", startup::banner(settings, &serving));
    let drained = serving.finished().await?;
    composed.engine.learned().await;
    // The last records get their checkpoint now rather than at the next start.
    if let Err(error) = composed.engine.integrate_log().await {
        tracing::warn!(%error, "the last audit records are not in a checkpoint yet");
    }
    composed.store.close().await;
    tokio::task::spawn_blocking(move || telemetry.shutdown()).await?;
    Ok(match drained {
        Drained::All => ExitCode::SUCCESS,
        Drained::Partly => {
            eprintln!("keyward: some calls were not finished within server.drain_ms");
            ExitCode::FAILURE
        }
    })
}

fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
    })
}

fn reload_on_hangup(reload: Reload, ring: Option<Arc<RingProvider>>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload.reload_and_tell("SIGHUP");
            // It says itself what came of it.
            ring.as_ref().map(|ring| ring.refresh());
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_serves_and_flags_become_settings() {
        let cli = Cli::parse_from([
            "keyward",
            "--listen",
            "127.0.0.1:7",
            "--data-dir",
            "d",
            "--set",
            "server.listen=x",
        ]);
        assert!(cli.command.is_none());
        let flags = cli.layers.sources().flags;
        assert_eq!(flags, ["server.listen=x", "server.listen=127.0.0.1:7", "store.data_dir=d"]);
    }
}
