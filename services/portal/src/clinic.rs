//! The clinic: patients, today's appointments, charts, notes and prescriptions. All of it is fictional, made when the program
//! starts, kept in memory, and gone when it ends.

use std::sync::{Mutex, MutexGuard, PoisonError};

use keyward_api::v1;
use serde::{Deserialize, Serialize};

use crate::people::Person;
use crate::trouble::Trouble;

/// A patient's chart, as it is when the program starts.
#[derive(Debug, Serialize)]
pub struct Patient {
    /// The id in addresses.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
    /// Born, ISO 8601.
    pub born: &'static str,
    /// Medical record number.
    pub mrn: &'static str,
    /// Specially protected: psychiatry, reproductive health, staff as patients.
    pub restricted: bool,
    /// Who cares for the patient: staff ids.
    #[serde(skip)]
    pub care_team: &'static [&'static str],
    /// Allergies.
    pub allergies: &'static [&'static str],
    /// Problems.
    pub problems: &'static [&'static str],
    /// What is taken.
    pub medication: &'static [&'static str],
    /// Systolic and diastolic pressure at the last visits, oldest first, in mmHg.
    pub pressure: &'static [(u16, u16)],
    /// Notes of earlier visits, newest first: date, author, text.
    pub history: &'static [(&'static str, &'static str, &'static str)],
}

/// An appointment of today.
#[derive(Debug, Serialize)]
pub struct Appointment {
    /// Local time, `HH:MM`.
    pub at: &'static str,
    /// Minutes.
    pub minutes: u16,
    /// The patient's id.
    pub patient: &'static str,
    /// With whom: a staff id.
    #[serde(skip)]
    pub with: &'static str,
    /// Video, phone or in person.
    pub kind: &'static str,
    /// Why, as the front desk wrote it down.
    pub reason: &'static str,
}

/// A prescription to be signed, as the page sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The patient's id.
    pub patient: String,
    /// One of [`FORMULARY`].
    pub drug: String,
    /// How to take it.
    pub directions: String,
    /// How many.
    pub quantity: u16,
}

/// A signed prescription.
#[derive(Debug, Clone, Serialize)]
pub struct Prescription {
    /// What was signed.
    #[serde(flatten)]
    pub draft: Draft,
    /// The prescriber's name.
    pub by: &'static str,
    /// Seconds since 1970.
    pub at_s: i64,
    /// keyward's decision, by which an auditor finds the evidence behind the signature.
    pub decision: String,
}

/// A note that was written here.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// The author's name.
    pub by: &'static str,
    /// Seconds since 1970.
    pub at_s: i64,
    /// The text.
    pub text: String,
}

/// What can be prescribed, and whether it is a controlled substance.
pub const FORMULARY: [(&str, bool); 6] = [
    ("Amoxicillin 500 mg capsule", false),
    ("Lisinopril 10 mg tablet", false),
    ("Metformin 850 mg tablet", false),
    ("Salbutamol 100 µg inhaler", false),
    ("Sertraline 50 mg tablet", false),
    ("Oxycodone 5 mg tablet", true),
];

/// The longest directions and notes, in characters.
const LONGEST: usize = 2_000;

/// What is written while the program runs.
#[derive(Default)]
pub struct Clinic {
    written: Mutex<Vec<(&'static str, Written)>>,
}

enum Written {
    Note(Note),
    Prescription(Prescription),
}

impl Patient {
    /// The patient of an id.
    ///
    /// # Errors
    /// [`Trouble::NotFound`].
    pub fn by_id(id: &str) -> Result<&'static Self, Trouble> {
        PATIENTS.iter().find(|patient| patient.id == id).ok_or(Trouble::NotFound("patient"))
    }

    /// How sensitive the chart is, as keyward is told.
    pub fn sensitivity(&self) -> v1::Sensitivity {
        if self.restricted { v1::Sensitivity::Restricted } else { v1::Sensitivity::Clinical }
    }

    /// Whether this person cares for the patient.
    pub fn is_in_care_of(&self, person: &Person) -> bool {
        self.care_team.contains(&person.id)
    }
}

impl Draft {
    /// Checks what can be checked without asking anybody.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] naming the field.
    pub fn check(self) -> Result<Self, Trouble> {
        Patient::by_id(&self.patient)?;
        let bad = |what: &str| Err(Trouble::BadRequest(what.to_owned()));
        if !FORMULARY.iter().any(|(drug, _)| *drug == self.drug) {
            return bad("Choose a medicine from the list.");
        }
        if self.directions.trim().is_empty() || self.directions.chars().count() > LONGEST {
            return bad("Say how it is to be taken.");
        }
        if !(1..=1_000).contains(&self.quantity) {
            return bad("The quantity must be from 1 to 1000.");
        }
        Ok(self)
    }

