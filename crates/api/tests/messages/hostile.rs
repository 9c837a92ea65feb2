//! Messages that nobody would send: bytes on the wire, made after the descriptors from a tape of numbers, so that every
//! field of every message is tried, later ones too, and a failing tape shrinks.

use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};

use crate::contract::Contract;

/// Where a message stops growing, in bytes.
const ENOUGH: usize = 400_000;

/// Numbers to make choices with; zeros when it has run out.
pub(crate) struct Tape<'a>(std::slice::Iter<'a, u32>);

impl<'a> Tape<'a> {
    pub(crate) fn new(numbers: &'a [u32]) -> Self {
        Self(numbers.iter())
    }

    fn next(&mut self) -> u32 {
        self.0.next().copied().unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }

    /// True about `tenths` times in ten.
    fn mostly(&mut self, tenths: u32) -> bool {
        self.next() % 10 < tenths
    }
}

/// A message of a type, as bytes.
pub(crate) fn message(contract: &Contract, name: &str, tape: &mut Tape<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Most messages are well meant and wrong in one place only, else nothing behind the first check would be reached.
    let faults = tape.pick(&[0, 0, 1, 4]);
    // One length for all columns of a message, mostly.
    let length = tape.pick(&[0, 1, 2, 3, 20, 100, 1024, 1025, 4097]);
    for field in &contract.message(name).field {
        let well_meant = tape.mostly(10 - faults);
        let count = match (field.label() == Label::Repeated, well_meant) {
            (true, true) if field.r#type() == Type::Message || field.r#type() == Type::String => {
                tape.pick(&[1, 1, 2, 3])
            }
            (true, true) => length,
            (true, false) => tape.pick(&[0, 1, 4, 9, 17, 201, 1025, 5000]),
            (false, true) => 1,
            (false, false) => tape.pick(&[0, 1, 2]),
        };
        let step = tape.pick(&[0, 1, 10, 90_000]);
        for index in 0..count {
            if bytes.len() < ENOUGH {
                value(contract, field, well_meant, index * step, tape, &mut bytes);
            }
        }
    }
    bytes
}

/// One value with its tag. Columns come unpacked, which decoders must take as well.
fn value(
    contract: &Contract,
    field: &FieldDescriptorProto,
    well_meant: bool,
    rising: u32,
    tape: &mut Tape<'_>,
    bytes: &mut Vec<u8>,
) {
    let number = u64::try_from(field.number()).expect("field numbers are positive") << 3;
    let delimited = |content: &[u8], bytes: &mut Vec<u8>| {
        varint(number | 2, bytes);
        varint(content.len() as u64, bytes);
        bytes.extend_from_slice(content);
    };
    match field.r#type() {
        Type::Message => delimited(&message(contract, field.type_name(), tape), bytes),
        Type::String => delimited(text(field.name(), well_meant, tape).as_bytes(), bytes),
        Type::Bool | Type::Enum | Type::Int32 | Type::Int64 | Type::Uint32 | Type::Uint64 | Type::Sint32 => {
            varint(number, bytes);
            varint(integer(field, well_meant, rising, tape), bytes);
        }
        other => panic!("{}: no values of {other:?} are made yet", field.name()),
    }
}

fn integer(field: &FieldDescriptorProto, well_meant: bool, rising: u32, tape: &mut Tape<'_>) -> u64 {
    const EDGES: [u64; 12] = [
        0,
        1,
        19,
        20,
        1000,
        65_535,
        65_536,
        600_000_000,
        600_000_001,
        u32::MAX as u64,
        i64::MAX as u64,
        u64::MAX,
    ];
    match (well_meant, field.r#type()) {
        (false, _) => tape.pick(&EDGES),
        (true, Type::Enum | Type::Bool) => u64::from(tape.pick(&[1_u32, 1, 2, 3])),
        (true, _) if field.label() == Label::Repeated => {
            u64::from(rising + u32::from(field.name() == "up_us"))
        }
        (true, _) => u64::from(tape.pick(&[1_u32, 60, 1000])),
    }
}

fn text(field: &str, well_meant: bool, tape: &mut Tape<'_>) -> String {
    if !well_meant {
        let (unit, times) = tape.pick(&[
            ("", 0),
            ("x", 129),
            ("x", 501),
            ("x", 70_000),
            (" ", 12),
            ("é|{}\0", 3),
            ("\u{202e}", 20),
        ]);
        return unit.repeat(times);
    }
    match field {
        "ip" => tape.pick(&["", "192.0.2.1", "2001:db8::1"]).to_owned(),
        "decision_id" => "0193f0a0-0000-7000-8000-000000000000".to_owned(),
        "policy" => r#"@id("a") permit (principal, action, resource);"#.to_owned(),
        "page_token" => tape.pick(&["", "AAAAAAAAAAAAAAAAAAAABw"]).to_owned(),
        "passkey_id" => tape.pick(&["AQID", "_-8"]).to_owned(),
        "justification" => "the patient is unconscious".to_owned(),
        _ => tape.pick(&["a", "st-mary", "clinician", "password"]).to_owned(),
    }
}

fn varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value > 127 {
        bytes.push(u8::try_from(value & 127).expect("seven bits") | 128);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).expect("seven bits"));
}
