//! One record and its proof, as `AuditService.GetRecord` gives them, checked offline.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use keyward_audit::{
    Checkpoint, Event, InclusionProof, Leaf, Record, Replay, VerifierKey, commitment_to, hex, included,
    leaf_hash, replay,
};
use keyward_policy::PolicySet;
use serde_json::Value;

use super::Outcome;

/// What to check.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// The answer of GetRecord as JSON, as grpcurl prints it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The log's public key, as `keyward audit key` prints it.
    #[arg(long, value_name = "VKEY")]
    pub key: String,
    /// The policy set that decided, as `keyward audit policy` prints it: a decision is made again from its record, and must
    /// come out the same.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// Checks it, and prints the record as it was committed to.
///
/// # Errors
/// When the file or the key cannot be read, or `out` cannot be written.
pub(super) fn check(options: &CheckOptions, out: &mut impl Write) -> Outcome {
    let key = VerifierKey::parse(&options.key)?;
    let policy = options.policy.as_ref().map(std::fs::read_to_string).transpose()?;
    let policy = policy.map(|text| PolicySet::parse(&text)).transpose()?;
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(&options.file)?)?;
    let (index, size, record) = match proven(&answer, &key) {
        Ok(proven) => proven,
        Err(what) => return wrong(&what, out),
    };
    let signed =
        format!("record {index} is in the log of {}, as its first {size} records are signed", key.name());
    writeln!(out, "ok  {signed}")?;
    if let Some(policy) = &policy {
        match replayed(&record, policy) {
            Ok(said) => writeln!(out, "ok  {said}")?,
            Err(what) => return wrong(&what, out),
        }
    }
    writeln!(out, "{}", serde_json::to_string_pretty(&record)?)?;
    Ok(ExitCode::SUCCESS)
}

fn wrong(what: &str, out: &mut impl Write) -> Outcome {
    writeln!(out, "WRONG  {what}")?;
    Ok(ExitCode::FAILURE)
}

/// What came of making the decision again.
fn replayed(record: &Record, policy: &PolicySet) -> Result<String, String> {
    let Event::Decision(decision) = &record.event else {
        return Err("the record is not of a decision".to_owned());
    };
    match replay(decision, policy) {
        Replay::Same => {
            Ok(format!("the policy set that decided gives the same answer: {}", decision.outcome))
        }
        Replay::OtherPolicy => {
            let (decided, given) = (&decision.policy_digest, hex(&policy.digest()));
            Err(format!("the policy set with the digest {decided} decided; this one has {given}"))
        }
        Replay::Differs { now } => {
            Err(format!("{} was recorded; the same policy set gives {now}", decision.outcome))
        }
    }
}

/// The index, the size of the log, and the record, when all of it holds.
fn proven(answer: &Value, key: &VerifierKey) -> Result<(u64, u64, Record), String> {
    let text = answer["proof"]["text"].as_str().ok_or("there is no proof.text")?;
    let opening =
        answer["opening"].as_str().ok_or("there is no opening: the record cannot be read any more")?;
    let opening = STANDARD.decode(opening).map_err(|_| "opening is not base64")?;
    let proof = InclusionProof::parse(text).ok_or("proof.text is no proof")?;
    let tree = Checkpoint::verify(&proof.checkpoint, key).map_err(|e| format!("checkpoint: {e}"))?;
    let commitment = commitment_to(&opening);
    let record = Leaf::open(&commitment, &opening).map_err(|e| e.to_string())?;
    if !included(&leaf_hash(&commitment), proof.index, tree.size, &proof.hashes, &tree.root) {
        return Err(format!("this is not record {} of the log that the checkpoint signs", proof.index));
    }
    Ok((proof.index, tree.size, record))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::Ed25519KeyPair;
    use keyward_audit::{Edge, KeyKind, NoteSigner, SALT_BYTES};
    use keyward_domain::{SubjectKey, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_holds_with_its_proof_and_not_when_a_word_of_it_is_changed() {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let signer = NoteSigner::from_pkcs8("example.org/log", KeyKind::Note, pkcs8.as_ref()).unwrap();
        let record =
            Record { who: SubjectKey::of_deployment(), at: Timestamp::from_secs(7), event: Event::Exported };
        let leaf = Leaf::commit(&record, [3; SALT_BYTES]).unwrap();
        let mut edge = Edge::default();
        edge.push(leaf.commitment);
        let origin = signer.key().name().to_owned();
        let checkpoint = Checkpoint { origin, size: 1, root: edge.root() }.sign(&signer);
        let proof = InclusionProof { index: 0, hashes: vec![], checkpoint }.to_text();
        let answer =
            |opening: &[u8]| json!({ "proof": { "text": proof }, "opening": STANDARD.encode(opening) });
        let (index, size, shown) = proven(&answer(&leaf.opening), signer.key()).unwrap();
        assert_eq!((index, size, &shown), (0, 1, &record));
        let changed = String::from_utf8_lossy(&leaf.opening).replace("7000000", "8000000").into_bytes();
        assert_ne!(changed, leaf.opening);
        assert!(proven(&answer(&changed), signer.key()).unwrap_err().contains("not record 0"));
        let other = VerifierKey::new("example.org/log", KeyKind::Note, [9; 32]);
        assert!(proven(&answer(&leaf.opening), &other).unwrap_err().contains("not signed by"));
        assert!(proven(&json!({ "proof": { "text": proof } }), signer.key()).is_err());
    }
}
