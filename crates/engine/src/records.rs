//! Reading the log, for those who watch over it. Every read is a record itself, durable before anything is shown.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use keyward_audit::{AdministratorRead, Event, InclusionProof, Leaf, Record, RecordError};
use keyward_domain::{CallerId, DecisionId, Outcome, SubjectId, SubjectKey, TenantId, Timestamp};
use keyward_policy::PolicySet;
use keyward_seal::Bound;
use keyward_store::{AuditRow, AuditSelection, DECISION_KIND, PolicyRow};

use crate::people::{Person, durable};
use crate::{Engine, EngineError};

/// Rows that are read at once.
const CHUNK: usize = 256;
/// Indices that are searched at once for what may be rare.
const WINDOW: u64 = 65_536;
/// Rows that one call looks at before it answers with what it has.
const LOOKED_AT: usize = 20_000;
/// Windows that one call searches before it answers with what it has.
const SEARCHED: usize = 64;
/// How far apart the clocks of replicas, or of one before and after it was set, may be for a search by time.
const CLOCKS_DIFFER: Duration = Duration::from_hours(25);

/// What to look for. An absent part asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuery {
    /// Records of this tenant; [`SubjectKey::of_deployment`]'s for those of the whole deployment.
    pub tenant: TenantId,
    /// About this person.
    pub subject: Option<SubjectId>,
    /// Of this kind, as [`Event::kind`] names it.
    pub kind: Option<String>,
    /// Decisions that came out so.
    pub outcome: Option<Outcome>,
    /// Not older.
    pub from: Option<Timestamp>,
    /// Older.
    pub until: Option<Timestamp>,
    /// The newest first, else the oldest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
    /// The indices that are left to look at, when an earlier page said so.
    pub remaining: Option<Range<u64>>,
}

/// A record of the log with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRecord {
    /// Its index.
    pub index: u64,
    /// Its kind.
    pub kind: String,
    /// The tenant.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// What can be read of it.
    pub contents: Contents,
}

/// What can be read of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Contents {
    /// The record, with salt and bytes as they were committed to.
    Open {
        /// The record.
        record: Box<Record>,
        /// Salt and record: its SHA-256 is the log's entry.
        opening: Vec<u8>,
    },
    /// The person was erased; the commitment alone remains.
    Erased,
    /// The stored bytes are not those that were committed to.
    Damaged,
}

/// Some records.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordPage {
    /// The records, fewer than asked for when much had to be searched.
    pub records: Vec<LoggedRecord>,
    /// What is left to look at; absent when that was all.
    pub remaining: Option<Range<u64>>,
}

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordName {
    /// The one of a decision.
    Decision(DecisionId),
    /// The one at an index.
    Index(u64),
}

/// Persons whose keys a read has needed so far; none for those that are gone.
type Opened = HashMap<SubjectId, Option<Arc<Person>>>;

impl Engine {
    /// Records of a tenant, a page of them.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`], also when the read itself cannot be recorded.
    pub async fn query_records(
        &self,
        caller: &CallerId,
        query: &RecordQuery,
    ) -> Result<RecordPage, EngineError> {
        let size = self.durable.size().await.map_err(durable)?;
        self.record_read(caller, "QueryRecords", &query.tenant, query.subject.as_ref(), query.filter())
            .await?;
        let mut search = self.search(query, size).await?;
        let (mut records, mut opened) = (Vec::new(), Opened::new());
        while records.len() < query.limit
            && let Some((index, row)) = self.next(&mut search).await?
        {
            if !query.is_about(&row) {
                continue;
            }
            let record = self.open_row(index, row, &mut opened).await?;
            if query.outcome.is_none_or(|outcome| record.outcome() == Some(outcome)) {
                records.push(record);
            }
        }
        Ok(RecordPage { records, remaining: search.left() })
    }

