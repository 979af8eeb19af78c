//! Maps keyed by the addresses of values that don't move while they are in the map.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    num::NonZeroUsize,
    ptr::NonNull,
};

pub(super) type ByAddress<T> = HashMap<NonZeroUsize, T, BuildHasherDefault<AddressHasher>>;

pub(super) const fn map<T>() -> ByAddress<T> {
    HashMap::with_hasher(BuildHasherDefault::new())
}

pub(super) fn of<T: ?Sized>(value: &T) -> NonZeroUsize {
    NonNull::from_ref(value).addr()
}

/// Hash function for addresses, which clients can't choose: about 110 instructions per request less
/// than foldhash.
#[derive(Debug, Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    #[inline]
    fn write_usize(&mut self, address: usize) {
        // 2^64 divided by the golden ratio. The upper bits of the product depend on all bits of the
        // address; the table also uses the lowest.
        let product = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("an address is a usize");
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, hash::BuildHasher as _};

    use super::*;

    #[test]
    fn addresses_in_a_row_differ_in_the_bits_that_a_table_looks_at() {
        let hasher = map::<()>();
        let address = |at: usize| NonZeroUsize::new(0x7f00_1234_5670 + at * 256).unwrap();
        let hashes = (0..128).map(|at| hasher.hasher().hash_one(address(at)));
        let hashes: Vec<_> = hashes.collect();
        let lowest: BTreeSet<_> = hashes.iter().map(|hash| hash & 0x7f).collect();
        let highest: BTreeSet<_> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(
            lowest.len() > 64 && highest.len() > 64,
            "{lowest:?} {highest:?}"
        );
    }
}
