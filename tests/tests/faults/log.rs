//! The audit log's tree when a process ends before it is integrated, when clocks step, and when replicas race.

use std::time::Duration;

use keyward_audit::{Checkpoint, Tiles, TreeError};
use keyward_domain::{Outcome, Timestamp};
use keyward_engine::LogSettings;
use keyward_store::Tile;
use keyward_tests::person::own;
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, World};

/// A log whose checkpoints are signed when the test says so.
fn by_hand(deployment: &Deployment) -> LogSettings {
    let mut log = LogSettings::new(deployment.audit_signer());
    log.checkpoint_interval = Duration::from_hours(24);
    log
}

/// The checkpoint covers every record, and the tree of the store's own commitments is the one that it signs.
async fn whole(world: &World) -> Checkpoint {
    let head = world.store.head().await.expect("read").expect("a checkpoint");
    let checkpoint = Checkpoint::verify(&head.note, world.engine.log_key()).expect("signed");
    let all = world.store.commitments(0, usize::MAX).await.expect("read");
    assert_eq!(checkpoint.size, all.len() as u64);
    let mut edge = keyward_audit::Edge::default();
    for (_, commitment) in all {
        edge.push(commitment);
    }
    assert_eq!(edge.root(), checkpoint.root);
    let mut tiles = Tiles::default();
    let root = loop {
        match tiles.root(checkpoint.size) {
            Err(TreeError::Missing(id)) => {
                let bytes = world.store.tile(id.level, id.index).await.expect("read").expect("a tile");
                tiles.insert(id, &bytes).expect("whole");
            }
            root => break root.expect("a root"),
        }
    };
    assert_eq!(root, checkpoint.root, "the tiles give it, too");
    checkpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_were_acknowledged_before_the_end_are_in_the_next_starts_checkpoint() {
    let deployment = Deployment::new();
    let person = deployment.person("alice");
    let mut covered = 0;
    for round in 0..3 {
        let world = deployment.start_with(Hot::InProcess, by_hand(&deployment)).await;
        world.engine.integrate_log().await.expect("integrated");
        if round > 0 {
            let checkpoint = whole(&world).await;
            assert!(checkpoint.size > covered, "what the last process left is integrated");
            covered = checkpoint.size;
        }
        let door = Door::on_the_wire(&world).await;
        if round == 0 {
            door.register(&person).await;
        }
        for n in 0..5 {
            let decision = door.proven_login(&world, &person, &format!("s{round}-{n}"), round * 10 + n).await;
            assert_eq!(Seen::from(&decision).outcome, Outcome::Allow);
        }
        door.close().await;
        // No checkpoint: the process ends here.
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_takes_no_checkpoint_back() {
    let deployment = Deployment::new();
    let world = deployment.start_with(Hot::InProcess, by_hand(&deployment)).await;
    let door = Door::on_the_wire(&world).await;
    let person = deployment.person("alice");
    door.register(&person).await;
    world.engine.integrate_log().await.expect("integrated");
    let before = world.store.head().await.expect("read").expect("a checkpoint");
    let now = world.clock().now();
    for step in [-3600, 3600, -7200] {
        deployment.clock.set(Timestamp::from_secs(now.secs() + step));
        door.password_login(&world, &person, &format!("s{step}"), &own(1)).await;
        world.engine.integrate_log().await.expect("integrated");
    }
    let after = world.store.head().await.expect("read").expect("a checkpoint");
    assert_eq!(whole(&world).await.size, before.size + 3);
    assert!(after.signed_at >= before.signed_at && after.signed_at.secs() == now.secs() + 3600);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_integrate_at_once_make_one_tree() {
    let deployment = Deployment::new();
    let mut worlds = Vec::new();
    for _ in 0..3 {
        let mut log = LogSettings::new(deployment.audit_signer());
        log.checkpoint_interval = Duration::from_millis(1);
        worlds.push(deployment.start_with(Hot::InProcess, log).await);
    }
    let asking = worlds.iter().zip(0..).map(|(world, n)| async move {
        let door = Door::in_process(world);
        let person = keyward_tests::Person::new(&format!("replica-{n}"));
        for session in 0..60 {
            let mut question = person.asks(&format!("s{session}"));
            question.roles = vec!["front_desk".to_owned()];
            assert!(door.ask(question).await.expect("a decision").audit_index.is_some());
        }
    });
    futures::future::join_all(asking).await;
    worlds[0].engine.integrate_log().await.expect("integrated");
    assert_eq!(whole(&worlds[1]).await.size, 180);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_over_a_tree_that_was_changed_or_a_log_that_lost_records() {
    let deployment = Deployment::new();
    let world = deployment.start_with(Hot::InProcess, by_hand(&deployment)).await;
    let door = Door::on_the_wire(&world).await;
    door.register(&deployment.person("alice")).await;
    world.engine.integrate_log().await.expect("integrated");
    let head = world.store.head().await.expect("read").expect("a checkpoint");
    door.register(&deployment.person("bob")).await;
    // Somebody with access to the files puts another hash in place of one that was signed.
    let mut hashes = world.store.tile(0, 0).await.expect("read").expect("a tile");
    hashes[0] ^= 1;
    let forged = Tile { level: 0, index: 0, hashes };
    world.store.advance(head.size, head.clone(), vec![forged]).await.expect("written");
    let refused = world.engine.integrate_log().await.expect_err("must not be signed").to_string();
    assert!(refused.contains("not those of its checkpoint"), "{refused}");
    assert_eq!(world.store.head().await.expect("read").expect("a checkpoint"), head);
    // Somebody signs a longer log with another key.
    let stranger = Deployment::new().audit_signer();
    let tree = Checkpoint { origin: stranger.key().name().to_owned(), size: 99, root: [1; 32] };
    let mut longer = head.clone();
    (longer.size, longer.note) = (99, tree.sign(&stranger));
    world.store.advance(head.size, longer, vec![]).await.expect("written");
    let refused = world.engine.integrate_log().await.expect_err("must not be gone on from").to_string();
    assert!(refused.contains("not signed by"), "{refused}");
    door.close().await;
}
