//! Everything held on a person, as one JSON document: GDPR Art. 15 and 20.
//!
//! The document is made piece by piece, so that a person of many years costs no more memory than a page of records.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyward_audit::{Event, Leaf, Record};
use keyward_domain::{SessionId, SubjectKey, Timestamp};
use keyward_features::FixedText;
use keyward_scoring::KeystrokeModel;
use keyward_seal::Bound;
use keyward_store::{AuditRow, AuditSelection, KEPT_SAMPLES};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::learn::open_sample;
use crate::people::{Person, durable};
use crate::profiles;
use crate::session::{self, SessionState};
use crate::{Engine, EngineError};

/// The version of the document's shape, which its readers check.
const VERSION: u32 = 1;
/// Records that are read at once.
const PAGE: usize = 200;
/// Pieces that may wait for whoever reads them.
const WAITING: usize = 4;
/// Sessions that are looked up: those of the newest decisions.
const SESSIONS: usize = 100;

/// A person's data on its way: pieces of one JSON document, in order. An error ends it, and what came before is then no
/// whole document.
pub type Export = mpsc::Receiver<Result<Vec<u8>, EngineError>>;

impl Engine {
    /// Gives everything that is held on a person. That it was given is recorded first: nothing leaves unrecorded.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for a person that was never met, [`EngineError::StoreUnavailable`],
    /// [`EngineError::KeyUnavailable`].
    pub async fn export_subject(self: &Arc<Self>, who: &SubjectKey) -> Result<Export, EngineError> {
        let person = self.people.fresh(who).await?.ok_or(EngineError::NotFound { kind: "subject" })?;
        let record = Record { who: who.clone(), at: self.clock.now(), event: Event::Exported };
        let index = self.log.append(&record, Some(&person.data_key)).await?;
        let (pieces, export) = mpsc::channel(WAITING);
        let engine = self.clone();
        tokio::spawn(async move {
            if let Err(error) = engine.write_export(&person, index, &pieces).await {
                // Whoever reads may have gone.
                let _ = pieces.send(Err(error)).await;
            }
        });
        Ok(export)
    }

    /// Writes the document. Records come up to the one of this very export.
    async fn write_export(
        &self,
        person: &Person,
        up_to: u64,
        out: &mpsc::Sender<Result<Vec<u8>, EngineError>>,
    ) -> Result<(), EngineError> {
        let mut head = bytes(&self.export_head(person).await?)?;
        // Reopened, so that what is long can follow in pieces.
        head.pop();
        give(out, head).await?;
        give(out, b",\"profiles\":[".to_vec()).await?;
        let names = self.durable.document_names(&person.who).await.map_err(durable)?;
        let profiles: Vec<_> =
            names.iter().filter_map(|(name, _)| Some((name, profiles::key_of(name)?))).collect();
        for (n, (name, key)) in profiles.into_iter().enumerate() {
            give(out, separated(n, bytes(&self.export_profile(person, name, &key).await?)?)).await?;
        }
        give(out, b"],\"habits\":".to_vec()).await?;
        give(out, bytes(&self.export_habits(person, &names).await?)?).await?;
        give(out, b",\"records\":[".to_vec()).await?;
        let sessions = self.export_records(person, up_to, out).await?;
        give(out, b"],\"sessions\":".to_vec()).await?;
        give(out, bytes(&self.export_sessions(person, sessions).await)?).await?;
        give(out, b"}".to_vec()).await
    }

    async fn export_head(&self, person: &Person) -> Result<Value, EngineError> {
        let passkeys: Vec<Value> = self
            .list_passkeys(&person.who)
            .await?
            .into_iter()
            .map(|passkey| {
                json!({
                    "id": URL_SAFE_NO_PAD.encode(&passkey.id.0),
                    "name": passkey.name,
                    "created_at": at(passkey.created_at),
                    "last_used_at": passkey.last_used_at.map(at),
                    "hardware_bound": passkey.hardware_bound,
                    "backed_up": passkey.backed_up,
                })
            })
            .collect();
        let sightings = |kind: Vec<(String, Timestamp)>| {
            kind.into_iter()
                .map(|(mark, last)| json!({ "mark": mark, "last_seen_at": at(last) }))
                .collect::<Vec<_>>()
        };
        let [devices, networks] = person.known.sightings();
        let consent = person.known.consent();
        Ok(json!({
            "format": "keyward-subject-export",
            "version": VERSION,
            "tenant": person.who.tenant,
            "subject": person.who.subject,
            "exported_at": at(self.clock.now()),
            "known_since": at(person.created_at),
            "behaviour": {
                "consent": if person.known.opted_out() { "opted_out" } else { "opted_in" },
                "since": consent.map(|consent| at(consent.at)),
            },
            "passkeys": passkeys,
            "devices": sightings(devices),
            "networks": sightings(networks),
            "last_place": person.known.last_place().map(|(place, when)| json!({
                "latitude": f64::from(place.latitude_tenths) / 10.0,
                "longitude": f64::from(place.longitude_tenths) / 10.0,
                "uncertainty_km": place.uncertainty_km,
                "at": at(when),
            })),
            "proven_around": person.known.rhythm().moments().map(at).collect::<Vec<_>>(),
        }))
    }

