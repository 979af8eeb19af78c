use super::*;

#[actix::test]
async fn an_update_is_applied_from_the_next_batch_on() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    rig.update(|config| {
        config
            .trigger_size(2)
            .max_batch_size(1)
            .password("p")
            .user("u")
    })
    .await
    .unwrap();
    let write = rig.write().await;
    assert!(write.endpoint.authorization().is_some());
    assert_eq!(lines(&write), 1, "what waits is cut anew");
    rig.record("db", 2);
    for _ in 0..3 {
        assert_eq!(lines(&rig.write().await), 1);
    }
    let error = rig
        .update(|config| config.max_clients(0))
        .await
        .unwrap_err();
    assert_eq!(error.setting, "max_clients");
}

#[actix::test]
async fn a_changed_credential_is_tried_at_once() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let not_before = Some(600 * SECOND);
    let refused = Verdict::Retry(Retry {
        not_before,
        ..Retry::new(Scope::Endpoint, Cause::Unavailable, "busy")
    });
    rig.settle_next(refused).await;
    rig.nothing_is_sent().await;
    let began = Instant::now();
    rig.update(|config| config.user("u").password("right"))
        .await
        .unwrap();
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[actix::test]
async fn fewer_clients_apply_as_posts_come_back() {
    let mut rig = Rig::new(config().max_clients(3).max_batch_size(1));
    rig.record("db", 3);
    let writes = [rig.write().await, rig.write().await, rig.write().await];
    rig.update(|config| config.max_clients(1)).await.unwrap();
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

#[actix::test]
async fn fewer_clients_and_then_more_again_use_all_of_them() {
    let mut rig = Rig::new(config().max_clients(4).max_batch_size(1).trigger_size(4));
    rig.record("db", 4);
    for _ in 0..4 {
        let write = rig.write().await;
        answer(write, Verdict::Written);
    }
    rig.idle().await;
    for clients in [1, 4] {
        rig.update(move |config| config.max_clients(clients))
            .await
            .unwrap();
    }
    rig.record("db", 4);
    let _in_flight = [
        rig.write().await,
        rig.write().await,
        rig.write().await,
        rig.write().await,
    ];
}

#[actix::test]
async fn updates_do_not_postpone_what_waits() {
    let mut rig = Rig::new(config().trigger_size(100));
    let began = Instant::now();
    rig.record("db", 1);
    rig.idle().await;
    for threshold in 1..4 {
        tokio::time::advance(3 * SECOND).await;
        rig.update(move |config| config.warn_threshold(threshold))
            .await
            .unwrap();
    }
    rig.write().await;
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[actix::test]
async fn the_precision_of_what_is_pending_cannot_be_changed() {
    let rig = Rig::new(config());
    let error = rig
        .update(|config| config.precision(crate::Precision::Seconds))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "precision is \"s\": it can't be changed while delivery runs: pending measurements are encoded in ns"
    );
}

#[actix::test]
async fn a_panic_in_the_closure_of_an_update_ends_nothing() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    let panics = |_| panic!("on purpose");
    let error = rig.update(panics).await.unwrap_err();
    assert_eq!(error.setting, "update");
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
}

#[actix::test]
async fn secret_files_are_read_again_after_a_time_in_which_no_thread_could_be_had() {
    use crate::threads::refusal;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old").unwrap();
    let mut rig = Rig::new(config().user("ada").password_file(file.path()));
    let mut sent_with = async || {
        rig.record("db", 3);
        let write = rig.write().await;
        let password = write.endpoint.authorization().cloned();
        answer(write, Verdict::Written);
        password.unwrap()
    };
    let old = sent_with().await;
    refusal::set(true);
    tokio::time::sleep(60 * SECOND).await;
    refusal::set(false);
    std::fs::write(file.path(), "new").unwrap();
    let read = async {
        while sent_with().await == old {
            tokio::time::sleep(SECOND).await;
            std::thread::yield_now();
        }
    };
    within("the password", read).await;
}
