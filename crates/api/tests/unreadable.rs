//! Bodies that are no message, through a generated server: the client is told, and the service is not asked.

use http_body_util::Full;
use keyward_api::v1;
use keyward_api::v1::profile_service_server::{ProfileService, ProfileServiceServer};
use tonic::body::Body;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

/// Answers what the tests ask; nothing else is reached.
struct Reached;

macro_rules! answers {
    ($($method:ident: $request:ident -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl ProfileService for Reached {
            type ExportSubjectStream = tonic::codegen::BoxStream<v1::ExportSubjectResponse>;
            async fn export_subject(
                &self,
                _: Request<v1::ExportSubjectRequest>,
            ) -> Result<Response<Self::ExportSubjectStream>, Status> {
                Err(Status::aborted("the service was reached"))
            }
            $(async fn $method(&self, _: Request<v1::$request>) -> Result<Response<v1::$response>, Status> {
                Err(Status::aborted("the service was reached"))
            })*
        }
    };
}

answers! {
    get_profile_status: GetProfileStatusRequest -> GetProfileStatusResponse;
    reset_profile: ResetProfileRequest -> ResetProfileResponse;
    roll_back_profile: RollBackProfileRequest -> RollBackProfileResponse;
    import_samples: ImportSamplesRequest -> ImportSamplesResponse;
    erase_subject: EraseSubjectRequest -> EraseSubjectResponse;
    set_behaviour_consent: SetBehaviourConsentRequest -> SetBehaviourConsentResponse;
}

/// The status that a body gets, sent as one gRPC message.
async fn status(message: &[u8]) -> Status {
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    let frame = [&[0], &length[..], message].concat();
    let request = http::Request::post("/keyward.v1.ProfileService/EraseSubject")
        .header("content-type", "application/grpc")
        .body(Body::new(Full::from(frame)))
        .expect("a valid request");
    let response = ProfileServiceServer::new(Reached).oneshot(request).await.expect("infallible");
    Status::from_header_map(response.headers())
        .expect("an error without a message has its status in the head")
}

#[tokio::test]
async fn an_unreadable_body_is_the_clients_mistake() {
    // An empty message is a message; a string cut short, text that is no UTF-8, and a tag of type 7 are none.
    assert_eq!(status(b"").await.code(), Code::Aborted);
    for bytes in [b"\x0a\x05st".as_slice(), b"\x0a\x02\xff\xfe", b"\x0f\x01"] {
        let status = status(bytes).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{bytes:?}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "INVALID_FIELD");
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 1);
    }
}
