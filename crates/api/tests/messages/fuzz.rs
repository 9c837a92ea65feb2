//! The fuzz target's entry function over a bounded, generated corpus, so that it runs with every test run.

#[path = "../../fuzz/entry.rs"]
mod entry;

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message as _;

use crate::contract::Contract;
use crate::hostile::{self, Tape};
use crate::valid;

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn hostile_telemetry_does_no_harm() {
    let contract = Contract::load();
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let run = runner(1024).run(&vec(any::<u32>(), 0..400), |numbers| {
        let bytes = hostile::message(&contract, ".keyward.v1.Telemetry", &mut Tape::new(&numbers));
        let count = if entry::fuzz_telemetry(&bytes) { &accepted } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    assert_eq!(run, Ok(()));
    assert!(
        accepted.get() > 50 && refused.get() > 50,
        "{} accepted, {} refused",
        accepted.get(),
        refused.get()
    );
}

#[test]
fn telemetry_with_spoilt_bytes_does_no_harm() {
    let spoilt = (valid::telemetry(), vec((any::<prop::sample::Index>(), any::<u8>()), 1..6));
    let run = runner(512).run(&spoilt, |(telemetry, bites)| {
        let mut bytes = keyward_api::convert::telemetry_to_wire(&telemetry).encode_to_vec();
        prop_assert!(entry::fuzz_telemetry(&bytes), "a recorded telemetry is accepted");
        if !bytes.is_empty() {
            for (place, byte) in bites {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        entry::fuzz_telemetry(&bytes);
        Ok(())
    });
    assert!(run.is_ok(), "{run:?}");
}
