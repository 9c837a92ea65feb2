//! Stores that fail when they are told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keyward_domain::{CeremonyId, CredentialId, DecisionId, SessionId, SubjectKey, TenantId, Timestamp};
use keyward_store::{
    AuditLog, AuditRow, AuditSelection, CosignatureRow, CredentialRow, Credentials, DocumentVersion,
    Documents, DurableStore, HotRead, HotStore, HotView, HotWrite, HotWritten, LogTree, OpenedSubject,
    Policies, PolicyRow, Removed, SampleRow, Samples, StoreError, StoreResult, SubjectRow, Subjects, Tile,
    TreeHead,
};

/// What is out of order. Clones share the switches.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    hot: AtomicBool,
    append: AtomicBool,
    profiles: AtomicBool,
    reads: Mutex<Vec<String>>,
}

impl Faults {
    /// Whether the hot store is down from now on.
    pub fn hot(&self, down: bool) {
        self.0.hot.store(down, Ordering::SeqCst);
    }

    /// Whether the audit log refuses records from now on.
    pub fn append(&self, down: bool) {
        self.0.append.store(down, Ordering::SeqCst);
    }

    /// Whether typing profiles cannot be read from now on. One that is cached is not read.
    pub fn profiles(&self, down: bool) {
        self.0.profiles.store(down, Ordering::SeqCst);
    }

    /// The reads of persons and of documents since this was asked last: whose, and with which documents.
    pub fn take_reads(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.reads.lock().expect("nobody panics while holding it"))
    }

    fn note_read(&self, who: &SubjectKey, documents: &[&str]) {
        let read = format!("{}: {}", who.subject.as_str(), documents.join(", "));
        self.0.reads.lock().expect("nobody panics while holding it").push(read);
    }

    /// Everything is in order from now on.
    pub fn none(&self) {
        self.hot(false);
        self.append(false);
        self.profiles(false);
    }
}

fn check(switch: &AtomicBool) -> StoreResult<()> {
    if switch.load(Ordering::SeqCst) {
        return Err(StoreError::Unavailable("switched off by the test".to_owned()));
    }
    Ok(())
}

/// A hot store behind the switches.
pub struct FaultyHot {
    pub inner: Arc<dyn HotStore>,
    pub faults: Faults,
}

impl FaultyHot {
    fn up(&self) -> StoreResult<&dyn HotStore> {
        check(&self.faults.0.hot)?;
        Ok(&*self.inner)
    }
}

#[async_trait]
impl HotStore for FaultyHot {
    async fn read(&self, what: &HotRead) -> StoreResult<HotView> {
        self.up()?.read(what).await
    }
    async fn write(&self, what: HotWrite) -> StoreResult<HotWritten> {
        self.up()?.write(what).await
    }
    async fn session(&self, who: &SubjectKey, session: &SessionId) -> StoreResult<Option<(u64, Vec<u8>)>> {
        self.up()?.session(who, session).await
    }
    async fn put_ceremony(
        &self,
        tenant: &TenantId,
        id: &CeremonyId,
        value: Vec<u8>,
        ttl: Duration,
    ) -> StoreResult<()> {
        self.up()?.put_ceremony(tenant, id, value, ttl).await
    }
    async fn take_ceremony(&self, tenant: &TenantId, id: &CeremonyId) -> StoreResult<Option<Vec<u8>>> {
        self.up()?.take_ceremony(tenant, id).await
    }
    async fn announce(&self, who: &SubjectKey, name: &str, version: u64, ttl: Duration) -> StoreResult<()> {
        self.up()?.announce(who, name, version, ttl).await
    }
    async fn counts(&self, tenant: &TenantId, names: &[&str]) -> StoreResult<Vec<u32>> {
        self.up()?.counts(tenant, names).await
    }
    async fn count(&self, tenant: &TenantId, names: &[&str], window: Duration) -> StoreResult<Vec<u32>> {
        self.up()?.count(tenant, names, window).await
    }
    async fn forget(&self, who: &SubjectKey) -> StoreResult<()> {
        self.up()?.forget(who).await
    }
    async fn ping(&self) -> StoreResult<()> {
        self.up()?.ping().await
    }
}

/// A durable store behind the switches.
pub struct FaultyDurable {
    pub inner: Arc<dyn DurableStore>,
    pub faults: Faults,
}

#[async_trait]
impl Subjects for FaultyDurable {
    async fn subject(&self, who: &SubjectKey) -> StoreResult<Option<SubjectRow>> {
        self.faults.note_read(who, &[]);
        self.inner.subject(who).await
    }
    async fn open_subject(&self, who: &SubjectKey, names: &[&str]) -> StoreResult<Option<OpenedSubject>> {
        // What cannot be read now is left out, so that it is asked for by itself, and refused.
        let down = check(&self.faults.0.profiles).is_err();
        let names: Vec<&str> =
            names.iter().copied().filter(|name| !(down && name.starts_with("keystroke/"))).collect();
        self.faults.note_read(who, &names);
        self.inner.open_subject(who, &names).await
    }
    async fn ensure_subject(&self, who: &SubjectKey, row: SubjectRow) -> StoreResult<SubjectRow> {
        self.inner.ensure_subject(who, row).await
    }
    async fn erase_subject(&self, who: &SubjectKey) -> StoreResult<Removed> {
        self.inner.erase_subject(who).await
    }
    async fn subjects_after(
        &self,
        after: Option<&SubjectKey>,
        limit: usize,
    ) -> StoreResult<Vec<(SubjectKey, SubjectRow)>> {
        self.inner.subjects_after(after, limit).await
    }
    async fn subject_count(&self) -> StoreResult<u64> {
        self.inner.subject_count().await
    }
    async fn replace_wrapped_key(
        &self,
        who: &SubjectKey,
        expected: &[u8],
        wrapped_key: Vec<u8>,
    ) -> StoreResult<()> {
        self.inner.replace_wrapped_key(who, expected, wrapped_key).await
    }
}

