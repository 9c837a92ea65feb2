//! `keyward keys`: making the keys that replicas share, which keys wrap data keys, and their rotation beside running servers.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use keyward_audit::KeyChange;
use keyward_domain::Entropy;
use keyward_engine::{Engine, KeyUsage, Rewrapping, key_usage};

use crate::clock::SystemEntropy;
use crate::compose::{Composed, Durable, compose, key_provider, make_ring, signing_key};
use crate::observability::Telemetry;
use crate::ring_file::RingFile;
use crate::settings::{HotStore, KeyProvider, Settings};

/// Commands about keys.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeysCommand {
    /// Make the keys that all replicas share (key ring, token signing key, audit signing key), for a secret that each mounts.
    Make {
        /// The folder; it is made where it is missing, and must not hold such keys.
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
    /// Count the data keys that need each wrapping key, and say which key can be retired.
    Status,
    /// Make another key current: the prepared one, else a fresh one. Servers on this machine take it up by themselves.
    Rotate {
        /// Add the key, but do not wrap under it yet: distribute the ring to every server first, then rotate.
        #[arg(long)]
        prepare: bool,
    },
    /// Wrap every data key under the current key, beside running servers. May be interrupted and begun again.
    Rewrap,
    /// Take a key out of the ring, unless some data key needs it.
    Retire {
        /// The key, as `status` names it.
        id: u32,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs a command.
///
/// # Errors
/// What went wrong, for the person at the terminal.
pub async fn run(command: &KeysCommand, settings: &Settings, out: &mut impl Write) -> Result<(), Failure> {
    if let KeysCommand::Make { to } = command {
        return make(to, out);
    }
    let mut settings = settings.clone();
    // Sessions are none of this command's business, so that it works while Redis does not.
    settings.store.hot = HotStore::Embedded;
    if *command == KeysCommand::Status {
        // Without an engine, which does not start when the very key is missing that is looked for.
        write!(out, "{}", status(&usage(&settings).await?))?;
        return Ok(());
    }
    let telemetry = Telemetry::start(&settings.telemetry)?;
    let composed = compose(&settings, telemetry.metrics()).await?;
    let done = act(command, &settings, &composed, out).await;
    composed.engine.learned().await;
    composed.store.close().await;
    tokio::task::spawn_blocking(move || telemetry.shutdown()).await?;
    done
}

async fn act(
    command: &KeysCommand,
    settings: &Settings,
    composed: &Composed,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let engine = &composed.engine;
    match command {
        KeysCommand::Make { to } => make(to, out),
        KeysCommand::Status => Ok(write!(out, "{}", status(&engine.key_usage().await?))?),
        KeysCommand::Rotate { prepare } => rotate(*prepare, settings, engine, out).await,
        KeysCommand::Rewrap => rewrap(engine, out).await,
        KeysCommand::Retire { id } => retire(*id, settings, engine, out).await,
    }
}

/// Makes what replicas share. Keys that are there are left alone: what they sealed opens with them alone.
fn make(folder: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let [ring, token, audit] = ["key-ring", "token-key.der", "audit-key.der"].map(|name| folder.join(name));
    if let Some(there) = [&ring, &token, &audit].into_iter().find(|file| file.exists()) {
        return Err(format!("{}: is there already, and stays as it is", there.display()).into());
    }
    make_ring(&ring, &SystemEntropy)?;
    signing_key(&token)?;
    signing_key(&audit)?;
    writeln!(out, "made key-ring, token-key.der and audit-key.der in {}", folder.display())?;
    writeln!(
        out,
        "Keep a copy apart from backups of the store: without the ring nothing that is sealed opens."
    )?;
    Ok(())
}

/// Which keys are needed, from the store and the provider alone. No store is made or migrated for it.
///
/// # Errors
/// When one of them is not there, cannot be opened or does not answer.
pub async fn usage(settings: &Settings) -> Result<KeyUsage, Failure> {
    let opened =
        Durable::open_existing(settings).await?.ok_or("there is no store yet: has `keyward serve` run?")?;
    let usage = usage_of(settings, &opened).await;
    opened.close().await;
    usage
}

/// The same of a store that is open.
///
/// # Errors
/// As [`usage`].
pub async fn usage_of(settings: &Settings, opened: &Durable) -> Result<KeyUsage, Failure> {
    let store = opened.port();
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let keys = key_provider(settings, &*store, &entropy).await?;
    Ok(key_usage(&*store, &*keys.provider).await?)
}

/// One line a key, and what may be done next.
fn status(usage: &KeyUsage) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (n, key) in usage.has.iter().enumerate() {
        let needed = usage.needed.get(key).copied().unwrap_or(0);
        let role = match (n, needed) {
            (0, _) => "current".to_owned(),
            (_, 0) => format!("not needed: keyward keys retire {key}"),
            (_, _) => "old: keyward keys rewrap".to_owned(),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "key {key:<12} {needed:>10} data keys   {role}");
    }
    for (key, needed) in usage.untold() {
        let _ = writeln!(text, "key {key:<12} {needed:>10} data keys   NOT IN THE RING");
    }
    if usage.damaged > 0 {
        let _ = writeln!(text, "{:>27} data keys   DAMAGED: restore them from a backup", usage.damaged);
    }
    text
}

async fn rotate(
    prepare: bool,
    settings: &Settings,
    engine: &Engine,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let file = ring_file(settings)?;
    let ring = file.change(|ring| {
        Ok(if prepare { ring.prepared(&SystemEntropy) } else { ring.rotated(&SystemEntropy) })
    })?;
    if prepare {
        let id = ring.prepared_id().unwrap_or_default();
        engine.record_key_change(KeyChange::Prepared { key: id.to_string() }).await?;
        writeln!(
            out,
            "key {id} is prepared. Give {} to every server, then: keyward keys rotate",
            file.path().display()
        )?;
    } else {
        let id = ring.ids()[0];
        engine.record_key_change(KeyChange::Rotated { key: id.to_string() }).await?;
        writeln!(out, "key {id} is current. Next: keyward keys rewrap")?;
    }
    Ok(())
}

/// How long a page of subjects may be stuck on a store that does not answer before the command gives up.
const PATIENCE: u32 = 20;

async fn rewrap(engine: &Engine, out: &mut impl Write) -> Result<(), Failure> {
    let bar = bar(engine.subject_count().await?);
    let mut so_far = Rewrapping::default();
    let mut failures = 0;
    while !so_far.done {
        match engine.rewrap_page(&so_far).await {
            Ok(next) => (so_far, failures) = (next, 0),
            Err(error) if failures == PATIENCE => return Err(error.into()),
            Err(error) => {
                failures += 1;
                bar.set_message(format!("{error}; trying again"));
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        bar.set_position(so_far.seen);
    }
    bar.finish_and_clear();
    let current = engine.key_usage().await?.current().map(ToString::to_string).unwrap_or_default();
    let Rewrapping { seen, rewrapped, stuck, .. } = so_far;
    let change = KeyChange::Rewrapped { key: current.clone(), data_keys: rewrapped, stuck };
    engine.record_key_change(change).await?;
    writeln!(out, "{rewrapped} of {seen} data keys were wrapped anew under key {current}")?;
    if stuck > 0 {
        return Err(format!("{stuck} data keys could not be unwrapped and stay as they are").into());
    }
    Ok(())
}

fn bar(length: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} data keys, {per_sec}, {eta} left {msg}");
    let bar = ProgressBar::with_draw_target(Some(length), target);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn retire(id: u32, settings: &Settings, engine: &Engine, out: &mut impl Write) -> Result<(), Failure> {
    let usage = engine.key_usage().await?;
    let key = usage.has.iter().find(|key| key.0 == id.to_string());
    let Some(key) = key else { return Err(format!("the ring has no key {id}").into()) };
    if usage.current() == Some(key) {
        return Err(format!("key {id} is the current one: rotate first").into());
    }
    if let Some(needed) = usage.needed.get(key) {
        return Err(format!("{needed} data keys need key {id}: keyward keys rewrap").into());
    }
    if usage.damaged > 0 {
        let damaged = usage.damaged;
        return Err(
            format!("{damaged} wrapped keys do not say which key they need: restore them first").into()
        );
    }
    let file = ring_file(settings)?;
    let kept = file.set_aside(id)?;
    let before = file.read()?;
    file.change(|ring| ring.without(id).ok_or_else(|| format!("key {id} is the current one, or gone")))?;
    // A newcomer's key may have been on its way into the store since the count: then the key comes back.
    let late = engine.key_usage().await?.needed.get(key).copied();
    if let Some(late) = late {
        file.change(|_| Ok(before))?;
        return Err(format!("{late} data keys came that need key {id}: keyward keys rewrap").into());
    }
    engine.record_key_change(KeyChange::Retired { key: id.to_string() }).await?;
    writeln!(out, "key {id} is out of the ring. Backups made before the last rewrap need it: it is in")?;
    writeln!(out, "{}; remove that file when they have run out.", kept.display())?;
    Ok(())
}

fn ring_file(settings: &Settings) -> Result<RingFile, Failure> {
    match settings.keys.provider {
        KeyProvider::Ring => Ok(RingFile::at(settings.key_ring_file())),
        KeyProvider::Kms => {
            Err("keys.provider is \"kms\": its keys are rotated at the service; then rewrap".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use keyward_store::WrappingKeyId;

    use super::*;

    #[test]
    fn status_says_what_each_key_is_for() {
        let id = |id: u32| WrappingKeyId(id.to_string());
        let usage = KeyUsage {
            has: vec![id(4), id(3), id(2)],
            needed: BTreeMap::from([(id(4), 7), (id(3), 12), (id(1), 2)]),
            damaged: 1,
        };
        let text = status(&usage);
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        assert!(line("key 4").contains(" 7 ") && line("key 4").ends_with("current"), "{text}");
        assert!(line("key 3").contains(" 12 ") && line("key 3").ends_with("keyward keys rewrap"), "{text}");
        assert!(line("key 2").ends_with("keyward keys retire 2"), "{text}");
        assert!(line("key 1").ends_with("NOT IN THE RING"), "{text}");
        assert!(text.contains("DAMAGED"), "{text}");
    }
}