    /// How sensitive signing it is.
    pub fn sensitivity(&self) -> v1::Sensitivity {
        let controlled = FORMULARY.iter().any(|(drug, controlled)| *drug == self.drug && *controlled);
        if controlled { v1::Sensitivity::Controlled } else { v1::Sensitivity::Clinical }
    }
}

impl Clinic {
    fn written(&self) -> MutexGuard<'_, Vec<(&'static str, Written)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a note.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when it is empty or too long.
    pub fn note(&self, patient: &'static Patient, note: Note) -> Result<(), Trouble> {
        if note.text.trim().is_empty() || note.text.chars().count() > LONGEST {
            return Err(Trouble::BadRequest(format!("A note has 1 to {LONGEST} characters.")));
        }
        self.written().push((patient.id, Written::Note(note)));
        Ok(())
    }

    /// Keeps a signed prescription.
    pub fn prescribe(&self, patient: &'static Patient, prescription: Prescription) {
        self.written().push((patient.id, Written::Prescription(prescription)));
    }

    /// The notes that were written here, newest first.
    pub fn notes(&self, patient: &Patient) -> Vec<Note> {
        let written = self.written();
        let mine = written.iter().rev().filter(|(id, _)| *id == patient.id);
        mine.filter_map(|(_, item)| if let Written::Note(note) = item { Some(note.clone()) } else { None })
            .collect()
    }

    /// The prescriptions that were signed here, newest first.
    pub fn prescriptions(&self, patient: &Patient) -> Vec<Prescription> {
        let written = self.written();
        let mine = written.iter().rev().filter(|(id, _)| *id == patient.id);
        mine.filter_map(|(_, item)| if let Written::Prescription(p) = item { Some(p.clone()) } else { None })
            .collect()
    }
}

/// Everybody who is treated.
pub static PATIENTS: [Patient; 7] = [
    Patient {
        id: "p-1042",
        name: "Margaret Whitlow",
        born: "1951-03-14",
        mrn: "SM-0010421",
        restricted: false,
        care_team: &["amara.osei", "rosa.delgado", "samuel.brandt"],
        allergies: &["Penicillin (rash)"],
        problems: &["Hypertension", "Type 2 diabetes", "Osteoarthritis of the knee"],
        medication: &["Lisinopril 10 mg once daily", "Metformin 850 mg twice daily"],
        pressure: &[(158, 94), (152, 92), (149, 88), (144, 86), (138, 84), (134, 82)],
        history: &[
            (
                "2026-10-28",
                "Dr. Amara Osei",
                "Home readings steady in the 130s. Walking half an hour a day. HbA1c 6.9 %. Continue; review in four weeks.",
            ),
            (
                "2026-09-30",
                "Rosa Delgado",
                "Foot check: intact sensation, no lesions. Taught home monitoring.",
            ),
        ],
    },
    Patient {
        id: "p-1187",
        name: "Theo Ramanathan",
        born: "1988-11-02",
        mrn: "SM-0011873",
        restricted: false,
        care_team: &["amara.osei", "rosa.delgado"],
        allergies: &[],
        problems: &["Asthma, mild persistent"],
        medication: &["Salbutamol 100 µg inhaler as needed", "Budesonide 200 µg inhaler twice daily"],
        pressure: &[(122, 78), (124, 80), (121, 76), (119, 77)],
        history: &[(
            "2026-08-11",
            "Dr. Amara Osei",
            "Two night awakenings a week in pollen season. Inhaler technique corrected.",
        )],
    },
    Patient {
        id: "p-1203",
        name: "Ingrid Solheim",
        born: "1967-06-21",
        mrn: "SM-0012034",
        restricted: false,
        care_team: &["amara.osei", "jonas.lindqvist", "rosa.delgado"],
        allergies: &["Iodinated contrast (hives)"],
        problems: &["Atrial fibrillation", "Hypertension"],
        medication: &["Apixaban 5 mg twice daily", "Bisoprolol 5 mg once daily"],
        pressure: &[(146, 90), (141, 88), (139, 86), (136, 84), (133, 85)],
        history: &[(
            "2026-11-04",
            "Dr. Jonas Lindqvist",
            "Rate controlled at rest, no bleeding. Echo unchanged. Continue apixaban.",
        )],
    },
    Patient {
        id: "p-1319",
        name: "Caleb Njoroge",
        born: "1994-01-30",
        mrn: "SM-0013190",
        restricted: true,
        care_team: &["mei.tanaka"],
        allergies: &[],
        problems: &["Bipolar disorder, type I"],
        medication: &["Lithium carbonate 800 mg once daily"],
        pressure: &[(118, 74), (120, 76), (117, 75)],
        history: &[(
            "2026-11-17",
            "Dr. Mei Tanaka",
            "Stable for five months. Lithium level 0.7 mmol/l. Avoid NSAIDs and thiazides: interaction with lithium.",
        )],
    },
    Patient {
        id: "p-1356",
        name: "Yuki Marchetti",
        born: "2001-09-08",
        mrn: "SM-0013562",
        restricted: true,
        care_team: &["mei.tanaka", "amara.osei"],
        allergies: &[],
        problems: &["Generalised anxiety disorder", "Migraine without aura"],
        medication: &["Sertraline 50 mg once daily"],
        pressure: &[(112, 70), (115, 72), (114, 71)],
        history: &[(
            "2026-11-10",
            "Dr. Mei Tanaka",
            "Sleeping better. Two migraine days this month. Continue.",
        )],
    },
    Patient {
        id: "p-1401",
        name: "Robert Aldana",
        born: "1959-12-19",
        mrn: "SM-0014017",
        restricted: false,
        care_team: &["jonas.lindqvist", "samuel.brandt"],
        allergies: &["Aspirin (bronchospasm)"],
        problems: &["Heart failure, NYHA II", "Hyperlipidaemia"],
        medication: &["Sacubitril/valsartan 49/51 mg twice daily", "Atorvastatin 40 mg at night"],
        pressure: &[(128, 78), (124, 76), (119, 74), (117, 73), (116, 72)],
        history: &[("2026-11-12", "Dr. Jonas Lindqvist", "No oedema, weight stable at 81 kg. Titrated.")],
    },
    Patient {
        id: "p-1420",
        name: "Priya Chaudhry",
        born: "1979-04-25",
        mrn: "SM-0014203",
        restricted: false,
        care_team: &["jonas.lindqvist", "amara.osei"],
        allergies: &[],
        problems: &["Palpitations, under evaluation"],
        medication: &[],
        pressure: &[(126, 80), (128, 82), (125, 79)],
        history: &[("2026-11-19", "Dr. Jonas Lindqvist", "48-hour tape ordered. Coffee cut to one cup.")],
    },
];

