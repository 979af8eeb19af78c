//! Values in a request's extensions whose drop tells this thread that the request is gone.
//!
//! Extensions are cleared or dropped with their request, before its memory is reused. The slot is
//! encoded in the *type* of a mark: a zero-sized value needs no allocation, one with a number
//! would. So each of the first slots has its own type; further ones share a type with a number.

use actix_web::dev::Extensions;

use super::open;

/// The first `ROWS * ROWS` slots have types: marks allocate only if more requests are open on a
/// thread.
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

/// Adds the mark of `slot` to the extensions of a request without one.
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
