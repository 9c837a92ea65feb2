//! The hot state, each call one round trip.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward_domain::{CeremonyId, SessionId, SubjectKey, TenantId};
use keyward_store::{HotRead, HotStore, HotView, HotWrite, HotWritten, StoreError, StoreResult};
use redis::{Script, cmd};

use crate::RedisSettings;
use crate::keys::Keys;
use crate::link::{Link, Repeat};

/// How many keys one step of SCAN looks at.
const SCANNED_A_STEP: usize = 1000;

/// Hot state in Redis. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct RedisHot {
    shared: Arc<Shared>,
}

struct Shared {
    link: Link,
    keys: Keys,
    write: Script,
}

impl std::fmt::Debug for RedisHot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisHot").finish_non_exhaustive()
    }
}

impl RedisHot {
    /// Hot state in the Redis that the settings name. Tries to connect, within the response timeout; when that fails the
    /// store is there all the same, and its calls connect again: keyward starts stricter rather than not at all.
    ///
    /// # Errors
    /// `Unavailable` when the settings cannot be meant; the text holds nothing of them.
    pub async fn connect(settings: RedisSettings) -> StoreResult<Self> {
        let shared = Shared {
            link: Link::new(&settings)?,
            keys: Keys::new(&settings.key_prefix),
            write: Script::new(include_str!("scripts/write.lua")),
        };
        let hot = Self { shared: Arc::new(shared) };
        // Whether it answers shows in every call that follows, and in the health of the service.
        let _ = hot.ping().await;
        Ok(hot)
    }

    /// What is wrong with how the server is set up; empty when nothing is.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer, or does not let us ask (`INFO`).
    pub async fn advice(&self) -> StoreResult<Vec<String>> {
        let ask = |mut link| async move { cmd("INFO").arg("memory").query_async::<String>(&mut link).await };
        let info = self.shared.link.ask(Repeat::Safe, ask).await?;
        let policy =
            info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).unwrap_or("noeviction");
        Ok(match policy.trim() {
            "noeviction" => Vec::new(),
            other => vec![format!(
                "maxmemory-policy is {other}: under memory pressure redis would forget used nonces and attempt counters; \
                 set it to noeviction"
            )],
        })
    }
}

#[async_trait]
impl HotStore for RedisHot {
    async fn read(&self, what: &HotRead) -> StoreResult<HotView> {
        let keys = &self.shared.keys;
        let mut command = cmd("MGET");
        command.arg(keys.session(&what.who, &what.session));
        command.arg(keys.reply(&what.who, &what.request));
        command.arg(keys.attempts(&what.who));
        if let Some(nonce) = &what.nonce {
            command.arg(keys.nonce(&what.who, nonce));
        }
        let command = &command;
        let ask = |mut link| async move { command.query_async::<Vec<Option<Vec<u8>>>>(&mut link).await };
        let mut values = self.shared.link.ask(Repeat::Safe, ask).await?.into_iter();
        let mut next = || values.next().flatten();
        Ok(HotView {
            session: next().map(split_session).transpose()?,
            reply: next(),
            attempts: next().map_or(Ok(0), |count| attempts(&count))?,
            nonce_used: next().is_some(),
        })
    }

    async fn write(&self, what: HotWrite) -> StoreResult<HotWritten> {
        let keys = &self.shared.keys;
        let mut call = self.shared.write.prepare_invoke();
        call.key(keys.reply(&what.who, &what.request));
        call.key(keys.session(&what.who, &what.session));
        call.key(keys.attempts(&what.who));
        call.arg(what.reply).arg(millis(what.reply_ttl));
        if what.session_expected == 0 {
            call.arg(b"".as_slice());
        } else {
            call.arg(what.session_expected.to_be_bytes().as_slice());
        }
        call.arg(join_session(what.session_expected.saturating_add(1), &what.session_value))
            .arg(millis(what.session_ttl));
        call.arg(what.count_attempt.map_or(0, millis));
        if let Some((nonce, ttl)) = &what.use_nonce {
            call.key(keys.nonce(&what.who, nonce)).arg(millis(*ttl));
        }
        let call = &call;
        let ask = |mut link| async move { call.invoke_async::<(u8, Option<Vec<u8>>)>(&mut link).await };
        match self.shared.link.ask(Repeat::Safe, ask).await? {
            (0, _) => Ok(HotWritten::Done),
            (1, Some(reply)) => Ok(HotWritten::ReplyExists(reply)),
            (2, _) => Ok(HotWritten::NonceUsed),
            (3, _) => Ok(HotWritten::SessionChanged),
            _ => Err(StoreError::Damaged("the write script answered what it never answers".to_owned())),
        }
    }

