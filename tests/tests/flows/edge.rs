//! The edge: reflection, gRPC-Web, errors, and callers that are confined to tenants.

use keyward_api::v1;
use keyward_tests::person::TENANT;
use keyward_tests::place::refusal;
use keyward_tests::{Deployment, Door, Hot, Place};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Request};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_types::StatusExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn services_are_listed_by_reflection() {
    let place = Place::open().await;
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let origin = http::Uri::from_static("http://keyward.test");
    let mut client = ServerReflectionClient::with_origin(place.door.wire(), origin);
    let answers = client.server_reflection_info(tokio_stream::iter([list])).await.expect("it answers");
    let answer = answers.into_inner().message().await.expect("an answer");
    let Some(ServerReflectionResponse {
        message_response: Some(MessageResponse::ListServicesResponse(list)),
        ..
    }) = answer
    else {
        panic!("no list: {answer:?}");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["DecisionService", "PasskeyService", "ProfileService"] {
        assert!(names.contains(&format!("keyward.v1.{service}")), "{names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_by_grpc_web_over_http_1() {
    let place = Place::open().await;
    let mut stream = TcpStream::connect(place.door.address()).await.expect("it connects");
    let head = "POST /keyward.v1.DecisionService/GetTokenKeys HTTP/1.1\r\nhost: keyward.test\r\nconnection: close\r\n\
                content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    stream.write_all(&[0; 5]).await.expect("an empty message is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("application/grpc-web+proto"), "{text}");
    assert!(text.contains(r#""kty":"OKP""#) && text.contains("grpc-status:0"), "{text}");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_names_its_fields() {
    let place = Place::open().await;
    let mut question = place.deployment.person("alice").asks("s");
    question.subject = "Alice Smith".to_owned();
    question.roles.clear();
    question.client.as_mut().expect("a client").ip = "here".to_owned();
    question.break_glass = Some(v1::BreakGlass { justification: "urgent".to_owned() });
    let status = place.door.ask(question).await.expect_err("must be refused");
    let named = status.get_details_bad_request().expect("BadRequest").field_violations;
    let mut fields: Vec<_> = named.into_iter().map(|violation| violation.field).collect();
    fields.sort();
    let expected = ["break_glass.justification", "client.ip", "roles", "subject"];
    assert_eq!(fields, expected.map(|field| format!("assessment.{field}")));
    assert!(!status.message().contains("Alice"), "what was sent is not repeated");
    assert_eq!(refusal::<()>(Err(status)), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    assert_eq!(keyward_tests::log::rows(&place.world).await.len(), 0, "nothing was written");
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_acts_for_its_own_tenant_alone() {
    let deployment = Deployment::new();
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::confined(&world, deployment.dir(), "open sesame", TENANT).await;
    let ask = async |tenant: &str, token: Option<&str>| {
        let mut request =
            Request::new(v1::IssueNonceRequest { tenant: tenant.to_owned(), session: "s".to_owned() });
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.metadata_mut().insert("authorization", value);
        }
        door.decisions().issue_nonce(request).await
    };
    assert!(ask(TENANT, Some("open sesame")).await.is_ok());
    for token in [None, Some("open barley")] {
        let refused = refusal(ask(TENANT, token).await);
        assert_eq!(refused, (Code::Unauthenticated, "UNAUTHENTICATED_CALLER".to_owned()));
    }
    let status = ask("st-john", Some("open sesame")).await.expect_err("must be refused");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (Code::PermissionDenied, "TENANT_NOT_ALLOWED"));
    assert_eq!(info.metadata.get("tenant").map(String::as_str), Some("st-john"));
    door.close().await;
}