    async fn export_profile(
        &self,
        person: &Person,
        name: &str,
        key: &crate::ProfileKey,
    ) -> Result<Value, EngineError> {
        let history = self.durable.document_history(&person.who, name).await.map_err(durable)?;
        let current = history.first().map(|current| profiles::open(person, name, current)).transpose();
        let rows = self.durable.samples(&person.who, name, KEPT_SAMPLES).await.map_err(durable)?;
        let samples: Vec<Value> = rows
            .iter()
            .map(|row| {
                let typed: Option<FixedText> = open_sample(person, name, row).ok();
                json!({
                    "decision": row.decision,
                    "at": at(row.at),
                    "typing": typed,
                    "damaged": typed.is_none(),
                })
            })
            .collect();
        let versions: Vec<Value> = history
            .iter()
            .map(|kept| json!({ "version": kept.version, "written_at": at(kept.written_at) }))
            .collect();
        let model = current.as_ref().ok().and_then(Option::as_ref).map(|profile| &profile.model);
        Ok(json!({
            "field": key.field,
            "device_class": key.device_class.name(),
            "maturity": model.map(KeystrokeModel::maturity),
            "trained_on": model.map(KeystrokeModel::samples),
            "damaged": current.is_err(),
            "versions": versions,
            "samples": samples,
        }))
    }

    /// Writes the person's records, oldest first, and gives the sessions of the newest decisions.
    async fn export_records(
        &self,
        person: &Person,
        up_to: u64,
        out: &mpsc::Sender<Result<Vec<u8>, EngineError>>,
    ) -> Result<Vec<SessionId>, EngineError> {
        let (mut from, mut written, mut sessions) = (0, 0, Vec::<SessionId>::new());
        loop {
            let what = AuditSelection {
                tenant: person.who.tenant.clone(),
                subject: Some(person.who.subject.clone()),
                kind: None,
                indices: from..up_to + 1,
                newest_first: false,
                limit: PAGE,
            };
            let page = self.durable.select(&what).await.map_err(durable)?;
            let Some((last, _)) = page.last() else { return Ok(sessions) };
            from = last + 1;
            let mut piece = Vec::new();
            for (index, row) in &page {
                let record = open_record(person, row);
                if let Some(Event::Decision(decision)) = record.as_ref().map(|record| &record.event) {
                    sessions.retain(|session| *session != decision.session);
                    sessions.push(decision.session.clone());
                    let surplus = sessions.len().saturating_sub(SESSIONS);
                    sessions.drain(..surplus);
                }
                let entry = json!({ "index": index, "at": at(row.at), "record": record });
                piece.extend(separated(written, bytes(&entry)?));
                written += 1;
            }
            give(out, piece).await?;
        }
    }

    /// What is remembered of sessions. They live for hours in the hot store, which may be out of reach.
    async fn export_sessions(&self, person: &Person, sessions: Vec<SessionId>) -> Value {
        let mut found = Vec::new();
        for session in sessions {
            let Ok(value) = self.hot.session(&person.who, &session).await else {
                return json!({ "unavailable": true });
            };
            let Some((_, sealed)) = value else { continue };
            let state: Option<SessionState> =
                session::open(&person.hot_key, &person.who, "session", session.as_str(), &sealed);
            found.push(json!({ "session": session, "state": state }));
        }
        Value::Array(found)
    }
}

/// A record as it was written; `None` where it does not open.
fn open_record(person: &Person, row: &AuditRow) -> Option<Record> {
    let bound = Bound { who: &person.who, kind: "audit", name: "", version: 0 };
    let opening = person.data_key.open(&bound, &row.sealed).ok()?;
    Leaf::open(&row.commitment, &opening).ok()
}

fn separated(n: usize, mut piece: Vec<u8>) -> Vec<u8> {
    if n > 0 {
        piece.insert(0, b',');
    }
    piece
}

fn bytes(value: &impl Serialize) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(value).map_err(|e| EngineError::Internal(e.to_string()))
}

/// Whoever does not read any more needs no more.
async fn give(out: &mpsc::Sender<Result<Vec<u8>, EngineError>>, piece: Vec<u8>) -> Result<(), EngineError> {
    out.send(Ok(piece)).await.map_err(|_| EngineError::DeadlineExceeded)
}

/// A time as RFC 3339 writes it, to the microsecond. Years before 0 or after 9999, which no clock gives, are written as they
/// come.
pub(crate) fn at(time: Timestamp) -> String {
    let (days, in_day) = (time.secs().div_euclid(86_400), time.secs().rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
    let micros = time.micros.rem_euclid(1_000_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Days since 1970-01-01 as a date of the Gregorian calendar, by counting in eras of 400 years that begin in March.
const fn civil(days: i64) -> (i64, i64, i64) {
    let from_march = days + 719_468;
    let (era, of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_has_them() {
        let written = |micros| at(Timestamp { micros });
        assert_eq!(written(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(written(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(at(Timestamp::from_secs(951_782_399)), "2000-02-28T23:59:59.000000Z");
        assert_eq!(at(Timestamp::from_secs(951_782_400)), "2000-02-29T00:00:00.000000Z");
        assert_eq!(at(Timestamp::from_secs(2_000_000_000)), "2033-05-18T03:33:20.000000Z");
        assert_eq!(at(Timestamp::from_secs(4_107_542_400)), "2100-03-01T00:00:00.000000Z");
    }
}
