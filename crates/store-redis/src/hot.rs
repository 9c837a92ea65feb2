//! The hot state, each call one round trip.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward_domain::{CeremonyId, SessionId, SubjectKey, TenantId};
use keyward_store::{
    Announced, HotRead, HotStore, HotView, HotWrite, HotWritten, KEPT_ANNOUNCEMENTS, StoreError, StoreResult,
};
use redis::{Cmd, FromRedisValue, Script, Value, cmd};

use crate::RedisSettings;
use crate::advice::{self, Advice};
use crate::keys::Keys;
use crate::link::{Link, Repeat};

/// The script that writes what a decision leaves behind.
const WRITE: &str = include_str!("scripts/write.lua");
/// The script that removes a subject's keys from a cluster.
const FORGET: &str = include_str!("scripts/forget.lua");
/// The script that announces a version.
const ANNOUNCE: &str = include_str!("scripts/announce.lua");
/// The script that counts.
const COUNT: &str = include_str!("scripts/count.lua");
/// How often `forget` walks the key space until it gives up.
const WALKS: usize = 3;
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
    scripts: Scripts,
    settings: RedisSettings,
}

/// The scripts, with their hashes.
struct Scripts {
    write: Script,
    announce: Script,
    count: Script,
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
            scripts: Scripts {
                write: Script::new(WRITE),
                announce: Script::new(ANNOUNCE),
                count: Script::new(COUNT),
            },
            settings,
        };
        let hot = Self { shared: Arc::new(shared) };
        // Whether it answers shows in every call that follows, and in the health of the service.
        let _ = hot.ping().await;
        Ok(hot)
    }

    /// What is not as it should be with how Redis is set up; empty when all is.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer, or does not let us ask (`INFO`).
    pub async fn advice(&self) -> StoreResult<Vec<Advice>> {
        advice::look(&self.shared.link, &self.shared.settings).await
    }
}

impl Shared {
    fn slot_of(&self, who: &SubjectKey) -> u16 {
        if self.link.is_cluster() { self.link.slot(&Keys::tag(who)) } else { 0 }
    }

    fn slot_of_ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> u16 {
        if self.link.is_cluster() { self.link.slot(&Keys::ceremony_tag(tenant, id)) } else { 0 }
    }

    fn slot_of_counts(&self, tenant: &TenantId) -> u16 {
        if self.link.is_cluster() { self.link.slot(tenant.as_str()) } else { 0 }
    }

    /// The write script's call, by its hash or whole.
    fn write_command(&self, how: &str, script: &str, what: &HotWrite) -> Cmd {
        let keys = &self.keys;
        let (nonce, counted) = (&what.use_nonce, [what.count_attempt, what.count_false_alarm]);
        let mut call = cmd(how);
        call.arg(script).arg(2 + usize::from(nonce.is_some()) + counted.iter().flatten().count());
        call.arg(keys.reply(&what.who, &what.request));
        call.arg(keys.session(&what.who, &what.session));
        if let Some((nonce, _)) = nonce {
            call.arg(keys.nonce(&what.who, nonce));
        }
        if what.count_attempt.is_some() {
            call.arg(keys.attempts(&what.who));
        }
        if what.count_false_alarm.is_some() {
            call.arg(keys.false_alarms(&what.who));
        }
        call.arg(&what.reply).arg(millis(what.reply_ttl));
        if what.session_expected == 0 {
            call.arg(b"".as_slice());
        } else {
            call.arg(what.session_expected.to_be_bytes().as_slice());
        }
        call.arg(join_session(what.session_expected.saturating_add(1), &what.session_value))
            .arg(millis(what.session_ttl));
        call.arg(nonce.as_ref().map_or(0, |(_, ttl)| millis(*ttl)));
        for window in counted {
            call.arg(window.map_or(0, millis));
        }
        call
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
        command.arg(keys.false_alarms(&what.who));
        command.arg(keys.announced(&what.who));
        if let Some(nonce) = &what.nonce {
            command.arg(keys.nonce(&what.who, nonce));
        }
        let slot = self.shared.slot_of(&what.who);
        let answer = self.shared.link.ask(slot, Repeat::Safe, &command).await?;
        let mut values = taken::<Vec<Option<Vec<u8>>>>(answer)?.into_iter();
        let mut next = || values.next().flatten();
        Ok(HotView {
            session: next().map(split_session).transpose()?,
            reply: next(),
            attempts: next().map_or(Ok(0), |stored| count(&stored))?,
            false_alarms: next().map_or(Ok(0), |stored| count(&stored))?,
            announced: next().map_or_else(Announced::default, Announced::from_bytes),
            nonce_used: next().is_some(),
        })
    }

    async fn write(&self, what: HotWrite) -> StoreResult<HotWritten> {
        let shared = &self.shared;
        let by_hash = shared.write_command("EVALSHA", shared.scripts.write.get_hash(), &what);
        let whole = || shared.write_command("EVAL", WRITE, &what);
        let answer = shared.link.run(shared.slot_of(&what.who), &by_hash, &whole).await?;
        match taken::<(u8, Option<Vec<u8>>)>(answer)? {
            (0, _) => Ok(HotWritten::Done),
            (1, Some(reply)) => Ok(HotWritten::ReplyExists(reply)),
            (2, _) => Ok(HotWritten::NonceUsed),
            (3, _) => Ok(HotWritten::SessionChanged),
            _ => Err(StoreError::Damaged("the write script answered what it never answers".to_owned())),
        }
    }