    /// One record of a tenant, with the proof that it is in the log.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the tenant has no such record (any more); [`EngineError::StoreUnavailable`].
    pub async fn get_record(
        &self,
        caller: &CallerId,
        tenant: &TenantId,
        name: RecordName,
    ) -> Result<(LoggedRecord, InclusionProof), EngineError> {
        let found = match name {
            RecordName::Decision(id) => self.durable.by_decision(tenant, id).await.map_err(durable)?,
            RecordName::Index(index) => {
                let rows = self.durable.read(index, 1).await.map_err(durable)?;
                rows.into_iter().find(|(at, row)| *at == index && row.tenant == *tenant)
            }
        };
        let subject = found.as_ref().and_then(|(_, row)| row.subject.as_ref());
        self.record_read(caller, "GetRecord", tenant, subject, name.filter()).await?;
        let (index, row) = found.ok_or(EngineError::NotFound { kind: "record" })?;
        let record = self.open_row(index, row, &mut Opened::new()).await?;
        let proof = match self.inclusion_proof(index).await {
            // Just appended: the checkpoint is signed now rather than at the next interval.
            Err(EngineError::NotFound { .. }) => {
                self.integrate_log().await?;
                self.inclusion_proof(index).await?
            }
            proof => proof?,
        };
        Ok((record, proof))
    }

    /// Records that somebody reads the log. Under the person's own key where it is about one, so that erasing them takes
    /// this along; the log's other readers see it either way.
    pub(crate) async fn record_read(
        &self,
        caller: &CallerId,
        call: &str,
        tenant: &TenantId,
        subject: Option<&SubjectId>,
        filter: BTreeMap<String, String>,
    ) -> Result<u64, EngineError> {
        let person = match subject {
            Some(subject) => {
                let who = SubjectKey { tenant: tenant.clone(), subject: subject.clone() };
                self.people.get(&who).await?
            }
            None => None,
        };
        let who = person.as_ref().map_or_else(|| SubjectKey::of_tenant(tenant), |person| person.who.clone());
        let read = AdministratorRead { caller: caller.clone(), call: call.to_owned(), filter };
        let record = Record { who, at: self.clock.now(), event: Event::AdministratorRead(read) };
        self.log.append(&record, person.as_ref().map(|person| &person.data_key)).await
    }

    /// Begins a search, or goes on with one.
    pub(crate) async fn search(&self, query: &RecordQuery, size: u64) -> Result<Search, EngineError> {
        let all = match &query.remaining {
            Some(left) => left.start.min(size)..left.end.min(size),
            None => self.indices_between(query.from, query.until, size).await?,
        };
        let rare = query.subject.is_some() || query.kind.as_deref().is_some_and(|kind| kind != DECISION_KIND);
        let what = AuditSelection {
            tenant: query.tenant.clone(),
            subject: query.subject.clone(),
            kind: query.kind.clone(),
            indices: 0..0,
            newest_first: query.newest_first,
            limit: CHUNK,
        };
        let window = if rare { u64::MAX } else { WINDOW };
        Ok(Search {
            what,
            all,
            window,
            found: Vec::new().into_iter(),
            exhausted: false,
            looked_at: 0,
            searched: 0,
        })
    }

    /// The next row of a search; none when it is at its end, or long enough.
    pub(crate) async fn next(&self, search: &mut Search) -> Result<Option<(u64, AuditRow)>, EngineError> {
        loop {
            if let Some((index, row)) = search.found.next() {
                search.looked_at += 1;
                search.pass(index);
                return Ok(Some((index, row)));
            }
            search.settle();
            if search.all.is_empty() || search.looked_at >= LOOKED_AT || search.searched >= SEARCHED {
                return Ok(None);
            }
            search.what.indices = search.next_window();
            search.searched += 1;
            let rows = self.durable.select(&search.what).await.map_err(durable)?;
            search.exhausted = rows.len() < CHUNK;
            search.found = rows.into_iter();
        }
    }

