//! What a recording thread keeps of what strangers send, beside the lines that are pending.

#![allow(unsafe_code)] // an allocator that counts

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use actix_influxdb::{Influx, Measurement, testing::FakeInflux};
use support::pipeline::{quiet, settled};

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

/// Counts what each thread allocates, less what it frees.
struct Counting;

fn count(bytes: isize) {
    _ = BYTES.try_with(|counted| counted.set(counted.get() + bytes));
}

// SAFETY: it is the system's allocator; counting allocates nothing.
#[allow(clippy::undocumented_unsafe_blocks)] // each call below has its caller's promises
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ALLOWED: isize = 2 << 20;

/// Backslashes vanish before a backslash: so long a text makes a short line.
fn long(number: usize) -> String {
    format!("{}{number}", "\\".repeat(20_000))
}

#[actix::test]
async fn a_thread_keeps_at_most_2_mib_of_hostile_values_keys_and_fields() {
    const COUNT: usize = 1_000;
    let fake = FakeInflux::start();
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let before = BYTES.get();
    for number in 0..COUNT {
        // Each of them twice: what comes again is what a cache would keep.
        for _ in 0..2 {
            let hostile = Measurement::new("db", "m")
                .tag("agent", long(number))
                .field("f", 1);
            influx.record(hostile).unwrap();
        }
    }
    for number in 0..200 {
        let key = Measurement::new("db", long(0)).tag(long(number), long(1));
        influx.record(key.field(long(number), 1)).unwrap();
    }
    let series = influx.series("db", "m").build().unwrap();
    for number in 0..200 {
        let mut point = series.point().field("f", 1);
        point.set_field(long(number), "x".repeat(20_000));
        // Replaced by a short one: the point's memory is long all the same.
        point.field(long(number), 1).record().unwrap();
    }
    let kept = BYTES.get() - before;
    // Of these lines nothing was drained yet, or it was and is counted here all the same.
    let lines = 100 * influx.stats().recorded as isize;
    assert!(kept <= ALLOWED + lines, "{kept} bytes");
    settled(&influx).await;
}
