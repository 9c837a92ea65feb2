use std::sync::Arc;
use std::time::Duration;

use super::{RACERS, alice, awkward, checks, expiry, race, tenant, who};
use crate::{HotRead, HotStore, HotView, HotWrite, HotWritten};
use keyward_domain::{CeremonyId, RequestId, SessionId, SubjectKey, TelemetryNonce};

/// A time to live that does not run out while a check runs.
pub(super) const LONG: Duration = Duration::from_mins(10);

/// Runs the checks of [`hot`](crate::hot) stores. `make` gives an empty store at each call; `pass` lets so much of the
/// store's time pass: it sleeps, or moves the store's clock.
///
/// # Panics
/// When the store does not keep what its port promises.
pub async fn hot<S: HotStore + 'static>(make: impl AsyncFn() -> S, pass: impl AsyncFn(Duration)) {
    let make = &make;
    checks!(make;
        what_was_written_is_read,
        checks_come_in_order_reply_nonce_session,
        a_refused_write_leaves_nothing,
        a_repeated_write_answers_with_the_stored_reply,
        one_of_many_writes_of_a_session_wins,
        one_of_many_uses_of_a_nonce_wins,
        one_of_many_repetitions_of_a_request_wins,
        attempts_are_counted,
        concurrent_attempts_are_all_counted,
        false_alarms_are_counted_beside_attempts,
        the_last_announcement_under_a_name_is_seen,
        counts_of_tenants_are_told_apart,
        concurrent_counts_are_all_counted,
        a_ceremony_is_handed_out_once,
        ceremonies_of_tenants_are_told_apart,
        awkward_subjects_are_told_apart,
        forgetting_removes_everything_of_the_subject_and_nothing_else,
        values_are_opaque,
        it_answers,
    );
    expiry::all(make, &pass).await;
}

pub(super) fn session(id: &str) -> SessionId {
    SessionId::parse(id).expect("a legal id")
}

pub(super) fn request(n: usize) -> RequestId {
    RequestId::parse(format!("request:{n}*")).expect("a legal id")
}

pub(super) fn nonce(n: usize) -> TelemetryNonce {
    TelemetryNonce::parse(format!("nonce-{n}")).expect("a legal id")
}

pub(super) fn ceremony(id: &str) -> CeremonyId {
    CeremonyId::parse(id).expect("a legal id")
}

/// A write of request `n` that expects version `expected` of session `s`, uses nonce `n` up, and counts an attempt.
pub(super) fn write(who: &SubjectKey, n: usize, expected: u64) -> HotWrite {
    HotWrite {
        who: who.clone(),
        session: session("s"),
        session_expected: expected,
        session_value: format!("session of {n}").into_bytes(),
        session_ttl: LONG,
        request: request(n),
        reply: format!("reply to {n}").into_bytes(),
        reply_ttl: LONG,
        use_nonce: Some((nonce(n), LONG)),
        count_attempt: Some(LONG),
        count_false_alarm: None,
    }
}

pub(super) fn what(who: &SubjectKey, n: usize) -> HotRead {
    HotRead { who: who.clone(), session: session("s"), request: request(n), nonce: Some(nonce(n)) }
}

/// What is read after write `n` of a subject, when it was that session's `version` and so many attempts were counted.
pub(super) fn view(n: usize, version: u64, attempts: u32) -> HotView {
    HotView {
        session: Some((version, format!("session of {n}").into_bytes())),
        reply: Some(format!("reply to {n}").into_bytes()),
        nonce_used: true,
        attempts,
        ..HotView::default()
    }
}

async fn what_was_written_is_read<S: HotStore>(store: Arc<S>) {
    assert_eq!(store.read(&what(&alice(), 1)).await, Ok(HotView::default()));
    assert_eq!(store.session(&alice(), &session("s")).await, Ok(None));
    assert_eq!(store.write(write(&alice(), 1, 0)).await, Ok(HotWritten::Done));
    assert_eq!(store.read(&what(&alice(), 1)).await, Ok(view(1, 1, 1)));
    assert_eq!(store.write(write(&alice(), 2, 1)).await, Ok(HotWritten::Done));
    assert_eq!(store.read(&what(&alice(), 2)).await, Ok(view(2, 2, 2)));
    assert_eq!(store.session(&alice(), &session("s")).await, Ok(view(2, 2, 2).session));
    assert_eq!(store.session(&alice(), &session("S")).await, Ok(None), "another session");
    let no_nonce = HotRead { nonce: None, ..what(&alice(), 1) };
    assert_eq!(store.read(&no_nonce).await.map(|view| view.nonce_used), Ok(false), "none was asked for");
}

