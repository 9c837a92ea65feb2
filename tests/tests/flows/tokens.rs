//! Decision tokens, verified by a library that is not keyward's.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use keyward_api::v1;
use keyward_tests::person::own;
use keyward_tests::{Door, Place};
use serde_json::{Value, json};

async fn keys(door: &Door) -> JwkSet {
    let keys = door.decisions().get_token_keys(v1::GetTokenKeysRequest {}).await.expect("keys");
    serde_json::from_str(&keys.into_inner().jwks_json).expect("a key set")
}

fn verify(token: &str, keys: &JwkSet, tenant: &str) -> Result<Value, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let key = header.kid.and_then(|kid| keys.find(&kid)).ok_or("no such key")?;
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[tenant]);
    validation.set_issuer(&["keyward"]);
    decode::<Value>(token, &key, &validation).map(|it| it.claims).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_carries_a_token_that_others_verify_offline() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let decision = place.door.proven_login(&place.world, &person, "s", 1).await;
    let keys = keys(&place.door).await;
    let claims = verify(&decision.token, &keys, "st-mary").expect("it verifies");
    for (name, expected) in [
        ("sub", json!("alice")),
        ("sid", json!("s")),
        ("jti", json!(decision.id)),
        ("acr", json!("urn:keyward:aal2")),
        ("amr", json!(["pop", "swk", "user", "mfa", "pwd"])),
        ("act", json!("login")),
        ("sens", json!("routine")),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    let valid_for = decision.valid_for.as_ref().expect("a validity").seconds;
    assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), valid_for);
    assert!(valid_for > 0);

    assert!(verify(&decision.token, &keys, "st-john").is_err(), "another tenant's services do not take it");
    let (head, signature) = decision.token.rsplit_once('.').expect("three parts");
    let spoilt = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert!(verify(&spoilt, &keys, "st-mary").is_err());
    let elsewhere = Place::open().await;
    let foreign = self::keys(&elsewhere.door).await;
    assert!(verify(&decision.token, &foreign, "st-mary").is_err());
    elsewhere.door.close().await;
    place.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_an_allow_carries_a_token() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    let asked = place.door.password_login(&place.world, &person, "s", &own(1)).await;
    assert_eq!(asked.token, "");
    place.door.close().await;
}
