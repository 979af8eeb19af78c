//! What leaves the books or comes back to them beside what is sent, and what is out.

use super::*;

fn one(database: &'static str) -> World {
    let mut world = World::new();
    world.add(database, 1);
    world
}

#[test]
fn what_is_out_is_told_apart_from_probes() {
    let is = |world: &World| (world.dispatcher.is_idle(), world.dispatcher.only_probes());
    let mut world = one("bad");
    assert_eq!(is(&world), (true, true));
    let (loan, database) = world.send().unwrap();
    assert_eq!(is(&world), (false, false));
    world.answer(loan, database, Answer::Missing);
    assert_eq!(is(&world), (true, true));
    world.now += 60 * SECOND;
    let (probe, bad) = world.send().unwrap();
    assert_eq!(is(&world), (false, true));
    world.add("good", 1);
    let (loan, good) = world.send().unwrap();
    assert_eq!(is(&world), (false, false));
    world.answer(loan, good, Answer::Written);
    assert_eq!(is(&world), (false, true));
    // It works, and which of its lines are bad is being looked into.
    world.dispatcher.answered(probe, world.now);
    assert_eq!(is(&world), (false, false));
    world.answer(probe, bad, Answer::Written);
    assert_eq!(is(&world), (true, true));
}

#[test]
fn what_is_given_up_is_not_sent() {
    let mut world = one("a");
    assert!(world.dispatcher.expire(world.now, world.now).is_empty());
    let later = world.now + SECOND;
    assert_eq!(world.dispatcher.expire(later, later).len(), 1);
    assert!(world.send().is_none());
    world.add("a", 1);
    let evicted = world.dispatcher.evict(Overflow::DropOldest, world.now);
    assert_eq!(evicted.unwrap().batch.lines.len(), 1);
    assert!(world.send().is_none());
    assert_eq!(world.pending(), 0);
}

#[test]
fn what_could_not_be_put_on_disk_is_sent() {
    let mut world = one("a");
    let evicted = world.dispatcher.evict_to_disk(world.now).unwrap();
    assert!(world.send().is_none());
    world.dispatcher.put_back(evicted, world.now);
    assert!(world.send().is_some());
    assert_eq!(world.pending(), 1);
}

#[test]
fn batches_of_earlier_processes_have_lower_numbers() {
    let mut world = World::new();
    let dispatcher = &mut world.dispatcher;
    let [new, newer] = [(); 2].map(|()| dispatcher.take_number(false));
    let [older, old] = [(); 2].map(|()| dispatcher.take_number(true));
    assert!(older < old && old < new && new < newer);
}

#[test]
fn an_endpoint_that_is_back_is_sent_the_next_batch() {
    for is_back in [false, true] {
        let mut world = World::new();
        world.dispatcher = Dispatcher::new(2, LIMITS, None);
        world.add("a", 1);
        let (loan, database) = world.send().unwrap();
        assert_eq!(world.dispatcher.endpoint(loan), Some(0));
        world.answer(loan, database, Answer::NotConnected);
        if is_back {
            world.dispatcher.fail_back(0, world.now);
        }
        let (loan, _) = world.send().unwrap();
        assert_eq!(world.dispatcher.endpoint(loan), Some(usize::from(!is_back)));
    }
}