async fn checks_come_in_order_reply_nonce_session<S: HotStore>(store: Arc<S>) {
    store.write(write(&alice(), 1, 0)).await.expect("written");
    let stored = HotWritten::ReplyExists(b"reply to 1".to_vec());
    // All three are wrong, then two, then one.
    assert_eq!(store.write(write(&alice(), 1, 9)).await, Ok(stored));
    let used = HotWrite { request: request(2), ..write(&alice(), 1, 9) };
    assert_eq!(store.write(used).await, Ok(HotWritten::NonceUsed));
    assert_eq!(store.write(write(&alice(), 2, 9)).await, Ok(HotWritten::SessionChanged));
    assert_eq!(
        store.write(write(&alice(), 2, 0)).await,
        Ok(HotWritten::SessionChanged),
        "it is there by now"
    );
    assert_eq!(
        store.write(write(&who("st-mary", "bob"), 1, 1)).await,
        Ok(HotWritten::SessionChanged),
        "it is not"
    );
    assert_eq!(store.write(write(&alice(), 2, 1)).await, Ok(HotWritten::Done));
}

async fn a_refused_write_leaves_nothing<S: HotStore>(store: Arc<S>) {
    store.write(write(&alice(), 1, 0)).await.expect("written");
    store.write(write(&alice(), 2, 7)).await.expect("refused");
    store.write(HotWrite { request: request(2), ..write(&alice(), 1, 1) }).await.expect("refused");
    let seen = store.read(&what(&alice(), 2)).await.expect("read");
    assert_eq!((seen.reply, seen.nonce_used, seen.attempts), (None, false, 1));
    assert_eq!(seen.session, view(1, 1, 1).session);
}

async fn a_repeated_write_answers_with_the_stored_reply<S: HotStore>(store: Arc<S>) {
    store.write(write(&alice(), 1, 0)).await.expect("written");
    let again = store.write(write(&alice(), 1, 0)).await;
    assert_eq!(again, Ok(HotWritten::ReplyExists(b"reply to 1".to_vec())));
    assert_eq!(store.read(&what(&alice(), 1)).await, Ok(view(1, 1, 1)), "counted once, written once");
}

fn done(outcomes: &[Result<HotWritten, crate::StoreError>]) -> Vec<usize> {
    (0..outcomes.len()).filter(|n| outcomes[*n] == Ok(HotWritten::Done)).collect()
}

async fn one_of_many_writes_of_a_session_wins<S: HotStore + 'static>(store: Arc<S>) {
    for version in 0..3 {
        let put = |n: usize, store: Arc<S>| async move {
            let n = usize::try_from(version).expect("small") * 1000 + n;
            store.write(write(&alice(), n, version)).await
        };
        let outcomes = race(&store, RACERS, put).await;
        let winners = done(&outcomes);
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let lost = outcomes.iter().filter(|outcome| **outcome == Ok(HotWritten::SessionChanged)).count();
        assert_eq!(lost, RACERS - 1, "{outcomes:?}");
        let n = usize::try_from(version).expect("small") * 1000 + winners[0];
        assert_eq!(store.session(&alice(), &session("s")).await, Ok(view(n, version + 1, 0).session));
    }
}

async fn one_of_many_uses_of_a_nonce_wins<S: HotStore + 'static>(store: Arc<S>) {
    let put = |n: usize, store: Arc<S>| async move {
        // Each in a session of its own, so that the nonce alone decides.
        let own = HotWrite { session: session(&format!("s{n}")), ..write(&alice(), n, 0) };
        store.write(HotWrite { use_nonce: Some((nonce(0), LONG)), ..own }).await
    };
    let outcomes = race(&store, RACERS, put).await;
    assert_eq!(done(&outcomes).len(), 1, "{outcomes:?}");
    let lost = outcomes.iter().filter(|outcome| **outcome == Ok(HotWritten::NonceUsed)).count();
    assert_eq!(lost, RACERS - 1, "{outcomes:?}");
}

async fn one_of_many_repetitions_of_a_request_wins<S: HotStore + 'static>(store: Arc<S>) {
    let put = |n: usize, store: Arc<S>| async move {
        store.write(HotWrite { request: request(0), ..write(&alice(), n, 0) }).await
    };
    let outcomes = race(&store, RACERS, put).await;
    let winners = done(&outcomes);
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let stored = HotWritten::ReplyExists(format!("reply to {}", winners[0]).into_bytes());
    let lost = outcomes.iter().filter(|outcome| **outcome == Ok(stored.clone())).count();
    assert_eq!(lost, RACERS - 1, "all others get the winner's reply: {outcomes:?}");
}

