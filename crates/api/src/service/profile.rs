//! ProfileService.

use tonic::{Request, Response, Status};

use super::Shared;
use super::call::Call;
use crate::convert;
use crate::error::Failure;
use crate::v1;
use crate::v1::profile_service_server::ProfileService;

/// ProfileService over the engine.
pub struct ProfileApi(pub(super) Shared);

impl ProfileApi {
    async fn status(
        &self,
        request: Request<v1::GetProfileStatusRequest>,
    ) -> Result<v1::GetProfileStatusResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let who = convert::get_profile_status(message)?;
        call.may_act_for(&who.tenant)?;
        let profiles = call.read(self.0.engine.profile_status(&who)).await?;
        let profiles = profiles.into_iter().map(convert::profile_status).collect();
        Ok(v1::GetProfileStatusResponse { profiles })
    }

    async fn reset(
        &self,
        request: Request<v1::ResetProfileRequest>,
    ) -> Result<v1::ResetProfileResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, key) = convert::reset_profile(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let change = async move { engine.reset_profile(&who, key.as_ref()).await };
        Ok(v1::ResetProfileResponse { profiles: call.change(change).await? })
    }

    async fn roll_back(
        &self,
        request: Request<v1::RollBackProfileRequest>,
    ) -> Result<v1::RollBackProfileResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, key, version) = convert::roll_back_profile(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let change = async move { engine.roll_back_profile(&who, &key, version).await };
        Ok(v1::RollBackProfileResponse { profile: Some(convert::profile_status(call.change(change).await?)) })
    }

    async fn import(
        &self,
        request: Request<v1::ImportSamplesRequest>,
    ) -> Result<v1::ImportSamplesResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, class, samples) = convert::import_samples(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let change = async move { engine.import_samples(&who, class, samples).await };
        let (profile, skipped) = call.change(change).await?;
        Ok(v1::ImportSamplesResponse { profile: Some(convert::profile_status(profile)), skipped })
    }

    async fn erase(
        &self,
        request: Request<v1::EraseSubjectRequest>,
    ) -> Result<v1::EraseSubjectResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let who = convert::erase_subject(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let erased = call.change(async move { engine.erase_subject(&who).await }).await?;
        Ok(v1::EraseSubjectResponse { erased: erased.removed.anything(), audit_index: erased.audit_index })
    }
}

#[tonic::async_trait]
impl ProfileService for ProfileApi {
    async fn get_profile_status(
        &self,
        request: Request<v1::GetProfileStatusRequest>,
    ) -> Result<Response<v1::GetProfileStatusResponse>, Status> {
        Ok(self.status(request).await.map(Response::new)?)
    }

    async fn reset_profile(
        &self,
        request: Request<v1::ResetProfileRequest>,
    ) -> Result<Response<v1::ResetProfileResponse>, Status> {
        Ok(self.reset(request).await.map(Response::new)?)
    }

    async fn roll_back_profile(
        &self,
        request: Request<v1::RollBackProfileRequest>,
    ) -> Result<Response<v1::RollBackProfileResponse>, Status> {
        Ok(self.roll_back(request).await.map(Response::new)?)
    }

    async fn import_samples(
        &self,
        request: Request<v1::ImportSamplesRequest>,
    ) -> Result<Response<v1::ImportSamplesResponse>, Status> {
        Ok(self.import(request).await.map(Response::new)?)
    }

    async fn erase_subject(
        &self,
        request: Request<v1::EraseSubjectRequest>,
    ) -> Result<Response<v1::EraseSubjectResponse>, Status> {
        Ok(self.erase(request).await.map(Response::new)?)
    }
}
