//! AuditService.

use std::pin::Pin;

use keyward_engine::Contents;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::Shared;
use super::call::Call;
use crate::convert;
use crate::error::Failure;
use crate::v1;
use crate::v1::audit_service_server::AuditService;

/// AuditService over the engine.
pub struct AuditApi(pub(super) Shared);

/// Records as they come.
type Records = Pin<Box<dyn Stream<Item = Result<v1::WatchRecordsResponse, Status>> + Send>>;

impl AuditApi {
    async fn query(
        &self,
        request: Request<v1::QueryRecordsRequest>,
    ) -> Result<v1::QueryRecordsResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        call.has_right_to_audit()?;
        let query = convert::query_records(message)?;
        call.may_audit(&query.tenant)?;
        Ok(convert::records(call.read(self.0.engine.query_records(call.caller(), &query)).await?))
    }

    async fn record(&self, request: Request<v1::GetRecordRequest>) -> Result<v1::GetRecordResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        call.has_right_to_audit()?;
        let (tenant, name) = convert::get_record(message)?;
        call.may_audit(&tenant)?;
        let (record, proof) = call.read(self.0.engine.get_record(call.caller(), &tenant, name)).await?;
        let opening = match &record.contents {
            Contents::Open { opening, .. } => opening.clone(),
            Contents::Erased | Contents::Damaged => Vec::new(),
        };
        let (record, proof) = (convert::record(record), convert::inclusion_proof(proof));
        Ok(v1::GetRecordResponse { record: Some(record), proof: Some(proof), opening })
    }

    async fn watch(&self, request: Request<v1::WatchRecordsRequest>) -> Result<Records, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        call.has_right_to_audit()?;
        let tenant = convert::watch_records(message)?;
        call.may_audit(&tenant)?;
        let watch = call.read(self.0.engine.watch_records(call.caller(), tenant)).await?;
        let records = ReceiverStream::new(watch).map(|item| match item {
            Ok(record) => Ok(v1::WatchRecordsResponse { record: Some(convert::record(record)) }),
            Err(error) => Err(Failure::Engine(error).into()),
        });
        Ok(Box::pin(records))
    }

    async fn try_one(
        &self,
        request: Request<v1::TryPolicyRequest>,
    ) -> Result<v1::TryPolicyResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        call.has_right_to_audit()?;
        let (policy, trial) = convert::try_policy(message)?;
        call.may_audit(&trial.tenant)?;
        let page = call.read(self.0.engine.try_policy(call.caller(), &policy, &trial)).await?;
        Ok(convert::trial(page))
    }

    async fn checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<v1::GetCheckpointResponse, Failure> {
        let (call, _) = Call::open(request, &self.0.settings)?;
        let checkpoint = call.read(self.0.engine.log_checkpoint()).await?;
        Ok(convert::checkpoint(checkpoint, self.0.engine.log_key()))
    }

    async fn inclusion(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<v1::GetInclusionProofResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let proof = call.read(self.0.engine.inclusion_proof(message.index)).await?;
        Ok(v1::GetInclusionProofResponse { proof: Some(convert::inclusion_proof(proof)) })
    }

    async fn consistency(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<v1::GetConsistencyProofResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (old, new) = convert::get_consistency_proof(message)?;
        let proof = call.read(self.0.engine.consistency_proof(old, new)).await?;
        Ok(convert::consistency_proof(&proof))
    }

    async fn cosign(
        &self,
        request: Request<v1::AddCosignatureRequest>,
    ) -> Result<v1::AddCosignatureResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let note = convert::add_cosignature(message)?;
        let engine = self.0.engine.clone();
        let kept = call.change(async move { engine.add_cosignatures(&note).await }).await?;
        Ok(v1::AddCosignatureResponse { kept })
    }
}

#[tonic::async_trait]
impl AuditService for AuditApi {
    type WatchRecordsStream = Records;

    async fn query_records(
        &self,
        request: Request<v1::QueryRecordsRequest>,
    ) -> Result<Response<v1::QueryRecordsResponse>, Status> {
        Ok(self.query(request).await.map(Response::new)?)
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        Ok(self.record(request).await.map(Response::new)?)
    }

    async fn watch_records(
        &self,
        request: Request<v1::WatchRecordsRequest>,
    ) -> Result<Response<Records>, Status> {
        Ok(self.watch(request).await.map(Response::new)?)
    }

    async fn try_policy(
        &self,
        request: Request<v1::TryPolicyRequest>,
    ) -> Result<Response<v1::TryPolicyResponse>, Status> {
        Ok(self.try_one(request).await.map(Response::new)?)
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        Ok(self.checkpoint(request).await.map(Response::new)?)
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        Ok(self.inclusion(request).await.map(Response::new)?)
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        Ok(self.consistency(request).await.map(Response::new)?)
    }

    async fn add_cosignature(
        &self,
        request: Request<v1::AddCosignatureRequest>,
    ) -> Result<Response<v1::AddCosignatureResponse>, Status> {
        Ok(self.cosign(request).await.map(Response::new)?)
    }
}
