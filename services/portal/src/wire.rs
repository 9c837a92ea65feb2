//! Between the browser's JSON and the contract's messages: the standard JSON mapping of proto3, by the contract's own
//! descriptors. A field that the contract does not know is refused, so nothing passes through unseen.

use std::sync::LazyLock;

use keyward_api::v1;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

use crate::trouble::Trouble;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(v1::DESCRIPTORS).expect("the descriptors were compiled with the contract")
});

/// The telemetry that a browser sent: what its collector recorded, and nothing that the portal itself must say.
///
/// # Errors
/// [`Trouble::BadRequest`] naming what is wrong; never a value.
pub fn telemetry(json: Option<&Value>) -> Result<Option<v1::Telemetry>, Trouble> {
    let Some(json) = json.filter(|json| !json.is_null()) else { return Ok(None) };
    let mut telemetry: v1::Telemetry = from_json("Telemetry", json)?;
    // How many records were opened is counted here, not by the browser.
    telemetry.record_access = None;
    Ok(Some(telemetry))
}

/// A passkey's answer, as the browser's prompt gives it.
///
/// # Errors
/// [`Trouble::BadRequest`].
pub fn assertion(json: &Value) -> Result<v1::PasskeyAssertion, Trouble> {
    from_json("PasskeyAssertion", json)
}

/// A request for emergency access, if there is one.
///
/// # Errors
/// [`Trouble::BadRequest`].
pub fn break_glass(json: Option<&Value>) -> Result<Option<v1::BreakGlass>, Trouble> {
    json.filter(|json| !json.is_null()).map(|json| from_json("BreakGlass", json)).transpose()
}

/// A message as JSON.
///
/// # Panics
/// Never for a message under its own name.
pub fn to_json<M: Message>(name: &str, message: &M) -> Value {
    let dynamic = DynamicMessage::decode(descriptor(name), message.encode_to_vec().as_slice())
        .expect("a message of the contract decodes by the contract");
    serde_json::to_value(dynamic).expect("a message of the contract has a JSON form")
}

fn from_json<M: Message + Default>(name: &str, json: &Value) -> Result<M, Trouble> {
    let bad = |_| Trouble::BadRequest(format!("{name} is not what the contract says"));
    let dynamic = DynamicMessage::deserialize(descriptor(name), json).map_err(bad)?;
    M::decode(dynamic.encode_to_vec().as_slice())
        .map_err(|_| Trouble::BadRequest(format!("{name} is not what the contract says")))
}

fn descriptor(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(&format!("keyward.v1.{name}")).expect("a message of the contract")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_collector_records_becomes_telemetry() {
        let json = json!({
            "nonce": "n",
            "keystrokes": [{
                "field": "password", "position": [0, 1], "zone": ["KEY_ZONE_CHARACTER", "KEY_ZONE_ENTER"],
                "downUs": [0, 180_000], "upUs": [90_000, 260_000], "pasted": true,
            }],
            "recordAccess": { "windowS": 60, "reads": 1 },
        });
        let telemetry = telemetry(Some(&json)).unwrap().unwrap();
        assert_eq!(telemetry.nonce, "n");
        let sample = &telemetry.keystrokes[0];
        assert_eq!((sample.down_us.as_slice(), sample.pasted), ([0, 180_000].as_slice(), true));
        assert_eq!(sample.zone, [v1::KeyZone::Character as i32, v1::KeyZone::Enter as i32]);
        assert_eq!(telemetry.record_access, None, "the browser does not say what was opened");
    }

    #[test]
    fn what_the_contract_does_not_know_is_refused_without_being_repeated() {
        for json in [
            json!({ "keystrokes": [{ "field": "password", "key": ["hunter2"] }] }),
            json!({ "text": "hunter2" }),
            json!({ "keystrokes": [{ "downUs": ["hunter2"] }] }),
            json!({ "keystrokes": [{ "downUs": [-1] }] }),
            json!("hunter2"),
            json!([]),
        ] {
            let trouble = telemetry(Some(&json)).expect_err("must be refused");
            assert!(
                matches!(&trouble, Trouble::BadRequest(text) if !text.contains("hunter2")),
                "{trouble:?}"
            );
        }
        assert_eq!(telemetry(None).unwrap(), None);
        assert_eq!(telemetry(Some(&Value::Null)).unwrap(), None);
    }

    #[test]
    fn decisions_become_json_by_the_standard_mapping() {
        let decision = v1::Decision { outcome: v1::Outcome::StepUp.into(), ..Default::default() };
        assert_eq!(to_json("Decision", &decision)["outcome"], "OUTCOME_STEP_UP");
    }
}
