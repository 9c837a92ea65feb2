//! What every call begins with: who asks, for which tenant, until when.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keyward_domain::{CallerId, SubjectKey, TenantId};
use keyward_engine::EngineError;
use tokio::time::{Instant, timeout_at};
use tonic::Request;
use tracing::Instrument as _;

use super::ApiSettings;
use crate::caller::{Caller, Deadline, Tenants};
use crate::error::Failure;

/// What the way from the engine's answer to the encoded message may take.
const WAY_BACK: Duration = Duration::from_millis(2);

/// A call that was let in.
pub(super) struct Call {
    caller: Arc<Caller>,
    /// When the answer must be ready.
    until: Instant,
    /// When an assessment must be: sooner, if the caller set no deadline of its own.
    assessment_until: Instant,
}

impl Call {
    /// Takes a request apart.
    pub(super) fn open<M>(request: Request<M>, settings: &ApiSettings) -> Result<(Self, M), Failure> {
        let (_, extensions, message) = request.into_parts();
        let caller = extensions.get::<Arc<Caller>>().ok_or(Failure::UnauthenticatedCaller)?;
        let default = Instant::now() + settings.default_deadline;
        let (until, assessment_until) = match extensions.get::<Deadline>() {
            Some(Deadline { at, set_by_caller: true }) => (Instant::from_std(*at), Instant::from_std(*at)),
            Some(Deadline { at, set_by_caller: false }) => {
                (Instant::from_std(*at), default.min(Instant::from_std(*at)))
            }
            None => (default, default),
        };
        Ok((Self { caller: Arc::clone(caller), until, assessment_until }, message))
    }

    /// Refuses a tenant that the caller may not act for.
    pub(super) fn may_act_for(&self, tenant: &TenantId) -> Result<(), Failure> {
        if self.caller.may_act_for(tenant) {
            Ok(())
        } else {
            Err(Failure::TenantNotAllowed { tenant: tenant.clone() })
        }
    }

    /// Refuses a caller that may not open records of the log, and a tenant that it may not act for. What concerns the
    /// whole deployment is for those that may act for every tenant.
    pub(super) fn may_audit(&self, tenant: &TenantId) -> Result<(), Failure> {
        self.has_right_to_audit()?;
        self.may_act_for(tenant)?;
        let everywhere = self.caller.tenants == Tenants::All || *tenant != SubjectKey::of_deployment().tenant;
        if everywhere { Ok(()) } else { Err(Failure::AuditNotAllowed) }
    }

    /// Refuses a caller that may not open records of any tenant, before anything of its message is looked at.
    pub(super) fn has_right_to_audit(&self) -> Result<(), Failure> {
        if self.caller.audit { Ok(()) } else { Err(Failure::AuditNotAllowed) }
    }

    /// Who calls.
    pub(super) fn caller(&self) -> &CallerId {
        &self.caller.id
    }

    /// When the engine must have answered an assessment.
    pub(super) fn assessment_deadline(&self) -> Instant {
        self.assessment_until.checked_sub(WAY_BACK).unwrap_or(self.assessment_until)
    }