async fn attempts_are_counted<S: HotStore>(store: Arc<S>) {
    for n in 0..3_u32 {
        let counted = HotWrite { session: session(&format!("s{n}")), ..write(&alice(), n as usize, 0) };
        store.write(counted).await.expect("written");
        let quiet = HotWrite { count_attempt: None, ..write(&alice(), 100 + n as usize, n.into()) };
        store.write(quiet).await.expect("written");
        assert_eq!(store.read(&what(&alice(), 0)).await.map(|view| view.attempts), Ok(n + 1));
    }
    assert_eq!(store.read(&what(&who("st-mary", "bob"), 0)).await.map(|view| view.attempts), Ok(0));
    assert_eq!(store.read(&what(&who("st-john", "alice"), 0)).await.map(|view| view.attempts), Ok(0));
}

async fn concurrent_attempts_are_all_counted<S: HotStore + 'static>(store: Arc<S>) {
    let put = |n: usize, store: Arc<S>| async move {
        store.write(HotWrite { session: session(&format!("s{n}")), ..write(&alice(), n, 0) }).await
    };
    assert_eq!(done(&race(&store, RACERS, put).await).len(), RACERS);
    let attempts = store.read(&what(&alice(), 0)).await.map(|view| view.attempts as usize);
    assert_eq!(attempts, Ok(RACERS));
}

async fn false_alarms_are_counted_beside_attempts<S: HotStore>(store: Arc<S>) {
    for n in 0..3 {
        let alarm = HotWrite {
            count_attempt: None,
            count_false_alarm: Some(LONG),
            ..write(&alice(), n, u64::try_from(n).expect("small"))
        };
        assert_eq!(store.write(alarm.clone()).await, Ok(HotWritten::Done));
        assert!(matches!(store.write(alarm).await, Ok(HotWritten::ReplyExists(_))), "counted once");
        let seen = store.read(&what(&alice(), n)).await.expect("read");
        assert_eq!((seen.attempts, seen.false_alarms as usize), (0, n + 1));
    }
    let both = HotWrite { count_false_alarm: Some(LONG), ..write(&alice(), 9, 3) };
    store.write(HotWrite { use_nonce: None, ..both }).await.expect("written");
    let seen = store.read(&what(&alice(), 9)).await.expect("read");
    assert_eq!((seen.attempts, seen.false_alarms, seen.nonce_used), (1, 4, false));
}

async fn the_last_announcement_under_a_name_is_seen<S: HotStore>(store: Arc<S>) {
    let bob = who("st-mary", "bob");
    for (name, version) in [("known", 1), ("keystroke/personal/password", 7), ("known", 3), ("known", 2)] {
        store.announce(&alice(), name, version, LONG).await.expect("announced");
    }
    let seen = store.read(&what(&alice(), 1)).await.expect("read");
    let versions = ["known", "keystroke/personal/password", "other"].map(|name| seen.announced.version(name));
    assert_eq!(versions, [Some(2), Some(7), None]);
    assert_eq!(HotView { announced: crate::Announced::default(), ..seen }, HotView::default());
    assert_eq!(store.read(&what(&bob, 1)).await, Ok(HotView::default()));
    for n in 0..crate::KEPT_ANNOUNCEMENTS {
        store.announce(&alice(), &format!("document {n}"), u64::MAX, LONG).await.expect("announced");
    }
    let seen = store.read(&what(&alice(), 1)).await.expect("read").announced;
    assert_eq!((seen.version("known"), seen.version("document 0")), (None, Some(u64::MAX)), "few are kept");
    store.forget(&alice()).await.expect("forgotten");
    assert_eq!(store.read(&what(&alice(), 1)).await, Ok(HotView::default()));
}

async fn counts_of_tenants_are_told_apart<S: HotStore>(store: Arc<S>) {
    let (mary, john) = (tenant("st-mary"), tenant("st-john"));
    assert_eq!(store.counts(&mary, &["all", "net:1"]).await, Ok(vec![0, 0]));
    assert_eq!(store.count(&mary, &["all", "net:1"], LONG).await, Ok(vec![1, 1]));
    assert_eq!(store.count(&mary, &["all", "net:2"], LONG).await, Ok(vec![2, 1]));
    assert_eq!(store.count(&john, &["all"], LONG).await, Ok(vec![1]));
    assert_eq!(store.counts(&mary, &["net:2", "all", "net:1", "net:3"]).await, Ok(vec![1, 2, 1, 0]));
    assert_eq!(store.counts(&john, &["net:1", "all"]).await, Ok(vec![0, 1]));
    // A subject is none of them, whatever it is called.
    store.forget(&who("st-mary", "all")).await.expect("forgotten");
    assert_eq!(store.counts(&mary, &["all"]).await, Ok(vec![2]));
}

async fn concurrent_counts_are_all_counted<S: HotStore + 'static>(store: Arc<S>) {
    let count = |_, store: Arc<S>| async move { store.count(&tenant("st-mary"), &["all"], LONG).await };
    let mut counts: Vec<u32> =
        race(&store, RACERS, count).await.into_iter().flat_map(|counts| counts.expect("counted")).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=u32::try_from(RACERS).expect("small")).collect::<Vec<_>>());
}

