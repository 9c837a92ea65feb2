//! ProfileService.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use keyward_engine::Export;
use tonic::{Request, Response, Status};

use super::Shared;
use super::call::Call;
use crate::convert;
use crate::error::Failure;
use crate::v1;
use crate::v1::profile_service_server::ProfileService;

/// The most bytes of a document in one message.
const PIECE: usize = 64 << 10;

/// A person's data on its way to the client, in messages that every client takes.
pub struct Pieces {
    export: Export,
    left: Vec<u8>,
    /// How much of `left` was sent.
    at: usize,
}

impl Stream for Pieces {
    type Item = Result<v1::ExportSubjectResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.at == self.left.len() {
            match std::task::ready!(self.export.poll_recv(context)) {
                Some(Ok(piece)) => (self.left, self.at) = (piece, 0),
                Some(Err(error)) => return Poll::Ready(Some(Err(Failure::Engine(error).into()))),
                None => return Poll::Ready(None),
            }
        }
        let end = self.left.len().min(self.at + PIECE);
        let json = self.left[self.at..end].to_vec();
        self.at = end;
        Poll::Ready(Some(Ok(v1::ExportSubjectResponse { json })))
    }
}

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
        let consent = call.read(self.0.engine.behaviour_consent(&who)).await?;
        Ok(v1::GetProfileStatusResponse {
            profiles: profiles.into_iter().map(convert::profile_status).collect(),
            behaviour_consent: convert::behaviour_consent(consent).into(),
            behaviour_consent_since: consent.map(|consent| convert::timestamp_to_wire(consent.at)),
        })
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
        Ok(convert::erased(call.change(async move { engine.erase_subject(&who).await }).await?))
    }

    async fn export(&self, request: Request<v1::ExportSubjectRequest>) -> Result<Pieces, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let who = convert::export_subject(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let export = call.change(async move { engine.export_subject(&who).await }).await?;
        Ok(Pieces { export, left: Vec::new(), at: 0 })
    }

    async fn consent(
        &self,
        request: Request<v1::SetBehaviourConsentRequest>,
    ) -> Result<v1::SetBehaviourConsentResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, opted_out) = convert::set_behaviour_consent(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let change = async move { engine.set_behaviour_consent(&who, opted_out).await };
        Ok(convert::consent_set(call.change(change).await?))
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

    type ExportSubjectStream = Pieces;

    async fn export_subject(
        &self,
        request: Request<v1::ExportSubjectRequest>,
    ) -> Result<Response<Pieces>, Status> {
        Ok(self.export(request).await.map(Response::new)?)
    }

    async fn set_behaviour_consent(
        &self,
        request: Request<v1::SetBehaviourConsentRequest>,
    ) -> Result<Response<v1::SetBehaviourConsentResponse>, Status> {
        Ok(self.consent(request).await.map(Response::new)?)
    }
}
