//! keyward within this process, for a first look: the real server, on a free port of loopback, with a folder of its own.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward::compose::{Composed, compose};
use keyward::observability::Telemetry;
use keyward::settings::Settings;
use keyward::transport::{Serving, serve, tls};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The policies that keyward ships, and what St Mary adds to them.
const SHIPPED: &str = include_str!("../../../crates/policy/policies/telemedicine.cedar");
const ST_MARY: &str = include_str!("../policy/st-mary.cedar");

/// Why it could not be started.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A running keyward.
pub struct Embedded {
    composed: Composed,
    serving: Serving,
    stop: oneshot::Sender<()>,
    /// Removed at the end, unless a folder was named.
    _folder: Option<TempDir>,
}

impl Embedded {
    /// Starts it for browsers at `origin`, with its data in a folder that is kept, or else in one that is removed.
    ///
    /// # Errors
    /// When the folder or the server fails.
    pub async fn start(origin: &str, data_dir: Option<&Path>) -> Result<Self, Failed> {
        // Fails when it was installed already, which is as well.
        let _ = Arc::unwrap_or_clone(tls::provider()).install_default();
        let (folder, path) = if let Some(path) = data_dir {
            (None, path.to_owned())
        } else {
            let folder = tempfile::Builder::new().prefix("keyward-portal-").tempdir()?;
            let path = folder.path().to_owned();
            (Some(folder), path)
        };
        let settings = settings(origin, &path)?;
        let telemetry = Telemetry::without_logger(&settings.telemetry)?;
        let composed = compose(&settings, telemetry.metrics()).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            // Dropped or sent: either way it is time to stop.
            let _ = stopped.await;
        };
        let serving = serve(&settings, composed.app(&settings), &telemetry, stopped).await?;
        Ok(Self { composed, serving, stop, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.serving.grpc
    }

    /// Waits until it has learned from the sign-ins before.
    pub async fn learned(&self) {
        self.composed.engine.learned().await;
    }

    /// Stops it.
    pub async fn stop(self) {
        // Both can only fail when the server has ended already.
        let _ = self.stop.send(());
        let _ = self.serving.finished().await;
        self.composed.engine.learned().await;
        self.composed.store.close().await;
    }
}

fn settings(origin: &str, folder: &Path) -> Result<Settings, Failed> {
    let mut settings = Settings::defaults();
    settings.server.listen = ([127, 0, 0, 1], 0).into();
    settings.server.shutdown_notice_ms = 0;
    settings.http.enabled = false;
    settings.store.data_dir = folder.join("data");
    settings.policy.file = Some(policy(folder)?);
    host(origin).clone_into(&mut settings.passkeys.rp_id);
    "St Mary Telehealth".clone_into(&mut settings.passkeys.rp_name);
    settings.passkeys.origins = vec![origin.to_owned()];
    Ok(settings)
}

/// The policies of St Mary: those that keyward ships, and its own.
pub fn policy_text() -> String {
    format!("{SHIPPED}\n{ST_MARY}")
}

fn policy(folder: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("st-mary.cedar");
    std::fs::write(&path, policy_text())?;
    Ok(path)
}

/// The host of an origin: the domain that passkeys are bound to.
fn host(origin: &str) -> &str {
    let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    rest.split([':', '/']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_origin() {
        assert_eq!(host("http://localhost:8080"), "localhost");
        assert_eq!(host("https://portal.example.org"), "portal.example.org");
    }
}