    async fn session(&self, who: &SubjectKey, session: &SessionId) -> StoreResult<Option<(u64, Vec<u8>)>> {
        let key = &self.shared.keys.session(who, session);
        let ask =
            |mut link| async move { cmd("GET").arg(key).query_async::<Option<Vec<u8>>>(&mut link).await };
        self.shared.link.ask(Repeat::Safe, ask).await?.map(split_session).transpose()
    }

    async fn put_ceremony(
        &self,
        tenant: &TenantId,
        id: &CeremonyId,
        value: Vec<u8>,
        ttl: Duration,
    ) -> StoreResult<()> {
        let mut command = cmd("SET");
        command.arg(self.shared.keys.ceremony(tenant, id)).arg(value).arg("PX").arg(millis(ttl));
        let command = &command;
        let ask = |mut link| async move { command.query_async::<()>(&mut link).await };
        // Not repeated: between two sends someone may have taken it, and it would be there a second time.
        self.shared.link.ask(Repeat::Never, ask).await
    }

    async fn take_ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> StoreResult<Option<Vec<u8>>> {
        let key = &self.shared.keys.ceremony(tenant, id);
        let ask =
            |mut link| async move { cmd("GETDEL").arg(key).query_async::<Option<Vec<u8>>>(&mut link).await };
        // Not repeated: it would answer that there is none when the first send took it.
        self.shared.link.ask(Repeat::Never, ask).await
    }

    async fn forget(&self, who: &SubjectKey) -> StoreResult<()> {
        let pattern = &self.shared.keys.all_of(who);
        let mut cursor = 0_u64;
        loop {
            let step = |mut link| async move {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED_A_STEP);
                scan.query_async::<(u64, Vec<Vec<u8>>)>(&mut link).await
            };
            let (next, found) = self.shared.link.ask(Repeat::Safe, step).await?;
            let found = &found;
            if !found.is_empty() {
                let unlink =
                    |mut link| async move { cmd("UNLINK").arg(found).query_async::<()>(&mut link).await };
                self.shared.link.ask(Repeat::Safe, unlink).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn ping(&self) -> StoreResult<()> {
        let ask = |mut link| async move { cmd("PING").query_async::<()>(&mut link).await };
        self.shared.link.ask(Repeat::Safe, ask).await
    }
}

/// A session's value in Redis: its version in eight bytes, most significant first, and then what the caller gave.
fn join_session(version: u64, value: &[u8]) -> Vec<u8> {
    [version.to_be_bytes().as_slice(), value].concat()
}

fn split_session(mut stored: Vec<u8>) -> StoreResult<(u64, Vec<u8>)> {
    let Some(version) = stored.first_chunk::<8>().copied() else {
        return Err(StoreError::Damaged("a session in redis is shorter than its version".to_owned()));
    };
    stored.drain(..version.len());
    Ok((u64::from_be_bytes(version), stored))
}

fn attempts(stored: &[u8]) -> StoreResult<u32> {
    let count = str::from_utf8(stored).ok().and_then(|text| text.parse().ok());
    count.ok_or_else(|| StoreError::Damaged("an attempt counter in redis is not a number".to_owned()))
}

/// Redis takes no time of zero.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2)
}
