use actix_influxdb_loom::model::{
    Kind::{Good, Invalid, TooLong},
    Scenario,
};

/// Two threads record a line each while the actor looks once, and nothing comes near the trigger.
const TWO: Scenario = Scenario {
    trigger: 100,
    has_lost: false,
    threads: &[&[Good], &[Good]],
    looks: 1,
    drains: false,
    preemptions: 2,
};

#[test]
fn two_good_lines() {
    TWO.check();
}

#[test]
fn an_invalid_line_beside_a_good_one() {
    Scenario {
        threads: &[&[Invalid], &[Good]],
        ..TWO
    }
    .check();
}

#[test]
fn an_invalid_line_after_and_before_good_ones() {
    Scenario {
        threads: &[&[Invalid, Good], &[Good, Invalid]],
        ..TWO
    }
    .check();
}

#[test]
fn two_invalid_lines_beside_a_good_one() {
    Scenario {
        threads: &[&[Invalid], &[Invalid], &[Good]],
        looks: 0,
        preemptions: 1,
        ..TWO
    }
    .check();
}

#[test]
fn good_lines_at_the_trigger_size() {
    Scenario {
        trigger: 2,
        looks: 2,
        ..TWO
    }
    .check();
}

#[test]
fn an_invalid_line_at_the_trigger_size() {
    Scenario {
        trigger: 2,
        threads: &[&[Good, Invalid], &[Good]],
        looks: 2,
        ..TWO
    }
    .check();
}

#[test]
fn a_line_without_room_beside_a_good_one() {
    Scenario {
        threads: &[&[TooLong], &[Good]],
        ..TWO
    }
    .check();
}

#[test]
fn a_line_without_room_beside_a_good_one_while_a_loss_has_been_told_of_already() {
    Scenario {
        has_lost: true,
        threads: &[&[TooLong], &[Good]],
        ..TWO
    }
    .check();
}

#[test]
fn a_drain_while_lines_come() {
    Scenario {
        threads: &[&[Good, Good], &[Good]],
        drains: true,
        ..TWO
    }
    .check();
}

#[test]
fn a_drain_while_good_and_invalid_lines_come() {
    Scenario {
        threads: &[&[Good, Invalid], &[Good]],
        drains: true,
        ..TWO
    }
    .check();
}

#[test]
fn a_drain_while_the_trigger_size_is_reached() {
    Scenario {
        trigger: 2,
        threads: &[&[Good, Good], &[Good]],
        drains: true,
        ..TWO
    }
    .check();
}
