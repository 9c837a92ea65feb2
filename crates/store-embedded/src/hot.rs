//! Hot state in this process.
//!
//! Each subject lies in one shard, behind one lock that is held for about a microsecond; no call waits for anything
//! else. What has run out is not seen from that moment on, and is removed by the writes that follow.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keyward_domain::{CeremonyId, Clock, SessionId, SubjectKey, TenantId};
use keyward_store::{HotRead, HotStore, HotView, HotWrite, HotWritten, StoreResult};

mod shard;

use shard::{Room, Shard};

/// How many entries an [`InProcessHot`] holds unless told otherwise.
pub const DEFAULT_MAX_ENTRIES: usize = 1_000_000;

/// Locks are many so that two cores seldom meet at one.
const SHARDS: usize = 64;

/// Hot state in this process: lost when it ends, and seen by no other replica.
///
/// It holds a bounded number of entries (a session, a reply, a nonce, an attempt counter and a ceremony are one each).
/// When they are all in use, writes end in `Unavailable`: dropping a used nonce or a counter before its time would make
/// keyward laxer.
pub struct InProcessHot {
    clock: Arc<dyn Clock>,
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

impl std::fmt::Debug for InProcessHot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcessHot").field("entries", &self.entries()).finish_non_exhaustive()
    }
}

impl InProcessHot {
    /// Hot state that holds at most about `max_entries` entries.
    pub fn new(clock: Arc<dyn Clock>, max_entries: usize) -> Self {
        let room = Arc::new(Room::new(max_entries));
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(Arc::clone(&room)))).collect();
        Self { clock, shards, hasher: RandomState::new() }
    }

    /// How many entries are held, those included that were taken or ran out and whose time is not swept up yet.
    pub fn entries(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).entries()).sum()
    }

    fn shard(&self, key: &impl Hash) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key);
        lock(&self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)])
    }

    fn now(&self) -> i64 {
        self.clock.now().micros
    }
}

/// A shard's invariants hold between any two statements that can panic, so that a poisoned lock is as good as another.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl HotStore for InProcessHot {
    async fn read(&self, what: &HotRead) -> StoreResult<HotView> {
        Ok(self.shard(&what.who).read(what, self.now()))
    }

    async fn write(&self, what: HotWrite) -> StoreResult<HotWritten> {
        self.shard(&what.who).write(what, self.now())
    }

    async fn session(&self, who: &SubjectKey, session: &SessionId) -> StoreResult<Option<(u64, Vec<u8>)>> {
        Ok(self.shard(who).session(who, session, self.now()))
    }

    async fn put_ceremony(
        &self,
        tenant: &TenantId,
        id: &CeremonyId,
        value: Vec<u8>,
        ttl: Duration,
    ) -> StoreResult<()> {
        let key = (tenant.clone(), id.clone());
        self.shard(&key).put_ceremony(key, value, ttl, self.now())
    }

    async fn take_ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> StoreResult<Option<Vec<u8>>> {
        let key = (tenant.clone(), id.clone());
        Ok(self.shard(&key).take_ceremony(&key, self.now()))
    }

    async fn announce(&self, who: &SubjectKey, name: &str, version: u64, ttl: Duration) -> StoreResult<()> {
        self.shard(who).announce(who, name, version, ttl, self.now())
    }

    async fn counts(&self, tenant: &TenantId, names: &[&str]) -> StoreResult<Vec<u32>> {
        let counted = |name: &&str| {
            let key = (tenant.clone(), (*name).to_owned());
            self.shard(&key).counted(&key, self.now())
        };
        Ok(names.iter().map(counted).collect())
    }

    async fn count(&self, tenant: &TenantId, names: &[&str], window: Duration) -> StoreResult<Vec<u32>> {
        let count = |name: &&str| {
            let key = (tenant.clone(), (*name).to_owned());
            self.shard(&key).count(key, window, self.now())
        };
        names.iter().map(count).collect()
    }

    async fn forget(&self, who: &SubjectKey) -> StoreResult<()> {
        self.shard(who).forget(who);
        Ok(())
    }

    async fn ping(&self) -> StoreResult<()> {
        Ok(())
    }
}
