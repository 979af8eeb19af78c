//! What a request carries so that this thread hears of its end.
//!
//! The extensions of a request are cleared or dropped with it, before anything of it is used again,
//! and a value in them with it. Which request that was, the value's *type* says: a value without a
//! size costs no allocation, and one that holds a number would. So each of the first slots has a
//! type of its own; further ones share a type that holds the number.

use actix_web::dev::Extensions;

use super::open;

/// `ROWS * ROWS` slots have a type: so many requests can be open on a thread before marks allocate.
const ROWS: usize = 8;

struct Typed<const ROW: usize, const COLUMN: usize>;

struct Numbered(usize);

impl<const ROW: usize, const COLUMN: usize> Drop for Typed<ROW, COLUMN> {
    fn drop(&mut self) {
        open::forget_head(ROW * ROWS + COLUMN);
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        open::forget_head(self.0);
    }
}

/// Puts the mark of `slot` among the extensions of a request that has no mark.
pub(super) fn put(extensions: &mut Extensions, slot: usize) {
    match PUT.get(slot / ROWS) {
        Some(row) => row[slot % ROWS](extensions),
        None => _ = extensions.insert(Numbered(slot)),
    }
}

type Put = fn(&mut Extensions);

static PUT: [[Put; ROWS]; ROWS] = [
    row::<0>(),
    row::<1>(),
    row::<2>(),
    row::<3>(),
    row::<4>(),
    row::<5>(),
    row::<6>(),
    row::<7>(),
];

const fn row<const ROW: usize>() -> [Put; ROWS] {
    [
        put_typed::<ROW, 0>,
        put_typed::<ROW, 1>,
        put_typed::<ROW, 2>,
        put_typed::<ROW, 3>,
        put_typed::<ROW, 4>,
        put_typed::<ROW, 5>,
        put_typed::<ROW, 6>,
        put_typed::<ROW, 7>,
    ]
}

fn put_typed<const ROW: usize, const COLUMN: usize>(extensions: &mut Extensions) {
    extensions.insert(Typed::<ROW, COLUMN>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_of_slots_beyond_the_first_allocate() {
        for slot in 0..2 * ROWS * ROWS {
            let mut extensions = Extensions::new();
            put(&mut extensions, slot);
            let is_numbered = extensions.contains::<Numbered>();
            assert_eq!(is_numbered, slot >= ROWS * ROWS, "{slot}");
        }
    }
}