    /// The indices between which records of a time lie. Times rise with indices but for the differences of clocks.
    async fn indices_between(
        &self,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
        size: u64,
    ) -> Result<Range<u64>, EngineError> {
        let apart = i64::try_from(CLOCKS_DIFFER.as_micros()).unwrap_or(i64::MAX);
        let earlier = |at: Timestamp| Timestamp { micros: at.micros.saturating_sub(apart) };
        let begin = match from {
            Some(from) => self.first_index(earlier(from), size).await?,
            None => 0,
        };
        let end = match until {
            Some(until) => self.first_index(until.plus(CLOCKS_DIFFER), size).await?,
            None => size,
        };
        Ok(begin..end.max(begin))
    }

    /// The first index whose record is not older than a moment, by bisection.
    async fn first_index(&self, at: Timestamp, size: u64) -> Result<u64, EngineError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = self.durable.read(middle, 1).await.map_err(durable)?.pop();
            match row {
                Some((_, row)) if row.at < at => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Opens a row, or says why it cannot be opened.
    pub(crate) async fn open_row(
        &self,
        index: u64,
        row: AuditRow,
        opened: &mut Opened,
    ) -> Result<LoggedRecord, EngineError> {
        let contents = if let Some(subject) = &row.subject {
            // Without a key the person was erased just now: the row was read before.
            let person = self.person_of(&row.tenant, subject, opened).await?;
            person.map_or(Contents::Erased, |person| {
                contents(&row, &person.who, &person.data_key).unwrap_or(Contents::Damaged)
            })
        } else {
            let sealed = contents(&row, &SubjectKey::of_tenant(&row.tenant), self.log.deployment_key());
            let gone = if is_never_a_persons(&row.kind) { Contents::Damaged } else { Contents::Erased };
            sealed.unwrap_or(gone)
        };
        Ok(LoggedRecord { index, kind: row.kind, tenant: row.tenant, at: row.at, contents })
    }

    async fn person_of(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
        opened: &mut Opened,
    ) -> Result<Option<Arc<Person>>, EngineError> {
        if let Some(known) = opened.get(subject) {
            return Ok(known.clone());
        }
        let who = SubjectKey { tenant: tenant.clone(), subject: subject.clone() };
        let person = self.people.get(&who).await?;
        opened.insert(subject.clone(), person.clone());
        Ok(person)
    }

    /// Keeps the policy set in force, so that whoever reads a decision finds what decided, and records that it is another
    /// one than the log last said, if so. To be called once stores answer; replicas that start together may each record it.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`]; then it is to be called again.
    pub async fn record_policy(&self) -> Result<(), EngineError> {
        let policy = self.policy.load_full();
        let in_force = policy.digest();
        let (text, schema) = (policy.text().to_owned(), PolicySet::schema().to_owned());
        let row = PolicyRow { digest: in_force, text, schema, since: self.clock.now() };
        self.durable.keep_policy(row).await.map_err(durable)?;
        let digest = keyward_audit::hex(&in_force);
        let previous = self.recorded_policy().await?;
        if previous.as_ref() != Some(&digest) {
            let event = Event::PolicyChanged { digest, previous };
            let record = Record { who: SubjectKey::of_deployment(), at: self.clock.now(), event };
            self.log.append(&record, None).await?;
        }
        self.policy_on_record.store(Some(Arc::new(in_force)));
        Ok(())
    }

    /// Records a policy that was put in place after [`Engine::record_policy`] was called.
    pub(crate) async fn follow_policy(&self) -> Result<(), EngineError> {
        match &*self.policy_on_record.load() {
            Some(digest) if **digest != self.policy.load().digest() => self.record_policy().await,
            _ => Ok(()),
        }
    }

    async fn recorded_policy(&self) -> Result<Option<String>, EngineError> {
        let (tenant, indices) = (SubjectKey::of_deployment().tenant, 0..u64::MAX);
        let kind = Some("policy_changed".to_owned());
        let what = AuditSelection { tenant, subject: None, kind, indices, newest_first: true, limit: 1 };
        let Some((index, row)) = self.durable.select(&what).await.map_err(durable)?.pop() else {
            return Ok(None);
        };
        match self.open_row(index, row, &mut Opened::new()).await?.contents {
            Contents::Open { record, .. } => match record.event {
                Event::PolicyChanged { digest, .. } => Ok(Some(digest)),
                _ => Ok(None),
            },
            Contents::Erased | Contents::Damaged => Ok(None),
        }
    }
}

/// Opens a row and checks it against its commitment; none when the key does not open it.
fn contents(row: &AuditRow, who: &SubjectKey, key: &keyward_seal::DataKey) -> Option<Contents> {
    let opening = key.open(&bound(who), &row.sealed).ok()?;
    match Leaf::open(&row.commitment, &opening) {
        Ok(record) => Some(Contents::Open { record: Box::new(record), opening }),
        Err(RecordError::NotCommitted | RecordError::Decode(_) | RecordError::Encode(_)) => {
            Some(Contents::Damaged)
        }
    }
}

/// How a record is bound to what it is about.
pub(crate) const fn bound(who: &SubjectKey) -> Bound<'_> {
    Bound { who, kind: "audit", name: "", version: 0 }
}

