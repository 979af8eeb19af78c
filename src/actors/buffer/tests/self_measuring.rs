use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn measured() -> Config {
    config()
        .trigger_size(1_000_000)
        .self_measurement("own", 10 * SECOND)
}

/// Without a look at the quota, of which the thread buffer reserves more than it uses.
fn stats(rig: &Rig) -> Stats {
    let stats = rig.shared.stats();
    assert!(stats.balanced(), "{stats}");
    stats
}

fn own_pending(rig: &Rig) -> u64 {
    let now = stats(rig);
    let own = now.databases.iter().find(|it| it.database.name() == "own");
    own.map_or(0, |own| own.pending)
}

#[actix::test]
async fn each_interval_has_its_points_which_are_counted_like_all_others() {
    let mut rig = Rig::new(measured());
    rig.record("db", 3);
    let began = Instant::now();
    for samples in 1..=30 {
        // The ones of the program and of the pipeline itself are sent together.
        while stats(&rig).written < 3 + 2 * samples {
            rig.settle_next(Verdict::Written).await;
            rig.idle().await;
        }
    }
    assert!(began.elapsed() < 330 * SECOND, "{:?}", began.elapsed());
    let now = stats(&rig);
    let own = now.databases.iter().find(|it| it.database.name() == "own");
    assert_eq!(own.unwrap().written + 3, now.written);
    assert_eq!(now.recorded, now.written + now.pending);
}

#[actix::test]
async fn a_week_without_a_server_leaves_the_buffer_to_the_program() {
    let mut rig = Rig::new(measured().max_buffer_size(20_000).max_retry_delay(HOUR));
    let began = Instant::now();
    while began.elapsed() < 7 * 24 * HOUR {
        rig.settle_next(retry(Scope::Endpoint)).await;
    }
    let own = own_pending(&rig);
    // The course of the outage can be seen, and a hundredth of the buffer is not exceeded.
    assert!((60..=200).contains(&own), "{own}");
    rig.record("db", 20_000 - own);
    assert_eq!(stats(&rig).dropped.total(), 0);
    // A buffer that is full has no room for more of them.
    let recorded = stats(&rig).recorded;
    tokio::time::advance(HOUR).await;
    rig.idle().await;
    assert_eq!(stats(&rig).recorded, recorded);
}

#[actix::test]
async fn the_database_of_the_figures_may_fail_alone() {
    let mut rig = Rig::new(measured().max_buffer_size(20_000).max_retry_delay(HOUR));
    let began = Instant::now();
    while began.elapsed() < 24 * HOUR {
        let write = rig.write().await;
        match write.database.name() {
            "own" => answer(write, retry(Scope::Database)),
            _ => answer(write, Verdict::Written),
        }
        if stats(&rig).written < 1_000 {
            rig.record("db", 1);
        }
    }
    let now = stats(&rig);
    assert!(now.written >= 1_000, "{now}");
    assert!((30..=200).contains(&now.pending), "{now}");
}

#[actix::test]
async fn an_update_turns_it_on_and_off_and_a_shutdown_ends_it() {
    let mut rig = Rig::new(config());
    tokio::time::advance(HOUR).await;
    rig.idle().await;
    assert_eq!(stats(&rig).recorded, 0);
    let on = |config: Config| config.self_measurement("own", 60 * SECOND);
    rig.update(on).await.unwrap();
    let began = Instant::now();
    rig.settle_next(Verdict::Written).await;
    assert_eq!(
        began.elapsed().as_secs() / 10,
        7,
        "a minute, and the interval"
    );
    // The same again does not begin a new interval.
    tokio::time::advance(40 * SECOND).await;
    rig.update(on).await.unwrap();
    rig.settle_next(Verdict::Written).await;
    assert_eq!(began.elapsed().as_secs() / 10, 13);
    rig.update(|config| config.self_measurement("", SECOND))
        .await
        .unwrap();
    rig.idle().await;
    let recorded = stats(&rig).recorded;
    tokio::time::advance(HOUR).await;
    rig.idle().await;
    assert_eq!(stats(&rig).recorded, recorded);

    rig.update(on).await.unwrap();
    rig.record("db", 1);
    let end = rig.shutting_down(HOUR);
    let write = rig.write().await;
    tokio::time::advance(HOUR / 2).await;
    rig.idle().await;
    answer(write, Verdict::Written);
    let report = within("the end", end).await.unwrap();
    assert_eq!(report.stats.recorded, recorded + 1);
    assert_eq!(report.stats.dropped.total(), 0);
}
