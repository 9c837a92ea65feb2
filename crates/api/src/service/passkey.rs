//! PasskeyService.

use tonic::{Request, Response, Status};

use super::Shared;
use super::call::Call;
use crate::convert;
use crate::error::Failure;
use crate::v1;
use crate::v1::passkey_service_server::PasskeyService;

/// PasskeyService over the engine.
pub struct PasskeyApi(pub(super) Shared);

impl PasskeyApi {
    async fn begin_creation(
        &self,
        request: Request<v1::BeginRegistrationRequest>,
    ) -> Result<v1::BeginRegistrationResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let new = convert::begin_registration(message)?;
        call.may_act_for(&new.who.tenant)?;
        let engine = self.0.engine.clone();
        let begun = call.change(async move { engine.begin_registration(new).await }).await?;
        Ok(convert::begun_registration(begun))
    }

    async fn finish_creation(
        &self,
        request: Request<v1::FinishRegistrationRequest>,
    ) -> Result<v1::FinishRegistrationResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let response = convert::finish_registration(message)?;
        call.may_act_for(&response.who.tenant)?;
        let engine = self.0.engine.clone();
        let passkey = call.change(async move { engine.finish_registration(response).await }).await?;
        Ok(v1::FinishRegistrationResponse { passkey: Some(convert::passkey(passkey)) })
    }

    async fn begin_request(
        &self,
        request: Request<v1::BeginAuthenticationRequest>,
    ) -> Result<v1::BeginAuthenticationResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let start = convert::begin_authentication(message)?;
        call.may_act_for(&start.tenant)?;
        let engine = self.0.engine.clone();
        let change = async move {
            let (subject, telemetry) = (start.subject.as_ref(), start.telemetry.as_ref());
            engine.begin_authentication(&start.tenant, subject, &start.session, telemetry).await
        };
        Ok(convert::begun_authentication(call.change(change).await?))
    }

    async fn finish_request(
        &self,
        request: Request<v1::FinishAuthenticationRequest>,
    ) -> Result<v1::FinishAuthenticationResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (tenant, session, assertion) = convert::finish_authentication(message)?;
        call.may_act_for(&tenant)?;
        let engine = self.0.engine.clone();
        let change = async move { engine.finish_authentication(&tenant, &session, assertion).await };
        Ok(convert::authenticated(call.change(change).await?))
    }

    async fn list(
        &self,
        request: Request<v1::ListPasskeysRequest>,
    ) -> Result<v1::ListPasskeysResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let who = convert::list_passkeys(message)?;
        call.may_act_for(&who.tenant)?;
        let passkeys = call.read(self.0.engine.list_passkeys(&who)).await?;
        let accepted =
            call.read(async { Ok(self.0.engine.accepted_passkeys(&who, &passkeys).await) }).await?;
        let accepted_credentials_json = accepted.unwrap_or_default();
        let passkeys = passkeys.into_iter().map(convert::passkey).collect();
        Ok(v1::ListPasskeysResponse { passkeys, accepted_credentials_json })
    }

    async fn rename(
        &self,
        request: Request<v1::RenamePasskeyRequest>,
    ) -> Result<v1::RenamePasskeyResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, id, name) = convert::rename_passkey(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        let passkey = call.change(async move { engine.rename_passkey(&who, &id, name).await }).await?;
        Ok(v1::RenamePasskeyResponse { passkey: Some(convert::passkey(passkey)) })
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokePasskeyRequest>,
    ) -> Result<v1::RevokePasskeyResponse, Failure> {
        let (call, message) = Call::open(request, &self.0.settings)?;
        let (who, id) = convert::revoke_passkey(message)?;
        call.may_act_for(&who.tenant)?;
        let engine = self.0.engine.clone();
        call.change(async move { engine.revoke_passkey(&who, &id).await }).await?;
        Ok(v1::RevokePasskeyResponse {})
    }
}

#[tonic::async_trait]
impl PasskeyService for PasskeyApi {
    async fn begin_registration(
        &self,
        request: Request<v1::BeginRegistrationRequest>,
    ) -> Result<Response<v1::BeginRegistrationResponse>, Status> {
        Ok(self.begin_creation(request).await.map(Response::new)?)
    }

    async fn finish_registration(
        &self,
        request: Request<v1::FinishRegistrationRequest>,
    ) -> Result<Response<v1::FinishRegistrationResponse>, Status> {
        Ok(self.finish_creation(request).await.map(Response::new)?)
    }

    async fn begin_authentication(
        &self,
        request: Request<v1::BeginAuthenticationRequest>,
    ) -> Result<Response<v1::BeginAuthenticationResponse>, Status> {
        Ok(self.begin_request(request).await.map(Response::new)?)
    }

    async fn finish_authentication(
        &self,
        request: Request<v1::FinishAuthenticationRequest>,
    ) -> Result<Response<v1::FinishAuthenticationResponse>, Status> {
        Ok(self.finish_request(request).await.map(Response::new)?)
    }

    async fn list_passkeys(
        &self,
        request: Request<v1::ListPasskeysRequest>,
    ) -> Result<Response<v1::ListPasskeysResponse>, Status> {
        Ok(self.list(request).await.map(Response::new)?)
    }

    async fn rename_passkey(
        &self,
        request: Request<v1::RenamePasskeyRequest>,
    ) -> Result<Response<v1::RenamePasskeyResponse>, Status> {
        Ok(self.rename(request).await.map(Response::new)?)
    }

    async fn revoke_passkey(
        &self,
        request: Request<v1::RevokePasskeyRequest>,
    ) -> Result<Response<v1::RevokePasskeyResponse>, Status> {
        Ok(self.revoke(request).await.map(Response::new)?)
    }
}