/// Kinds of records that are always sealed under the deployment's key.
fn is_never_a_persons(kind: &str) -> bool {
    ["erased", "keys", "policy_changed", "pruned"].contains(&kind)
}

impl LoggedRecord {
    /// The outcome, of a decision that can be read.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.contents {
            Contents::Open { record, .. } => match &record.event {
                Event::Decision(decision) => Some(decision.outcome),
                _ => None,
            },
            Contents::Erased | Contents::Damaged => None,
        }
    }
}

impl RecordQuery {
    pub(crate) fn is_about(&self, row: &AuditRow) -> bool {
        let decides = self.outcome.is_none() || row.kind == DECISION_KIND;
        decides
            && self.from.is_none_or(|from| row.at >= from)
            && self.until.is_none_or(|until| row.at < until)
    }

    /// The query in the words of an [`AdministratorRead`]. The person is whom that record is about.
    fn filter(&self) -> BTreeMap<String, String> {
        let left = self.remaining.as_ref();
        let words = [
            ("subject", self.subject.as_ref().map(ToString::to_string)),
            ("kind", self.kind.clone()),
            ("outcome", self.outcome.map(|outcome| outcome.name().to_owned())),
            ("from_us", self.from.map(|at| at.micros.to_string())),
            ("until_us", self.until.map(|at| at.micros.to_string())),
            ("remaining", left.map(|left| format!("{}..{}", left.start, left.end))),
        ];
        words.into_iter().filter_map(|(word, value)| Some((word.to_owned(), value?))).collect()
    }
}

impl RecordName {
    fn filter(self) -> BTreeMap<String, String> {
        let (word, value) = match self {
            Self::Decision(id) => ("decision", id.to_string()),
            Self::Index(index) => ("index", index.to_string()),
        };
        BTreeMap::from([(word.to_owned(), value)])
    }
}

/// A search through the log, window by window.
pub(crate) struct Search {
    what: AuditSelection,
    /// What is left to look at.
    all: Range<u64>,
    window: u64,
    found: std::vec::IntoIter<(u64, AuditRow)>,
    /// What was found is all that the window has.
    exhausted: bool,
    looked_at: usize,
    searched: usize,
}

impl Search {
    fn next_window(&self) -> Range<u64> {
        if self.what.newest_first {
            self.all.end.saturating_sub(self.window).max(self.all.start)..self.all.end
        } else {
            self.all.start..self.all.start.saturating_add(self.window).min(self.all.end)
        }
    }

    /// The row at this index was given.
    fn pass(&mut self, index: u64) {
        if self.what.newest_first {
            self.all.end = self.all.end.min(index);
        } else {
            self.all.start = self.all.start.max(index + 1);
        }
    }

    /// Passes what the window has beyond its last row, once that was given.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.exhausted) {
            return;
        }
        let window = &self.what.indices;
        if self.what.newest_first {
            self.all.end = self.all.end.min(window.start);
        } else {
            self.all.start = self.all.start.max(window.end);
        }
    }

    /// What is left, if anything is.
    pub(crate) fn left(mut self) -> Option<Range<u64>> {
        if self.found.len() == 0 {
            self.settle();
        }
        (!self.all.is_empty()).then_some(self.all)
    }
}
