//! The real server, in this process.

use std::net::SocketAddr;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::portal::Failed;
use crate::compose::{Composed, compose};
use crate::observability::Telemetry;
use crate::settings::Settings;
use crate::transport::{Serving, serve, tls};

/// A server on a free port of loopback, over a folder of its own.
pub(super) struct Server {
    composed: Composed,
    serving: Serving,
    stop: oneshot::Sender<()>,
    _folder: TempDir,
}

impl Server {
    /// Starts it: plaintext, SQLite for what lasts, this process for the rest.
    pub(super) async fn start(http: Option<SocketAddr>) -> Result<Self, Failed> {
        // Fails when it was installed already, which is as well.
        let _ = Arc::unwrap_or_clone(tls::provider()).install_default();
        let folder = tempfile::Builder::new().prefix("keyward-try-").tempdir()?;
        let mut settings = Settings::defaults();
        settings.store.data_dir = folder.path().join("data");
        settings.server.listen = ([127, 0, 0, 1], 0).into();
        settings.server.shutdown_notice_ms = 0;
        settings.http.enabled = http.is_some();
        settings.http.listen = http.unwrap_or(settings.http.listen);
        // Months of logins and hundreds of attacks pass in seconds, and typing alone is to stop them.
        settings.limits.attempts_per_window = 1_000_000;
        settings.limits.caller_calls_per_second = 0;
        // All of it is one person's; what is over makes room for what comes.
        settings.assessment.session_ttl_s = 3;
        settings.assessment.nonce_ttl_s = 3;
        settings.assessment.reply_ttl_s = 1;
        let telemetry = Telemetry::without_logger(&settings.telemetry)?;
        telemetry.metrics().friction_budget(settings.assessment.friction_budget);
        let composed = compose(&settings, telemetry.metrics()).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(&settings, composed.app(&settings), &telemetry, async move {
            // Dropped or sent: either way it is time to stop.
            let _ = stopped.await;
        });
        Ok(Self { serving: serving.await?, composed, stop, _folder: folder })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.serving.grpc
    }

    /// Waits until it has learned from the logins before. Learning happens after the answer; the story would otherwise
    /// differ from run to run.
    pub(super) async fn learned(&self) {
        self.composed.engine.learned().await;
    }

    /// Stops it and removes the folder.
    pub(super) async fn stop(self) {
        // Both can only fail when the server has ended already.
        let _ = self.stop.send(());
        let _ = self.serving.finished().await;
    }
}