async fn a_ceremony_is_handed_out_once<S: HotStore + 'static>(store: Arc<S>) {
    const TAKERS: usize = 200;
    for round in 0..5 {
        let id = format!("ceremony:{round}");
        store.put_ceremony(&tenant("st-mary"), &ceremony(&id), vec![1, 2], LONG).await.expect("put");
        let take = |_, store: Arc<S>| {
            let id = ceremony(&id);
            async move { store.take_ceremony(&tenant("st-mary"), &id).await.expect("answered") }
        };
        let taken = race(&store, TAKERS, take).await;
        let got: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(got, [vec![1, 2]], "round {round}");
    }
    assert_eq!(store.take_ceremony(&tenant("st-mary"), &ceremony("never")).await, Ok(None));
}

async fn ceremonies_of_tenants_are_told_apart<S: HotStore>(store: Arc<S>) {
    let pairs = [("a", "b:c"), ("a:b", "c"), ("a", "*"), ("a", "b"), ("A", "b"), ("a%", "b")];
    for (n, (whose, id)) in (0_u8..).zip(pairs) {
        store.put_ceremony(&tenant(whose), &ceremony(id), vec![n], LONG).await.expect("put");
    }
    for (n, (whose, id)) in (0_u8..).zip(pairs) {
        let taken = store.take_ceremony(&tenant(whose), &ceremony(id)).await;
        assert_eq!(taken, Ok(Some(vec![n])), "{whose} {id}");
    }
}

async fn awkward_subjects_are_told_apart<S: HotStore>(store: Arc<S>) {
    for (n, subject) in awkward().iter().enumerate() {
        assert_eq!(store.read(&what(subject, n)).await, Ok(HotView::default()), "{subject:?}");
        assert_eq!(store.write(write(subject, n, 0)).await, Ok(HotWritten::Done), "{subject:?}");
    }
    for (n, subject) in awkward().iter().enumerate() {
        assert_eq!(store.read(&what(subject, n)).await, Ok(view(n, 1, 1)), "{subject:?}");
    }
}

async fn forgetting_removes_everything_of_the_subject_and_nothing_else<S: HotStore>(store: Arc<S>) {
    let subjects = awkward();
    for (n, subject) in subjects.iter().enumerate() {
        store.write(write(subject, n, 0)).await.expect("written");
    }
    for (n, subject) in subjects.iter().enumerate() {
        store.forget(subject).await.expect("forgotten");
        assert_eq!(store.read(&what(subject, n)).await, Ok(HotView::default()), "{subject:?}");
        for (n, left) in subjects.iter().enumerate().skip(n + 1) {
            assert_eq!(store.read(&what(left, n)).await, Ok(view(n, 1, 1)), "{left:?} after {subject:?}");
        }
    }
    store.forget(&alice()).await.expect("nothing to forget");
    // Another session of the same subject goes as well, and a ceremony named like the subject stays.
    store.write(HotWrite { session: session("other"), ..write(&alice(), 1, 0) }).await.expect("written");
    store.put_ceremony(&tenant("st-mary"), &ceremony("alice"), vec![1], LONG).await.expect("put");
    store.forget(&alice()).await.expect("forgotten");
    assert_eq!(store.session(&alice(), &session("other")).await, Ok(None));
    assert_eq!(store.take_ceremony(&tenant("st-mary"), &ceremony("alice")).await, Ok(Some(vec![1])));
    assert_eq!(store.write(write(&alice(), 1, 0)).await, Ok(HotWritten::Done), "begins anew");
}

async fn values_are_opaque<S: HotStore>(store: Arc<S>) {
    let every: Vec<u8> = (0..=255).collect();
    for (n, value) in [Vec::new(), every.clone(), every.repeat(1000)].into_iter().enumerate() {
        let id = format!("s{n}");
        let opaque = HotWrite {
            session: session(&id),
            session_value: value.clone(),
            reply: value.clone(),
            ..write(&alice(), n, 0)
        };
        store.write(opaque).await.expect("written");
        let seen = store.read(&HotRead { session: session(&id), ..what(&alice(), n) }).await.expect("read");
        assert!(seen.session == Some((1, value.clone())) && seen.reply.as_ref() == Some(&value), "value {n}");
        store.put_ceremony(&tenant("st-mary"), &ceremony("c"), value.clone(), LONG).await.expect("put");
        assert!(
            store.take_ceremony(&tenant("st-mary"), &ceremony("c")).await == Ok(Some(value)),
            "value {n}"
        );
    }
}

async fn it_answers<S: HotStore>(store: Arc<S>) {
    assert_eq!(store.ping().await, Ok(()));
}
