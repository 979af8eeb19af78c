//! Edit distance of two names.

/// Number of letters to insert, remove, replace, or swap with the next one (optimal string
/// alignment). Takes quadratic time: for short names only.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before_last[j - 2] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_step_like_any_other() {
        for (a, b, steps) in [
            ("", "", 0),
            ("", "ab", 2),
            ("url", "url", 0),
            ("uri", "url", 1),
            ("ulr", "url", 1),
            ("tokne", "token", 1),
            ("users", "user", 1),
            ("batchsize", "batch_size", 1),
            ("kitten", "sitting", 3),
            ("Ærø", "Aero", 3),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }
}