    async fn session(&self, who: &SubjectKey, session: &SessionId) -> StoreResult<Option<(u64, Vec<u8>)>> {
        let mut command = cmd("GET");
        command.arg(self.shared.keys.session(who, session));
        let answer = self.shared.link.ask(self.shared.slot_of(who), Repeat::Safe, &command).await?;
        taken::<Option<Vec<u8>>>(answer)?.map(split_session).transpose()
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
        let slot = self.shared.slot_of_ceremony(tenant, id);
        // Not repeated: between two sends someone may have taken it, and it would be there a second time.
        self.shared.link.ask(slot, Repeat::Never, &command).await.map(drop)
    }

    async fn take_ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> StoreResult<Option<Vec<u8>>> {
        let mut command = cmd("GETDEL");
        command.arg(self.shared.keys.ceremony(tenant, id));
        let slot = self.shared.slot_of_ceremony(tenant, id);
        // Not repeated: it would answer that there is none when the first send took it.
        taken(self.shared.link.ask(slot, Repeat::Never, &command).await?)
    }

    async fn announce(&self, who: &SubjectKey, name: &str, version: u64, ttl: Duration) -> StoreResult<()> {
        let shared = &self.shared;
        let key = shared.keys.announced(who);
        let entry = Announced::entry(name, version);
        let call = |how: &str, script: &str| {
            let mut call = cmd(how);
            call.arg(script).arg(1).arg(&key).arg(entry.as_slice());
            call.arg(KEPT_ANNOUNCEMENTS * Announced::ENTRY_BYTES).arg(millis(ttl));
            call
        };
        let by_hash = call("EVALSHA", shared.scripts.announce.get_hash());
        shared.link.run(shared.slot_of(who), &by_hash, &|| call("EVAL", ANNOUNCE)).await.map(drop)
    }

    async fn counts(&self, tenant: &TenantId, names: &[&str]) -> StoreResult<Vec<u32>> {
        let mut command = cmd("MGET");
        for name in names {
            command.arg(self.shared.keys.count(tenant, name));
        }
        let answer = self.shared.link.ask(self.shared.slot_of_counts(tenant), Repeat::Safe, &command).await?;
        let stored = taken::<Vec<Option<Vec<u8>>>>(answer)?;
        stored.iter().map(|stored| stored.as_deref().map_or(Ok(0), count)).collect()
    }

    async fn count(&self, tenant: &TenantId, names: &[&str], window: Duration) -> StoreResult<Vec<u32>> {
        let shared = &self.shared;
        let call = |how: &str, script: &str| {
            let mut call = cmd(how);
            call.arg(script).arg(names.len());
            for name in names {
                call.arg(shared.keys.count(tenant, name));
            }
            call.arg(millis(window));
            call
        };
        let by_hash = call("EVALSHA", shared.scripts.count.get_hash());
        let answer =
            shared.link.run(shared.slot_of_counts(tenant), &by_hash, &|| call("EVAL", COUNT)).await?;
        taken(answer)
    }

    async fn forget(&self, who: &SubjectKey) -> StoreResult<()> {
        if self.shared.link.is_cluster() {
            self.forget_slot(who).await
        } else {
            self.forget_scanning(who).await
        }
    }

    async fn ping(&self) -> StoreResult<()> {
        self.shared.link.ask_all(Repeat::Safe, &cmd("PING")).await.map(drop)
    }
}

impl RedisHot {
    /// Walks the key space of the one server. A cursor means nothing to another server: after a failure, which may be a
    /// fail-over, the walk begins anew.
    async fn forget_scanning(&self, who: &SubjectKey) -> StoreResult<()> {
        let mut walked = self.walk(who).await;
        for _ in 1..WALKS {
            if walked.is_ok() {
                break;
            }
            walked = self.walk(who).await;
        }
        walked
    }

    async fn walk(&self, who: &SubjectKey) -> StoreResult<()> {
        let (link, pattern) = (&self.shared.link, self.shared.keys.all_of(who));
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCANNED_A_STEP);
            let (next, found) = taken::<(u64, Vec<Vec<u8>>)>(link.ask(0, Repeat::Never, &scan).await?)?;
            if !found.is_empty() {
                let mut unlink = cmd("UNLINK");
                unlink.arg(found);
                link.ask(0, Repeat::Never, &unlink).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Has the holder of the subject's slot remove the subject's keys. Then asks every master for keys in this slot, which
    /// while the slot moves may lie with two of them.
    async fn forget_slot(&self, who: &SubjectKey) -> StoreResult<()> {
        let (link, slot) = (&self.shared.link, self.shared.slot_of(who));
        let beginning = self.shared.keys.beginning(who);
        let mut forget = cmd("EVAL");
        forget.arg(FORGET).arg(1).arg(self.shared.keys.attempts(who)).arg(&beginning);
        link.ask(slot, Repeat::Safe, &forget).await?;
        let mut keys_in_slot = cmd("CLUSTER");
        keys_in_slot.arg("GETKEYSINSLOT").arg(slot).arg(i32::MAX);
        let found = link.ask_all(Repeat::Safe, &keys_in_slot).await?;
        for key in taken::<Vec<Vec<Vec<u8>>>>(found)?.into_iter().flatten() {
            if key.starts_with(beginning.as_bytes()) {
                let mut unlink = cmd("UNLINK");
                unlink.arg(key);
                link.ask(slot, Repeat::Safe, &unlink).await?;
            }
        }
        Ok(())
    }
}

/// An answer as what it must be.
fn taken<T: FromRedisValue>(answer: Value) -> StoreResult<T> {
    redis::from_redis_value(answer)
        .map_err(|_| StoreError::Damaged("redis answered what it never answers".to_owned()))
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

fn count(stored: &[u8]) -> StoreResult<u32> {
    let count = str::from_utf8(stored).ok().and_then(|text| text.parse().ok());
    count.ok_or_else(|| StoreError::Damaged("a count in redis is not a number".to_owned()))
}

/// Redis takes no time of zero.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2)
}
