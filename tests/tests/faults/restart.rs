//! The process ends and starts again on the same data.

use keyward_domain::{DeviceClass, Outcome, ReasonCode};
use keyward_tests::person::{history, own, somebody_elses};
use keyward_tests::seen::Seen;
use keyward_tests::{Deployment, Door, Hot, log};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_passkey_no_profile_and_no_record() {
    let deployment = Deployment::new();
    let person = deployment.person("alice");
    let world = deployment.start(Hot::InProcess).await;
    let door = Door::on_the_wire(&world).await;
    door.register(&person).await;
    door.import(&person, DeviceClass::Personal, &history(50)).await;
    let mut given = vec![door.proven_login(&world, &person, "s0", 1).await];
    world.engine.learned().await;
    let (profiles, records) = (door.status(&person).await, log::rows(&world).await);
    let keys = world.engine.token_keys();
    door.close().await;
    world.stop().await;

    for n in 1..=3 {
        let world = deployment.start(Hot::InProcess).await;
        let door = Door::on_the_wire(&world).await;
        if n == 1 {
            assert_eq!(door.status(&person).await, profiles);
            assert_eq!(log::rows(&world).await, records);
        }
        assert_eq!(world.engine.token_keys(), keys);
        let owner = door.password_login(&world, &person, &format!("owner-{n}"), &own(30 + n)).await;
        let seen = Seen::from(&owner);
        assert!(seen.outcome == Outcome::Allow && seen.says(ReasonCode::TypingMatches), "{seen:?}");
        let impostor =
            door.password_login(&world, &person, &format!("impostor-{n}"), &somebody_elses(n)).await;
        let seen = Seen::from(&impostor);
        assert!(seen.outcome == Outcome::StepUp && seen.says(ReasonCode::TypingDiffers), "{seen:?}");
        let proven = door.proven_login(&world, &person, &format!("s{n}"), 20 + n).await;
        assert_eq!(Seen::from(&proven).outcome, Outcome::Allow);
        given.extend([owner, impostor, proven]);
        log::holds(&world, &given).await;
        log::replayed(&world).await;
        door.close().await;
        world.stop().await;
    }
}
