//! Erasure.

use keyward_api::v1;
use keyward_audit::{Checkpoint, Hash, InclusionProof, VerifierKey, included};
use keyward_domain::{DecisionId, Outcome, SubjectId, SubjectKey, TenantId};
use keyward_engine::EngineError;
use keyward_store::AuditRow;
use keyward_tests::person::{TENANT, own};
use keyward_tests::place::refusal;
use keyward_tests::seen::Seen;
use keyward_tests::{Place, log};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_leaves_commitments_that_nobody_can_open() {
    Place::each(async |place| {
        let person = place.well_known_clinician("alice").await;
        let other = place.clinician("bob").await;
        let decision = place.door.proven_login(&place.world, &person, "s", 1).await;
        place.world.engine.learned().await;
        let who = SubjectKey {
            tenant: TenantId::parse(TENANT).expect("an id"),
            subject: SubjectId::parse("alice").expect("an id"),
        };
        let id = DecisionId(decision.id.parse().expect("a uuid"));
        assert!(place.world.engine.decision_record(&who, id).await.is_ok());
        let before = log::rows(&place.world).await;
        let of_alice =
            |row: &AuditRow| row.subject.as_ref().is_some_and(|subject| subject.as_str() == "alice");
        let hers: Vec<_> = before
            .iter()
            .filter(|(_, row)| of_alice(row))
            .map(|(index, row)| (*index, row.commitment))
            .collect();
        assert!(hers.len() >= 3, "registration, import, decisions");

        let erase = v1::EraseSubjectRequest { tenant: TENANT.to_owned(), subject: "alice".to_owned() };
        let receipt =
            place.door.profiles().erase_subject(erase.clone()).await.expect("a receipt").into_inner();
        assert!(receipt.erased);
        assert_eq!(receipt.audit_index, before.len() as u64);

        let list = v1::ListPasskeysRequest { tenant: TENANT.to_owned(), subject: "alice".to_owned() };
        assert_eq!(
            place.door.passkeys().list_passkeys(list).await.expect("a list").into_inner().passkeys,
            []
        );
        assert_eq!(place.door.status(&person).await, []);
        let look = v1::GetRiskRequest {
            tenant: TENANT.to_owned(),
            subject: "alice".to_owned(),
            session: "s".to_owned(),
        };
        let looked = place.door.decisions().get_risk(look).await;
        assert_eq!(refusal(looked), (Code::NotFound, "NOT_FOUND".to_owned()));

        let after = log::rows(&place.world).await;
        assert_eq!(after.len(), before.len() + 1, "records remain");
        assert!(!after.iter().any(|(_, row)| of_alice(row)), "under no name");
        for (index, hash) in hers {
            assert!(
                after.iter().any(|(at, row)| *at == index && row.commitment == hash),
                "leaf {index} is as it was"
            );
        }
        let gone = EngineError::NotFound { kind: "decision" };
        assert_eq!(place.world.engine.decision_record(&who, id).await, Err(gone.clone()));

        // Met again under the same id, the person has another key, which opens nothing of before.
        place.door.password_login(&place.world, &person, "t", &own(2)).await;
        assert_eq!(place.world.engine.decision_record(&who, id).await, Err(gone));
        assert!(place.door.status(&person).await.is_empty());
        log::replayed(&place.world).await;

        let again = place.door.profiles().erase_subject(erase.clone()).await.expect("a receipt").into_inner();
        assert!(again.erased);
        let nothing = place.door.profiles().erase_subject(erase).await.expect("a receipt").into_inner();
        assert!(!nothing.erased);
        let decision = place.door.proven_login(&place.world, &other, "u", 1).await;
        assert_eq!(Seen::from(&decision).outcome, Outcome::Allow, "others are as they were");
        place.door.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_proven_by_its_receipt_and_the_logs_key_alone() {
    Place::each(async |place| {
        place.well_known_clinician("alice").await;
        let other = place.clinician("bob").await;
        let erase = v1::EraseSubjectRequest { tenant: TENANT.to_owned(), subject: "alice".to_owned() };
        let receipt = place.door.profiles().erase_subject(erase).await.expect("a receipt").into_inner();
        // Life goes on, and the proof is asked for later.
        place.door.proven_login(&place.world, &other, "s", 1).await;
        place.world.engine.integrate_log().await.expect("integrated");
        let mut audit = place.door.audit();
        let newest = audit.get_checkpoint(v1::GetCheckpointRequest {}).await.expect("one").into_inner();
        let proof = |index| {
            let mut audit = place.door.audit();
            async move {
                let request = v1::GetInclusionProofRequest { index };
                let answer = audit.get_inclusion_proof(request).await.expect("a proof").into_inner();
                answer.proof.expect("a proof")
            }
        };
        let given = proof(receipt.audit_index).await;

        // What follows needs the receipt, the proof's text and the log's key.
        let leaf: Hash = receipt.leaf_hash.as_slice().try_into().expect("32 bytes");
        let key = VerifierKey::parse(&newest.key).expect("a key");
        let read = InclusionProof::parse(&given.text).expect("a proof");
        let tree = Checkpoint::verify(&read.checkpoint, &key).expect("signed by the log");
        assert_eq!((tree.size, tree.root.to_vec()), (newest.size, newest.root));
        assert_eq!(read.index, receipt.audit_index);
        assert!(included(&leaf, read.index, tree.size, &read.hashes, &tree.root));

        // Neither another record's place nor another receipt is proven by it.
        let neighbour = proof(receipt.audit_index - 1).await;
        let neighbour = InclusionProof::parse(&neighbour.text).expect("a proof");
        assert!(!included(&leaf, neighbour.index, tree.size, &neighbour.hashes, &tree.root));
        let mut forged = leaf;
        forged[31] ^= 1;
        assert!(!included(&forged, read.index, tree.size, &read.hashes, &tree.root));
        place.door.close().await;
    })
    .await;
}