    /// Reads something, in time or not at all.
    pub(super) async fn read<T>(
        &self,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, Failure> {
        match timeout_at(self.until, work).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::Engine(EngineError::DeadlineExceeded)),
        }
    }

    /// Changes something. The change runs to its end even when the caller stops waiting, so that nothing is left half
    /// done; the caller that stopped waiting does not learn how it ended.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, Failure> {
        let running = tokio::spawn(work.in_current_span());
        self.read(async {
            running
                .await
                .unwrap_or_else(|error| Err(EngineError::Internal(format!("a change failed: {error}"))))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn request(deadline: Option<Deadline>) -> Request<()> {
        let tenants = Tenants::Only([TenantId::parse("st-mary").unwrap()].into());
        let mut request = Request::new(());
        request.extensions_mut().insert(Arc::new(Caller {
            id: CallerId::parse("portal").unwrap(),
            tenants,
            audit: true,
        }));
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        request
    }

    fn open(deadline: Option<Deadline>) -> Call {
        Call::open(request(deadline), &ApiSettings::default()).unwrap().0
    }

    #[test]
    fn nobody_in_particular_may_not_call() {
        let refused = Call::open(Request::new(()), &ApiSettings::default()).err();
        assert_eq!(refused, Some(Failure::UnauthenticatedCaller));
    }

    #[test]
    fn a_caller_acts_for_its_tenants_only() {
        let other = TenantId::parse("st-john").unwrap();
        let call = open(None);
        assert_eq!(call.may_act_for(&TenantId::parse("st-mary").unwrap()), Ok(()));
        assert_eq!(call.may_act_for(&other), Err(Failure::TenantNotAllowed { tenant: other }));
    }

    #[test]
    fn records_are_opened_for_those_with_the_right_and_their_tenants() {
        let tenant = |name: &str| TenantId::parse(name).unwrap();
        let call = |tenants, audit| {
            let caller = Caller { id: CallerId::parse("officer").unwrap(), tenants, audit };
            let mut call = open(None);
            call.caller = Arc::new(caller);
            call
        };
        let own = || Tenants::Only([tenant("st-mary"), SubjectKey::of_deployment().tenant].into());
        assert_eq!(call(own(), true).may_audit(&tenant("st-mary")), Ok(()));
        assert_eq!(call(own(), false).may_audit(&tenant("st-mary")), Err(Failure::AuditNotAllowed));
        assert!(call(own(), true).may_audit(&tenant("st-john")).is_err());
        assert_eq!(
            call(own(), true).may_audit(&SubjectKey::of_deployment().tenant),
            Err(Failure::AuditNotAllowed)
        );
        assert_eq!(call(Tenants::All, true).may_audit(&SubjectKey::of_deployment().tenant), Ok(()));
    }

    #[test]
    fn the_engine_answers_before_the_caller_stops_waiting() {
        let now = std::time::Instant::now();
        let deadline = |after: Duration, set_by_caller| Some(Deadline { at: now + after, set_by_caller });
        let set = open(deadline(Duration::from_secs(4), true));
        assert_eq!(set.assessment_deadline(), Instant::from_std(now) + Duration::from_secs(4) - WAY_BACK);
        let unset = open(deadline(Duration::from_secs(4), false));
        assert!(unset.assessment_deadline() < Instant::from_std(now) + Duration::from_secs(2));
        assert_eq!(unset.until, Instant::from_std(now) + Duration::from_secs(4));
    }

    #[tokio::test]
    async fn a_read_that_takes_too_long_is_given_up() {
        let call = open(Some(Deadline { at: std::time::Instant::now(), set_by_caller: true }));
        let endless = std::future::pending::<Result<(), EngineError>>();
        assert_eq!(call.read(endless).await, Err(Failure::Engine(EngineError::DeadlineExceeded)));
    }

    #[tokio::test]
    async fn a_change_runs_to_its_end_though_nobody_waits() {
        let call = open(Some(Deadline { at: std::time::Instant::now(), set_by_caller: true }));
        let (done, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Notify::new()));
        let finished = Arc::new(tokio::sync::Notify::new());
        let change = {
            let (done, go_on, finished) = (Arc::clone(&done), Arc::clone(&go_on), Arc::clone(&finished));
            async move {
                go_on.notified().await;
                done.store(true, Ordering::SeqCst);
                finished.notify_one();
                Ok::<_, EngineError>(())
            }
        };
        assert_eq!(call.change(change).await, Err(Failure::Engine(EngineError::DeadlineExceeded)));
        assert!(!done.load(Ordering::SeqCst));
        go_on.notify_one();
        finished.notified().await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_in_a_change_is_an_internal_fault() {
        let call = open(None);
        let failed = call.change(async { panic!("on purpose") as Result<(), EngineError> }).await;
        assert!(matches!(failed, Err(Failure::Engine(EngineError::Internal(_)))));
    }
}