#[async_trait]
impl Credentials for FaultyDurable {
    async fn add_credential(&self, row: CredentialRow) -> StoreResult<()> {
        self.inner.add_credential(row).await
    }
    async fn credentials(&self, who: &SubjectKey) -> StoreResult<Vec<CredentialRow>> {
        self.inner.credentials(who).await
    }
    async fn credential(&self, tenant: &TenantId, id: &CredentialId) -> StoreResult<Option<CredentialRow>> {
        self.inner.credential(tenant, id).await
    }
    async fn update_credential(&self, row: CredentialRow) -> StoreResult<()> {
        self.inner.update_credential(row).await
    }
    async fn remove_credential(&self, who: &SubjectKey, id: &CredentialId) -> StoreResult<bool> {
        self.inner.remove_credential(who, id).await
    }
}

#[async_trait]
impl Documents for FaultyDurable {
    async fn document(&self, who: &SubjectKey, name: &str) -> StoreResult<Option<DocumentVersion>> {
        if name.starts_with("keystroke/") {
            check(&self.faults.0.profiles)?;
        }
        self.faults.note_read(who, &[name]);
        self.inner.document(who, name).await
    }
    async fn document_names(&self, who: &SubjectKey) -> StoreResult<Vec<(String, u64)>> {
        self.inner.document_names(who).await
    }
    async fn put_document(
        &self,
        who: &SubjectKey,
        name: &str,
        expected: u64,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> StoreResult<u64> {
        self.inner.put_document(who, name, expected, sealed, at).await
    }
    async fn document_history(&self, who: &SubjectKey, name: &str) -> StoreResult<Vec<DocumentVersion>> {
        self.inner.document_history(who, name).await
    }
    async fn remove_document(&self, who: &SubjectKey, name: &str) -> StoreResult<bool> {
        self.inner.remove_document(who, name).await
    }
}

#[async_trait]
impl Samples for FaultyDurable {
    async fn add_samples(&self, who: &SubjectKey, name: &str, samples: Vec<SampleRow>) -> StoreResult<()> {
        self.inner.add_samples(who, name, samples).await
    }
    async fn samples(&self, who: &SubjectKey, name: &str, limit: usize) -> StoreResult<Vec<SampleRow>> {
        self.inner.samples(who, name, limit).await
    }
    async fn retract_samples(&self, who: &SubjectKey, decision: DecisionId) -> StoreResult<Vec<String>> {
        self.inner.retract_samples(who, decision).await
    }
    async fn clear_samples(&self, who: &SubjectKey, name: &str) -> StoreResult<()> {
        self.inner.clear_samples(who, name).await
    }
}

#[async_trait]
impl Policies for FaultyDurable {
    async fn keep_policy(&self, row: PolicyRow) -> StoreResult<()> {
        self.inner.keep_policy(row).await
    }
    async fn policy(&self, digest: &[u8; 32]) -> StoreResult<Option<PolicyRow>> {
        self.inner.policy(digest).await
    }
    async fn policies(&self) -> StoreResult<Vec<([u8; 32], Timestamp)>> {
        self.inner.policies().await
    }
}

#[async_trait]
impl AuditLog for FaultyDurable {
    async fn append(&self, rows: Vec<AuditRow>) -> StoreResult<u64> {
        check(&self.faults.0.append)?;
        self.inner.append(rows).await
    }
    async fn read(&self, from: u64, limit: usize) -> StoreResult<Vec<(u64, AuditRow)>> {
        self.inner.read(from, limit).await
    }
    async fn commitments(&self, from: u64, limit: usize) -> StoreResult<Vec<(u64, [u8; 32])>> {
        self.inner.commitments(from, limit).await
    }
    async fn select(&self, what: &AuditSelection) -> StoreResult<Vec<(u64, AuditRow)>> {
        self.inner.select(what).await
    }
    async fn by_decision(
        &self,
        tenant: &TenantId,
        decision: DecisionId,
    ) -> StoreResult<Option<(u64, AuditRow)>> {
        self.inner.by_decision(tenant, decision).await
    }
    async fn size(&self) -> StoreResult<u64> {
        self.inner.size().await
    }
    async fn prune(&self, below: u64) -> StoreResult<u64> {
        self.inner.prune(below).await
    }
}

#[async_trait]
impl LogTree for FaultyDurable {
    async fn head(&self) -> StoreResult<Option<TreeHead>> {
        self.inner.head().await
    }
    async fn tile(&self, level: u8, index: u64) -> StoreResult<Option<Vec<u8>>> {
        self.inner.tile(level, index).await
    }
    async fn advance(&self, expected: u64, head: TreeHead, tiles: Vec<Tile>) -> StoreResult<()> {
        self.inner.advance(expected, head, tiles).await
    }
    async fn cosign(&self, cosignature: CosignatureRow) -> StoreResult<()> {
        self.inner.cosign(cosignature).await
    }
    async fn cosignatures(&self) -> StoreResult<Vec<CosignatureRow>> {
        self.inner.cosignatures().await
    }
}
