//! What can be proven of the log, and who signs for it.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use keyward_api::v1;
use keyward_audit::{
    Checkpoint, Hash, InclusionProof, KeyKind, Note, NoteSigner, VerifierKey, commitment_to, consistent,
    included, leaf_hash,
};
use keyward_engine::LogSettings;
use keyward_tests::person::{TENANT, own};
use keyward_tests::place::refusal;
use keyward_tests::{Deployment, Door, Hot, Place};
use tonic::Code;

fn hashes(bytes: &[Vec<u8>]) -> Vec<Hash> {
    bytes.iter().map(|hash| hash.as_slice().try_into().expect("32 bytes")).collect()
}

async fn checkpoint(door: &Door) -> v1::GetCheckpointResponse {
    door.audit().get_checkpoint(v1::GetCheckpointRequest {}).await.expect("a checkpoint").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_can_be_proven_offline_by_whoever_has_the_logs_key() {
    Place::each(async |place| {
        let person = place.clinician("alice").await;
        let mut given = Vec::new();
        for n in 0..5 {
            given.push(place.door.proven_login(&place.world, &person, &format!("s{n}"), n).await);
        }
        place.world.engine.integrate_log().await.expect("integrated");
        let signed = checkpoint(&place.door).await;
        let key = VerifierKey::parse(&signed.key).expect("a key");
        assert_eq!(&key, place.world.engine.log_key());
        let read = Checkpoint::verify(&signed.checkpoint, &key).expect("signed");
        assert_eq!((read.size, read.root.to_vec()), (signed.size, signed.root));
        for decision in &given {
            let name = v1::get_record_request::Name::DecisionId(decision.id.clone());
            let request = v1::GetRecordRequest { tenant: TENANT.to_owned(), name: Some(name) };
            let found = place.door.audit().get_record(request).await.expect("a record").into_inner();
            let record = found.record.expect("a record");
            assert_eq!(Some(record.index), decision.audit_index);
            let made = record.decision.expect("a decision");
            assert_eq!((made.id, made.outcome), (decision.id.clone(), decision.outcome));
            assert_eq!(made.reasons.len(), decision.reasons.len());

            // What follows needs nothing of keyward but the key: the text is kept by the caller.
            let text = found.proof.expect("a proof").text;
            let proof = InclusionProof::parse(&text).expect("a proof");
            let tree = Checkpoint::verify(&proof.checkpoint, &key).expect("signed");
            let leaf = leaf_hash(&commitment_to(&found.opening));
            assert!(included(&leaf, proof.index, tree.size, &proof.hashes, &tree.root));
            let mut forged = found.opening.clone();
            *forged.last_mut().expect("bytes") ^= 1;
            let other = leaf_hash(&commitment_to(&forged));
            assert!(!included(&other, proof.index, tree.size, &proof.hashes, &tree.root));
        }
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_log_is_proven_to_have_grown_from_an_earlier_one() {
    let place = Place::open().await;
    let person = place.clinician("alice").await;
    place.world.engine.integrate_log().await.expect("integrated");
    let before = checkpoint(&place.door).await;
    for n in 0..3 {
        place.door.password_login(&place.world, &person, &format!("s{n}"), &own(n)).await;
    }
    place.world.engine.integrate_log().await.expect("integrated");
    let after = checkpoint(&place.door).await;
    assert!(before.size > 0 && after.size == before.size + 3, "{} {}", before.size, after.size);
    let request = v1::GetConsistencyProofRequest { old_size: before.size, new_size: after.size };
    let proof = place.door.audit().get_consistency_proof(request).await.expect("a proof").into_inner();
    assert_eq!((&proof.old_root, &proof.new_root), (&before.root, &after.root));
    let root = |bytes: &[u8]| -> Hash { bytes.try_into().expect("32 bytes") };
    let (old, new) = (root(&before.root), root(&after.root));
    assert!(consistent((before.size, &old), (after.size, &new), &hashes(&proof.hashes)));
    assert!(!consistent((before.size, &new), (after.size, &old), &hashes(&proof.hashes)));
    let beyond = v1::GetConsistencyProofRequest { old_size: 1, new_size: after.size + 1 };
    let refused = place.door.audit().get_consistency_proof(beyond).await;
    assert_eq!(refusal(refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    let beyond = v1::GetInclusionProofRequest { index: after.size };
    assert_eq!(refusal(place.door.audit().get_inclusion_proof(beyond).await).0, Code::NotFound);
    place.door.close().await;
}

/// A witness with a key of its own.
fn witness(name: &str) -> NoteSigner {
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    NoteSigner::from_pkcs8(name, KeyKind::Cosignature, key.as_ref()).expect("a witness")
}

fn cosigned(checkpoint: &str, by: &NoteSigner) -> v1::AddCosignatureRequest {
    let mut note = Note::parse(checkpoint).expect("a note");
    let signature = by.sign(&note.text, 1_700_000_000);
    note.signatures.push(signature);
    v1::AddCosignatureRequest { note: note.to_string() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_known_signs_for_the_log_and_no_other_does() {
    let deployment = Deployment::new();
    let (known, stranger) = (witness("witness.example"), witness("witness.example"));
    let mut log = LogSettings::new(deployment.audit_signer());
    log.witnesses = vec![known.key().clone()];
    let world = deployment.start_with(Hot::InProcess, log).await;
    let door = Door::on_the_wire(&world).await;
    door.register(&deployment.person("alice")).await;
    world.engine.integrate_log().await.expect("integrated");
    let first = checkpoint(&door).await;
    assert_eq!(first.witnessed_checkpoint, "");

    let cause = async |request: v1::AddCosignatureRequest| {
        let refused = door.audit().add_cosignature(request).await;
        assert_eq!(refusal(refused), (Code::FailedPrecondition, "COSIGNATURE_REFUSED".to_owned()));
    };
    cause(v1::AddCosignatureRequest { note: "no note".to_owned() }).await;
    cause(v1::AddCosignatureRequest { note: first.checkpoint.clone() }).await;
    cause(cosigned(&first.checkpoint, &stranger)).await;
    // Another history of the same size, signed by the witness and even by the log.
    let tree = Checkpoint::verify(&first.checkpoint, world.engine.log_key()).expect("signed");
    let other = Checkpoint { root: [7; 32], ..tree.clone() };
    cause(cosigned(&other.sign(&deployment.audit_signer()), &known)).await;

    // It comes when the log has grown already.
    door.register(&deployment.person("bob")).await;
    world.engine.integrate_log().await.expect("integrated");
    let kept = door.audit().add_cosignature(cosigned(&first.checkpoint, &known)).await.expect("kept");
    assert_eq!(kept.into_inner().kept, 1);
    let now = checkpoint(&door).await;
    assert!(now.size > first.size);
    let note = Note::parse(&now.witnessed_checkpoint).expect("a note");
    assert!(known.key().verify(&note).is_ok());
    assert_eq!(Checkpoint::verify(&now.witnessed_checkpoint, world.engine.log_key()), Ok(tree));
    assert_eq!(Note::parse(&now.checkpoint).expect("a note").signatures.len(), 1);
    let kept = door.audit().add_cosignature(cosigned(&now.checkpoint, &known)).await.expect("kept");
    assert_eq!(kept.into_inner().kept, 1);
    let now = checkpoint(&door).await;
    assert_eq!(now.checkpoint, now.witnessed_checkpoint);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_end_with_their_retention_by_whole_tiles_and_proofs_stay() {
    let deployment = Deployment::new();
    let mut log = LogSettings::new(deployment.audit_signer());
    log.retention = Some(Duration::from_hours(24) * 2192);
    let world = deployment.start_with(Hot::InProcess, log).await;
    let door = Door::on_the_wire(&world).await;
    let person = deployment.person("alice");
    let mut indices = Vec::new();
    for n in 0..300 {
        let mut question = person.asks(&format!("s{n}"));
        question.roles = vec!["front_desk".to_owned()];
        indices.push(door.ask(question).await.expect("a decision").audit_index.expect("an index"));
    }
    let size = indices.last().expect("some") + 1;
    world.engine.integrate_log().await.expect("integrated");
    world.clock.advance(Duration::from_hours(24) * 2191);
    assert_eq!(world.engine.prune_log().await, Ok(0), "none is six years old");
    world.clock.advance(Duration::from_hours(48));
    assert_eq!(world.engine.prune_log().await, Ok(256), "a whole tile, and nothing of the next");
    assert_eq!(world.engine.prune_log().await, Ok(0));
    world.engine.integrate_log().await.expect("integrated");

    let gone = v1::GetRecordRequest {
        tenant: TENANT.to_owned(),
        name: Some(v1::get_record_request::Name::Index(indices[0])),
    };
    assert_eq!(refusal(door.audit().get_record(gone).await), (Code::NotFound, "NOT_FOUND".to_owned()));
    let request = v1::GetInclusionProofRequest { index: indices[0] };
    let proof = door.audit().get_inclusion_proof(request).await.expect("a proof").into_inner();
    assert!(proof.proof.expect("a proof").size > size);
    let request = v1::GetConsistencyProofRequest { old_size: 100, new_size: 0 };
    assert!(door.audit().get_consistency_proof(request).await.is_ok());
    // What was done is on record, under the deployment.
    let request = v1::QueryRecordsRequest {
        tenant: "*".to_owned(),
        kind: v1::RecordKind::Pruned.into(),
        ..Default::default()
    };
    let found = door.audit().query_records(request).await.expect("records").into_inner().records;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].facts["from"].as_str(), found[0].facts["below"].as_str()), ("0", "256"));
    door.close().await;
}
