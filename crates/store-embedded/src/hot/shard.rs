//! One shard: the state of the subjects and ceremonies that hash to it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward_domain::{CeremonyId, RequestId, SessionId, SubjectKey, TelemetryNonce, TenantId};
use keyward_store::{Announced, HotRead, HotView, HotWrite, HotWritten, StoreError, StoreResult};

/// How much a write clears away of what ran out. More than it adds, so that a backlog shrinks.
const SWEPT_A_WRITE: usize = 16;
/// The most entries that a write adds.
const ENTRIES_A_WRITE: usize = 5;

type CeremonyKey = (TenantId, CeremonyId);
type CountKey = (TenantId, String);

/// What grows with traffic lies in trees: a hash table or a heap that doubles moves all that it holds, and for that time
/// nobody of the shard is answered.
///
/// INVARIANT: every entry has an item in `expiries` that is due no later than the entry itself, so that each entry is
/// found when its time comes, and the room of `expiries` bounds the number of entries.
pub(super) struct Shard {
    subjects: HashMap<Arc<SubjectKey>, Subject>,
    ceremonies: BTreeMap<CeremonyKey, Kept<Vec<u8>>>,
    counts: BTreeMap<CountKey, Kept<u32>>,
    expiries: Expiries,
}

/// What is kept of one subject.
#[derive(Default)]
struct Subject {
    sessions: BTreeMap<SessionId, Kept<(u64, Vec<u8>)>>,
    replies: BTreeMap<RequestId, Kept<Vec<u8>>>,
    nonces: BTreeMap<TelemetryNonce, Kept<()>>,
    attempts: Option<Kept<u32>>,
    false_alarms: Option<Kept<u32>>,
    announced: Option<Kept<Announced>>,
}

/// A value and the microsecond from which on it is not there any more.
struct Kept<T> {
    value: T,
    until: i64,
}

impl<T> Kept<T> {
    fn new(value: T, now: i64, ttl: Duration) -> Self {
        Self { value, until: now.saturating_add(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)) }
    }
}

/// When to look at a slot again.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Expiry {
    at: i64,
    slot: Slot,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Session(Arc<SubjectKey>, SessionId),
    Reply(Arc<SubjectKey>, RequestId),
    Nonce(Arc<SubjectKey>, TelemetryNonce),
    Attempts(Arc<SubjectKey>),
    FalseAlarms(Arc<SubjectKey>),
    Announced(Arc<SubjectKey>),
    Ceremony(CeremonyKey),
    Count(CountKey),
}

/// How many entries all shards hold together, and may hold. Counted across them, so that one busy person fills no shard.
pub(super) struct Room {
    max_entries: usize,
    held: AtomicUsize,
}

impl Room {
    pub(super) fn new(max_entries: usize) -> Self {
        Self { max_entries, held: AtomicUsize::new(0) }
    }

    fn has(&self, entries: usize) -> bool {
        self.held.load(Ordering::Relaxed) + entries <= self.max_entries
    }
}

/// What is due when, counted in the room that all shards share.
struct Expiries {
    queue: BTreeSet<Expiry>,
    room: Arc<Room>,
}

