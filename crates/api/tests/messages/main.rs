//! Every request message, well meant and hostile, through the conversions that stand at the door.

mod contract;
mod fuzz;
mod hostile;
mod valid;

use std::cell::RefCell;
use std::collections::BTreeMap;

use keyward_api::{convert, v1};
use keyward_domain::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use prost::Message;

use contract::Contract;
use convert::Violations;
use hostile::Tape;
use valid::NOW;

/// Decodes a request and converts it as its service does. `None`: the bytes are no message.
fn convert(method: &str, bytes: &[u8], now: Timestamp) -> Option<Result<(), Violations>> {
    fn run<M: Message + Default, T>(
        bytes: &[u8],
        convert: impl FnOnce(M) -> Result<T, Violations>,
    ) -> Option<Result<(), Violations>> {
        M::decode(bytes).ok().map(|message| convert(message).map(|_| ()))
    }
    match method {
        "IssueNonce" => run(bytes, convert::issue_nonce),
        "Assess" => run(bytes, |message| convert::assess(message, now)),
        "CompleteStepUp" => run(bytes, convert::complete_step_up),
        "GetRisk" => run(bytes, convert::get_risk),
        "ReportOutcome" => run(bytes, convert::report_outcome),
        "GetTokenKeys" => run(bytes, |_: v1::GetTokenKeysRequest| Ok(())),
        "BeginRegistration" => run(bytes, convert::begin_registration),
        "FinishRegistration" => run(bytes, convert::finish_registration),
        "BeginAuthentication" => run(bytes, convert::begin_authentication),
        "FinishAuthentication" => run(bytes, convert::finish_authentication),
        "ListPasskeys" => run(bytes, convert::list_passkeys),
        "RenamePasskey" => run(bytes, convert::rename_passkey),
        "RevokePasskey" => run(bytes, convert::revoke_passkey),
        "GetProfileStatus" => run(bytes, convert::get_profile_status),
        "ResetProfile" => run(bytes, convert::reset_profile),
        "RollBackProfile" => run(bytes, convert::roll_back_profile),
        "ImportSamples" => run(bytes, convert::import_samples),
        "EraseSubject" => run(bytes, convert::erase_subject),
        "ExportSubject" => run(bytes, convert::export_subject),
        "SetBehaviourConsent" => run(bytes, convert::set_behaviour_consent),
        "GetCheckpoint" => run(bytes, |_: v1::GetCheckpointRequest| Ok(())),
        "GetInclusionProof" => run(bytes, |_: v1::GetInclusionProofRequest| Ok(())),
        "GetConsistencyProof" => run(bytes, convert::get_consistency_proof),
        "AddCosignature" => run(bytes, convert::add_cosignature),
        "QueryRecords" => run(bytes, convert::query_records),
        "GetRecord" => run(bytes, convert::get_record),
        "WatchRecords" => run(bytes, convert::watch_records),
        "TryPolicy" => run(bytes, convert::try_policy),
        other => panic!("{other} is in the contract and not in this test"),
    }
}

/// What was refused is said in full: fields that exist, and what they should be.
fn explained(contract: &Contract, input: &str, refused: &Violations) -> Result<(), TestCaseError> {
    prop_assert!(!refused.named().is_empty() && refused.named().len() <= convert::MAX_VIOLATIONS);
    for violation in refused.named() {
        prop_assert!(contract.has_path(input, &violation.field), "{input} has no {}", violation.field);
        prop_assert!(
            violation.description.starts_with("must") || violation.description.starts_with("is not")
        );
    }
    Ok(())
}

#[test]
fn hostile_messages_are_taken_or_refused_with_reasons() {
    let contract = Contract::load();
    for (method, input) in contract.methods() {
        let seen = RefCell::new(BTreeMap::<_, u32>::new());
        let mut runner =
            TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() });
        let run = runner.run(&vec(any::<u32>(), 0..600), |numbers| {
            let bytes = hostile::message(&contract, input, &mut Tape::new(&numbers));
            let converted = convert(method, &bytes, NOW);
            let outcome = match &converted {
                None => "unreadable",
                Some(Ok(())) => "taken",
                Some(Err(_)) => "refused",
            };
            *seen.borrow_mut().entry(outcome).or_default() += 1;
            if let Some(Err(refused)) = converted {
                explained(&contract, input, &refused)?;
            }
            Ok(())
        });
        if let Err(error) = run {
            panic!("{method}: {error}");
        }
        // The generator is worth something only while it gets on both sides of the door.
        let seen = seen.into_inner();
        // Any index can be asked for.
        let checked = !contract.message(input).field.is_empty() && method != "GetInclusionProof";
        assert!(
            seen.contains_key("taken") && (!checked || seen.contains_key("refused")),
            "{method}: {seen:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_message_do_no_harm() {
    let contract = Contract::load();
    let mut runner = TestRunner::new(Config { cases: 512, failure_persistence: None, ..Config::default() });
    let noise = (vec(any::<u8>(), 0..400), any::<i64>());
    let run = runner.run(&noise, |(bytes, micros)| {
        for (method, input) in contract.methods() {
            if let Some(Err(refused)) = convert(method, &bytes, Timestamp { micros }) {
                explained(&contract, input, &refused)?;
            }
        }
        Ok(())
    });
    assert_eq!(run, Ok(()));
}

proptest! {
    #![proptest_config(Config { cases: 128, failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_asked_is_what_arrives(asked in valid::assessment()) {
        let bytes = valid::to_wire(&asked).encode_to_vec();
        let message = v1::AssessRequest::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(convert::assess(message, NOW), Ok(asked));
    }

    #[test]
    fn telemetry_comes_back(recorded in valid::telemetry()) {
        prop_assert_eq!(convert::telemetry(convert::telemetry_to_wire(&recorded)), Ok(recorded));
    }

    #[test]
    fn a_spoilt_byte_does_no_harm(asked in valid::assessment(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = valid::to_wire(&asked).encode_to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Some(Err(refused)) = convert("Assess", &bytes, NOW) {
            explained(&Contract::load(), ".keyward.v1.AssessRequest", &refused)?;
        }
    }
}

/// Keys pressed never reach the server: telemetry has no place for a text, but for the nonce and the label of a field.
#[test]
fn telemetry_cannot_carry_what_was_typed() {
    use prost_types::field_descriptor_proto::Type;
    let contract = Contract::load();
    let messages = contract.reachable(".keyward.v1.Telemetry");
    assert!(messages.len() >= 4, "{messages:?}");
    let mut texts = Vec::new();
    for name in &messages {
        let message = contract.message(name);
        assert!(message.nested_type.is_empty() && message.extension_range.is_empty(), "{name}");
        for field in &message.field {
            match field.r#type() {
                Type::String | Type::Bytes => texts.push(format!("{name}.{}", field.name())),
                Type::Uint32 | Type::Sint32 | Type::Bool | Type::Enum | Type::Message => {}
                other => panic!("{name}.{}: {other:?} is not a kind of field for telemetry", field.name()),
            }
        }
    }
    texts.sort();
    assert_eq!(texts, [".keyward.v1.KeystrokeSample.field", ".keyward.v1.Telemetry.nonce"]);
    // A number column could spell a text just as well: these are all there are.
    let columns: Vec<_> =
        contract.message(".keyward.v1.KeystrokeSample").field.iter().map(|it| it.name().to_owned()).collect();
    let expected = [
        "field",
        "position",
        "zone",
        "down_us",
        "up_us",
        "pasted",
        "autofilled",
        "composed",
        "coarse_clock",
        "free_text",
    ];
    assert_eq!(columns, expected);
}
