//! Telling other replicas that what they cache has another version.

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::SubjectKey;
use keyward_store::HotStore;
use tokio::time::timeout;

use crate::people::FRESH;

/// How long an announcement stands: longer than anything is cached that it makes out of date.
const STANDS: Duration = FRESH.saturating_mul(2);
/// How long one may take; it is made off the request path.
const PATIENCE: Duration = Duration::from_secs(1);

/// Announces through the hot store, which every decision reads.
#[derive(Clone)]
pub(crate) struct Announcer(Arc<dyn HotStore>);

impl Announcer {
    pub(crate) fn new(hot: Arc<dyn HotStore>) -> Self {
        Self(hot)
    }

    /// Announces a version that is written; 0: that there is none any more. Where the store does not answer, others see it
    /// when what they cached runs out.
    pub(crate) async fn announce(&self, who: &SubjectKey, name: &str, version: u64) {
        match timeout(PATIENCE, self.0.announce(who, name, version, STANDS)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a new version was not announced"),
            Err(_) => tracing::warn!("a new version was not announced in time"),
        }
    }
}