impl Expiries {
    fn push(&mut self, expiry: Expiry) {
        if self.queue.insert(expiry) {
            self.room.held.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes out what is due first, if it is due.
    fn pop_due(&mut self, now: i64) -> Option<Expiry> {
        if self.queue.first()?.at > now {
            return None;
        }
        self.room.held.fetch_sub(1, Ordering::Relaxed);
        self.queue.pop_first()
    }
}

impl Shard {
    pub(super) fn new(room: Arc<Room>) -> Self {
        let expiries = Expiries { queue: BTreeSet::new(), room };
        Self { subjects: HashMap::new(), ceremonies: BTreeMap::new(), counts: BTreeMap::new(), expiries }
    }

    pub(super) fn entries(&self) -> usize {
        self.expiries.queue.len()
    }

    pub(super) fn read(&self, what: &HotRead, now: i64) -> HotView {
        let Some(subject) = self.subjects.get(&what.who) else {
            return HotView::default();
        };
        HotView {
            session: live(&subject.sessions, &what.session, now).cloned(),
            reply: live(&subject.replies, &what.request, now).cloned(),
            nonce_used: what.nonce.as_ref().is_some_and(|nonce| live(&subject.nonces, nonce, now).is_some()),
            attempts: running(subject.attempts.as_ref(), now).copied().unwrap_or(0),
            false_alarms: running(subject.false_alarms.as_ref(), now).copied().unwrap_or(0),
            announced: running(subject.announced.as_ref(), now).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn session(&self, who: &SubjectKey, session: &SessionId, now: i64) -> Option<(u64, Vec<u8>)> {
        live(&self.subjects.get(who)?.sessions, session, now).cloned()
    }

    pub(super) fn write(&mut self, what: HotWrite, now: i64) -> StoreResult<HotWritten> {
        if let Some(refused) = self.refusal(&what, now) {
            return Ok(refused);
        }
        self.make_room(ENTRIES_A_WRITE, now)?;
        self.put(what, now);
        Ok(HotWritten::Done)
    }

    pub(super) fn put_ceremony(
        &mut self,
        key: CeremonyKey,
        value: Vec<u8>,
        ttl: Duration,
        now: i64,
    ) -> StoreResult<()> {
        self.make_room(1, now)?;
        let kept = Kept::new(value, now, ttl);
        self.expiries.push(Expiry { at: kept.until, slot: Slot::Ceremony(key.clone()) });
        self.ceremonies.insert(key, kept);
        Ok(())
    }

    pub(super) fn take_ceremony(&mut self, key: &CeremonyKey, now: i64) -> Option<Vec<u8>> {
        self.ceremonies.remove(key).filter(|kept| kept.until > now).map(|kept| kept.value)
    }

    pub(super) fn announce(
        &mut self,
        who: &SubjectKey,
        name: &str,
        version: u64,
        ttl: Duration,
        now: i64,
    ) -> StoreResult<()> {
        self.make_room(1, now)?;
        let (who, subject) = subject_of(&mut self.subjects, who);
        let before = running(subject.announced.as_ref(), now).cloned().unwrap_or_default();
        let kept = Kept::new(before.with(name, version), now, ttl);
        self.expiries.push(Expiry { at: kept.until, slot: Slot::Announced(who) });
        subject.announced = Some(kept);
        Ok(())
    }

    pub(super) fn counted(&self, key: &CountKey, now: i64) -> u32 {
        live(&self.counts, key, now).copied().unwrap_or(0)
    }

    pub(super) fn count(&mut self, key: CountKey, window: Duration, now: i64) -> StoreResult<u32> {
        self.make_room(1, now)?;
        let mut kept = self.counts.remove(&key);
        if let Some(at) = count_one(&mut kept, now, window) {
            self.expiries.push(Expiry { at, slot: Slot::Count(key.clone()) });
        }
        let kept = kept.unwrap_or(Kept { value: 0, until: now });
        let count = kept.value;
        self.counts.insert(key, kept);
        Ok(count)
    }

    pub(super) fn forget(&mut self, who: &SubjectKey) {
        self.subjects.remove(who);
    }

    /// Why a write may not happen, in the order that the port documents.
    fn refusal(&self, what: &HotWrite, now: i64) -> Option<HotWritten> {
        let Some(subject) = self.subjects.get(&what.who) else {
            return (what.session_expected != 0).then_some(HotWritten::SessionChanged);
        };
        if let Some(reply) = live(&subject.replies, &what.request, now) {
            return Some(HotWritten::ReplyExists(reply.clone()));
        }
        if what.use_nonce.as_ref().is_some_and(|(nonce, _)| live(&subject.nonces, nonce, now).is_some()) {
            return Some(HotWritten::NonceUsed);
        }
        let version = live(&subject.sessions, &what.session, now).map_or(0, |session| session.0);
        (version != what.session_expected).then_some(HotWritten::SessionChanged)
    }

    fn put(&mut self, what: HotWrite, now: i64) {
        let (who, subject) = subject_of(&mut self.subjects, &what.who);
        let mut watch = |at, slot| self.expiries.push(Expiry { at, slot });

        let session = (what.session_expected.saturating_add(1), what.session_value);
        if let Some(at) = subject.put_session(&what.session, Kept::new(session, now, what.session_ttl)) {
            watch(at, Slot::Session(Arc::clone(&who), what.session));
        }
        let reply = Kept::new(what.reply, now, what.reply_ttl);
        watch(reply.until, Slot::Reply(Arc::clone(&who), what.request.clone()));
        subject.replies.insert(what.request, reply);
        if let Some((nonce, ttl)) = what.use_nonce {
            let used = Kept::new((), now, ttl);
            watch(used.until, Slot::Nonce(Arc::clone(&who), nonce.clone()));
            subject.nonces.insert(nonce, used);
        }
        if let Some(at) = what.count_attempt.and_then(|window| count_one(&mut subject.attempts, now, window))
        {
            watch(at, Slot::Attempts(Arc::clone(&who)));
        }
        if let Some(at) =
            what.count_false_alarm.and_then(|window| count_one(&mut subject.false_alarms, now, window))
        {
            watch(at, Slot::FalseAlarms(who));
        }
    }

    /// Clears away a little of what ran out, all of it if that alone makes room.
    fn make_room(&mut self, entries: usize, now: i64) -> StoreResult<()> {
        self.sweep(now, SWEPT_A_WRITE);
        if !self.expiries.room.has(entries) {
            self.sweep(now, usize::MAX);
        }
        if !self.expiries.room.has(entries) {
            return Err(StoreError::Unavailable("the hot state of this process is full".to_owned()));
        }
        Ok(())
    }

    fn sweep(&mut self, now: i64, most: usize) {
        for _ in 0..most {
            let Some(due) = self.expiries.pop_due(now) else { return };
            // A session that was written again lives on: look again when its new time is up.
            if let Some(at) = self.expire(&due.slot, now) {
                self.expiries.push(Expiry { at, slot: due.slot });
            }
        }
    }

    /// Removes what a slot holds if its time is up; otherwise says when it will be.
    fn expire(&mut self, slot: &Slot, now: i64) -> Option<i64> {
        let who = match slot {
            Slot::Ceremony(key) => return remove_due(&mut self.ceremonies, key, now),
            Slot::Count(key) => return remove_due(&mut self.counts, key, now),
            Slot::Session(who, _)
            | Slot::Reply(who, _)
            | Slot::Nonce(who, _)
            | Slot::Attempts(who)
            | Slot::FalseAlarms(who)
            | Slot::Announced(who) => who,
        };
        let subject = self.subjects.get_mut(who)?;
        let lives_until = match slot {
            Slot::Session(_, id) => remove_due(&mut subject.sessions, id, now),
            Slot::Reply(_, id) => remove_due(&mut subject.replies, id, now),
            Slot::Nonce(_, id) => remove_due(&mut subject.nonces, id, now),
            Slot::Attempts(_) => clear_due(&mut subject.attempts, now),
            Slot::FalseAlarms(_) => clear_due(&mut subject.false_alarms, now),
            Slot::Announced(_) => clear_due(&mut subject.announced, now),
            Slot::Ceremony(_) | Slot::Count(_) => None,
        };
        if subject.is_empty() {
            self.subjects.remove(who);
        }
        lives_until
    }
}

impl Subject {
    /// Says when to look at it, unless an earlier look is planned already.
    fn put_session(&mut self, id: &SessionId, session: Kept<(u64, Vec<u8>)>) -> Option<i64> {
        let at = session.until;
        if let Some(there) = self.sessions.get_mut(id) {
            let sooner = at < there.until;
            *there = session;
            return sooner.then_some(at);
        }
        self.sessions.insert(id.clone(), session);
        Some(at)
    }

    fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.replies.is_empty()
            && self.nonces.is_empty()
            && self.attempts.is_none()
            && self.false_alarms.is_none()
            && self.announced.is_none()
    }
}

fn subject_of<'s>(
    subjects: &'s mut HashMap<Arc<SubjectKey>, Subject>,
    who: &SubjectKey,
) -> (Arc<SubjectKey>, &'s mut Subject) {
    let who = match subjects.get_key_value(who) {
        Some((who, _)) => Arc::clone(who),
        None => Arc::new(who.clone()),
    };
    (Arc::clone(&who), subjects.entry(who).or_default())
}

/// Counts one more. Says when the window ends, if this one opens it.
fn count_one(counted: &mut Option<Kept<u32>>, now: i64, window: Duration) -> Option<i64> {
    if let Some(running) = counted.as_mut().filter(|kept| kept.until > now) {
        running.value = running.value.saturating_add(1);
        return None;
    }
    let first = Kept::new(1, now, window);
    let at = first.until;
    *counted = Some(first);
    Some(at)
}

fn running<T>(kept: Option<&Kept<T>>, now: i64) -> Option<&T> {
    kept.filter(|kept| kept.until > now).map(|kept| &kept.value)
}

fn clear_due<T>(kept: &mut Option<Kept<T>>, now: i64) -> Option<i64> {
    let later = kept.as_ref().map(|kept| kept.until).filter(|until| *until > now);
    if later.is_none() {
        *kept = None;
    }
    later
}

fn live<'m, K, Q, T>(map: &'m BTreeMap<K, Kept<T>>, key: &Q, now: i64) -> Option<&'m T>
where
    K: Borrow<Q> + Ord,
    Q: Ord,
{
    map.get(key).filter(|kept| kept.until > now).map(|kept| &kept.value)
}

fn remove_due<K: Ord, T>(map: &mut BTreeMap<K, Kept<T>>, key: &K, now: i64) -> Option<i64> {
    let until = map.get(key)?.until;
    if until > now {
        return Some(until);
    }
    map.remove(key);
    None
}
