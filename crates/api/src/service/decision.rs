//! DecisionService.

use tonic::{Request, Response, Status};

use super::Shared;
use super::call::Call;
use crate::convert;
use crate::error::Failure;
use crate::v1;
use crate::v1::decision_service_server::DecisionService;

/// DecisionService over the engine.
pub struct DecisionApi(pub(super) Shared);

impl DecisionApi {
    fn issue(&self, request: Request<v1::IssueNonceRequest>) -> Result<v1::IssueNonceResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (tenant, session) = convert::issue_nonce(message)?;
        call.may_act_for(&tenant)?;
        Ok(convert::issued_nonce(self.0.engine.issue_nonce(&tenant, &session)))
    }

    async fn decide(&self, request: Request<v1::AssessRequest>) -> Result<v1::AssessResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let question = convert::assess(message, self.0.clock.now())?;
        call.may_act_for(&question.who.tenant)?;
        let decision = self.0.engine.assess(question, call.assessment_deadline()).await?;
        Ok(v1::AssessResponse { decision: Some(convert::decision(decision)) })
    }

    async fn step_up(
        &self,
        request: Request<v1::CompleteStepUpRequest>,
    ) -> Result<v1::CompleteStepUpResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let answer = convert::complete_step_up(message)?;
        call.may_act_for(&answer.who.tenant)?;
        let decision = self.0.engine.complete_step_up(answer, call.assessment_deadline()).await?;
        Ok(v1::CompleteStepUpResponse { decision: Some(convert::decision(decision)) })
    }

    async fn risk(&self, request: Request<v1::GetRiskRequest>) -> Result<v1::GetRiskResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, session) = convert::get_risk(message)?;
        call.may_act_for(&who.tenant)?;
        Ok(convert::risk(call.read(self.0.engine.risk(&who, &session)).await?))
    }

    async fn report(
        &self,
        request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<v1::ReportOutcomeResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, decision, outcome) = convert::report_outcome(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let change = async move { engine.report_outcome(&who, decision, outcome).await };
        Ok(v1::ReportOutcomeResponse { retracted_samples: call.change(change).await? })
    }

    fn token_keys(
        &self,
        request: Request<v1::GetTokenKeysRequest>,
    ) -> Result<v1::GetTokenKeysResponse, Failure> {
        Call::open(request, &self.0.settings)?;
        Ok(v1::GetTokenKeysResponse { jwks_json: self.0.engine.token_keys() })
    }
}

#[tonic::async_trait]
impl DecisionService for DecisionApi {
    async fn issue_nonce(
        &self,
        request: Request<v1::IssueNonceRequest>,
    ) -> Result<Response<v1::IssueNonceResponse>, Status> {
        Ok(self.issue(request).map(Response::new)?)
    }

    async fn assess(
        &self,
        request: Request<v1::AssessRequest>,
    ) -> Result<Response<v1::AssessResponse>, Status> {
        Ok(self.decide(request).await.map(Response::new)?)
    }

    async fn complete_step_up(
        &self,
        request: Request<v1::CompleteStepUpRequest>,
    ) -> Result<Response<v1::CompleteStepUpResponse>, Status> {
        Ok(self.step_up(request).await.map(Response::new)?)
    }

    async fn get_risk(
        &self,
        request: Request<v1::GetRiskRequest>,
    ) -> Result<Response<v1::GetRiskResponse>, Status> {
        Ok(self.risk(request).await.map(Response::new)?)
    }

    async fn report_outcome(
        &self,
        request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        Ok(self.report(request).await.map(Response::new)?)
    }

    async fn get_token_keys(
        &self,
        request: Request<v1::GetTokenKeysRequest>,
    ) -> Result<Response<v1::GetTokenKeysResponse>, Status> {
        Ok(self.token_keys(request).map(Response::new)?)
    }
}
