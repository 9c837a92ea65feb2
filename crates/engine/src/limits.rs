//! Attempts counted for a network and for a whole tenant, across replicas.
//!
//! What counts as an attempt is rare, and asking is not: what the hot store said is good for a second, so that a limit is
//! overshot by what comes within one at most. The first question about a network goes to the store beside that for the
//! subject's state, and costs no time of its own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyward_domain::{ClientContext, TenantId};
use keyward_seal::{DataSecret, MacKey};
use keyward_store::HotStore;
use moka::sync::Cache;
use tokio::time::Instant;

use crate::EngineSettings;
use crate::known::prefix;

/// How old a count may be.
const FRESH: Duration = Duration::from_secs(1);
/// How long the last count that is known stands in while the store does not say.
const STANDS_IN: Duration = Duration::from_mins(1);
/// How many networks are remembered; the one unasked for longest makes room.
const NETWORKS: u64 = 100_000;
/// The name of the count of all of a tenant's attempts.
const ALL: &str = "all";

/// Attempts in the running windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// From the client's network.
    pub network: u32,
    /// Of the tenant.
    pub tenant: u32,
}

/// Counts attempts.
pub(crate) struct Limiter {
    hot: Arc<dyn HotStore>,
    marks: MacKey,
    window: Duration,
    /// From how many on they are too many; 0: never.
    limits: Counts,
    /// By hash: a name takes longer to make than to look up.
    seen: Cache<u64, Seen>,
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct Seen {
    counts: Counts,
    /// When the store said so.
    told: Instant,
    /// When it is to be asked again.
    until: Instant,
}

impl Limiter {
    pub(crate) fn new(own: &DataSecret, hot: Arc<dyn HotStore>, settings: &EngineSettings) -> Self {
        Self {
            hot,
            marks: own.mac_key("network-attempts"),
            window: settings.attempts_window,
            limits: Counts {
                network: settings.network_attempts_limit,
                tenant: settings.tenant_attempts_limit,
            },
            seen: Cache::builder().max_capacity(NETWORKS).time_to_live(STANDS_IN).build(),
            hasher: RandomState::new(),
        }
    }

    /// How many there were, as of a second ago at the earliest. `None` when nobody knows.
    pub(crate) async fn counts(&self, tenant: &TenantId, client: &ClientContext) -> Option<Counts> {
        if self.limits == Counts::default() {
            return Some(Counts::default());
        }
        let key = self.key(tenant, client);
        let seen = self.seen.get(&key);
        if let Some(seen) = seen {
            if Instant::now() < seen.until {
                return Some(seen.counts);
            }
            // One asks; who comes meanwhile goes by the last answer.
            self.seen.insert(key, Seen { until: Instant::now() + FRESH, ..seen });
        }
        let network = self.network(tenant, client);
        let names: Vec<&str> = [ALL].into_iter().chain(network.as_deref()).collect();
        match self.hot.counts(tenant, &names).await {
            Ok(counts) => Some(self.note(key, &counts)),
            Err(error) => {
                tracing::warn!(%error, "counts of attempts could not be read");
                seen.filter(|seen| seen.told.elapsed() < STANDS_IN).map(|seen| seen.counts)
            }
        }
    }

    /// Counts one more. Where the store does not take it, it is lost: the subject's own count, and the answer that was
    /// just given, do not depend on it.
    pub(crate) async fn count(&self, tenant: &TenantId, client: &ClientContext) {
        if self.limits == Counts::default() {
            return;
        }
        let network = self.network(tenant, client);
        let names: Vec<&str> = [ALL].into_iter().chain(network.as_deref()).collect();
        match self.hot.count(tenant, &names, self.window).await {
            Ok(counts) => drop(self.note(self.key(tenant, client), &counts)),
            Err(error) => tracing::warn!(%error, "an attempt was not counted for its network and tenant"),
        }
    }

    /// Whose limits are reached, with the counts.
    pub(crate) fn reached(&self, counts: Counts) -> impl Iterator<Item = (&'static str, u32)> {
        let both =
            [("network", counts.network, self.limits.network), ("tenant", counts.tenant, self.limits.tenant)];
        both.into_iter()
            .filter(|(_, count, limit)| *limit > 0 && count >= limit)
            .map(|(of, count, _)| (of, count))
    }

    fn note(&self, key: u64, counts: &[u32]) -> Counts {
        let at = |index: usize| counts.get(index).copied().unwrap_or(0);
        let (counts, told) = (Counts { tenant: at(0), network: at(1) }, Instant::now());
        self.seen.insert(key, Seen { counts, told, until: told + FRESH });
        counts
    }

    fn key(&self, tenant: &TenantId, client: &ClientContext) -> u64 {
        self.hasher.hash_one((tenant, client.ip.map(prefix)))
    }

    /// The name of the count of the client's network: a keyed hash of its prefix, so that it cannot be read back.
    fn network(&self, tenant: &TenantId, client: &ClientContext) -> Option<String> {
        let mac = self.marks.mac(&[tenant.as_str().as_bytes(), prefix(client.ip?).bytes()]);
        Some(format!("n:{}", URL_SAFE_NO_PAD.encode(&mac[..12])))
    }
}
