use super::*;

#[actix::test]
async fn an_update_is_applied_from_the_next_batch_on() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    let update = Update::new(|config| {
        config
            .trigger_size(2)
            .max_batch_size(1)
            .password("p")
            .user("u")
    });
    rig.buffer.send(update).await.unwrap().unwrap();
    let write = rig.write().await;
    assert!(write.endpoint.authorization().is_some());
    assert_eq!(lines(&write), 2, "they were in a tray before");
    rig.record("db", 2);
    assert_eq!(lines(&rig.write().await), 1);
    let refused = Update::new(|config| config.max_clients(0));
    let error = rig.buffer.send(refused).await.unwrap().unwrap_err();
    assert_eq!(error.setting, "max_clients");
}

#[actix::test]
async fn a_changed_credential_is_tried_at_once() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let not_before = Some(600 * SECOND);
    let refused = Verdict::Retry(Retry {
        not_before,
        ..Retry::new(Scope::Endpoint, String::new())
    });
    rig.settle_next(refused).await;
    rig.nothing_is_sent().await;
    let update = Update::new(|config| config.user("u").password("right"));
    rig.buffer.send(update).await.unwrap().unwrap();
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
}

#[actix::test]
async fn fewer_clients_apply_as_posts_come_back() {
    let mut rig = Rig::new(config().max_clients(3).max_batch_size(1));
    rig.record("db", 3);
    let writes = [rig.write().await, rig.write().await, rig.write().await];
    let update = Update::new(|config| config.max_clients(1));
    rig.buffer.send(update).await.unwrap().unwrap();
    for write in writes {
        answer(write, Verdict::Written);
    }
    rig.record("db", 3);
    for _ in 0..3 {
        let write = rig.write().await;
        rig.nothing_is_sent().await;
        answer(write, Verdict::Written);
    }
}