/// Today's appointments, in order.
pub static APPOINTMENTS: [Appointment; 10] = [
    appointment("08:30", 20, "p-1042", "amara.osei", "Video", "Blood pressure review"),
    appointment("09:00", 15, "p-1187", "amara.osei", "Video", "Asthma action plan"),
    appointment("09:15", 30, "p-1401", "jonas.lindqvist", "Phone", "Heart failure titration"),
    appointment("09:40", 30, "p-1356", "mei.tanaka", "Video", "Follow-up"),
    appointment("10:15", 20, "p-1203", "amara.osei", "In person", "Medication check"),
    appointment("10:30", 20, "p-1420", "jonas.lindqvist", "Video", "Tape results"),
    appointment("11:00", 45, "p-1319", "mei.tanaka", "Video", "Follow-up"),
    appointment("13:30", 20, "p-1356", "amara.osei", "Video", "Migraine"),
    appointment("14:15", 20, "p-1420", "amara.osei", "Phone", "General check"),
    appointment("15:00", 15, "p-1203", "jonas.lindqvist", "In person", "Echo review"),
];

const fn appointment(
    at: &'static str,
    minutes: u16,
    patient: &'static str,
    with: &'static str,
    kind: &'static str,
    reason: &'static str,
) -> Appointment {
    Appointment { at, minutes, patient, with, kind, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clinic_hangs_together() {
        for appointment in &APPOINTMENTS {
            Patient::by_id(appointment.patient).unwrap();
            assert!(Person::by_id(appointment.with).is_some(), "{}", appointment.with);
        }
        for patient in &PATIENTS {
            assert!(patient.care_team.iter().all(|id| Person::by_id(id).is_some()), "{}", patient.name);
        }
    }

    #[test]
    fn drafts_are_checked() {
        let draft = Draft {
            patient: "p-1042".to_owned(),
            drug: FORMULARY[0].0.to_owned(),
            directions: "one, three times a day".to_owned(),
            quantity: 21,
        };
        assert_eq!(draft.clone().check(), Ok(draft.clone()));
        assert!(Draft { drug: "Sugar".to_owned(), ..draft.clone() }.check().is_err());
        assert!(Draft { patient: "p-0".to_owned(), ..draft.clone() }.check().is_err());
        assert!(Draft { directions: " ".to_owned(), ..draft.clone() }.check().is_err());
        assert!(Draft { quantity: 0, ..draft.clone() }.check().is_err());
        let oxycodone = Draft { drug: FORMULARY[5].0.to_owned(), ..draft };
        assert_eq!(oxycodone.sensitivity(), v1::Sensitivity::Controlled);
    }
}
